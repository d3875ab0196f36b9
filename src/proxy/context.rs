//! What is known of one request on its way: how far it has come, and what its line in the
//! access log will say.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use http::{HeaderValue, Method};

use super::gateway::Gateway;
use super::inject::Injection;
use super::peer::Ends;
use crate::clock::{Stopwatch, UnixMillis};
use crate::identity::{CookieSet, Suspicion};
use crate::net::address;
use crate::net::host::{Host, HostError};
use crate::net::kind::Kind;
use crate::net::lines::Lines;
use crate::net::path::RequestPath;
use crate::policy::{Destination, Permit, PortalCookies, Stage};
use crate::site::Site;
use crate::site::destination::Target;
use crate::telemetry::label::{ReasonLabel, VerdictLabel};
use crate::user::Opaque;
use crate::visit::{Visit, Who};

/// Room for most addresses.
const ADDRESS: usize = 16;

/// The state of one request.
pub struct Context {
    /// The configuration that judges it, from its first callback to its last.
    pub gateway: Arc<Gateway>,
    /// Names it in logs, on error pages and towards the portal.
    pub request_id: Arc<str>,
    /// Since when it is under way.
    pub since: Stopwatch,
    /// How far it has come.
    pub progress: Progress,
    /// What became of it.
    pub ending: Ending,
    /// What of the portal's answer went to the client so far.
    pub(super) sent: Sent,
    /// Whether it still has to leave its line when it is dropped.
    pub(super) unfinished: bool,
}

/// How much of an answer is under way to the client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// The status, once it is known.
    pub status: Option<u16>,
    /// Bytes of the body.
    pub bytes: u64,
}

/// How far a request has come. Each step holds what the next one needs.
pub enum Progress {
    /// Nothing is known.
    Arrived,
    /// It is for this portal.
    Routed(Arc<Site>),
    /// It may go to the portal.
    Permitted(Box<Passage>),
}

/// A request that goes to a portal.
pub struct Passage {
    /// Which portal.
    pub site: Arc<Site>,
    /// The right to go there.
    pub permit: Permit,
    /// The request as it came.
    pub(super) incoming: Incoming,
    /// What it is for.
    pub destination: Destination,
    /// How far the portal is with who sent it.
    pub stage: Stage,
    /// Whether somebody's portal session goes along.
    pub carried: bool,
    /// Who sent it.
    pub visit: Visit,
    /// The `Cookie` line that goes along.
    pub cookie_line: Option<HeaderValue>,
    /// What the browser says it is; shown to its user alone.
    pub(super) agent: Option<HeaderValue>,
    /// Whether it may carry somebody else's password.
    pub(super) suspicion: Suspicion,
    /// Whether its body is a form as browsers send it.
    pub(super) urlencoded: bool,
    /// What becomes of our script in its answer.
    pub(super) injection: Injection,
    /// Whether it signs the user out of the portal.
    pub signs_out: bool,
    /// Whether its own answer ended the session that carried it.
    pub ended_here: bool,
    /// Since when it was judged.
    pub(super) since: Stopwatch,
}

impl Passage {
    /// The portal's session cookies that go along.
    pub(super) fn sent_cookies(&self) -> &CookieSet {
        static NONE: LazyLock<CookieSet> = LazyLock::new(CookieSet::default);
        match self.permit.cookies() {
            PortalCookies::Keep => &self.visit.cookies,
            PortalCookies::Withhold | PortalCookies::WithholdBothWays => &NONE,
        }
    }

    /// The session that carries this request, where one does.
    pub fn carrier(&self) -> Option<Opaque> {
        let carries = self.carried && !self.ended_here;
        self.visit.session().filter(|_| carries).map(|session| session.root)
    }

    /// The same, with since when it does.
    pub(super) fn carrier_since(&self) -> Option<(Opaque, Stopwatch)> {
        self.carrier().map(|carrier| (carrier, self.since))
    }

    /// From when on whoever sent it is not let through any more without a second factor.
    pub fn until(&self) -> Option<UnixMillis> {
        match (&self.visit.who, self.stage) {
            (Who::Named(..), Stage::Announced(from)) => from.filter(|_| self.carried),
            (Who::Named(..), Stage::Required | Stage::Report | Stage::Off)
            | (Who::Proven(..) | Who::Unknown, _) => None,
        }
    }
}

