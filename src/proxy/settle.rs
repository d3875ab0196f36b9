//! Stage 8: what the portal's answer changes. First the store, then the cookies: whatever
//! the browser is told is on disk.

use std::sync::Arc;

use http::header;
use pingora_http::ResponseHeader;

use super::context::Passage;
use super::fail::Failure;
use super::gateway::Gateway;
use super::{ask, learn, sign_in, tell};
use crate::audit::Event;
use crate::clock::UnixMillis;
use crate::config::Rotation;
use crate::identity::CookieSet;
use crate::net::cookie_line;
use crate::net::cookies::is_like_ours;
use crate::net::glob::Glob;
use crate::net::set_cookie::{self, CookieChange};
use crate::policy::{Destination, PortalCookies, PortalSession};
use crate::random;
use crate::session::{Learned, Level, SessionRecord};
use crate::site::{Parts, Site};
use crate::store::StoreError;
use crate::user::{Opaque, UserName};
use crate::visit::Who;

/// Settles the answer to a request that went to the portal, and edits its head.
///
/// # Errors
/// When a change cannot be made to last. Then the browser gets neither answer nor cookie.
pub(super) async fn settle(
    gateway: &Gateway,
    passage: &Passage,
    head: &mut ResponseHeader,
) -> Result<Settled, Failure> {
    let parts = &*gateway.parts;
    let patterns = &passage.site.portal.identity.session_cookies;
    // Most answers set none.
    let changes = match head.headers.contains_key(header::SET_COOKIE) {
        true => {
            drop_our_names(head)?;
            set_cookie::changes(&head.headers, parts.now())
        }
        false => Vec::new(),
    };
    let announced = sign_in::take_announcement(&passage.site.portal.identity, head);
    let touched = changes.iter().any(|change| is_session_cookie(patterns, &change.name));
    let line = match (carrier(passage, announced.is_some()), passage.permit.cookies()) {
        (_, PortalCookies::WithholdBothWays) => {
            retain_set_cookies(head, |name| !is_session_cookie(patterns, name))?;
            None
        }
        (Some(session), PortalCookies::Keep) => {
            let after =
                passage.sent_cookies().after(&changes, patterns, passage.incoming.path.as_str());
            let left = after.is_empty() && !passage.sent_cookies().is_empty();
            let changed = !after.is_same(passage.sent_cookies());
            let whose = match left || passage.signs_out {
                true => Whose::Nobodys,
                // Somebody signed in where no rule says so.
                false if announced.is_some() => Whose::Anybodys,
                false => whose(gateway, passage, session, &after, changed).await?,
            };
            if !matches!(whose, Whose::TheSame) {
                return Box::pin(ended(parts, passage, head, session, whose)).await;
            }
            match changed {
                true => Box::pin(follow(parts, passage, session, &after)).await?,
                false => renewed(parts, passage, session)?,
            }
        }
        (None, PortalCookies::Keep) | (_, PortalCookies::Withhold) => {
            forget_withheld(passage, &changes, head)?;
            match announced {
                Some(Some(user)) => {
                    Box::pin(announced_line(parts, passage, user, &changes)).await?
                }
                Some(None) | None if touched => guest_line(parts, passage, &changes)?,
                Some(None) | None => None,
            }
        }
    };
    if let Some(line) = line {
        add_cookie(head, &line)?;
    }
    Ok(Settled::GoesOn)
}

/// The session that carries the request. One without a proof gives way to the login that the
/// portal announces; one with a proof ends by it.
fn carrier(passage: &Passage, announces: bool) -> Option<&Arc<SessionRecord>> {
    let proven = matches!(passage.visit.who, Who::Proven(..));
    passage.visit.session().filter(|_| passage.carried && (proven || !announces))
}

