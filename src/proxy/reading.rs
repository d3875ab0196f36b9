//! Stage 7, its first half: what the body of a request at a login address says. It is held so
//! that it can still go on as it came.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use zeroize::Zeroize as _;

use super::context::{Incoming, Passage};
use super::fail::Failure;
use super::gateway::Gateway;
use crate::config::Identity;
use crate::identity::{
    Attempt, BodyKind, Sent, Sight, is_for_logins_alone, names_a_user, read_attempt,
};
use crate::policy::Destination;
use crate::site::Site;
use crate::site::destination::Purpose;

/// What the body of a request at a login address says.
pub(super) enum Reading {
    /// It is a login.
    Login(Login),
    /// It certainly is none.
    Other,
    /// The portal may find a password in it where we cannot look.
    Doubtful,
}

impl Reading {
    /// What the request is for: `told` by its head, unless its body says that it is a login.
    pub(super) fn purpose<'a>(&self, told: Purpose<'a>) -> Purpose<'a> {
        match self {
            Self::Login(_) => Purpose { destination: Destination::Login, ..told },
            Self::Other | Self::Doubtful => told,
        }
    }
}

/// A login, ready to be passed on.
pub(super) struct Login {
    /// The body as it came.
    pub body: Bytes,
    /// Which of the portal's rules judges the answer.
    pub rule: usize,
    /// Who tries.
    pub attempt: Attempt,
}

/// The most that the framework can hold for passing on, with room for one more read.
const LONGEST_HELD: usize = 64 * 1024 - 1;

/// Reads the body of a request at a login address, within the limit and the deadline. It is
/// held so that it can still go on as it came.
///
/// # Errors
/// When it is broken off, comes too slowly, or cannot be held.
pub(super) async fn read(
    gateway: &Gateway,
    session: &mut Session,
    site: &Site,
    incoming: &Incoming,
) -> Result<Reading, Failure> {
    let limit = gateway.parts.limits.login_body.min(LONGEST_HELD);
    if declared_length(session).is_some_and(|length| length > limit) {
        return Ok(Reading::Doubtful);
    }
    session.as_mut().enable_retry_buffering();
    answer_expectation(session).await?;
    let patience = gateway.parts.limits.header_deadline;
    let Some(body) = read_body(session, limit, patience).await? else {
        return Ok(Reading::Doubtful);
    };
    if session.as_ref().retry_buffer_truncated() {
        return Err(Failure::BodyTooLarge);
    }
    let sent = Sent {
        method: incoming.method.as_str(),
        path: &incoming.path,
        query: incoming.query.as_deref(),
        kind: &BodyKind::of(&session.req_header().headers),
        body: &body,
    };
    match read_attempt(&site.portal.identity, sent) {
        Sight::Login(_, Attempt::Ambiguous) => {
            Err(Failure::BadRequest("the login can be read in two ways"))
        }
        Sight::Login(rule, attempt) => Ok(Reading::Login(Login { body, rule, attempt })),
        Sight::Unclear => Ok(Reading::Doubtful),
        Sight::Other => Ok(Reading::Other),
    }
}

/// Refuses what can only be a login, and one that we cannot read: too long, in another form
/// than browsers send, or with its name in the query. A portal that keeps its session at a
/// login might take it, and a proof in that session would then open somebody else's (ID-5).
///
/// # Errors
/// [`Failure::BadRequest`]; the portal does not get it.
pub(super) fn check_readable(
    site: &Site,
    incoming: &Incoming,
    reading: &Reading,
) -> Result<(), Failure> {
    let identity = &site.portal.identity;
    if !is_for_logins_alone(identity, &incoming.path) {
        return Ok(());
    }
    let doubtful = matches!(reading, Reading::Doubtful);
    match doubtful || in_query(identity, incoming.query.as_deref()) {
        true => Err(Failure::BadRequest("a login that cannot be read")),
        false => Ok(()),
    }
}

/// A request that may name somebody, where no rule says so, leaves in doubt whom the portal
/// remembers in its session. It is noted before the portal has the last of it, and stays in
/// doubt even if a known step follows: nobody can say which of the two the portal takes last.
///
/// # Errors
/// When that is not on disk.
pub(super) async fn note_doubt(gateway: &Gateway, passage: &Passage) -> Result<(), Failure> {
    let site = &passage.site;
    if site.portal.identity.remembers_names() && passage.suspicion.is_certain() {
        let parts = site.binder.parts(passage.sent_cookies());
        Box::pin(site.names.doubt(gateway.parts.now(), &parts)).await?;
    }
    Ok(())
}

/// Reads a body of ours or of a login up to `limit`; nothing when it is longer.
///
/// # Errors
/// When it is broken off or does not come in time.
pub(super) async fn read_body(
    session: &mut Session,
    limit: usize,
    patience: Duration,
) -> Result<Option<Bytes>, Failure> {
    let reading = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = session
            .as_downstream_mut()
            .read_request_body()
            .await
            .map_err(|error| Failure::Gone(error.etype().as_str().to_owned()))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > limit {
                return Ok(None);
            }
        }
        Ok(Some(body.freeze()))
    };
    tokio::time::timeout(patience, reading).await.map_err(|_| Failure::BodyTooSlow)?
}

/// Overwrites a body that may hold a password, if nobody else has it.
pub(super) fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.zeroize();
    }
}

fn declared_length(session: &Session) -> Option<usize> {
    let length = session.get_header(header::CONTENT_LENGTH)?;
    length.to_str().ok().and_then(|length| length.parse().ok())
}

/// A client that waits for our word before it sends the body gets it.
pub(super) async fn answer_expectation(session: &mut Session) -> Result<(), Failure> {
    let expects = session
        .get_header(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !expects {
        return Ok(());
    }
    let written = session.as_downstream_mut().write_continue_response().await;
    written.map_err(|error| Failure::Gone(error.etype().as_str().to_owned()))
}

/// Whether the body is a form as browsers send it.
pub(super) fn is_urlencoded(session: &Session) -> bool {
    is_form(session.req_header())
}

/// The same, told by a head alone.
pub(super) fn is_form(head: &RequestHeader) -> bool {
    BodyKind::of(&head.headers) == BodyKind::UrlEncoded
}

fn in_query(identity: &Identity, query: Option<&str>) -> bool {
    query.is_some_and(|query| names_a_user(identity, query.as_bytes()))
}
