//! Stage 7, its second half: a login passes through. The portal's session is held back while it is under way;
//! the answer is judged, settled and only then given to the browser. The body goes on as it
//! came and is forgotten here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::context::Passage;
use super::exchange::{Exchange, exchange};
use super::fail::Failure;
use super::gateway::Gateway;
use super::reading::{self, Login};
use super::settle::{add_cookie, drop_our_names, forget_withheld, session_line, settle};
use super::sign_in::{self, take_announcement};
use super::{ask, facts, forward, learn, receive, tell};
use crate::audit::Event;
use crate::config::Identity;
use crate::config::login_rule::{LoginRule, Step};
use crate::identity::{
    Answer, Attempt, CookieSet, LONGEST_JUDGED, LoginOutcome, SessionLine, bearer_of, judge,
};
use crate::net::cookie_line;
use crate::net::return_to::ReturnTo;
use crate::net::set_cookie::{self, CookieChange};
use crate::policy::{Stage, Standing};
use crate::session::{Learned, SessionRecord, Suspension};
use crate::site::Site;
use crate::telemetry::label::LoginOutcomeLabel;
use crate::user::{Opaque, UserName};

/// How soon it is tried again to write down what became of a login, and how often.
const TRY_AGAIN: Duration = Duration::from_millis(500);
const MOST_TRIES: usize = 1200;

/// Carries a login to its end, even if the client leaves on the way: whose the portal
/// session is afterwards must be settled. Gives the answer for the browser.
///
/// # Errors
/// When the portal does not answer or the outcome cannot be made to last. The sessions that
/// the login touched are then over.
pub(super) async fn carry(
    gateway: &Gateway,
    session: &Session,
    passage: Passage,
    login: Login,
) -> Result<Exchange, Failure> {
    let mut request = session.req_header().clone();
    forward::clean(&mut request, &passage, &gateway.parts)?;
    let watched = Watched {
        gateway: gateway.clone(),
        shows_page: receive::navigates(session),
        touched: passage.site.binder.parts(passage.sent_cookies()),
        after: CookieSet::default(),
        passage,
        login,
    };
    let done = tokio::spawn(watched.run(request)).await;
    done.unwrap_or_else(|_| Err(Failure::BadAnswer("its handling was broken off".to_owned())))
}

struct Watched {
    gateway: Gateway,
    shows_page: bool,
    /// What of the portal's session goes along. What stays behind is not touched: who only
    /// holds a copy of somebody's portal session cannot end it by a login of their own.
    touched: Vec<Opaque>,
    /// What the portal knows its session by after its answer, once there is one.
    after: CookieSet,
    passage: Passage,
    login: Login,
}

/// What is held back, until it is let go.
type Held = Option<Suspension>;

impl Watched {
    async fn run(mut self, request: RequestHeader) -> Result<Exchange, Failure> {
        let parts = Arc::clone(&self.gateway.parts);
        let suspension = parts.sessions.suspend(&self.touched).await?;
        // From here on no other login is under way in it.
        let attempt = std::mem::replace(&mut self.login.attempt, Attempt::Nameless);
        let given = match attempt.needs_a_step_before() {
            true => self.passage.site.names.recall(parts.now(), &self.touched).await,
            false => Ok(None),
        };
        let given = match given {
            Ok(given) => given,
            Err(error) => {
                suspension.let_go().await;
                return Err(error.into());
            }
        };
        self.login.attempt = attempt.recalled(given);
        let result = self.pass_on(request).await;
        // Whatever was said of this portal session before may no longer be true.
        let site = &self.passage.site;
        site.answers.forget(site.binder.bind(&self.passage.visit.cookies));
        reading::wipe(std::mem::take(&mut self.login.body));
        let mut held = Some(suspension);
        let settled = self.settled(result, &mut held).await;
        match held {
            Some(held) if is_in_doubt(&settled) && parts.sessions.is_shared() => {
                tokio::spawn(self.given_up(held));
            }
            Some(held) => held.let_go().await,
            None => {}
        }
        settled
    }

