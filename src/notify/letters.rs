//! From what is told to the words that say it. The words are templates that operators may
//! replace; all are tried out at start, so that no fault waits for the day a mail is due.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::dates::in_words;
use super::templates::ours;
use super::{Mail, Speaker};
use crate::clock::UnixMillis;
use crate::config::Branding;
use crate::net::language::{Language, Languages};
use crate::overrides::{OverrideError, Overrides, unknown};

/// Where replaced mails are, below the folder of templates: in a folder for each language, and
/// those in the first language also beside these folders.
const FOLDER: &str = "mail";

/// The longest value in a mail, in characters: all of one stay within a record of the store.
pub(super) const LONGEST_VALUE: usize = 254;

/// The text of a template, wherever it comes from.
type Source = Result<Cow<'static, str>, OverrideError>;

/// Why there are no words.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The operator's folder.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// A template cannot be used, found at start with made-up values.
    #[error("{file}:{line}: {reason}")]
    Broken {
        /// The file, or the name of the template where it is ours.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A template has no subject in its first line, no empty line, or no text after it.
    #[error("{file}: write the subject in the first line, an empty line, and then the text")]
    Shapeless {
        /// The file, or the name of the template where it is ours.
        file: String,
    },
    /// A template leaves out the code that its mail is for.
    #[error("{file}: the mail lacks its code")]
    Useless {
        /// The file.
        file: String,
    },
}

/// A mail in words. No `Debug`: there may be a code in it.
pub struct Letter {
    /// What it is written in.
    pub language: Language,
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// All templates of mails, in every language that is spoken, ready for use.
#[derive(Debug)]
pub struct Letters {
    templates: Environment<'static>,
    brand: String,
    languages: Languages,
    overridden: Vec<(Language, Overrides)>,
}

impl Letters {
    /// Reads what operators replaced, if anything, and tries out every mail in each language.
    ///
    /// # Errors
    /// When a template cannot be used.
    pub fn new(branding: &Branding) -> Result<Self, LetterError> {
        let overridden = overrides(branding)?;
        let mut templates = Environment::new();
        // A mail is plain text: nothing in it has a meaning for a machine.
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        // A name misspelt in an override is a fault, not an empty space in the mail.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let (brand, languages) = (branding.name.clone(), branding.languages.clone());
        let mut letters = Self { templates, brand, languages, overridden };
        for (language, name, source) in letters.sources() {
            let added = letters.templates.add_template_owned(place(language, name), source?);
            added.map_err(|error| letters.broken(&error, language, name))?;
        }
        letters.rehearse()?;
        // What a fault would quote later is what stands in the mail.
        letters.templates.set_debug(false);
        Ok(letters)
    }

    /// The words of a mail to `user` about the portal at `host`, in the language wished for, if
    /// it is spoken here.
    ///
    /// # Errors
    /// When a template fails on real values.
    pub fn write(
        &self,
        wished: Option<Language>,
        user: &str,
        (portal, host): (&str, &str),
        mail: &Mail,
    ) -> Result<Letter, LetterError> {
        let (language, name) = (self.languages.or_first(wished), template(mail));
        let values = context! {
            user => plain(user),
            portal => plain(portal),
            host => plain(host),
            brand => plain(&self.brand),
            ..values(language, mail)
        };
        let ready = self.templates.get_template(&place(language, name));
        let words = ready.and_then(|ready| ready.render(values));
        let words = words.map_err(|error| self.broken(&error, language, name))?;
        let shapeless = || LetterError::Shapeless { file: self.file(language, name) };
        let words = words.replace("\r\n", "\n");
        let (subject, rest) = words.split_once('\n').ok_or_else(shapeless)?;
        let text = rest.strip_prefix('\n').ok_or_else(shapeless)?.trim_end();
        let subject = plain(subject.trim());
        if subject.is_empty() || text.is_empty() {
            return Err(shapeless());
        }
        Ok(Letter { language, subject, text: format!("{text}\n") })
    }

    /// Each mail in each language: as operators have it, or else ours.
    fn sources(&self) -> Vec<(Language, &'static str, Source)> {
        let each = |(language, overrides): &(Language, Overrides)| {
            let language = *language;
            let sources = overrides.sources().map(move |(name, source)| (language, name, source));
            sources.collect::<Vec<_>>()
        };
        self.overridden.iter().flat_map(each).collect()
    }

    /// Writes every mail with made-up values.
    fn rehearse(&self) -> Result<(), LetterError> {
        const CODE: &str = "rehearsal-of-the-code";
        let at = UnixMillis::from_seconds(1_800_000_000);
        let (from, to, label) = ("phone".to_owned(), "tablet".to_owned(), "phone".to_owned());
        let mails = [
            Mail::Enrolled { label: label.clone(), at },
            Mail::Added { label: label.clone(), at },
            Mail::Renamed { from: from.clone(), to: to.clone(), at },
            Mail::Removed { label, at },
            Mail::Moved { from, to, at },
            Mail::RecoveryCodeUsed { left: 0, at },
            Mail::RecoveryCodeUsed { left: 1, at },
            Mail::RecoveryCodeUsed { left: 9, at },
            Mail::RecoveryCodesMade { at },
            Mail::DeviceAlarm { at },
            Mail::Code { code: CODE.to_owned(), minutes: 1 },
            Mail::Code { code: CODE.to_owned(), minutes: 10 },
            Mail::ResetWaiting { by: Speaker::Colleague, until: at },
            Mail::ResetWaiting { by: Speaker::AccountManager, until: at },
            Mail::ResetStopped { at },
            Mail::Reset { by: Speaker::Colleague, at },
            Mail::Reset { by: Speaker::AccountManager, at },
        ];
        for (language, mail) in self
            .languages
            .iter()
            .flat_map(|language| mails.iter().map(move |mail| (language, mail)))
        {
            let place = ("wiki", "wiki.example.com");
            let letter = self.write(Some(language), "alice", place, mail)?;
            if matches!(mail, Mail::Code { .. }) && !letter.text.contains(CODE) {
                return Err(LetterError::Useless { file: self.file(language, template(mail)) });
            }
        }
        Ok(())
    }

