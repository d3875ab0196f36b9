//! Who somebody is at one portal: the canonical name, for people, and an opaque
//! identifier, for cookies, keys and logs (NIST SP 800-63B-4 section 5.1.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A name that went through the portal's rule for names; made there alone.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    /// Wraps a name that is canonical already.
    pub(crate) fn canonical(name: String) -> Self {
        Self(name)
    }

    /// The name, to be shown to the user alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A name is personal data: it is shown on pages, never by chance in a log.
impl fmt::Debug for UserName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("UserName(…)")
    }
}

/// 128 bits that stand for a user, a session or a portal session, and tell nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opaque(pub [u8; 16]);

impl Opaque {
    /// 22 characters of base64url.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Opaque::encode`] wrote, and nothing else.
    pub fn decode(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}…", &self.encode().get(..4).unwrap_or_default())
    }
}

impl Serialize for Opaque {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::decode(&text).ok_or_else(|| serde::de::Error::custom("not an opaque identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::Opaque;

    #[test]
    fn an_identifier_is_read_back_and_nothing_else_is() {
        let id = Opaque([7; 16]);
        assert_eq!(Opaque::decode(&id.encode()), Some(id));
        for text in ["", "AAAA", &"A".repeat(23), &"A".repeat(21), "!!!!!!!!!!!!!!!!!!!!!!"] {
            assert_eq!(Opaque::decode(text), None, "{text}");
        }
    }
}
