//! The table of contents: each callback of the framework, and which stage it calls.

// receive → route → admit → identify → decide ─┬─ Forward(Permit) → forward → portal
//                                              ├─ Challenge ──────→ answer     │
//                                              └─ OwnPage ────────→ answer     │
// client ←─────────────── record ←──── settle ←──── observe ←──────────────────┘

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::connectors::http::Connector;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use super::admit::Admission;
use super::context::{Context, Incoming, Passage, Progress};
use super::fail::{Failure, challenge_labels};
use super::in_force::InForce;
use super::inject::Injection;
use super::reading::{self, Reading};
use super::settle::Settled;
use super::tls::Certificates;
use super::upstream::Door;
use super::{
    answer, exchange, facts, forward, identify, kept, learn, observe, receive, record, route,
    settle, tell, watch,
};
use crate::clock::Stopwatch;
use crate::identity::Suspicion;
use crate::net::lines::Line;
use crate::policy::{Challenge, Destination, Facts, PortalCookies, Verdict, decide};
use crate::site::{Parts, Site};
use crate::visit::{Visit, Who};

/// The gateway: everything a request may need on its way, from one configuration. A request
/// keeps it from its first callback to its last; the next one may have another.
#[derive(Clone)]
pub struct Gateway {
    /// What all rooms share.
    pub parts: Arc<Parts>,
    /// Where the portals are, in the order of the configuration.
    pub doors: Arc<[Door]>,
    /// Connections for the exchanges that we make ourselves.
    pub connector: Arc<Connector>,
    /// How much one client may ask.
    pub admission: Arc<Admission>,
    /// The certificates of each listener, in the order of the configuration.
    pub certificates: Arc<[Option<Certificates>]>,
}

/// What a request's head, cookies and body add up to.
enum Next {
    /// It goes to its portal.
    Forward,
    /// It was answered.
    Answered,
}

impl Gateway {
    /// The way to a portal.
    ///
    /// # Errors
    /// When it is not of this gateway.
    pub fn door(&self, site: &Site) -> Result<&Door, Failure> {
        self.doors.get(site.index).ok_or(Failure::NoPermit)
    }

    /// Stages 1 to 6: from the head of a request to its answer or its permit. What few requests
    /// need has a box of its own, here and below: the framework makes one for every request, with
    /// room for all that it may ever hold.
    async fn judge(&self, session: &mut Session, ctx: &mut Context) -> Result<Next, Failure> {
        let incoming = receive::receive(session, &self.parts, &ctx.request_id)?;
        let site = route::route(session, &incoming, &self.parts.sites)?;
        ctx.progress = Progress::Routed(Arc::clone(&site));
        self.admit(&site, &incoming)?;
        let purpose = route::purpose(&site, &incoming);
        let visit = self.visit(session, &site, &incoming, purpose.destination).await?;
        let reading = self.read_login(session, &site, &incoming).await?;
        let purpose = reading.purpose(purpose);
        let headers = &session.req_header().headers;
        let facts = facts::gather(&self.parts, &site, headers, &incoming, purpose, &visit).await?;
        let verdict = decide(&facts);
        facts::note(&self.parts, &site, &visit, &verdict).await?;
        let (took, judged) = ctx.since.lap();
        site.metrics.decision(took);
        match verdict {
            Verdict::OwnPage => {
                let page = answer::own_page(self, session, ctx, &site, &incoming, &visit);
                Box::pin(page).await?;
                Ok(Next::Answered)
            }
            Verdict::Deny => {
                let user = visit.session().map(|session| &session.user);
                tell::denied(&self.parts, &site, &incoming, user);
                Err(Failure::Denied)
            }
            Verdict::Challenge(challenge) => {
                let asked = self.challenge(session, ctx, &site, &incoming, &visit, challenge);
                Box::pin(asked).await?;
                Ok(Next::Answered)
            }
            Verdict::Forward(permit) => {
                facts::forwarded(ctx, permit.reason());
                let head = session.req_header();
                let passage = passage(head, site, permit, visit, incoming, &facts, judged);
                self.let_through(session, ctx, Box::new(passage), reading).await
            }
        }
    }

    /// Stage 6a: says what is missing, and keeps a form that lacks nothing but a code.
    async fn challenge(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        site: &Site,
        incoming: &Incoming,
        visit: &Visit,
        challenge: Challenge,
    ) -> Result<(), Failure> {
        let challenge = facts::held_back(&self.parts, site, visit, challenge).await?;
        let (verdict, reason) = challenge_labels(challenge);
        ctx.ends(verdict, reason);
        let held = kept::hold(self, session, ctx, site, incoming, visit, challenge);
        match held.await? {
            true => Ok(()),
            false => answer::challenge(self, session, ctx, site, incoming, visit, challenge).await,
        }
    }