/// The portal's session is not this user's any more. The browser gets the answer unless it may
/// show somebody else's page.
async fn ended(
    parts: &Parts,
    passage: &Passage,
    head: &mut ResponseHeader,
    session: &SessionRecord,
    whose: Whose,
) -> Result<Settled, Failure> {
    if matches!(whose, Whose::Nobodys) {
        // What the portal said of it before is no longer true.
        let site = &passage.site;
        site.answers.forget(session.bind);
        site.answers.forget(site.binder.bind(passage.sent_cookies()));
    }
    parts.sessions.end(parts.now(), session).await?;
    let (site, origin) = (&passage.site, &passage.incoming.origin);
    match whose {
        Whose::Anybodys => tell::not_theirs(parts, site, origin, &session.user),
        Whose::Nobodys => tell::of_user(parts, site, origin, Event::SignedOut, &session.user),
        Whose::TheSame => {}
    }
    if matches!(whose, Whose::Anybodys) && !passage.stage.holds_nobody() {
        return Err(Failure::SessionEnded);
    }
    add_cookie(head, &cookie_line::clear_session())?;
    Ok(Settled::Ended)
}

/// Whether the session goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Settled {
    /// As it was, or moved to the portal's new session.
    GoesOn,
    /// It ended with this answer, which the browser still gets.
    Ended,
}

/// Whose a portal session is after an answer.
enum Whose {
    /// The one's who proved it.
    TheSame,
    /// Nobody's: the user signed out.
    Nobodys,
    /// Perhaps somebody else's, and nobody can say whose page the answer shows.
    Anybodys,
}

/// Where the portal can be asked, its word counts; elsewhere what the request looked like.
async fn whose(
    gateway: &Gateway,
    passage: &Passage,
    session: &SessionRecord,
    after: &CookieSet,
    changed: bool,
) -> Result<Whose, Failure> {
    let site = &passage.site;
    let suspect = passage.suspicion.is_suspect();
    let identity = &site.portal.identity;
    let user = match (&identity.whoami, &identity.jwt) {
        (Some(rule), _) if changed || suspect => {
            site.answers.forget(site.binder.bind(after));
            Box::pin(ask::whoami(gateway, site, rule, &passage.incoming.origin, after)).await?
        }
        (None, Some(source)) if changed => {
            learn::signed(identity, source, gateway.parts.now(), after)
        }
        (None, None) if changed && suspect => return Ok(Whose::Anybodys),
        (Some(_), _) | (None, Some(_) | None) => return Ok(Whose::TheSame),
    };
    Ok(match user {
        Some(user) if user == session.user => Whose::TheSame,
        Some(_) => Whose::Anybodys,
        None if suspect => Whose::Anybodys,
        None => Whose::Nobodys,
    })
}

/// The line that makes the token of a session anew that stays where it is, where that is due.
fn renewed(
    parts: &Parts,
    passage: &Passage,
    session: &SessionRecord,
) -> Result<Option<String>, Failure> {
    let (site, now) = (&passage.site, parts.now());
    let claims = passage.visit.claims.as_ref();
    match claims.is_some_and(|claims| site.token.wants_renewal(now, claims)) {
        true => Ok(Some(session_line(parts, site, now, session)?)),
        false => Ok(passage.visit.fresh.clone()),
    }
}

/// A session follows the portal's session, which changed.
async fn follow(
    parts: &Parts,
    passage: &Passage,
    session: &Arc<SessionRecord>,
    after: &CookieSet,
) -> Result<Option<String>, Failure> {
    let now = parts.now();
    let site = &passage.site;
    if session.learned == Learned::Told && session.level == Level::Password {
        // It waits for the second factor at a place of its own, whichever cookies there are.
        return Ok(passage.visit.fresh.clone());
    }
    let scoped = scoped_after(site, session, after);
    let mut all = site.binder.parts(after);
    all.extend(scoped.iter().filter(|part| !all.contains(part)).copied().collect::<Vec<_>>());
    let moved = SessionRecord {
        sid: Opaque(random::bytes()?),
        bind: site.binder.bind(after),
        parts: all,
        scoped,
        // Not those of a session that is about to end because it moved already.
        ends: session.started.plus(parts.session_limits.lifetime),
        level: match site.portal.identity.rotation {
            Rotation::Follow => session.level,
            Rotation::Reverify => Level::Password,
        },
        ..(**session).clone()
    };
    let moved = parts.sessions.rebind(now, session, moved).await.map_err(|error| {
        let ended = matches!(error, StoreError::Conflict { .. });
        if ended { Failure::SessionEnded } else { error.into() }
    })?;
    Ok(Some(session_line(parts, site, now, &moved)?))
}

