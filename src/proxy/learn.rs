//! Stage 4, where no login was seen: the portal itself, a proxy in front of us or the
//! credentials of the request say whose a session is. And where the portal can be asked, a
//! session that we know has to be the same user's as before.

use std::net::IpAddr;

use http::{HeaderMap, header};

use super::context::{Incoming, Origin};
use super::fail::Failure;
use super::gateway::Gateway;
use super::{ask, sign_in, tell};
use crate::audit::Event;
use crate::clock::UnixMillis;
use crate::config::Identity;
use crate::config::jwt::JwtSource;
use crate::config::source::WhoamiRule;
use crate::identity::{
    self, CookieSet, SessionLine, has_token_in_address, may_hide_a_token, normalise,
};
use crate::net::cookie_line;
use crate::policy::PortalSession;
use crate::policy::rules::tokens;
use crate::session::{Learned, Place, ROTATION_GRACE, SessionRecord};
use crate::site::Site;
use crate::user::UserName;
use crate::visit::{Visit, Who};

/// The line of a request that is part of the portal's session. A name counts from the peer
/// that speaks to us: whom that peer speaks for is nobody who could name users.
///
/// # Errors
/// [`Failure::BadRequest`] when it can be read in two ways.
pub(super) fn line(
    identity: &Identity,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<SessionLine>, Failure> {
    if let Some(rule) = &identity.header {
        let trusted = peer.is_some_and(|peer| rule.from.iter().any(|net| net.contains(&peer)));
        let given = if trusted { only(headers, &rule.name)? } else { None };
        return Ok(given.map(SessionLine::NamedInFront));
    }
    match identity.reads_authorization() {
        true => {
            let given = only(headers, &header::AUTHORIZATION)?;
            // A service's token is none of the portal's.
            let given = given.filter(|line| !tokens::carries(line));
            Ok(given.map(|line| SessionLine::authorization(&line)))
        }
        false => Ok(None),
    }
}

/// Refuses a token in the address.
///
/// # Errors
/// [`Failure::BadRequest`].
pub(super) fn check_target(identity: &Identity, incoming: &Incoming) -> Result<(), Failure> {
    match has_token_in_address(identity, incoming.query.as_deref()) {
        true => Err(Failure::BadRequest("a token of the portal is in the address")),
        false => Ok(()),
    }
}

fn only(headers: &HeaderMap, name: &header::HeaderName) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Failure::BadRequest("a line that names the user came twice"));
    }
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Failure::BadRequest("a line that names the user is not text"))?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// Whether the portal says of a session that we know whose it is.
pub(super) fn can_be_asked(site: &Site) -> bool {
    site.portal.identity.whoami.is_some()
}

/// Asks where asking is due: about a session that we know, whether it is still the same
/// user's; about one that we do not know, whose it is.
///
/// # Errors
/// When the portal does not say, or the store is in doubt: never `Unknown` then.
pub(super) async fn learn(
    gateway: &Gateway,
    site: &Site,
    now: UnixMillis,
    headers: &HeaderMap,
    origin: &Origin,
    visit: Visit,
) -> Result<Visit, Failure> {
    let visit = confirmed(gateway, site, now, origin, visit).await?;
    if !matches!(visit.who, Who::Unknown) || visit.cookies.is_empty() {
        return Ok(visit);
    }
    match Box::pin(told(gateway, site, origin, &visit)).await? {
        Some(user) => {
            let place = sign_in::place(origin, headers.get(header::USER_AGENT));
            Box::pin(named(gateway, site, now, origin, visit, (user, place))).await
        }
        None => Ok(visit),
    }
}

/// A visit to a protected path by a request that may hide somebody else's token is nobody's.
pub(super) fn without_hidden_tokens(
    site: &Site,
    headers: &HeaderMap,
    incoming: &Incoming,
    visit: Visit,
) -> Visit {
    match may_hide_a_token(&site.portal.identity, headers, incoming.method.as_str()) {
        true => Visit { who: Who::Unknown, ..visit },
        false => visit,
    }
}

/// At an open address the portal sees nobody's session unless it is proven. Where it can be
/// asked, one that it says is nobody's may go along: single sign-on begins in such a one.
///
/// # Errors
/// When the portal does not say.
pub(super) async fn open(
    gateway: &Gateway,
    site: &Site,
    origin: &Origin,
    visit: Visit,
) -> Result<Visit, Failure> {
    let (Who::Unknown, PortalSession::Other) = (&visit.who, visit.portal_session) else {
        return Ok(visit);
    };
    let Some(rule) = &site.portal.identity.whoami else { return Ok(visit) };
    // A portal may answer the question by the line, and show a page by the cookies: with a line
    // that means nothing anybody's session would pass for nobody's.
    if visit.cookies.line().is_some() {
        return Ok(visit);
    }
    let parts = &gateway.parts;
    let mut user = ask::whoami(gateway, site, rule, origin, &visit.cookies).await?;
    if user.is_none() && parts.sessions.is_shared() {
        // Somebody may have signed in at another gateway since the portal said so.
        let cookies = site.binder.parts(&visit.cookies);
        if parts.sessions.was_signed_in(parts.now(), &cookies).await? {
            user = ask::whoami_anew(gateway, site, rule, origin, &visit.cookies).await?;
        }
    }
    match user {
        None => Ok(Visit { portal_session: PortalSession::Guest, ..visit }),
        Some(_) => Ok(visit),
    }
}