    async fn settled(
        &mut self,
        result: Result<Exchange, Failure>,
        held: &mut Held,
    ) -> Result<Exchange, Failure> {
        match result {
            Ok(mut exchange) => match self.judged(&mut exchange, held).await {
                Ok(()) => Ok(exchange),
                // Where nobody is held the portal's own answer counts, whoever it is for.
                Err(failure @ (Failure::Nameless | Failure::BadAnswer(_)))
                    if self.passage.stage.holds_nobody() =>
                {
                    tracing::info!(%failure, "a login was let through that names nobody");
                    Ok(exchange)
                }
                Err(failure) => Err(failure),
            },
            Err(failure) => {
                // Perhaps the portal took the password and only the answer was lost.
                self.outcome(LoginOutcomeLabel::Unreadable).await;
                self.doubt_name().await?;
                self.left_to_nobody(held).await?;
                Err(failure)
            }
        }
    }

    /// The store did not take what became of the login, or another gateway had the turn
    /// meanwhile. Until it is written down that nobody knows whose the portal session is, no
    /// other login goes on in it.
    async fn given_up(self, held: Suspension) {
        let mut held = Some(held);
        for _ in 0..MOST_TRIES {
            match self.left_to_nobody(&held).await {
                Ok(()) => break,
                Err(failure) => tracing::error!(%failure, "a login is not settled yet"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        let_go(&mut held).await;
    }

    fn identity(&self) -> &Identity {
        &self.passage.site.portal.identity
    }

    /// Nobody can say any more whose name the portal remembers.
    async fn doubt_name(&self) -> Result<(), Failure> {
        if self.is_step() {
            self.passage.site.names.doubt(self.gateway.parts.now(), &self.touched).await?;
        }
        Ok(())
    }

    fn is_step(&self) -> bool {
        self.rule().is_some_and(|rule| rule.step == Step::Name)
    }

    fn rule(&self) -> Option<&LoginRule> {
        self.identity().logins.get(self.login.rule)
    }

    async fn pass_on(&self, mut request: RequestHeader) -> Result<Exchange, Failure> {
        let reads_body = self.rule().is_some_and(LoginRule::reads_body)
            || self.identity().session_bearer.is_some();
        if reads_body {
            let plain = request.insert_header(header::ACCEPT_ENCODING, "identity");
            plain.map_err(|_| Failure::BadAnswer("it cannot be asked for in plain".to_owned()))?;
        }
        let now = self.gateway.parts.now();
        let peer =
            self.gateway.door(&self.passage.site)?.peer(now, super::upstream::ANSWER).await?;
        let body = self.login.body.clone();
        let hold = if reads_body { LONGEST_JUDGED } else { 0 };
        exchange(&self.gateway.connector, peer, request, body, hold).await
    }

    async fn judged(&mut self, exchange: &mut Exchange, held: &mut Held) -> Result<(), Failure> {
        drop_our_names(&mut exchange.header)?;
        let changes = set_cookie::changes(&exchange.header.headers, self.gateway.parts.now());
        self.after = self.session_after(exchange, &changes);
        let verdict = self.verdict(exchange, &changes);
        if self.is_step() {
            self.note_name(verdict).await?;
            return self.refused(exchange, held).await;
        }
        let announced = take_announcement(self.identity(), &mut exchange.header).flatten();
        match verdict {
            LoginOutcome::Success => {}
            LoginOutcome::Failure => {
                self.outcome(LoginOutcomeLabel::Failure).await;
                return self.refused(exchange, held).await;
            }
            LoginOutcome::Unclear => return self.doubted(exchange, held).await,
        }
        let user = match self.after.is_empty() {
            true => Ok(None),
            false => self.who(announced, &self.after).await,
        };
        match user {
            Ok(Some(user)) => self.learned(exchange, user, &changes, held).await,
            Ok(None) => {
                self.outcome(LoginOutcomeLabel::NoSession).await;
                self.end_touched().await
            }
            Err(failure) => {
                self.outcome(LoginOutcomeLabel::NoName).await;
                self.left_to_nobody(held).await?;
                Err(failure)
            }
        }
    }

    /// What the portal knows its session by after the login.
    fn session_after(&self, exchange: &Exchange, changes: &[CookieChange]) -> CookieSet {
        let identity = self.identity();
        let path = self.passage.incoming.path.as_str();
        let cookies = self.passage.sent_cookies().after(changes, &identity.session_cookies, path);
        let Some(pointer) = &identity.session_bearer else { return cookies };
        let token = readable_body(exchange).and_then(|body| bearer_of(body, pointer));
        cookies.with_line(token.map(SessionLine::Authorization))
    }

    /// Who signed in: by the portal's own word where it is asked or says so itself, else by
    /// the name that was typed. Nothing when the portal says that nobody did.
    async fn who(
        &self,
        announced: Option<UserName>,
        cookies: &CookieSet,
    ) -> Result<Option<UserName>, Failure> {
        let site = &self.passage.site;
        let identity = self.identity();
        if let Some(rule) = &identity.whoami {
            site.answers.forget(site.binder.bind(cookies));
            return ask::whoami(&self.gateway, site, rule, &self.passage.incoming.origin, cookies)
                .await;
        }
        if let Some(source) = &identity.jwt {
            return Ok(learn::signed(identity, source, self.gateway.parts.now(), cookies));
        }
        let user = match &identity.announce {
            Some(_) => announced,
            None => self.login.attempt.user().cloned(),
        };
        // The answer may show what only somebody with a name may see.
        user.map(Some).ok_or(Failure::Nameless)
    }

    async fn end_touched(&self) -> Result<(), Failure> {
        let parts = &self.gateway.parts;
        parts.sessions.end_sharing(parts.now(), &self.touched, None).await?;
        // A session that is not carried by cookies, or whose cookies stayed behind, shares none
        // with its requests.
        if let Some(session) = self.passage.visit.session()
            && self.passage.sent_cookies().is_empty()
        {
            parts.sessions.end(parts.now(), session).await?;
        }
        Ok(())
    }

    /// The portal may have taken the password: it broke, or its answer cannot be read. That it
    /// broke may be shown; what cannot be read may be what only somebody with a name may see.
    async fn doubted(&self, exchange: &mut Exchange, held: &mut Held) -> Result<(), Failure> {
        self.outcome(LoginOutcomeLabel::Unreadable).await;
        self.left_to_nobody(held).await?;
        if exchange.header.status.is_server_error() {
            return self.refused(exchange, held).await;
        }
        Err(Failure::BadAnswer("whether it took the password cannot be read".to_owned()))
    }

    /// Somebody may be signed in from now on, though nobody knows who: no session goes on with
    /// these cookies, and they are no guest's any more, so they stay behind at open addresses.
    async fn left_to_nobody(&self, held: &Held) -> Result<(), Failure> {
        self.end_touched().await?;
        let (parts, site) = (&self.gateway.parts, &self.passage.site);
        for cookies in [self.passage.sent_cookies(), &self.after] {
            if !cookies.is_empty() {
                let (nobody, now) = (UserName::canonical(String::new()), parts.now());
                let record = sign_in::record(parts, site, now, nobody, cookies, Learned::Login)?;
                parts.sessions.doubt(now, record, held.as_ref()).await?;
            }
        }
        Ok(())
    }

    /// The first of two steps: the name waits for its password, under the cookies that the
    /// portal's session has after this answer.
    async fn note_name(&self, verdict: LoginOutcome) -> Result<(), Failure> {
        let site = &self.passage.site;
        let name = self.login.attempt.user().filter(|_| verdict == LoginOutcome::Success);
        let after = site.binder.parts(&self.after);
        Ok(site.names.settle(self.gateway.parts.now(), &self.touched, &after, name).await?)
    }

    /// The portal took no password, as far as the rule can tell. Rules cannot tell all: a
    /// proof that was there before the attempt does not outlive it.
    async fn refused(&self, exchange: &mut Exchange, held: &mut Held) -> Result<(), Failure> {
        if !self.passage.carried {
            let_go(held).await;
            let _goes_on = settle(&self.gateway, &self.passage, &mut exchange.header).await?;
            return Ok(());
        }
        self.end_touched().await?;
        add_cookie(&mut exchange.header, &cookie_line::clear_session())
    }

    fn verdict(&self, exchange: &Exchange, changes: &[CookieChange]) -> LoginOutcome {
        let answer = Answer {
            status: exchange.header.status,
            headers: &exchange.header.headers,
            cookies: changes,
            body: readable_body(exchange),
            user: self.login.attempt.user(),
        };
        self.rule().map_or(LoginOutcome::Failure, |rule| judge(rule, &answer))
    }

    /// The portal took the password.
    async fn learned(
        &self,
        exchange: &mut Exchange,
        user: UserName,
        changes: &[CookieChange],
        held: &Held,
    ) -> Result<(), Failure> {
        let parts = &self.gateway.parts;
        let site = &self.passage.site;
        let now = parts.now();
        if self.identity().remembers_names() {
            site.names.forget(now, &self.touched).await?;
            site.names.forget(now, &site.binder.parts(&self.after)).await?;
        }
        self.end_touched().await?;
        let place = sign_in::place(&self.passage.incoming.origin, self.passage.agent.as_ref());
        let record = sign_in::begin(parts, site, user, &self.after, place, held.as_ref()).await?;
        let standing = sign_in::seen(parts, site, now, &record, &self.passage.visit).await?;
        forget_withheld(&self.passage, changes, &mut exchange.header)?;
        add_cookie(&mut exchange.header, &session_line(parts, site, now, &record)?)?;
        self.outcome(LoginOutcomeLabel::Success).await;
        let origin = &self.passage.incoming.origin;
        tell::of_user(parts, site, origin, Event::LoginSucceeded, &record.user);
        if self.shows_page {
            self.lead_on(site, &record, standing, exchange).await?;
        }
        Ok(())
    }

    /// The browser goes to the second factor first, and where the portal sent it after that.
    /// Who may go on without one goes where the portal says, past a notice that is due.
    async fn lead_on(
        &self,
        site: &Site,
        session: &SessionRecord,
        standing: Standing,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let parts = &self.gateway.parts;
        let stage = site.portal.enforcement.stage(Some(session.user.as_str()), parts.now());
        let page = match (standing, stage) {
            (_, Stage::Report | Stage::Off) => return Ok(()),
            (Standing::NotEnrolled, Stage::Announced(_)) => {
                if !facts::is_notice_due(parts, site, session).await? {
                    return Ok(());
                }
                "notice"
            }
            (Standing::NotEnrolled, Stage::Required) => "enrol",
            (
                Standing::Enrolled | Standing::Locked(_) | Standing::Disabled,
                Stage::Required | Stage::Announced(_),
            ) => "verify",
        };
        let location = exchange.header.headers.get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let return_to = location.map_or_else(ReturnTo::start, |location| {
            ReturnTo::from_location(
                location,
                self.passage.incoming.path.as_str(),
                &site.portal.hosts,
                &site.portal.prefix,
            )
        });
        let prefix = &site.portal.prefix;
        let target = format!("{prefix}/{page}?return_to={}", return_to.as_query_value());
        redirect(&mut exchange.header, &target)
            .map_err(|_| Failure::BadAnswer("it cannot be turned".to_owned()))?;
        exchange.body = Bytes::new();
        Ok(())
    }

    async fn outcome(&self, outcome: LoginOutcomeLabel) {
        let (site, origin) = (&self.passage.site, &self.passage.incoming.origin);
        site.metrics.login_observed(outcome);
        let parts = &self.gateway.parts;
        tell::no_login(parts, site, origin, outcome, &self.login.attempt).await;
    }
}

/// Whether nobody knows what of a login is on disk, or whether it was the last one there.
const fn is_in_doubt(settled: &Result<Exchange, Failure>) -> bool {
    matches!(settled, Err(Failure::Store(_) | Failure::Account(_)))
}

async fn let_go(held: &mut Held) {
    if let Some(held) = held.take() {
        held.let_go().await;
    }
}

/// The body of an answer, where it is all there and in plain.
fn readable_body(exchange: &Exchange) -> Option<&[u8]> {
    let plain = !exchange.header.headers.contains_key(header::CONTENT_ENCODING);
    (exchange.complete && plain).then_some(&exchange.body[..])
}

/// Turns an answer into a redirect without a body; its `Set-Cookie` lines stay.
fn redirect(head: &mut ResponseHeader, target: &str) -> pingora_error::Result<()> {
    for name in ["content-type", "content-encoding", "etag", "last-modified", "accept-ranges"] {
        head.remove_header(name);
    }
    head.set_status(StatusCode::SEE_OTHER)?;
    head.insert_header(header::LOCATION, target)?;
    head.insert_header(header::CACHE_CONTROL, "no-store")?;
    head.insert_header(header::CONTENT_LENGTH, "0")
}
