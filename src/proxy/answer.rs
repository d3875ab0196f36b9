//! Stage 6a: answers that we write ourselves. All leave through [`write()`], which gives every
//! one of them the same headers: none can be cached, framed or sniffed.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::context::{Context, Incoming};
use super::exchange::{Exchange, exchange};
use super::fail::Failure;
use super::gateway::Gateway;
use super::receive::Sender;
use super::{kept, reading, receive, route, upstream};
use crate::identity::LONGEST_JUDGED;
use crate::net::cookie_line;
use crate::net::kind::Kind;
use crate::pages::render::{Frame, Page};
use crate::pages::{self, Action, Caller, PageAnswer, PageRequest};
use crate::policy::Challenge;
use crate::site::{LONGEST_SEALED, Site, held};
use crate::telemetry::label::{ReasonLabel, ThrottleScope, VerdictLabel};
use crate::visit::{Visit, Who};

/// The longest form of ours, in bytes.
const LONGEST_FORM: usize = 4096;
/// The longest form that sends a code with a kept form in it, from who gave the password.
/// While it is read, rendered again or sent on, a few copies of it are in memory, 2 MiB at most.
const LONGEST_KEEPING: usize = LONGEST_SEALED + 2 * LONGEST_FORM;

/// An answer to be written.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    lines: Vec<(&'static str, String)>,
}

/// Answers with one of our own pages.
///
/// # Errors
/// When the form cannot be read or the page cannot be made.
pub(super) async fn own_page(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &mut Context,
    site: &Site,
    incoming: &Incoming,
    visit: &Visit,
) -> Result<(), Failure> {
    let action = match incoming.method.as_str() {
        // Codes that are shown once are not shown to who looks at the head alone.
        "HEAD" if route::own_page(site, incoming) == Some("/recovery-codes") => {
            return Err(Failure::MethodNotAllowed);
        }
        "GET" | "HEAD" => Action::Show,
        "POST" => sent(gateway, session, site, incoming, visit).await?,
        _ => return Err(Failure::MethodNotAllowed),
    };
    let fields = incoming.query.as_deref().unwrap_or_default();
    let request = PageRequest {
        parts: &gateway.parts,
        site,
        rest: route::own_page(site, incoming).unwrap_or_default(),
        action,
        query: form_urlencoded::parse(fields.as_bytes()).into_owned().collect(),
        visit,
        caller: caller(session, incoming),
        now: gateway.parts.now(),
        request_id: &ctx.request_id,
    };
    let mut answer = pages::respond(&request).await?;
    if let Some(form) = answer.kept.take() {
        return kept::send_on(gateway, session, ctx, incoming, form, answer).await;
    }
    if answer.cookies.is_empty() {
        answer.cookies.extend(visit.fresh.clone());
    }
    if answer.sign_out_of_portal {
        sign_out_of_portal(gateway, session, site, incoming).await;
    }
    ctx.ends(answer.ending.0, answer.ending.1);
    write(session, reply(answer)).await
}

/// Where a request comes from, and with what, as far as our pages may know.
pub(super) fn caller(session: &Session, incoming: &Incoming) -> Caller {
    let agent = session.get_header(header::USER_AGENT).and_then(|line| line.to_str().ok());
    Caller { client: incoming.origin.ends.client, agent: agent.map(str::to_owned) }
}

/// Tells a visitor what is missing: a browser is led there, a call is told.
///
/// # Errors
/// When the client is gone.
pub(super) async fn challenge(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &Context,
    site: &Site,
    incoming: &Incoming,
    visit: &Visit,
    challenge: Challenge,
) -> Result<(), Failure> {
    let place = held::place(&site.portal, challenge);
    let way = held::way(&site.portal, challenge, &incoming.target());
    let mut reply = match (incoming.kind, way) {
        (Kind::Page, None) => {
            let text = "This page is for people who are signed in.";
            error_page(gateway, ctx, StatusCode::UNAUTHORIZED, "Please sign in", text)
        }
        (Kind::Page, Some(way)) => {
            let mut lines = vec![("location", way)];
            if challenge == Challenge::SignIn {
                // A session that counts for nobody would make many login pages lead straight
                // back here: the browser is to start anew.
                let stale = visit.cookies.iter();
                lines.extend(
                    stale.map(|(name, _)| ("set-cookie", cookie_line::clear_of_portal(name))),
                );
            }
            Reply { status: StatusCode::SEE_OTHER, content_type: HTML, body: String::new(), lines }
        }
        (Kind::Call, _) => problem(ctx, challenge, &place),
    };
    if challenge == Challenge::SignIn && site.portal.identity.basic.is_some() {
        let realm = format!("Basic realm=\"{}\", charset=\"UTF-8\"", site.portal.name);
        reply.lines.push(("www-authenticate", realm));
    }
    reply.lines.extend(visit.fresh.clone().map(|line| ("set-cookie", line)));
    write(session, reply).await
}

