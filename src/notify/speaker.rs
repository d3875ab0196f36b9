//! On whose word the desk acted, as far as the user is told.

use serde::{Deserialize, Serialize};

use crate::net::language::Language;

/// On whose word a reset was done: a role, never a name, which may be made up or tell too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speaker {
    /// A colleague's.
    #[serde(rename = "a colleague")]
    Colleague,
    /// The account manager's.
    #[serde(rename = "your account manager")]
    AccountManager,
}

impl Speaker {
    /// The words for it after `by`, or what `language` has for that.
    pub const fn in_words(self, language: Language) -> &'static str {
        match (language, self) {
            (Language::En, Self::Colleague) => "a colleague",
            (Language::En, Self::AccountManager) => "your account manager",
            (Language::Nl, Self::Colleague) => "een collega",
            (Language::Nl, Self::AccountManager) => "uw accountmanager",
            (Language::De, Self::Colleague) => "jemanden aus Ihrem Haus",
            (Language::De, Self::AccountManager) => "Ihren Kundenbetreuer",
            (Language::Fr, Self::Colleague) => "un collègue",
            (Language::Fr, Self::AccountManager) => "votre gestionnaire de compte",
        }
    }
}