    /// Stage 3: what is costly is counted.
    fn admit(&self, site: &Site, incoming: &Incoming) -> Result<(), Failure> {
        let costly = route::takes_password(site, incoming)
            || (incoming.method == http::Method::POST && route::own_page(site, incoming).is_some());
        match costly {
            true => Ok(self.admission.admit(self.parts.now(), incoming.origin.ends.client)?),
            false => Ok(()),
        }
    }

    /// A login is carried by ourselves, all else by the framework.
    async fn let_through(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        mut passage: Box<Passage>,
        reading: Reading,
    ) -> Result<Next, Failure> {
        match reading {
            Reading::Login(login) => {
                let exchange = Box::pin(observe::carry(self, session, *passage, login)).await?;
                Box::pin(answer::relay(session, exchange)).await?;
                Ok(Next::Answered)
            }
            Reading::Doubtful | Reading::Other => {
                if !passage.stage.holds_nobody() {
                    reading::check_readable(&passage.site, &passage.incoming, &reading)?;
                }
                if matches!(reading, Reading::Doubtful) {
                    passage.suspicion = Suspicion::Suspect;
                }
                reading::note_doubt(self, &passage).await?;
                forward::clean(session.req_header_mut(), &passage, &self.parts)?;
                watch::carries(passage.carrier_since(), passage.until());
                ctx.progress = Progress::Permitted(passage);
                ctx.unfinished = true;
                Ok(Next::Forward)
            }
        }
    }

    /// Stage 4. When nobody can say who the visitor is, public paths still open, to nobody.
    async fn visit(
        &self,
        session: &Session,
        site: &Site,
        incoming: &Incoming,
        destination: Destination,
    ) -> Result<Visit, Failure> {
        let headers = &session.req_header().headers;
        let identified = self.identified(headers, site, incoming, destination).await;
        match identified {
            Err(Failure::Store(_) | Failure::Account(_) | Failure::Clock | Failure::NoWord(_))
                if matches!(destination, Destination::Public | Destination::Bypass) =>
            {
                identify::nobody(site, headers)
            }
            identified => identified,
        }
    }

    /// Whom the cookies name, and whom the portal names where it is asked.
    pub(super) async fn identified(
        &self,
        headers: &http::HeaderMap,
        site: &Site,
        incoming: &Incoming,
        destination: Destination,
    ) -> Result<Visit, Failure> {
        let now = self.parts.trusted_now().ok_or(Failure::Clock)?;
        learn::check_target(&site.portal.identity, incoming)?;
        let line = learn::line(&site.portal.identity, headers, incoming.origin.ends.peer)?;
        let mut visit = identify::identify(&self.parts, site, now, headers, line).await?;
        if destination == Destination::Protected {
            visit = learn::without_hidden_tokens(site, headers, incoming, visit);
        }
        let origin = &incoming.origin;
        match visit.who {
            Who::Unknown | Who::Named(..) if destination.is_open() => {
                Box::pin(learn::open(self, site, origin, visit)).await
            }
            Who::Named(..) | Who::Proven(..) if !learn::can_be_asked(site) => Ok(visit),
            Who::Unknown | Who::Named(..) | Who::Proven(..) => {
                Box::pin(learn::learn(self, site, now, headers, origin, visit)).await
            }
        }
    }

    async fn read_login(
        &self,
        session: &mut Session,
        site: &Site,
        incoming: &Incoming,
    ) -> Result<Reading, Failure> {
        match route::takes_password(site, incoming) {
            true => Box::pin(reading::read(self, session, site, incoming)).await,
            false => Ok(Reading::Other),
        }
    }
}