/// Answers a form that waits for a proof with a page of ours, and says in a line for programs
/// what a call would be told.
///
/// # Errors
/// When the client is gone.
pub(super) async fn challenge_page(
    session: &mut Session,
    site: &Site,
    challenge: Challenge,
    page: PageAnswer,
) -> Result<(), Failure> {
    let mut reply = reply(page);
    let place = held::place(&site.portal, challenge);
    reply.lines.push(challenge_line(challenge, &place));
    write(session, reply).await
}

/// Why a kept form did not come through although the code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// Nothing may be sent to its address any more.
    Barred,
    /// The portal wants it elsewhere.
    Elsewhere,
    /// The portal did not answer: nobody knows whether it has it.
    NoAnswer,
}

/// Tells the user that a kept form may not have arrived. The proof counts all the same, so
/// `cookies` go along.
///
/// # Errors
/// When the client is gone.
pub(super) async fn not_sent(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &mut Context,
    cookies: Vec<String>,
    why: NotSent,
) -> Result<(), Failure> {
    let (status, reason, title, text) = match why {
        NotSent::Barred => (
            StatusCode::CONFLICT,
            ReasonLabel::OwnPage,
            "Your form was not sent",
            "Your code was right and you are signed in. Go back to your form and send it once more.",
        ),
        NotSent::Elsewhere => (
            StatusCode::CONFLICT,
            ReasonLabel::Upstream,
            "Your form was not sent",
            "Your code was right and you are signed in. The portal wants your form at another address. Go back to your form, reload it and send it once more.",
        ),
        NotSent::NoAnswer => (
            StatusCode::BAD_GATEWAY,
            ReasonLabel::Upstream,
            "The portal did not answer",
            "Your code was right and you are signed in. Look in the portal whether your form has arrived before you send it once more.",
        ),
    };
    ctx.ends(VerdictLabel::Error, reason);
    let mut reply = error_page(gateway, ctx, status, title, text);
    reply.lines.extend(cookies.into_iter().map(|line| ("set-cookie", line)));
    write(session, reply).await
}

/// Answers whatever went wrong. Gives the status, or 0 when there is nobody to tell.
pub(super) async fn failure(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &mut Context,
    failure: &Failure,
) -> u16 {
    let refusal = failure.is_refusal();
    let verdict = if refusal { VerdictLabel::Refuse } else { VerdictLabel::Error };
    let begun = session.response_written().is_some_and(|head| {
        // Into a WebSocket nothing of ours may be written either.
        !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS
    });
    // An answer that is cut or left in its middle was a forwarded one all the same.
    if !(begun && matches!(failure, Failure::SessionEnded | Failure::Gone(_))) {
        ctx.ends(verdict, failure.reason());
    }
    let shown = failure.shown();
    if let (Some(site), Failure::Throttled(_)) = (ctx.site(), failure) {
        site.metrics.throttled(ThrottleScope::Client);
    }
    if let (Some(site), Some(label)) = (ctx.site(), failure.upstream_label()) {
        site.metrics.upstream_error(label);
    }
    match refusal {
        true => tracing::info!(request = %ctx.request_id, %failure, "a request was refused"),
        false => tracing::error!(request = %ctx.request_id, %failure, "a request failed"),
    }
    session.set_keepalive(None);
    if begun || matches!(failure, Failure::Gone(_)) {
        return 0;
    }
    let mut reply = match receive::navigates(session) {
        true => error_page(gateway, ctx, shown.status, shown.title, shown.text),
        false => problem_of(ctx, shown.status, shown.title),
    };
    if let Some(seconds) = shown.retry_after {
        reply.lines.push(("retry-after", seconds.to_string()));
    }
    let status = shown.status.as_u16();
    write(session, reply).await.map_or(0, |()| status)
}

/// Gives the portal's answer to a login to the browser.
///
/// # Errors
/// When the portal or the client breaks off.
pub(super) async fn relay(session: &mut Session, mut exchange: Exchange) -> Result<(), Failure> {
    let gone = |error: Box<pingora_error::Error>| Failure::Gone(error.etype().as_str().to_owned());
    let turned = exchange.header.status == StatusCode::SEE_OTHER
        && exchange.header.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    let mut head = Box::new(exchange.header.clone());
    let framed = head.headers.contains_key(header::CONTENT_LENGTH);
    if !framed && !session.as_downstream().is_http2() && head.status != StatusCode::NO_CONTENT {
        head.insert_header(header::TRANSFER_ENCODING, "chunked").map_err(gone)?;
    }
    let first = std::mem::take(&mut exchange.body);
    let empty = turned || (exchange.complete && first.is_empty());
    session.write_response_header(head, empty).await.map_err(gone)?;
    if !empty {
        session.write_response_body(Some(first), exchange.complete).await.map_err(gone)?;
        while let Some(chunk) = exchange.next_chunk().await? {
            session.write_response_body(Some(chunk), false).await.map_err(gone)?;
        }
        session.write_response_body(None, true).await.map_err(gone)?;
    }
    exchange.close().await;
    Ok(())
}

