//! The beginning of a session: the portal let somebody in. From now on its session is this
//! user's, at the level of the password, and nobody else's (ID-5).

use std::sync::Arc;

use http::HeaderValue;
use pingora_http::ResponseHeader;

use super::context::Origin;
use super::fail::Failure;
use crate::clock::UnixMillis;
use crate::config::Identity;
use crate::identity::{CookieSet, announced};
use crate::net::agent;
use crate::policy::Standing;
use crate::random::{self, NoRandomness};
use crate::session::{Learned, Level, Place, SessionRecord, Suspension};
use crate::site::{Parts, Site};
use crate::user::{Opaque, UserName};
use crate::visit::Visit;

/// Begins the session of `user` in the portal session that is known by `cookies`, after the
/// login that was `held` back, where one was seen.
///
/// # Errors
/// When it is not on disk; then there is none.
pub(super) async fn begin(
    parts: &Parts,
    site: &Site,
    user: UserName,
    cookies: &CookieSet,
    place: Place,
    held: Option<&Suspension>,
) -> Result<Arc<SessionRecord>, Failure> {
    let now = parts.now();
    let record =
        SessionRecord { place, ..record(parts, site, now, user, cookies, Learned::Login)? };
    parts.sessions.end_sharing(now, &record.parts, Some(record.bind)).await?;
    Ok(match held {
        Some(held) => parts.sessions.begin_held(now, record, held).await?,
        None => parts.sessions.begin(now, record).await?,
    })
}

/// Where a request comes from and in which browser, for the user to know the session by.
pub(super) fn place(origin: &Origin, agent: Option<&HeaderValue>) -> Place {
    let agent = agent.and_then(|line| line.to_str().ok());
    Place { client: origin.ends.client, browser: agent::in_words(agent) }
}

/// The session of `user`, who gave the password, in the portal session known by `cookies`;
/// nobody knows yet from where. Where its login was not seen it waits at a place of its own.
///
/// # Errors
/// When nothing secret can be made.
pub(super) fn record(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    user: UserName,
    cookies: &CookieSet,
    learned: Learned,
) -> Result<SessionRecord, NoRandomness> {
    let bind = match learned {
        Learned::Login => site.binder.bind(cookies),
        Learned::Told => site.binder.waiting(cookies, &user),
    };
    Ok(SessionRecord {
        portal: site.portal.name.clone(),
        root: Opaque(random::bytes()?),
        sid: Opaque(random::bytes()?),
        sub: site.binder.subject(&user),
        user,
        bind,
        parts: site.binder.parts(cookies),
        scoped: site.binder.scoped_parts(cookies),
        started: now,
        ends: now.plus(parts.session_limits.lifetime),
        level: Level::Password,
        learned,
        place: Place::default(),
    })
}

/// Notes that the user of a session that just began was seen, and in which of our languages
/// the user would rather be told. Gives how the user stands.
///
/// # Errors
/// When it is not on disk.
pub(super) async fn seen(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    session: &SessionRecord,
    visit: &Visit,
) -> Result<Standing, Failure> {
    let wishes = visit.wishes.as_ref().and_then(|wishes| wishes.to_str().ok());
    let language = parts.languages.wished(wishes);
    let account = site.account(session);
    let standing = parts.accounts.standing(now, account).await?;
    if parts.accounts.seen(now, account, &session.user, standing, language).await? {
        site.metrics.rollout().one_more_seen(session.sub);
    }
    Ok(standing)
}

/// Takes out the line in which the portal names who signed in; nobody but us is to see it.
/// Gives what it said: nothing where it is not there, and no user where it names none.
pub(super) fn take_announcement(
    identity: &Identity,
    head: &mut ResponseHeader,
) -> Option<Option<UserName>> {
    let said = announced(identity, &head.headers)?;
    if let Some(name) = &identity.announce {
        head.remove_header(name);
    }
    Some(said)
}