#[async_trait]
impl ProxyHttp for InForce {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.now(), record::request_id())
    }

    /// No compression and no other module: a portal's answer stays as it is.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// Stages 1 to 6a. `Ok(true)` means answered; this is the only place that says so.
    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        watch::head_complete();
        let gateway = Arc::clone(&ctx.gateway);
        let failure = match gateway.judge(session, ctx).await {
            Ok(next) => return Ok(matches!(next, Next::Answered)),
            Err(failure) => failure,
        };
        Box::pin(answer::failure(&gateway, session, ctx, &failure)).await;
        Ok(true)
    }

    /// Stage 6b: a portal's address, against a permit alone.
    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Context,
    ) -> Result<Box<HttpPeer>> {
        let Some(passage) = ctx.passage() else {
            ctx.gateway.parts.metrics.gate_alarm();
            return Err(broken(Failure::NoPermit));
        };
        let door = ctx.gateway.door(&passage.site).map_err(broken)?;
        let now = ctx.gateway.parts.now();
        let peer = match passage.incoming.lines.has(Line::Upgrade) && session.is_upgrade_req() {
            true => door.socket_peer(now).await,
            false => door.peer_for(now, passage.incoming.lines).await,
        };
        peer.map_err(broken)
    }

    /// Stage 6b, its end: the portal gets a copy of the request as it was let through. Runs again
    /// on each retry.
    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        match ctx.passage() {
            Some(passage) => passage.injection.ask(request),
            None => Err(broken(Failure::NoPermit)),
        }
    }

    /// A long upload ends with the session that carries it; and what a body says of a user is
    /// noted.
    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        let Some((gateway, passage)) = ctx.under_way() else {
            return Err(broken(Failure::NoPermit));
        };
        let identity = &passage.site.portal.identity;
        let before = passage.suspicion.is_certain();
        passage.suspicion.see(identity, passage.urlencoded, body.as_deref(), end_of_stream);
        if !before {
            reading::note_doubt(gateway, passage).await.map_err(broken)?;
        }
        // The end of a body alone brings the portal nothing.
        match body {
            None => Ok(()),
            Some(_) => gateway.stands(passage).await.map_err(broken),
        }
    }

    /// Stages 7 and 8 for what is no login: cookies the portal changed, sessions it ended.
    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let Some(passage) = ctx.passage() else {
            return Err(broken(Failure::NoPermit));
        };
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS && !session.is_upgrade_req() {
            return Err(broken(Failure::BadAnswer("an upgrade nobody asked for".to_owned())));
        }
        ctx.gateway.stands(passage).await.map_err(broken)?;
        if head.status.is_informational() && head.status != http::StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        match settle::settle(&ctx.gateway, passage, head).await {
            Ok(Settled::GoesOn) => {}
            Ok(Settled::Ended) => {
                watch::carries(None, None);
                ctx.session_ended_here();
            }
            Err(failure) => {
                tracing::error!(request = %ctx.request_id, %failure, "an answer could not be settled");
                return Err(broken(failure));
            }
        }
        ctx.sent.status = Some(head.status.as_u16());
        // Last, since the head is made to fit a body that is longer than the portal's.
        ctx.under_way().map_or(Ok(()), |(_, passage)| passage.injection.begin(head, session))
    }

    /// Streams end with the session that carries them; and a page gets our script.
    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<Option<std::time::Duration>> {
        let ended = || broken(Failure::SessionEnded);
        let (gateway, passage) = ctx.under_way().ok_or_else(ended)?;
        passage.injection.pass(passage.site.script_tag.as_ref(), body, end_of_stream);
        // The end of a body alone shows nobody anything.
        if body.is_some() && !gateway.still_stands(passage) {
            return Err(ended());
        }
        let length = body.as_ref().map_or(0, Bytes::len);
        ctx.sent.bytes += u64::try_from(length).unwrap_or(u64::MAX);
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Context,
    ) -> FailToProxy {
        let failure = match error.root_cause().downcast_ref() {
            Some(ours) => ours,
            None => &fault_of(error),
        };
        let gateway = Arc::clone(&ctx.gateway);
        let error_code = answer::failure(&gateway, session, ctx, failure).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    /// What the framework would log holds paths and queries; stage 9 says it without them.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    /// Stage 9.
    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Context) {
        let (took, done) = ctx.since.lap();
        watch::request_done(done);
        record::record(session, error, ctx, took);
    }
}

/// What goes along with the request that `head` begins, which was `judged` just now.
pub(super) fn passage(
    head: &RequestHeader,
    site: Arc<Site>,
    permit: crate::policy::Permit,
    visit: Visit,
    incoming: Incoming,
    facts: &Facts,
    judged: Stopwatch,
) -> Passage {
    let keep = permit.cookies() == PortalCookies::Keep;
    let withheld: &[_] = if keep { &[] } else { &site.portal.identity.session_cookies };
    let cookie_line = visit.read.for_portal(withheld);
    let signs_out = route::signs_out(&site, &incoming);
    let identity = &site.portal.identity;
    let carried = keep && visit.is_carried();
    let suspicion = match carried || identity.remembers_names() {
        false => Suspicion::Clear,
        true => {
            let (method, query) = (incoming.method.as_str(), incoming.query.as_deref());
            Suspicion::of_head(identity, incoming.lines, method, query)
        }
    };
    let injection = Injection::of(&site, head, &incoming);
    Passage {
        site,
        permit,
        destination: facts.destination,
        stage: facts.stage,
        carried,
        visit,
        cookie_line,
        agent: head.headers.get(http::header::USER_AGENT).cloned(),
        suspicion,
        urlencoded: incoming.lines.has(Line::ContentType) && reading::is_form(head),
        incoming,
        injection,
        signs_out,
        ended_here: false,
        since: judged,
    }
}

/// A failure of ours on its way through the framework, which hands it back as it was.
fn broken(failure: Failure) -> Box<Error> {
    let status = failure.shown().status.as_u16();
    Error::because(ErrorType::HTTPStatus(status), failure.reason().as_str(), failure)
}

/// What a fault of the framework means.
fn fault_of(error: &Error) -> Failure {
    match error.esource() {
        ErrorSource::Upstream => exchange::failure(error),
        ErrorSource::Downstream => Failure::Gone(error.etype().as_str().to_owned()),
        ErrorSource::Internal | ErrorSource::Unset => Failure::NoPermit,
    }
}