/// A request as it came, after the strict look at it.
#[derive(Clone)]
pub(super) struct Incoming {
    /// The method, as it came.
    pub method: Method,
    /// The path.
    pub path: RequestPath,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// Whether a browser navigates, or a script calls.
    pub kind: Kind,
    /// Which lines its head has.
    pub lines: Lines,
    /// Where from and to.
    pub origin: Origin,
}

impl Incoming {
    /// What of it says what it is for.
    pub(super) fn asks_for(&self) -> Target<'_> {
        Target { method: self.method.as_str(), path: &self.path, query: self.query.as_deref() }
    }

    /// Path and query, as they came.
    pub(super) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path.as_str()),
            None => self.path.as_str().to_owned(),
        }
    }
}

/// Where a request came from and what it is addressed to, with its name.
#[derive(Clone)]
pub(super) struct Origin {
    /// Shared by the requests that came the same way, one after the other.
    way: Arc<Way>,
    /// Names the request, as its context does.
    pub request: Arc<str>,
}

/// From whom to which host.
pub(super) struct Way {
    /// Who is at its other end.
    pub ends: Ends,
    /// The client's address, as a line for the portal.
    pub(super) client_line: Option<HeaderValue>,
    /// The host it asked for.
    pub host: Host,
    /// The same as it was written, port included.
    pub authority: Box<str>,
}

impl Origin {
    /// That of a request by this name, which came this way.
    pub(super) fn new(way: Arc<Way>, request: &Arc<str>) -> Self {
        Self { way, request: Arc::clone(request) }
    }
}

impl Deref for Origin {
    type Target = Way;

    fn deref(&self) -> &Way {
        &self.way
    }
}

impl Way {
    /// That from these ends to this `authority`.
    ///
    /// # Errors
    /// When the authority is no host.
    pub(super) fn new(ends: Ends, authority: &str) -> Result<Self, HostError> {
        let line = |client| {
            let mut text = Vec::with_capacity(ADDRESS);
            address::write(&mut text, client);
            // Digits and what stands between them, which every line may hold.
            HeaderValue::try_from(text).ok()
        };
        Ok(Self {
            ends,
            client_line: ends.client.and_then(line),
            host: Host::parse(authority)?,
            authority: authority.into(),
        })
    }

    /// Whether it is the one from these ends to this `authority`.
    pub(super) fn is_of(&self, ends: Ends, authority: &str) -> bool {
        self.ends == ends && *self.authority == *authority
    }
}

/// What the access log and the metrics say in the end. Both words are from closed sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What happened.
    pub verdict: VerdictLabel,
    /// Why.
    pub reason: ReasonLabel,
}

impl Context {
    /// A request that just arrived, to be judged by `gateway`.
    pub fn new(gateway: Arc<Gateway>, request_id: Arc<str>) -> Self {
        Self {
            gateway,
            request_id,
            since: Stopwatch::start(),
            progress: Progress::Arrived,
            ending: Ending { verdict: VerdictLabel::Error, reason: ReasonLabel::Internal },
            sent: Sent::default(),
            unfinished: false,
        }
    }

    /// The portal, once it is known.
    pub fn site(&self) -> Option<&Arc<Site>> {
        match &self.progress {
            Progress::Arrived => None,
            Progress::Routed(site) => Some(site),
            Progress::Permitted(passage) => Some(&passage.site),
        }
    }

    /// The passage of a request that may go to its portal.
    pub fn passage(&self) -> Option<&Passage> {
        match &self.progress {
            Progress::Arrived | Progress::Routed(_) => None,
            Progress::Permitted(passage) => Some(passage),
        }
    }

    /// The same, to note what is learned on the way, with the gateway that judged it.
    pub(super) fn under_way(&mut self) -> Option<(&Gateway, &mut Passage)> {
        match &mut self.progress {
            Progress::Arrived | Progress::Routed(_) => None,
            Progress::Permitted(passage) => Some((&self.gateway, passage)),
        }
    }

    /// Notes that the answer ended the session that carried the request.
    pub fn session_ended_here(&mut self) {
        if let Progress::Permitted(passage) = &mut self.progress {
            passage.ended_here = true;
        }
    }

    /// Notes what became of the request.
    pub fn ends(&mut self, verdict: VerdictLabel, reason: ReasonLabel) {
        self.ending = Ending { verdict, reason };
    }
}
