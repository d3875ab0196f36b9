//! The mails that we ship, each in every language. One that lacks a language does not compile.

use crate::net::language::Language;
use crate::overrides::Ours;

macro_rules! mails {
    ($($name:literal),+ $(,)?) => {
        /// Every mail that can be replaced, in `language`.
        pub(super) const fn ours(language: Language) -> Ours {
            match language {
                Language::En => &[$(($name, include_str!(concat!("../../templates/mail/en/", $name)))),+],
                Language::Nl => &[$(($name, include_str!(concat!("../../templates/mail/nl/", $name)))),+],
                Language::De => &[$(($name, include_str!(concat!("../../templates/mail/de/", $name)))),+],
                Language::Fr => &[$(($name, include_str!(concat!("../../templates/mail/fr/", $name)))),+],
            }
        }
    };
}

mails!(
    "authenticator-added.txt",
    "authenticator-moved.txt",
    "authenticator-removed.txt",
    "authenticator-renamed.txt",
    "code.txt",
    "device-alarm.txt",
    "enrolled.txt",
    "recovery-code-used.txt",
    "recovery-codes-made.txt",
    "reset.txt",
    "reset-stopped.txt",
    "reset-waiting.txt",
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use minijinja::Environment;

    use super::ours;
    use crate::net::language::Language;

    fn placeholders(text: &str) -> BTreeSet<String> {
        let templates = Environment::new();
        let template = templates.template_from_str(text).unwrap();
        template.undeclared_variables(false).into_iter().collect()
    }

    #[test]
    fn a_mail_says_the_same_in_each_language() {
        for ((name, english), number) in ours(Language::En).iter().zip(0..) {
            for language in Language::ALL {
                let (other, text) = ours(language)[number];
                assert_eq!(other, *name);
                let tag = language.tag();
                assert_eq!(placeholders(text), placeholders(english), "{tag}/{name}");
                let paragraphs = |text: &str| text.split("\n\n").count();
                assert_eq!(paragraphs(text), paragraphs(english), "{tag}/{name}");
                assert!(language == Language::En || text != *english, "{tag}/{name} is English");
            }
        }
    }
}
