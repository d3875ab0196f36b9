//! Secrets that ops hand over, kept out of every log and wiped when dropped. The YAML says
//! only where a secret is.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

use super::surroundings::Surroundings;

/// No secret of ours comes near this; a larger file is the wrong one.
const LONGEST: u64 = 64 * 1024;

/// Bytes that no `Debug`, log or error shows.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves: the one way to them, easy to find in review.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// `file:PATH`.
    File(PathBuf),
    /// `env:NAME`.
    Environment(String),
    /// `credential:NAME`, a file that systemd puts into `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("the environment variable {0} is not set; set it, or name another")]
    NotSet(String),
    #[error("there is no $CREDENTIALS_DIRECTORY; load it with LoadCredential= in the unit")]
    NoCredentials,
    #[error("{} cannot be read: {error}; make it readable for this user", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is longer than any secret; name the right file", .0.display())]
    TooLong(PathBuf),
}

impl SecretSource {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let is_name = !rest.is_empty() && !rest.contains(['/', '\0', '=']) && rest != "..";
        match kind {
            "file" if !rest.is_empty() && !rest.contains('\0') => Some(Self::File(rest.into())),
            "env" if is_name => Some(Self::Environment(rest.to_owned())),
            "credential" if is_name => Some(Self::Credential(rest.to_owned())),
            _ => None,
        }
    }

    /// Fetches the secret.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub(super) fn fetch(&self, around: &Surroundings<'_>) -> Result<Secret, SecretError> {
        match self {
            Self::File(path) => read_secret(around.locate(path)),
            Self::Environment(name) => {
                let value = around.variable(name);
                let value = value.ok_or_else(|| SecretError::NotSet(name.clone()))?;
                Ok(Secret::new(value.into_encoded_bytes()))
            }
            Self::Credential(name) => {
                let folder = around.variable("CREDENTIALS_DIRECTORY");
                let folder = folder.ok_or(SecretError::NoCredentials)?;
                read_secret(around.locate(&PathBuf::from(folder).join(name)))
            }
        }
    }
}

/// Reads into a buffer that never moves, so that no copy is left behind in memory.
fn read_secret(path: PathBuf) -> Result<Secret, SecretError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    let read = File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > LONGEST => Err(SecretError::TooLong(path)),
        Ok(_) => Ok(Secret(bytes)),
        Err(error) => Err(SecretError::Unreadable { path, error }),
    }
}

struct SourceVisitor;

impl Visitor<'_> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("file:PATH, env:NAME or credential:NAME")
    }

    // The text may be the secret itself, so it is not repeated.
    fn visit_str<E: Error>(self, text: &str) -> Result<SecretSource, E> {
        let fault = "does not say where the secret is, or is the secret itself; write file:PATH, \
                     env:NAME or credential:NAME, and replace the secret if it stood here";
        SecretSource::parse(text).ok_or_else(|| E::custom(fault))
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SourceVisitor)
    }
}

impl JsonSchema for SecretSource {
    fn schema_name() -> Cow<'static, str> {
        "SecretSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(file:.+|env:[^/=]+|credential:[^/=]+)$",
            "description": "Where a secret is: file:PATH, env:NAME or credential:NAME (systemd)."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, SecretSource};

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(…)");
    }

    #[test]
    fn only_a_place_can_be_written() {
        let file = SecretSource::File("a/b".into());
        assert_eq!(SecretSource::parse("file:a/b"), Some(file));
        assert_eq!(SecretSource::parse("env:KEY"), Some(SecretSource::Environment("KEY".into())));
        let credential = SecretSource::Credential("master".into());
        assert_eq!(SecretSource::parse("credential:master"), Some(credential));
        for text in ["", "hunter2", "file:", "env:", "credential:../key", "credential:..", "http:x"]
        {
            assert_eq!(SecretSource::parse(text), None, "{text}");
        }
    }
}
