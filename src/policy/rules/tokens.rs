//! Tokens of machines that can give no code. The configuration has only their hashes; they
//! have 256 random bits, so a plain hash says nothing of them.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// What every service token starts with. It lets us keep one from a portal whether or not it
/// is known, and lets scanners find one that was published.
pub const PREFIX: &str = "portcullis_";

/// The header line that has a token where the portal needs Authorization for itself.
pub const HEADER: &str = "portcullis-service-token";

/// Longer ones were not made by us.
const LONGEST: usize = 256;

/// A token by its name. Its `Debug` is the name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceToken {
    name: String,
    hash: [u8; 32],
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ServiceToken({})", self.name)
    }
}

impl ServiceToken {
    /// Takes the SHA-256 of the token.
    pub fn new(name: impl Into<String>, hash: [u8; 32]) -> Self {
        Self { name: name.into(), hash }
    }

    /// What ops calls whoever has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The header lines of a request that may hold a token; none where a line is there twice.
#[derive(Clone, Copy, Default)]
pub struct Sent<'a> {
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// [`HEADER`].
    pub own: Option<&'a str>,
}

impl<'a> Sent<'a> {
    fn token(self) -> Option<&'a str> {
        let own = self.own.map(str::trim).filter(|token| is_token(token));
        own.or_else(|| self.authorization.and_then(bearer_token))
    }
}

/// The tokens of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTokens(Vec<ServiceToken>);

impl ServiceTokens {
    /// Takes tokens of different names.
    pub fn new(tokens: Vec<ServiceToken>) -> Self {
        Self(tokens)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ServiceToken> {
        self.0.iter()
    }

    /// Whose token the request has. How long this takes says nothing of any token.
    pub fn names(&self, sent: Sent<'_>) -> Option<&ServiceToken> {
        let hash: [u8; 32] = Sha256::digest(sent.token()?).into();
        let mut named = None;
        for token in &self.0 {
            let is_it: Choice = token.hash.ct_eq(&hash);
            if is_it.into() {
                named = Some(token);
            }
        }
        named
    }
}

/// Whether an `Authorization` line has a service token, known or not: it is for us, and no
/// portal and no log may see it.
pub fn carries(authorization: &str) -> bool {
    authorization.split([' ', '\t', ',', '=', '"']).any(|word| word.starts_with(PREFIX))
}

/// The SHA-256 of a token, as the configuration has it.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// RFC 6750 section 2.1; the scheme is of any case (RFC 9110 section 11.1).
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token(token)).then_some(token)
}

fn is_token(text: &str) -> bool {
    text.starts_with(PREFIX) && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::{Sent, ServiceToken, ServiceTokens, carries, hash};

    const TOKEN: &str = "portcullis_x0Jk3vYt1mVw2n4b6c7x8z1a5wq8f3kd0s9vlm2n4b6";

    fn tokens() -> ServiceTokens {
        ServiceTokens::new(vec![
            ServiceToken::new("other", hash("portcullis_other")),
            ServiceToken::new("scraper", hash(TOKEN)),
        ])
    }

    fn name(authorization: Option<&str>, own: Option<&str>) -> Option<String> {
        tokens().names(Sent { authorization, own }).map(|token| token.name().to_owned())
    }

    #[test]
    fn a_token_names_its_service() {
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(name(Some(&bearer), None).as_deref(), Some("scraper"));
        assert_eq!(name(Some(&format!("bEARER  {TOKEN}")), None).as_deref(), Some("scraper"));
        assert_eq!(name(Some("Bearer portcullis_other"), None).as_deref(), Some("other"));
        assert_eq!(name(Some("Basic YTpi"), Some(TOKEN)).as_deref(), Some("scraper"));
        assert_eq!(name(Some(&bearer), Some("none")).as_deref(), Some("scraper"));
    }

    #[test]
    fn nothing_else_names_anybody() {
        let long = format!("Bearer portcullis_{}", "a".repeat(300));
        let cut = format!("Bearer {}", TOKEN.trim_end_matches('6'));
        let longer = format!("Bearer {TOKEN}6");
        let basic = format!("Basic {TOKEN}");
        for line in
            ["", "Bearer", "Bearer ", "Bearer portcullis_", TOKEN, &long, &cut, &longer, &basic]
        {
            assert_eq!(name(Some(line), None), None, "{line}");
        }
        assert_eq!(name(None, None), None);
        assert_eq!(name(None, Some("")), None);
        assert_eq!(
            ServiceTokens::default().names(Sent { own: Some(TOKEN), ..Sent::default() }),
            None
        );
    }

    #[test]
    fn a_token_is_seen_whoever_has_it() {
        for line in [
            "Bearer portcullis_unknown",
            "bearer   portcullis_x",
            "Token portcullis_x",
            "Bearer,portcullis_x",
        ] {
            assert!(carries(line), "{line}");
        }
        for line in ["", "Bearer eyJhbGciOi", "Basic YTpi"] {
            assert!(!carries(line), "{line}");
        }
    }

    #[test]
    fn a_token_shows_no_more_than_its_name() {
        assert_eq!(format!("{:?}", ServiceToken::new("scraper", [7; 32])), "ServiceToken(scraper)");
    }
}
