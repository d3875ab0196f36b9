//! Whose token a request carries. Cookies are not looked at: what a browser sends by itself
//! never counts.

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::config::desk::{AdminToken, Staff, TokenHash};
use crate::tokens::Issued;

/// A request of nobody who is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It carries none.
    NoToken,
    /// It carries one that is nobody's, or several.
    WrongToken,
}

/// Who holds the token of a request.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) staff: Staff,
    /// The token, where it was made by command.
    pub(super) issued: Option<Arc<Issued>>,
}

/// The token in `Authorization: Bearer` (RFC 6750). All that there are are compared, in
/// constant time. A name of the configuration is that of its own token alone: one that was
/// made under the name before counts no longer.
pub(super) fn caller(
    headers: &HeaderMap,
    written: &[AdminToken],
    made: &[Arc<Issued>],
) -> Result<Caller, Stranger> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().ok_or(Stranger::NoToken)?;
    if lines.next().is_some() {
        return Err(Stranger::WrongToken);
    }
    let (scheme, token) =
        line.to_str().ok().and_then(|line| line.split_once(' ')).ok_or(Stranger::WrongToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Stranger::WrongToken);
    }
    let given = TokenHash::of(token.as_bytes());
    // To the end of the list, whichever it is.
    let found = written.iter().fold(None, |found, token| {
        if bool::from(token.hash.is(&given)) { Some(token) } else { found }
    });
    let issued =
        made.iter().fold(
            None,
            |found, token| {
                if bool::from(token.hash.is(&given)) { Some(token) } else { found }
            },
        );
    if let Some(AdminToken { staff, .. }) = found {
        return Ok(Caller { staff: staff.clone(), issued: None });
    }
    let is_written = |name: &str| written.iter().any(|token| token.staff.name == name);
    let issued = issued.filter(|token| !is_written(&token.staff.name));
    let issued = issued.ok_or(Stranger::WrongToken)?;
    Ok(Caller { staff: issued.staff.clone(), issued: Some(Arc::clone(issued)) })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::desk::{Role, StaffKind};

    fn asked(lines: &[&str]) -> Result<String, Stranger> {
        let token = |name: &str, secret: &str| AdminToken {
            staff: Staff {
                name: name.to_owned(),
                kind: StaffKind::Token,
                role: Role::Desk,
                portals: None,
            },
            hash: TokenHash::of(secret.as_bytes()),
        };
        let tokens = [token("one", "first-secret"), token("two", "second-secret")];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("authorization", HeaderValue::from_str(line).unwrap());
        }
        caller(&headers, &tokens, &[]).map(|caller| caller.staff.name)
    }

    #[test]
    fn a_token_is_its_whole_secret() {
        assert_eq!(asked(&["Bearer first-secret"]).as_deref(), Ok("one"));
        assert_eq!(asked(&["bearer second-secret"]).as_deref(), Ok("two"));
        assert_eq!(asked(&[]), Err(Stranger::NoToken));
        for wrong in [
            "Bearer ",
            "Bearer",
            "first-secret",
            "Basic first-secret",
            "Bearer first-secre",
            "Bearer first-secret ",
            "Bearer  first-secret",
            "Bearer first-secret,second-secret",
            "Bearer FIRST-SECRET",
        ] {
            assert_eq!(asked(&[wrong]), Err(Stranger::WrongToken), "{wrong:?}");
        }
        let twice = ["Bearer first-secret", "Bearer first-secret"];
        assert_eq!(asked(&twice), Err(Stranger::WrongToken));
    }
}
