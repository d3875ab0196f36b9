//! Whether a request of a proven visitor may carry somebody else's password, at an address
//! where no rule says so. Nobody can tell what the portal makes of it; so when its answer
//! changes the portal's session, the proof does not go along (ID-4, ID-5).

use bytes::BytesMut;

use super::names_a_user;
use crate::config::{Identity, LoginRule};
use crate::net::lines::{Line, Lines};

/// The most of a body that is looked at, in bytes. A longer one stays suspect.
const LONGEST: usize = 64 * 1024;

/// What is known so far.
pub enum Suspicion {
    /// Nothing in it names a user.
    Clear,
    /// The body is still coming.
    Reading(BytesMut),
    /// It may be a login.
    Suspect,
}

impl Suspicion {
    /// Looks at the head.
    pub fn of_head(identity: &Identity, lines: Lines, method: &str, query: Option<&str>) -> Self {
        let named = names_a_user(identity, query.unwrap_or_default().as_bytes());
        let foreign_line = !identity.reads_authorization();
        if named || (foreign_line && lines.has(Line::Authorization)) {
            return Self::Suspect;
        }
        let has_body = lines.has(Line::ContentLength)
            || lines.has(Line::TransferEncoding)
            || !matches!(method, "GET" | "HEAD");
        if has_body { Self::Reading(BytesMut::new()) } else { Self::Clear }
    }

    /// Looks at the next part of the body.
    pub fn see(&mut self, identity: &Identity, urlencoded: bool, chunk: Option<&[u8]>, end: bool) {
        let Self::Reading(body) = self else { return };
        let chunk = chunk.unwrap_or_default();
        if body.len() + chunk.len() > LONGEST {
            *self = Self::Suspect;
            return;
        }
        body.extend_from_slice(chunk);
        if end {
            let named = match urlencoded {
                true => names_a_user(identity, body),
                false => mentions_a_field(identity, body),
            };
            *self = if named { Self::Suspect } else { Self::Clear };
        }
    }

    /// Whether it is settled that it may be a login.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::Suspect)
    }

    /// Whether the portal's session may be somebody else's after this request. A body that
    /// is not all there yet may still say so.
    pub fn is_suspect(&self) -> bool {
        !matches!(self, Self::Clear)
    }
}

/// Whether the name of a field for users stands in a body of any other form, as a word.
fn mentions_a_field(identity: &Identity, body: &[u8]) -> bool {
    let body = body.to_ascii_lowercase();
    if hides_letters(&body) {
        return true;
    }
    identity.logins.iter().flat_map(LoginRule::name_fields).any(|field| {
        let field = field.to_ascii_lowercase();
        let word = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| body.get(before));
            let after = body.get(at + field.len());
            [before, after].into_iter().flatten().all(|byte| !byte.is_ascii_alphanumeric())
        };
        !field.is_empty()
            && body
                .windows(field.len())
                .enumerate()
                .any(|(at, window)| window == field.as_bytes() && word(at))
    })
}

/// Whether JSON has a plain letter behind an escape, where a name may be spelled unseen.
fn hides_letters(body: &[u8]) -> bool {
    body.windows(5).any(|window| matches!(window, b"\\u004" | b"\\u005" | b"\\u006" | b"\\u007"))
}