const HTML: &str = "text/html; charset=utf-8";

/// A form of ours. Only one that sends a code may be long, and only from who gave the password.
async fn sent(
    gateway: &Gateway,
    session: &mut Session,
    site: &Site,
    incoming: &Incoming,
    visit: &Visit,
) -> Result<Action, Failure> {
    let sends_code = route::own_page(site, incoming) == Some("/verify");
    let known = !matches!(visit.who, Who::Unknown);
    let limit = if sends_code && known { LONGEST_KEEPING } else { LONGEST_FORM };
    match form(gateway, session, incoming, limit).await? {
        Some(form) => Ok(Action::Send(form)),
        None if sends_code && !known => Ok(Action::SendUnread),
        None => Err(Failure::BodyTooLarge),
    }
}

async fn form(
    gateway: &Gateway,
    session: &mut Session,
    incoming: &Incoming,
    limit: usize,
) -> Result<Option<Vec<(String, String)>>, Failure> {
    check_same_site(session, incoming)?;
    if !reading::is_urlencoded(session) {
        return Err(Failure::BadRequest("a form of ours came in another form"));
    }
    reading::answer_expectation(session).await?;
    let patience = gateway.parts.limits.header_deadline;
    let body = reading::read_body(session, limit, patience).await?;
    Ok(body.map(|body| form_urlencoded::parse(&body).into_owned().collect()))
}

/// A form of ours is sent by our own page. The hidden field says so too; this says it before
/// anything is read. Our pages send no referrer, so browsers send `Origin: null` with them.
fn check_same_site(session: &Session, incoming: &Incoming) -> Result<(), Failure> {
    match receive::sender(session, &incoming.origin.host) {
        Sender::Here | Sender::Unsaid => Ok(()),
        Sender::Elsewhere => Err(Failure::CrossSite("a form of ours")),
    }
}

/// Ends the portal's session too, in the user's name. Whether that works is the portal's
/// matter: ours is over already.
async fn sign_out_of_portal(
    gateway: &Gateway,
    session: &Session,
    site: &Site,
    incoming: &Incoming,
) {
    if let Err(failure) = portal_logout(gateway, session, site, incoming).await {
        tracing::warn!(portal = %site.portal.name, %failure, "the portal's sign-out failed");
    }
}

async fn portal_logout(
    gateway: &Gateway,
    session: &Session,
    site: &Site,
    incoming: &Incoming,
) -> Result<(), Failure> {
    let Some(logout) = &site.portal.identity.logout else { return Ok(()) };
    let target = logout_target(logout);
    let broken = |_| Failure::BadAnswer("the portal's sign-out cannot be asked for".to_owned());
    let mut request =
        pingora_http::RequestHeader::build("GET", target.as_bytes(), None).map_err(broken)?;
    request.insert_header(header::HOST, &*incoming.origin.authority).map_err(broken)?;
    let (cookies, _) = super::identify::read_cookies(site, &session.req_header().headers)?;
    if let Some(line) = cookies.for_portal(&[]) {
        request.insert_header(header::COOKIE, line).map_err(broken)?;
    }
    let peer = gateway.door(site)?.peer(gateway.parts.now(), upstream::ANSWER).await?;
    let done = exchange(&gateway.connector, peer, request, Bytes::new(), LONGEST_JUDGED).await?;
    done.close().await;
    Ok(())
}

fn logout_target(logout: &crate::config::identity::LogoutRule) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&logout.query);
    match query.finish().as_str() {
        "" => logout.path.clone(),
        query => format!("{}?{query}", logout.path),
    }
}