/// A session whose user the portal no longer names is over (ID-11).
async fn confirmed(
    gateway: &Gateway,
    site: &Site,
    now: UnixMillis,
    origin: &Origin,
    visit: Visit,
) -> Result<Visit, Failure> {
    let (Some(rule), Some(session)) = (&site.portal.identity.whoami, visit.session()) else {
        return Ok(visit);
    };
    // What the portal replaced just now it may no longer know; such a session is about to end.
    let fades = session.ends <= now.plus(ROTATION_GRACE);
    if visit.cookies.is_empty() || fades {
        return Ok(visit);
    }
    let mut user = ask::whoami(gateway, site, rule, origin, &visit.cookies).await?;
    if user.as_ref() != Some(&session.user) && gateway.parts.sessions.is_shared() {
        // The login may have been at another gateway, after the portal said this here.
        user = ask::whoami_anew(gateway, site, rule, origin, &visit.cookies).await?;
    }
    let inconclusive = user.is_none() && lacks_scoped(site, session, &visit);
    if inconclusive || user.as_ref() == Some(&session.user) {
        return Ok(visit);
    }
    tracing::info!(portal = %site.portal.name, "a session ended: the portal names another user");
    gateway.parts.sessions.end(now, session).await?;
    tell::not_theirs(&gateway.parts, site, origin, &session.user);
    Ok(Visit { who: Who::Unknown, ..visit })
}

/// Whether the request is for elsewhere than the folder that has cookies of its own. Asked
/// without them, a portal may not know its own session; it is the one that was proven all the
/// same, by the cookies that go everywhere.
fn lacks_scoped(site: &Site, session: &SessionRecord, visit: &Visit) -> bool {
    let carried = site.binder.parts(&visit.cookies);
    !session.scoped.is_empty() && !session.scoped.iter().any(|part| carried.contains(part))
}

async fn told(
    gateway: &Gateway,
    site: &Site,
    origin: &Origin,
    visit: &Visit,
) -> Result<Option<UserName>, Failure> {
    let identity = &site.portal.identity;
    if let Some(SessionLine::NamedInFront(name)) = visit.cookies.line() {
        return Ok(normalise(&identity.username, name));
    }
    if let Some(rule) = &identity.basic
        && visit.cookies.line().is_some()
    {
        gateway.admission.admit(gateway.parts.now(), origin.ends.client)?;
        let user = ask::basic(gateway, site, rule, origin, &visit.cookies).await?;
        // Where the portal can say more closely who that is, its word counts.
        if user.is_none() || identity.whoami.is_none() {
            return Ok(user);
        }
    }
    match (&identity.whoami, &identity.jwt) {
        (Some(rule), _) => told_by_portal(gateway, site, rule, origin, &visit.cookies).await,
        (None, Some(source)) => Ok(signed(identity, source, gateway.parts.now(), &visit.cookies)),
        (None, None) => Ok(None),
    }
}

/// What the portal said before somebody else signed in at another gateway counts no longer.
async fn told_by_portal(
    gateway: &Gateway,
    site: &Site,
    rule: &WhoamiRule,
    origin: &Origin,
    cookies: &CookieSet,
) -> Result<Option<UserName>, Failure> {
    let Some(user) = ask::whoami(gateway, site, rule, origin, cookies).await? else {
        return Ok(None);
    };
    let (sub, parts) = (site.binder.subject(&user), site.binder.parts(cookies));
    let sessions = &gateway.parts.sessions;
    match sessions.is_somebody_elses(gateway.parts.now(), &parts, sub).await? {
        true => ask::whoami_anew(gateway, site, rule, origin, cookies).await,
        false => Ok(Some(user)),
    }
}

/// Whom the portal's own token names. One that is not as it should be names nobody.
pub(super) fn signed(
    identity: &Identity,
    source: &JwtSource,
    now: UnixMillis,
    session: &CookieSet,
) -> Option<UserName> {
    identity::signed(identity, source, now, session).unwrap_or_else(|fault| {
        tracing::info!(%fault, "a token of the portal names nobody");
        None
    })
}

/// The visitor gave the password somewhere, as the portal says; the second factor is missing.
async fn named(
    gateway: &Gateway,
    site: &Site,
    now: UnixMillis,
    origin: &Origin,
    visit: Visit,
    (user, place): (UserName, Place),
) -> Result<Visit, Failure> {
    let parts = &gateway.parts;
    let record = sign_in::record(parts, site, now, user, &visit.cookies, Learned::Told)?;
    let record = SessionRecord { place, ..record };
    let begun = record.sid;
    let session = parts.sessions.begin_or_join(now, record).await?;
    if session.sid == begun {
        tell::of_user(parts, site, origin, Event::LoginSucceeded, &session.user);
    }
    let standing = sign_in::seen(parts, site, now, &session, &visit).await?;
    let token = site.token.mint(&parts.keys, now, &session)?;
    let fresh = Some(cookie_line::set_session(&token));
    Ok(Visit { who: Who::Named(session, standing), fresh, ..visit })
}
