//! Stage 6b, its last part: a portal that asks for it is told who its proven visitor is. Of
//! anybody else it is told nothing, and what a client says of itself is gone in either case.

use http::HeaderMap;
use pingora_error::{Error, ErrorType};

use super::context::Passage;
use super::forward::remove_spellings;
use crate::net::user_line;
use crate::site::Parts;
use crate::visit::Who;

/// Removes what a client sent by the names of `upstream_headers`, in whatever spelling, and
/// sets those lines once for a proven visitor.
///
/// # Errors
/// When a line cannot be written; then nothing goes to the portal.
pub(super) fn introduce(
    headers: &mut HeaderMap,
    passage: &Passage,
    parts: &Parts,
) -> pingora_error::Result<()> {
    let portal = &passage.site.portal;
    let names = &portal.upstream_headers;
    for name in names.iter() {
        remove_spellings(headers, name);
    }
    let session = match &passage.visit.who {
        Who::Proven(session, _) if !passage.ended_here => session,
        Who::Proven(..) | Who::Named(..) | Who::Unknown => return Ok(()),
    };
    if let Some(name) = &names.user {
        let value = user_line::value_of(session.user.as_str())
            .map_err(|_| unsayable("a name that no line can hold"))?;
        headers.insert(name.clone(), value);
    }
    if let Some(name) = &names.assertion {
        let line = parts.assertions.of(parts.now(), portal, session);
        let line = line.ok_or_else(|| unsayable("a session that cannot be asserted"))?;
        headers.insert(name.clone(), line);
    }
    Ok(())
}

fn unsayable(what: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InternalError, what)
}
