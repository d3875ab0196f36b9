//! Stage 4: who the visitor is. A session cookie counts only when it is ours, in time, bound
//! to the portal session of this very request, and still stands.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, HeaderValue};

use super::fail::Failure;
use super::recall;
use crate::clock::UnixMillis;
use crate::identity::{CookieSet, SessionLine};
use crate::net::cookies::Cookies;
use crate::policy::{PortalSession, Standing};
use crate::session::{Claims, Grade, Level, ReadToken, SessionRecord};
use crate::site::{Parts, Site};
use crate::user::Opaque;
use crate::visit::{Visit, Who};

/// Reads the cookies and finds out whose they are. A proven visitor costs no store and no
/// lock; everybody else is looked up.
///
/// # Errors
/// When the cookies are not safe to read, or the store is in doubt: never `Unknown` then.
pub async fn identify(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    headers: &HeaderMap,
    line: Option<SessionLine>,
) -> Result<Visit, Failure> {
    let (cookies, set) = read_cookies(site, headers)?;
    let set = set.with_line(line);
    let token = cookies.session();
    if let Some(token) = token
        && parts.sessions.freshness().is_shared()
    {
        Box::pin(know_keys(parts, site, now, token)).await?;
    }
    let claims = token.and_then(|token| site.token.read(&parts.keys, now, token).ok());
    let given = match &claims {
        Some(claims) => claims.parts(&site.binder, &set),
        None => Cow::Owned(site.binder.parts(&set)),
    };
    if let Some(proven) = claims.as_ref().and_then(|claims| proven(parts, now, claims, &given)) {
        return Ok(Visit {
            who: proven,
            read: cookies,
            cookies: set,
            claims,
            fresh: None,
            portal_session: PortalSession::Other,
            wishes: wishes(headers),
        });
    }
    let who = match &claims {
        Some(claims) if claims.grade() == Grade::SignedIn => {
            Box::pin(signed_in(parts, site, now, claims, &given)).await?
        }
        Some(_) => Who::Unknown,
        None => Box::pin(idle(parts, site, now, token, &given)).await?,
    };
    let portal_session = portal_session(parts, site, now, &set, claims.as_deref());
    let portal_session = Box::pin(portal_session).await?;
    Ok(Visit {
        who,
        read: cookies,
        cookies: set,
        claims,
        fresh: None,
        portal_session,
        wishes: wishes(headers),
    })
}

/// A visit of nobody, whose portal session stays behind.
///
/// # Errors
/// When the cookies are not safe to read.
pub(super) fn nobody(site: &Site, headers: &HeaderMap) -> Result<Visit, Failure> {
    let (cookies, set) = read_cookies(site, headers)?;
    Ok(Visit {
        who: Who::Unknown,
        read: cookies,
        cookies: set,
        claims: None,
        fresh: None,
        portal_session: PortalSession::Other,
        wishes: wishes(headers),
    })
}

/// The languages that a browser would like.
fn wishes(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ACCEPT_LANGUAGE).cloned()
}

/// Reads the cookies of a request by the portal's rules, and finds the portal's own among them.
///
/// # Errors
/// When a protected name came twice or is imitated (HDR-4).
pub(super) fn read_cookies(
    site: &Site,
    headers: &HeaderMap,
) -> Result<(Cookies, CookieSet), Failure> {
    recall::cookies(&site.cookie_rules, headers)
        .map_err(|_| Failure::BadRequest("the cookies can be read in two ways"))
}

/// The way of nearly every request: all of it from memory.
fn proven(
    parts: &Parts,
    now: UnixMillis,
    claims: &Arc<ReadToken>,
    given: &[Opaque],
) -> Option<Who> {
    let session = parts.sessions.known(now, claims.bind)?;
    let bound = claims.agrees_with(&session) && session.fits(given);
    let stands = bound && matches!(session.level, Level::Proven { .. });
    stands.then(|| Who::Proven(session, Arc::clone(claims)))
}

/// Makes sure that the keys are those that count now, where another gateway may have changed
/// them: those that are remembered may be too old, and a token may be newer than they are.
async fn know_keys(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    token: &str,
) -> Result<(), Failure> {
    let known = match parts.sessions.freshness().counts() {
        false => parts.keys.confirm(&*parts.store, now).await,
        true if site.token.names_unknown_key(&parts.keys, now, token) => {
            parts.keys.catch_up(&*parts.store, now).await.map(drop)
        }
        true => Ok(()),
    };
    known.map_err(|error| Failure::Store(error.into()))
}

/// The session that the token speaks of, if the request belongs to it. What another gateway
/// changed a moment ago may not be known here yet: nobody is refused before the store was asked.
async fn session_of(
    parts: &Parts,
    now: UnixMillis,
    claims: &Claims,
    given: &[Opaque],
) -> Result<Option<Arc<SessionRecord>>, Failure> {
    let belongs = |session: &Arc<SessionRecord>| claims.agrees_with(session) && session.fits(given);
    let found = parts.sessions.find(now, claims.bind).await?.filter(belongs);
    if found.is_some() || !parts.sessions.is_shared() {
        return Ok(found);
    }
    Ok(parts.sessions.look(now, claims.bind).await?.filter(belongs))
}

async fn signed_in(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    claims: &Arc<ReadToken>,
    given: &[Opaque],
) -> Result<Who, Failure> {
    let Some(session) = session_of(parts, now, claims, given).await? else {
        return Ok(Who::Unknown);
    };
    match session.level {
        Level::Proven { .. } => Ok(Who::Proven(session, Arc::clone(claims))),
        Level::Password => named(parts, site, now, session).await,
        Level::Ended => Ok(Who::Unknown),
    }
}

/// After a pause the code alone is asked for again: whoever has enrolled is named, however
/// well the session was proven before. Nobody enrols in a session that was left alone.
async fn idle(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    token: Option<&str>,
    given: &[Opaque],
) -> Result<Who, Failure> {
    let Some(claims) = token.and_then(|token| site.token.read_idle(&parts.keys, now, token).ok())
    else {
        return Ok(Who::Unknown);
    };
    let Some(session) = session_of(parts, now, &claims, given).await? else {
        return Ok(Who::Unknown);
    };
    let standing = parts.accounts.standing(now, site.account(&session)).await?;
    Ok(if standing == Standing::NotEnrolled { Who::Unknown } else { Who::Named(session, standing) })
}

async fn named(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    session: Arc<SessionRecord>,
) -> Result<Who, Failure> {
    let standing = parts.accounts.standing(now, site.account(&session)).await?;
    Ok(Who::Named(session, standing))
}

/// A portal session is a guest's only if we saw it begin as nobody's, and nobody has signed
/// in with any of its cookies since.
async fn portal_session(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    set: &CookieSet,
    claims: Option<&ReadToken>,
) -> Result<PortalSession, Failure> {
    if set.is_empty() {
        return Ok(PortalSession::Absent);
    }
    let bind = site.binder.bind(set);
    if claims.is_none_or(|claims| claims.grade() != Grade::Guest || claims.bind != bind) {
        return Ok(PortalSession::Other);
    }
    let used = parts.sessions.was_signed_in(now, &site.binder.parts(set)).await?;
    Ok(if used { PortalSession::Other } else { PortalSession::Guest })
}

#[cfg(test)]
mod tests;