    /// The detail is told only while values are made up: without debug there is none later.
    fn broken(&self, error: &minijinja::Error, language: Language, name: &str) -> LetterError {
        let kind = error.kind();
        let detail = error.detail().filter(|_| self.templates.debug());
        LetterError::Broken {
            file: self.file(language, name),
            line: error.line().unwrap_or(1),
            reason: detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
        }
    }

    fn file(&self, language: Language, name: &str) -> String {
        let of_language = self.overridden.iter().find(|(known, _)| *known == language);
        let path = of_language.and_then(|(_, overrides)| overrides.file(name));
        path.map_or_else(
            || format!("{FOLDER}/{}", place(language, name)),
            |path| path.display().to_string(),
        )
    }
}

/// A value that can neither end a line nor turn the direction of reading. Names and labels
/// are what somebody typed, maybe somebody else than who reads them.
pub(super) fn plain(value: &str) -> String {
    let kept = value.chars().filter(|sign| !sign.is_control() && !is_invisible(*sign));
    kept.take(LONGEST_VALUE).collect()
}

/// Separators of lines, and marks that turn the direction of reading.
const fn is_invisible(sign: char) -> bool {
    matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What a user calls a phone, in words alone: mail programs make links of what looks like an
/// address, and whoever enrols in somebody's place chooses the label.
fn words_alone(label: &str) -> String {
    let plain = plain(label);
    let word = |sign: char| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '\'');
    plain.chars().map(|sign| if word(sign) { sign } else { ' ' }).collect()
}

const fn template(mail: &Mail) -> &'static str {
    match mail {
        Mail::Enrolled { .. } => "enrolled.txt",
        Mail::Added { .. } => "authenticator-added.txt",
        Mail::Renamed { .. } => "authenticator-renamed.txt",
        Mail::Removed { .. } => "authenticator-removed.txt",
        Mail::Moved { .. } => "authenticator-moved.txt",
        Mail::RecoveryCodeUsed { .. } => "recovery-code-used.txt",
        Mail::RecoveryCodesMade { .. } => "recovery-codes-made.txt",
        Mail::DeviceAlarm { .. } => "device-alarm.txt",
        Mail::Code { .. } => "code.txt",
        Mail::ResetWaiting { .. } => "reset-waiting.txt",
        Mail::ResetStopped { .. } => "reset-stopped.txt",
        Mail::Reset { .. } => "reset.txt",
    }
}

fn values(language: Language, mail: &Mail) -> Value {
    let when = |at: &UnixMillis| in_words(language, *at);
    match mail {
        Mail::Enrolled { label, at } | Mail::Added { label, at } | Mail::Removed { label, at } => {
            context! { label => words_alone(label), when => when(at) }
        }
        Mail::Renamed { from, to, at } | Mail::Moved { from, to, at } => {
            context! { from => words_alone(from), to => words_alone(to), when => when(at) }
        }
        Mail::RecoveryCodeUsed { left, at } => context! { left, when => when(at) },
        Mail::RecoveryCodesMade { at } | Mail::DeviceAlarm { at } | Mail::ResetStopped { at } => {
            context! { when => when(at) }
        }
        Mail::Code { code, minutes } => context! { code => plain(code), minutes },
        Mail::ResetWaiting { by, until } => {
            context! { by => by.in_words(language), until => when(until) }
        }
        Mail::Reset { by, at } => context! { by => by.in_words(language), when => when(at) },
    }
}

/// Where a mail stands among all.
fn place(language: Language, name: &str) -> String {
    format!("{}/{name}", language.tag())
}

/// The mails that operators replaced. The first language may have two places.
fn overrides(branding: &Branding) -> Result<Vec<(Language, Overrides)>, LetterError> {
    let folder = branding.templates.as_deref().map(|folder| folder.join(FOLDER));
    let folder = folder.filter(|folder| folder.is_dir());
    if let Some(folder) = &folder {
        only_languages(folder)?;
    }
    let read = |language: Language| {
        let own = folder.as_ref().map(|folder| folder.join(language.tag()));
        let beside = folder.clone().filter(|_| language == branding.languages.first());
        let mut found = Overrides::none(ours(language));
        for place in [own.filter(|own| own.is_dir()), beside].into_iter().flatten() {
            found = found.and(Overrides::read(&place, &["txt"], "mail", ours(language))?)?;
        }
        Ok((language, found))
    };
    branding.languages.iter().map(read).collect()
}

/// A folder in a language that we do not speak would never be used.
fn only_languages(folder: &Path) -> Result<(), OverrideError> {
    let unreadable = |source| OverrideError::Unreadable { path: folder.to_owned(), source };
    let tags = || Language::ALL.iter().map(|language| language.tag());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_known = tags().any(|tag| path.file_name().is_some_and(|name| name == tag));
        if path.is_dir() && !is_known {
            return Err(unknown(path, "language", tags()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
