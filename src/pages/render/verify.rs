//! What the page that asks for a code says, as data.

use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::page::{in_words, local};

/// What came of the last code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyState<'a> {
    /// None was sent yet.
    Ask,
    /// None was sent yet, and the device is not remembered any more: somebody has a copy.
    Copied,
    /// It was not right.
    Wrong {
        /// How many more may be wrong before there is a wait.
        tries_left: u32,
    },
    /// It was right once, and codes work once.
    Used,
    /// Too many were wrong.
    Locked {
        /// How long it takes.
        seconds: u64,
        /// When it ends, as the user reads the time.
        until: &'a str,
    },
    /// Far too many were wrong; only a reset helps.
    Disabled,
}

/// Which keyboard a phone offers. The field takes both kinds of code whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeField {
    /// Digits from an authenticator app: the phone offers large digits and no letters.
    App,
    /// A recovery code: the phone offers letters.
    Recovery,
}

/// A form of the portal that was sent when the proof had run out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeptNotice<'a> {
    /// There was none.
    Nothing,
    /// It is in the page, sealed, and goes to the portal with the right code.
    Sealed(&'a str),
    /// It was too large to be kept.
    TooLarge,
}

impl<'a> KeptNotice<'a> {
    /// What the page's own form carries of it.
    pub fn field(self) -> Option<&'a str> {
        match self {
            Self::Nothing => None,
            Self::Sealed(sealed) => Some(sealed),
            Self::TooLarge => Some(""),
        }
    }

    /// The same read back.
    pub fn of_field(field: Option<&'a str>) -> Self {
        match field {
            None => Self::Nothing,
            Some("") => Self::TooLarge,
            Some(sealed) => Self::Sealed(sealed),
        }
    }
}

/// Every name is always there, so that a template never meets one that is undefined.
pub(super) fn verify(
    state: VerifyState<'_>,
    field: CodeField,
    recovery_left: Option<u32>,
    return_to: &str,
    kept: KeptNotice<'_>,
    step_up: bool,
) -> Value {
    let (name, tries_left, wait, until) = match state {
        VerifyState::Ask => ("ask", None, None, None),
        VerifyState::Copied => ("copied", None, None, None),
        VerifyState::Wrong { tries_left } => ("wrong", Some(tries_left), None, None),
        VerifyState::Used => ("used", None, None, None),
        VerifyState::Locked { seconds, until } => {
            ("locked", None, Some(in_words(seconds)), Some(until))
        }
        VerifyState::Disabled => ("disabled", None, None, None),
    };
    let return_to = local(return_to);
    context! {
        state => name,
        tries_left,
        wait,
        until,
        field => match field {
            CodeField::App => "app",
            CodeField::Recovery => "recovery",
        },
        recovery_left,
        kept => kept.field(),
        step_up,
        return_to,
        return_to_query => utf8_percent_encode(return_to, NON_ALPHANUMERIC).to_string(),
    }
}