/// Cookies for a folder alone that go on to belong to the session: those of the answer, and
/// those that the request may not have carried because it was for elsewhere. A session keeps a
/// few of them.
fn scoped_after(site: &Site, session: &SessionRecord, after: &CookieSet) -> Vec<Opaque> {
    const KEPT: usize = 4;
    let mut scoped = site.binder.scoped_parts(after);
    for part in &session.scoped {
        if scoped.len() < KEPT && !scoped.contains(part) {
            scoped.push(*part);
        }
    }
    scoped
}

/// The line that sets the session cookie for `session`.
///
/// # Errors
/// When it cannot be signed.
pub(super) fn session_line(
    parts: &Parts,
    site: &Site,
    now: UnixMillis,
    session: &SessionRecord,
) -> Result<String, Failure> {
    Ok(cookie_line::set_session(&site.token.mint(&parts.keys, now, session)?))
}

/// A portal that names who signed in may do so at any open address, such as the one to which
/// single sign-on comes back.
async fn announced_line(
    parts: &Parts,
    passage: &Passage,
    user: UserName,
    changes: &[CookieChange],
) -> Result<Option<String>, Failure> {
    let site = &passage.site;
    let patterns = &site.portal.identity.session_cookies;
    let after = passage.sent_cookies().after(changes, patterns, passage.incoming.path.as_str());
    if after.is_empty() {
        return Ok(None);
    }
    let place = sign_in::place(&passage.incoming.origin, passage.agent.as_ref());
    let session = sign_in::begin(parts, site, user, &after, place, None).await?;
    sign_in::seen(parts, site, parts.now(), &session, &passage.visit).await?;
    tell::of_user(parts, site, &passage.incoming.origin, Event::LoginSucceeded, &session.user);
    Ok(Some(session_line(parts, site, parts.now(), &session)?))
}

/// A portal session that begins at the login, as nobody's, is a guest's from now on. One that
/// begins elsewhere may be somebody's: some portals sign in at more than one address (ID-4).
fn guest_line(
    parts: &Parts,
    passage: &Passage,
    changes: &[CookieChange],
) -> Result<Option<String>, Failure> {
    let site = &passage.site;
    let patterns = &site.portal.identity.session_cookies;
    let after = passage.sent_cookies().after(changes, patterns, passage.incoming.path.as_str());
    let began_here = match passage.permit.cookies() {
        PortalCookies::Withhold => true,
        PortalCookies::Keep => passage.visit.portal_session != PortalSession::Other,
        PortalCookies::WithholdBothWays => false,
    };
    let at_login = passage.destination == Destination::Login;
    if after.is_empty() || !began_here || !at_login {
        return Ok(None);
    }
    let id = Opaque(random::bytes()?);
    let token = site.token.mint_guest(&parts.keys, parts.now(), id, site.binder.bind(&after))?;
    Ok(Some(cookie_line::set_session(&token)))
}

/// Session cookies that stayed behind and were not replaced are worth nothing any more; in
/// the browser they would only spoil the binding of the new session.
pub(super) fn forget_withheld(
    passage: &Passage,
    changes: &[CookieChange],
    head: &mut ResponseHeader,
) -> Result<(), Failure> {
    if passage.permit.cookies() != PortalCookies::Withhold {
        return Ok(());
    }
    for (name, _) in passage.visit.cookies.iter() {
        if !changes.iter().any(|change| change.name == name) {
            add_cookie(head, &cookie_line::clear_of_portal(name))?;
        }
    }
    Ok(())
}