fn reply(answer: PageAnswer) -> Reply {
    let mut lines: Vec<(&'static str, String)> =
        answer.cookies.into_iter().map(|line| ("set-cookie", line)).collect();
    lines.extend(answer.location.map(|location| ("location", location)));
    lines.extend(answer.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
    Reply { status: answer.status, content_type: answer.content_type, body: answer.body, lines }
}

/// What a call is told (RFC 9457).
fn problem(ctx: &Context, challenge: Challenge, place: &str) -> Reply {
    let name = challenge.name();
    let status = held::call_status(challenge);
    let title = match challenge {
        Challenge::SignIn => "sign in to the portal first",
        Challenge::Enrol => "set up the second factor first",
        Challenge::Verify => "give the second factor first",
        Challenge::StepUp => "give the second factor again: this needs a fresh one",
        Challenge::Notice => "a second factor will be needed",
        Challenge::Wait(_) => "too many wrong codes: wait",
        Challenge::AskDesk => "too many wrong codes: ask the support desk",
    };
    let mut reply = problem_body(ctx, status, &format!("urn:portcullis:{name}"), title);
    reply.lines.push(challenge_line(challenge, place));
    match challenge {
        Challenge::Wait(wait) => {
            reply.lines.push(("retry-after", pages::times::seconds(wait).to_string()))
        }
        Challenge::AskDesk => reply.lines.push(("retry-after", "3600".to_owned())),
        Challenge::SignIn
        | Challenge::Enrol
        | Challenge::Verify
        | Challenge::StepUp
        | Challenge::Notice => {}
    }
    reply
}

fn challenge_line(challenge: Challenge, place: &str) -> (&'static str, String) {
    ("portcullis-challenge", format!("{}; url=\"{place}\"", challenge.name()))
}

fn problem_of(ctx: &Context, status: StatusCode, title: &str) -> Reply {
    problem_body(ctx, status, "about:blank", title)
}

fn problem_body(ctx: &Context, status: StatusCode, kind: &str, title: &str) -> Reply {
    let body = serde_json::json!({
        "type": kind,
        "title": title,
        "status": status.as_u16(),
        "instance": format!("urn:portcullis:request:{}", ctx.request_id),
    });
    let content_type = "application/problem+json";
    Reply { status, content_type, body: body.to_string(), lines: Vec::new() }
}

fn error_page(
    gateway: &Gateway,
    ctx: &Context,
    status: StatusCode,
    title: &str,
    text: &str,
) -> Reply {
    let site = ctx.site();
    let frame = Frame {
        portal: site.map_or("", |site| site.portal.name.as_str()),
        prefix: site.map_or("/.mfa", |site| site.portal.prefix.as_str()),
        user: None,
        csrf: None,
        request_id: &ctx.request_id,
    };
    let page = Page::Error { status: status.as_u16(), title, text };
    // A template that fails leaves the bare words: the answer stays what it is.
    match gateway.parts.renderer.render(&frame, &page) {
        Ok(body) => Reply { status, content_type: HTML, body, lines: Vec::new() },
        Err(_) => {
            let body = format!("{title}. {text}\n");
            Reply { status, content_type: "text/plain; charset=utf-8", body, lines: Vec::new() }
        }
    }
}

async fn write(session: &mut Session, reply: Reply) -> Result<(), Failure> {
    let gone = |error: Box<pingora_error::Error>| Failure::Gone(error.etype().as_str().to_owned());
    let mut head = ResponseHeader::build(reply.status, Some(20)).map_err(gone)?;
    for (name, value) in pages::headers::every_page() {
        head.insert_header(*name, *value).map_err(gone)?;
    }
    head.insert_header(header::CONTENT_TYPE, reply.content_type).map_err(gone)?;
    head.insert_header(header::CONTENT_LENGTH, reply.body.len().to_string()).map_err(gone)?;
    for (name, value) in reply.lines {
        head.append_header(name, value).map_err(gone)?;
    }
    let headless = session.req_header().method == http::Method::HEAD || reply.body.is_empty();
    session.write_response_header(Box::new(head), headless).await.map_err(gone)?;
    if !headless {
        session.write_response_body(Some(Bytes::from(reply.body)), true).await.map_err(gone)?;
    } else if session.as_downstream().is_http2() {
        // The framework does not say with the head that it is all, and resets a stream that
        // failed on its way to the portal.
        session.as_downstream_mut().finish_body().await.map_err(gone)?;
    }
    linger(session).await;
    Ok(())
}

/// How long a client may go on sending what nobody reads any more.
const LINGER: Duration = Duration::from_secs(5);

/// Takes the rest of a body that was answered before it was all there. A connection that is
/// closed with bytes left to read is reset, and whoever is still sending may then lose the
/// answer (RFC 9112, section 9.6). HTTP/2 ends a stream without touching the others.
async fn linger(session: &mut Session) {
    let waits_for_us = session.get_header(header::EXPECT).is_some();
    let downstream = session.as_downstream_mut();
    if waits_for_us || downstream.is_http2() || downstream.is_body_done() {
        return;
    }
    let reading = async { while let Ok(Some(_)) = downstream.read_request_body().await {} };
    let _cut_off = tokio::time::timeout(LINGER, reading).await;
}
