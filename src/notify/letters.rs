//! From what is told to the words that say it. The words are templates that operators may
//! replace; all are tried out at start, so that no fault waits for the day a mail is due.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::Mail;
use crate::clock::UnixMillis;
use crate::config::Branding;

/// Where replaced mails are, below the folder of templates.
const FOLDER: &str = "mail";

/// Every mail that can be replaced.
const OURS: &[(&str, &str)] = &[
    ("authenticator-added.txt", include_str!("../../templates/mail/authenticator-added.txt")),
    ("authenticator-moved.txt", include_str!("../../templates/mail/authenticator-moved.txt")),
    ("authenticator-removed.txt", include_str!("../../templates/mail/authenticator-removed.txt")),
    ("authenticator-renamed.txt", include_str!("../../templates/mail/authenticator-renamed.txt")),
    ("code.txt", include_str!("../../templates/mail/code.txt")),
    ("device-alarm.txt", include_str!("../../templates/mail/device-alarm.txt")),
    ("enrolled.txt", include_str!("../../templates/mail/enrolled.txt")),
    ("recovery-code-used.txt", include_str!("../../templates/mail/recovery-code-used.txt")),
    ("recovery-codes-made.txt", include_str!("../../templates/mail/recovery-codes-made.txt")),
    ("reset.txt", include_str!("../../templates/mail/reset.txt")),
    ("reset-stopped.txt", include_str!("../../templates/mail/reset-stopped.txt")),
    ("reset-waiting.txt", include_str!("../../templates/mail/reset-waiting.txt")),
];

/// The longest value in a mail, in characters: all of one stay within a record of the store.
pub(super) const LONGEST_VALUE: usize = 254;

/// Why there are no words.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The folder, or a file in it, cannot be read.
    #[error("branding.templates: cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The folder or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file would never be used, most likely a slip in its name.
    #[error(
        "branding.templates: {path} replaces no mail of ours; known names are {known}",
        path = path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The names that would be used.
        known: String,
    },
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
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// All templates of mails, ready for use.
#[derive(Debug)]
pub struct Letters {
    templates: Environment<'static>,
    brand: String,
    overridden: BTreeMap<&'static str, PathBuf>,
}

impl Letters {
    /// Reads what operators replaced, if anything, and tries out every mail.
    ///
    /// # Errors
    /// When a template cannot be used.
    pub fn new(branding: &Branding) -> Result<Self, LetterError> {
        let overridden = overrides(branding.templates.as_deref())?;
        let mut templates = Environment::new();
        // A mail is plain text: nothing in it has a meaning for a machine.
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        // A name misspelt in an override is a fault, not an empty space in the mail.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut letters = Self { templates, brand: branding.name.clone(), overridden };
        for (name, ours) in OURS {
            let source = match letters.overridden.get(name) {
                Some(path) => Cow::Owned(read(path)?),
                None => Cow::Borrowed(*ours),
            };
            let added = letters.templates.add_template_owned(*name, source);
            added.map_err(|error| letters.broken(&error, name))?;
        }
        letters.rehearse()?;
        // What a fault would quote later is what stands in the mail.
        letters.templates.set_debug(false);
        Ok(letters)
    }

    /// The words of a mail to `user` about the portal at `host`.
    ///
    /// # Errors
    /// When a template fails on real values.
    pub fn write(
        &self,
        user: &str,
        (portal, host): (&str, &str),
        mail: &Mail,
    ) -> Result<Letter, LetterError> {
        let name = template(mail);
        let values = context! {
            user => plain(user),
            portal => plain(portal),
            host => plain(host),
            brand => plain(&self.brand),
            ..values(mail)
        };
        let rendered = self.templates.get_template(name).and_then(|ready| ready.render(values));
        let words = rendered.map_err(|error| self.broken(&error, name))?;
        let shapeless = || LetterError::Shapeless { file: self.file(name) };
        let words = words.replace("\r\n", "\n");
        let (subject, rest) = words.split_once('\n').ok_or_else(shapeless)?;
        let text = rest.strip_prefix('\n').ok_or_else(shapeless)?.trim_end();
        let subject = plain(subject.trim());
        if subject.is_empty() || text.is_empty() {
            return Err(shapeless());
        }
        Ok(Letter { subject, text: format!("{text}\n") })
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
            Mail::ResetWaiting { by: "a colleague".to_owned(), until: at },
            Mail::ResetStopped { at },
            Mail::Reset { by: "the help desk".to_owned(), at },
        ];
        for mail in &mails {
            let letter = self.write("alice", ("wiki", "wiki.example.com"), mail)?;
            if matches!(mail, Mail::Code { .. }) && !letter.text.contains(CODE) {
                return Err(LetterError::Useless { file: self.file(template(mail)) });
            }
        }
        Ok(())
    }

    /// The detail is told only while values are made up: without debug there is none later.
    fn broken(&self, error: &minijinja::Error, name: &str) -> LetterError {
        let kind = error.kind();
        let detail = error.detail().filter(|_| self.templates.debug());
        LetterError::Broken {
            file: self.file(name),
            line: error.line().unwrap_or(1),
            reason: detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
        }
    }

    fn file(&self, name: &str) -> String {
        let path = self.overridden.get(name);
        path.map_or_else(|| format!("{FOLDER}/{name}"), |path| path.display().to_string())
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

fn values(mail: &Mail) -> Value {
    match mail {
        Mail::Enrolled { label, at } | Mail::Added { label, at } | Mail::Removed { label, at } => {
            context! { label => words_alone(label), when => at.in_words() }
        }
        Mail::DeviceAlarm { at } | Mail::ResetStopped { at } => context! { when => at.in_words() },
        Mail::ResetWaiting { by, until } => {
            context! { by => plain(by), until => until.in_words() }
        }
        Mail::Renamed { from, to, at } | Mail::Moved { from, to, at } => {
            context! { from => words_alone(from), to => words_alone(to), when => at.in_words() }
        }
        Mail::RecoveryCodeUsed { left, at } => context! { left, when => at.in_words() },
        Mail::RecoveryCodesMade { at } => context! { when => at.in_words() },
        Mail::Code { code, minutes } => context! { code => plain(code), minutes },
        Mail::Reset { by, at } => context! { by => plain(by), when => at.in_words() },
    }
}

/// The mails that operators replaced. Files that are no text are their own affair.
fn overrides(templates: Option<&Path>) -> Result<BTreeMap<&'static str, PathBuf>, LetterError> {
    let mut found = BTreeMap::new();
    let Some(folder) = templates.map(|folder| folder.join(FOLDER)).filter(|folder| folder.is_dir())
    else {
        return Ok(found);
    };
    let unreadable = |source| LetterError::Unreadable { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let ours = OURS.iter().find(|(name, _)| path.file_name().is_some_and(|file| file == *name));
        match ours {
            Some((name, _)) => found.insert(*name, path),
            None => {
                let known = OURS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                return Err(LetterError::Unknown { path, known });
            }
        };
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String, LetterError> {
    fs::read_to_string(path)
        .map_err(|source| LetterError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
