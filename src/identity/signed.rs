//! Whom the token names that a portal signed and a session carries.

use super::{CookieSet, JwtFault, SessionLine, normalise};
use crate::clock::UnixMillis;
use crate::config::Identity;
use crate::config::jwt::{Carrier, JwtSource};
use crate::user::UserName;

/// The user in the token of a session; nobody where there is none, or its name fits no rule.
///
/// # Errors
/// When the token is not as it should be: it names nobody either.
pub fn signed(
    identity: &Identity,
    source: &JwtSource,
    now: UnixMillis,
    session: &CookieSet,
) -> Result<Option<UserName>, JwtFault> {
    let token = match &source.carrier {
        Carrier::Cookie(name) => {
            session.iter().find(|(cookie, _)| cookie == name).map(|(_, value)| value)
        }
        Carrier::Bearer => session.line().and_then(SessionLine::bearer),
    };
    let Some(token) = token else { return Ok(None) };
    let name = source.verifier.read(now, token)?;
    Ok(normalise(&identity.username, &name))
}
