//! Kept work: a form of the portal that came when the proof had run out. It is sealed into the
//! page that asks for the code, and once the code was right it is judged as any request of the
//! proven visitor and sent to its portal, once. Nothing of it is stored here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use zeroize::Zeroizing;

use super::answer::NotSent;
use super::context::{Context, Incoming, Passage};
use super::exchange::{Exchange, exchange};
use super::fail::Failure;
use super::gateway::{self, Gateway};
use super::receive::Sender;
use super::settle::{Settled, add_cookie, settle};
use super::{answer, facts, forward, reading, receive, resent, route, upstream, watch};
use crate::clock::Stopwatch;
use crate::net::cookies::SESSION;
use crate::net::kind::Kind;
use crate::net::lines::Lines;
use crate::net::path::RequestPath;
use crate::net::set_cookie;
use crate::pages::render::KeptNotice;
use crate::pages::{self, Action, PageAnswer, PageRequest};
use crate::policy::{Challenge, Verdict, decide};
use crate::site::{KeptForm, KeptLines, LONGEST_KEPT_BODY, Site};
use crate::telemetry::label::{ReasonLabel, VerdictLabel};
use crate::visit::{Visit, Who};

/// How much of a body that is too large is read all the same, so that its sender sees the
/// answer: a browser that is cut off while it sends shows a fault of the connection instead.
const LONGEST_DISCARDED: usize = 64 * 1024 * 1024;

/// Answers a form of the portal that lacks nothing but the second factor with the page that
/// asks for it, the form sealed inside. Says whether it was such a form.
///
/// # Errors
/// When the body is broken off or comes too slowly, or the page cannot be made.
pub(super) async fn hold(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &Context,
    site: &Site,
    incoming: &Incoming,
    visit: &Visit,
    challenge: Challenge,
) -> Result<bool, Failure> {
    let Some(record) = visit.session() else { return Ok(false) };
    let lacks_a_code = matches!(challenge, Challenge::Verify | Challenge::StepUp);
    if !lacks_a_code || !is_form_of_the_portal(session, site, incoming) {
        return Ok(false);
    }
    reading::answer_expectation(session).await?;
    let patience = gateway.parts.limits.header_deadline;
    let body = reading::read_body(session, LONGEST_KEPT_BODY, patience).await?;
    let sealed = match body {
        Some(body) => site.seal_form(record.sid, &kept_form(session, incoming, visit, body))?,
        None => None,
    };
    if sealed.is_none() {
        discard(session, patience).await;
    }
    let notice = sealed.as_deref().map_or(KeptNotice::TooLarge, KeptNotice::Sealed);
    let request = PageRequest {
        parts: &gateway.parts,
        site,
        rest: "/verify",
        action: Action::Show,
        query: vec![("return_to".to_owned(), resent::page_of_form(session, incoming, site))],
        visit,
        caller: answer::caller(session, incoming),
        now: gateway.parts.now(),
        request_id: &ctx.request_id,
    };
    let page = pages::ask_for_code(&request, notice).await?;
    answer::challenge_page(session, site, challenge, page).await?;
    Ok(true)
}

/// A form that a page of this host sent by a navigation: another site must not have one sent
/// in the visitor's name, be it a code later. At a login address nothing is kept:
/// it may hold a password.
fn is_form_of_the_portal(session: &Session, site: &Site, incoming: &Incoming) -> bool {
    incoming.method == Method::POST
        && receive::navigates(session)
        && receive::sender(session, &incoming.origin.host) == Sender::Here
        && content_type(session).is_some_and(is_form)
        && may_be_resent(site, incoming)
}

fn content_type(session: &Session) -> Option<&str> {
    session.get_header(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
}

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "multipart/form-data"]
        .iter()
        .any(|form| kind.eq_ignore_ascii_case(form))
}

/// Whether a form for this address may go to the portal later.
fn may_be_resent(site: &Site, incoming: &Incoming) -> bool {
    route::own_page(site, incoming).is_none()
        && !route::takes_password(site, incoming)
        && !route::signs_out(site, incoming)
}

fn kept_form(session: &Session, incoming: &Incoming, visit: &Visit, body: Bytes) -> KeptForm {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let line = |name: HeaderName| session.get_header(name).and_then(text);
    let lines = KeptLines {
        target: incoming.target(),
        content_type: content_type(session).unwrap_or_default().to_owned(),
        origin: line(header::ORIGIN),
        referer: line(header::REFERER),
        cookies: visit.read.for_portal(&[]).as_ref().and_then(text),
    };
    let form = KeptForm { lines, body: Zeroizing::new(body.to_vec()) };
    reading::wipe(body);
    form
}

async fn discard(session: &mut Session, patience: Duration) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = session.as_downstream_mut().read_request_body().await {
            read += chunk.len();
            if read > LONGEST_DISCARDED {
                break;
            }
        }
    };
    let _given_up = tokio::time::timeout(patience, reading).await;
}