/// Adds a `Set-Cookie` line. An answer with one is for one user: no cache that serves many
/// may keep it (CACHE-1).
pub(super) fn add_cookie(head: &mut ResponseHeader, line: &str) -> Result<(), Failure> {
    let unwritable = |_| Failure::BadAnswer("a cookie cannot be added to it".to_owned());
    head.append_header(header::SET_COOKIE, line).map_err(unwritable)?;
    let kept: Vec<&str> = head
        .headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|directive| !is_shared(directive))
        .collect();
    let private =
        std::iter::once("private").chain(kept.into_iter().filter(|kept| *kept != "private"));
    let value = private.collect::<Vec<_>>().join(", ");
    head.insert_header(header::CACHE_CONTROL, value).map_err(unwritable)
}

/// Takes away what a portal sets under our names (SES-4).
pub(super) fn drop_our_names(head: &mut ResponseHeader) -> Result<(), Failure> {
    retain_set_cookies(head, |name| !is_like_ours(name))
}

fn is_shared(directive: &str) -> bool {
    let directive = directive.to_ascii_lowercase();
    directive.is_empty() || directive == "public" || directive.starts_with("s-maxage")
}

fn is_session_cookie(patterns: &[Glob], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn retain_set_cookies(
    head: &mut ResponseHeader,
    keep: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let stays = |line: &http::HeaderValue| set_cookie::name(line.as_bytes()).is_none_or(&keep);
    let lines = head.headers.get_all(header::SET_COOKIE);
    if lines.iter().all(stays) {
        return Ok(());
    }
    let kept: Vec<http::HeaderValue> = lines.iter().filter(|line| stays(line)).cloned().collect();
    head.remove_header(&header::SET_COOKIE);
    for line in kept {
        let unwritable = |_| Failure::BadAnswer("its cookies cannot be kept".to_owned());
        head.append_header(header::SET_COOKIE, line).map_err(unwritable)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pingora_http::ResponseHeader;

    use super::{add_cookie, drop_our_names};

    fn answer(lines: &[(&'static str, &'static str)]) -> ResponseHeader {
        let mut head = ResponseHeader::build(200, None).unwrap();
        for (name, value) in lines {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    fn values(head: &ResponseHeader, name: &str) -> Vec<String> {
        let values = head.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_portal_sets_nothing_under_our_names() {
        let mut head = answer(&[
            ("set-cookie", "sid=1; Path=/"),
            ("set-cookie", "__Host-mfa=evil; Path=/; Secure"),
            ("set-cookie", "__HOST-MFA=evil"),
            ("set-cookie", "__Host-mfa-device=evil"),
            ("set-cookie", "theme=dark"),
        ]);
        drop_our_names(&mut head).unwrap();
        assert_eq!(values(&head, "set-cookie"), ["sid=1; Path=/", "theme=dark"]);
    }

    #[test]
    fn an_answer_with_our_cookie_is_for_one_user() {
        for (given, expected) in [
            (None, "private"),
            (Some("public, max-age=60"), "private, max-age=60"),
            (Some("s-maxage=9, must-revalidate"), "private, must-revalidate"),
            (Some("no-store"), "private, no-store"),
            (Some("private, max-age=1"), "private, max-age=1"),
        ] {
            let mut head = answer(&[]);
            if let Some(given) = given {
                head.insert_header("cache-control", given).unwrap();
            }
            add_cookie(&mut head, "a=1").unwrap();
            assert_eq!(values(&head, "cache-control"), [expected]);
            assert_eq!(values(&head, "set-cookie"), ["a=1"]);
        }
    }
}
