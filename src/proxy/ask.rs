//! A question of ours to a portal: whose is this session? It goes to the portal alone, with the
//! session and nothing else of the client, follows no redirect and takes little time and room.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header;
use pingora_http::RequestHeader;

use super::context::Origin;
use super::exchange::{self, Exchange};
use super::fail::Failure;
use super::forward;
use super::gateway::Gateway;
use crate::clock::UnixMillis;
use crate::config::source::{BasicRule, WhoamiRule};
use crate::identity::{
    AskFault, CookieSet, LONGEST_ANSWER, SessionLine, Told, normalise, says_nobody, user_of,
};
use crate::random;
use crate::site::Site;
use crate::user::{Opaque, UserName};

/// How long a portal may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the portal's word on a password counts.
const BASIC_CACHE: Duration = Duration::from_secs(30);
/// How long it counts that the probe refuses strangers.
const PROBE_CHECKED: Duration = Duration::from_secs(3600);

/// Whose the portal says that a session is.
///
/// # Errors
/// [`Failure::NoWord`] when it says nothing that we understand.
pub(super) async fn whoami(
    gateway: &Gateway,
    site: &Site,
    rule: &WhoamiRule,
    origin: &Origin,
    session: &CookieSet,
) -> Result<Option<UserName>, Failure> {
    let (now, key) = (gateway.parts.now(), site.binder.bind(session));
    let asking = async {
        let answer = ask(gateway, site, now, &rule.target, origin, session).await?;
        user_of(&site.portal.identity, &rule.name, &told(&answer))
    };
    site.answers.ask(now, rule.cache, key, asking).await.map_err(Failure::NoWord)
}

/// The same, whatever was said before: another gateway may have seen since that it is no longer
/// true.
///
/// # Errors
/// As [`whoami`].
pub(super) async fn whoami_anew(
    gateway: &Gateway,
    site: &Site,
    rule: &WhoamiRule,
    origin: &Origin,
    session: &CookieSet,
) -> Result<Option<UserName>, Failure> {
    site.answers.forget(site.binder.bind(session));
    whoami(gateway, site, rule, origin, session).await
}

/// Who the name in an HTTP Basic line is, if the portal takes its password.
///
/// # Errors
/// [`Failure::NoWord`] when the portal does not say.
pub(super) async fn basic(
    gateway: &Gateway,
    site: &Site,
    rule: &BasicRule,
    origin: &Origin,
    session: &CookieSet,
) -> Result<Option<UserName>, Failure> {
    let Some(SessionLine::Authorization(line)) = session.line() else { return Ok(None) };
    let name = crate::identity::basic_name(line);
    let Some(user) = name.and_then(|name| normalise(&site.portal.identity.username, &name)) else {
        return Ok(None);
    };
    // The line alone is asked with: a cookie may open the probe for whatever password.
    let alone = CookieSet::default().with_line(session.line().cloned());
    let asking = async {
        refuses_strangers(gateway, site, rule, origin).await?;
        let takes = takes(gateway, site, rule, origin, &alone).await?;
        Ok(takes.then_some(user))
    };
    let Some(key) = site.binder.parts(&alone).pop() else { return Ok(None) };
    let now = gateway.parts.now();
    site.answers.ask(now, BASIC_CACHE, key, asking).await.map_err(Failure::NoWord)
}

/// Whether the portal shows the probe to these credentials.
async fn takes(
    gateway: &Gateway,
    site: &Site,
    rule: &BasicRule,
    origin: &Origin,
    credentials: &CookieSet,
) -> Result<bool, AskFault> {
    let now = gateway.parts.now();
    let answer = ask(gateway, site, now, &rule.target, origin, credentials).await?;
    let status = answer.header.status;
    match status.is_success() || says_nobody(status) {
        true => Ok(status.is_success()),
        false => Err(AskFault::Status(status.as_u16())),
    }
}

/// A path that is shown whatever the password proves no password: then nobody is believed. Now
/// and then somebody who does not exist asks for it.
async fn refuses_strangers(
    gateway: &Gateway,
    site: &Site,
    rule: &BasicRule,
    origin: &Origin,
) -> Result<(), AskFault> {
    let asking = async {
        let made = random::bytes::<16>().map_err(|error| AskFault::Unreachable(error.to_string()));
        let name = Opaque(made?).encode();
        let line = format!("Basic {}", STANDARD.encode(format!("nobody-{name}:{name}")));
        let stranger = CookieSet::default().with_line(Some(SessionLine::Authorization(line)));
        match takes(gateway, site, rule, origin, &stranger).await? {
            true => Err(AskFault::ProvesNothing),
            false => Ok(None),
        }
    };
    let check = SessionLine::NamedInFront("the probe itself".to_owned());
    let key = site.binder.bind(&CookieSet::default().with_line(Some(check)));
    let now = gateway.parts.now();
    site.answers.ask(now, PROBE_CHECKED, key, asking).await.map(drop)
}

fn told(answer: &Exchange) -> Told<'_> {
    Told {
        status: answer.header.status,
        headers: &answer.header.headers,
        body: answer.complete.then_some(&answer.body[..]),
    }
}

async fn ask(
    gateway: &Gateway,
    site: &Site,
    now: UnixMillis,
    target: &str,
    origin: &Origin,
    session: &CookieSet,
) -> Result<Exchange, AskFault> {
    let request = question(target, origin, session)
        .map_err(|_| AskFault::Unreachable("it cannot be asked".to_owned()))?;
    // Boxed, since it is large and nearly every request goes by without it.
    let asking = Box::pin(async {
        let peer = gateway.door(site)?.peer(now, PATIENCE).await?;
        let connector = &gateway.connector;
        exchange::exchange(connector, peer, request, Bytes::new(), LONGEST_ANSWER).await
    });
    let answered = tokio::time::timeout(PATIENCE, asking).await;
    answered.map_err(|_| AskFault::TooSlow)?.map_err(|failure| {
        let slow = matches!(failure, Failure::TooSlow);
        if slow { AskFault::TooSlow } else { AskFault::Unreachable(failure.to_string()) }
    })
}

fn question(
    target: &str,
    origin: &Origin,
    session: &CookieSet,
) -> pingora_error::Result<RequestHeader> {
    let mut request = RequestHeader::build("GET", target.as_bytes(), Some(10))?;
    forward::edit(&mut request, |headers| forward::set_origin(headers, origin))?;
    request.insert_header(header::ACCEPT, "application/json, text/html;q=0.9, */*;q=0.1")?;
    request.insert_header(header::ACCEPT_ENCODING, "identity")?;
    request.insert_header(header::USER_AGENT, "Portcullis")?;
    let pairs: Vec<String> =
        session.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !pairs.is_empty() {
        request.insert_header(header::COOKIE, pairs.join("; "))?;
    }
    if let Some(SessionLine::Authorization(line)) = session.line() {
        request.insert_header(header::AUTHORIZATION, line.as_str())?;
    }
    Ok(request)
}