/// Sends a kept form to its portal, under the proof that `proven` tells the browser of, and
/// gives the portal's answer to the browser.
///
/// # Errors
/// When the answer cannot be settled, or the client is gone.
pub(super) async fn send_on(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &mut Context,
    incoming: &Incoming,
    form: KeptForm,
    proven: PageAnswer,
) -> Result<(), Failure> {
    let Some(site) = ctx.site().map(Arc::clone) else { return Err(Failure::NoPermit) };
    let Some((passage, head)) = judge(gateway, session, &site, incoming, &form, &proven).await?
    else {
        return answer::not_sent(gateway, session, ctx, proven.cookies, NotSent::Barred).await;
    };
    ctx.ends(VerdictLabel::Forward, ReasonLabel::Proven);
    watch::carries(passage.carrier_since(), passage.until());
    let path = passage.incoming.path.clone();
    let sending = Sending { gateway: gateway.clone(), passage, form };
    // To its end, even if the client leaves: what the portal changed must be settled.
    let sent = tokio::spawn(sending.run(head)).await;
    let sent = sent.unwrap_or_else(|_| Err(Failure::BadAnswer("it was broken off".to_owned())));
    match sent {
        Ok((mut exchange, settled)) => {
            if settled == Settled::Ended {
                watch::carries(None, None);
            }
            keep_the_proof(&mut exchange, &proven)?;
            resent::fit(&mut exchange, path.as_str()).await?;
            if resent::is_wanted_elsewhere(&exchange) {
                let cookies = exchange.header.headers.get_all(header::SET_COOKIE).iter();
                let cookies = cookies.filter_map(|line| line.to_str().ok()).map(str::to_owned);
                let cookies = cookies.collect();
                exchange.close().await;
                return answer::not_sent(gateway, session, ctx, cookies, NotSent::Elsewhere).await;
            }
            answer::relay(session, exchange).await
        }
        Err(failure) if failure.upstream_label().is_some() => {
            if let Some(label) = failure.upstream_label() {
                site.metrics.upstream_error(label);
            }
            tracing::error!(request = %ctx.request_id, %failure, "a kept form may not have arrived");
            watch::carries(None, None);
            answer::not_sent(gateway, session, ctx, proven.cookies, NotSent::NoAnswer).await
        }
        Err(failure) => Err(failure),
    }
}

/// Judges the kept request as if it had just come from the proven visitor: nothing but
/// [`decide`] gives it its permit. Nothing when it does not.
async fn judge(
    gateway: &Gateway,
    session: &Session,
    site: &Arc<Site>,
    incoming: &Incoming,
    form: &KeptForm,
    proven: &PageAnswer,
) -> Result<Option<(Passage, RequestHeader)>, Failure> {
    let Some((head, kept)) = rebuilt(session, incoming, form, proven) else { return Ok(None) };
    if !may_be_resent(site, &kept) {
        return Ok(None);
    }
    let purpose = route::purpose(site, &kept);
    let visit = gateway.identified(&head.headers, site, &kept, purpose.destination).await?;
    let facts = facts::gather(&gateway.parts, site, &head.headers, &kept, purpose, &visit).await?;
    let (Verdict::Forward(permit), Who::Proven(..)) = (decide(&facts), &visit.who) else {
        return Ok(None);
    };
    let (site, judged) = (Arc::clone(site), Stopwatch::start());
    let mut passage = gateway::passage(&head, site, permit, visit, kept, &facts, judged);
    let identity = &passage.site.portal.identity;
    passage.suspicion.see(identity, passage.urlencoded, Some(&form.body), true);
    let mut head = head;
    forward::clean(&mut head, &passage, &gateway.parts)?;
    Ok(Some((passage, head)))
}

/// The kept request: what says who the browser is comes from the request with the code, all
/// else from the seal. The session cookie is the one that the browser is about to get.
fn rebuilt(
    session: &Session,
    incoming: &Incoming,
    form: &KeptForm,
    proven: &PageAnswer,
) -> Option<(RequestHeader, Incoming)> {
    let lines = &form.lines;
    let (path, query) = match lines.target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (lines.target.as_str(), None),
    };
    let mut head = session.req_header().clone();
    head.set_uri(lines.target.parse().ok()?);
    for name in [header::CONTENT_TYPE, header::ORIGIN, header::REFERER, header::COOKIE] {
        head.remove_header(&name);
    }
    let token = proven.cookies.first()?.split(';').next()?;
    let cookies = match &lines.cookies {
        Some(cookies) => format!("{cookies}; {token}"),
        None => token.to_owned(),
    };
    let mut set = |name: HeaderName, value: &str| head.insert_header(name, value).ok();
    set(header::COOKIE, &cookies)?;
    set(header::CONTENT_TYPE, &lines.content_type)?;
    // The answer may have to be edited; that needs no decoding then.
    set(header::ACCEPT_ENCODING, "identity")?;
    if let Some(origin) = &lines.origin {
        set(header::ORIGIN, origin)?;
    }
    if let Some(referer) = &lines.referer {
        set(header::REFERER, referer)?;
    }
    let kept = Incoming {
        method: Method::POST,
        path: RequestPath::parse(path).ok()?,
        query,
        kind: Kind::Page,
        lines: Lines::of(&head.headers),
        origin: incoming.origin.clone(),
    };
    Some((head, kept))
}

struct Sending {
    gateway: Gateway,
    passage: Passage,
    form: KeptForm,
}

impl Sending {
    async fn run(mut self, head: RequestHeader) -> Result<(Exchange, Settled), Failure> {
        let parts = &self.gateway.parts;
        let peer =
            self.gateway.door(&self.passage.site)?.peer(parts.now(), upstream::ANSWER).await?;
        let body = Bytes::from(std::mem::take(&mut *self.form.body));
        let sent = exchange(&self.gateway.connector, peer, head, body.clone(), 0).await;
        reading::wipe(body);
        let mut exchange = sent?;
        self.gateway.stands(&self.passage).await?;
        let settled = settle(&self.gateway, &self.passage, &mut exchange.header).await?;
        Ok((exchange, settled))
    }
}

/// The browser learns of its proven session with this answer, unless the answer itself moved
/// that session on or ended it.
fn keep_the_proof(exchange: &mut Exchange, proven: &PageAnswer) -> Result<(), Failure> {
    let lines = exchange.header.headers.get_all(header::SET_COOKIE);
    if lines.iter().any(|line| set_cookie::name(line.as_bytes()) == Some(SESSION)) {
        return Ok(());
    }
    proven.cookies.iter().try_for_each(|line| add_cookie(&mut exchange.header, line))
}
