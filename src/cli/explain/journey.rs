//! One visitor's way through one portal, request by request: what the gateway would have known
//! at each, and decided. The portal's part is the recording; that the second factor is given
//! when it is asked for is taken as given, so that what follows can be explained too.

use std::net::IpAddr;

use http::header;

use super::line::Line;
use super::login;
use super::reasons;
use super::recorded::{Recorded, RecordedAnswer};
use super::request::verdict_word;
use super::words::{self, plain};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::identity::{
    Attempt, BodyKind, CookieSet, LONGEST_JUDGED, Sent, SessionLine, Sight, basic_name,
    has_token_in_address, is_for_logins_alone, may_hide_a_token, names_a_user, normalise,
    read_attempt,
};
use crate::net::cookies::{Cookies, is_like_ours};
use crate::net::kind::Kind;
use crate::net::lines::Lines;
use crate::net::set_cookie::{self, CookieChange};
use crate::policy::{
    Challenge, Demand, Destination, Facts, PortalCookies, PortalSession, Stage, Standing, Verdict,
    Visitor, decide,
};
use crate::session::{FactorUsed, Learned, Level, Place, SessionRecord};
use crate::site::Site;
use crate::site::destination::{Origin, Purpose, Target, purpose, takes_password};
use crate::user::{Opaque, UserName};

/// What is known of a visitor at a portal.
pub(super) struct Journey<'a> {
    /// The portal.
    pub site: &'a Site,
    /// The whole recording, for what the portal said elsewhere in it.
    pub all: &'a [Recorded],
    /// The session that was learned.
    pub session: Option<Held>,
    /// The portal session that began as nobody's.
    pub guest: Option<Opaque>,
    /// Where the requests come from, and when, where that is given.
    pub given: Given,
}

/// What is known of all requests of a recording beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    /// Where they come from.
    pub client: Option<IpAddr>,
    /// The moment that decides what is asked; that of the recording where none is given.
    pub at: Option<UnixMillis>,
}

/// A session that was learned, and whose it is where the recording says so.
pub(super) struct Held {
    /// As the gateway would keep it.
    pub record: SessionRecord,
    /// Whose it is.
    pub user: Option<UserName>,
}

/// A request on its way.
pub(super) struct Passing<'a> {
    /// As it was recorded.
    pub recorded: &'a Recorded,
    /// What of it says what it is for.
    pub target: Target<'a>,
    /// The portal session it carries.
    pub set: CookieSet,
    /// The part of it that goes to the portal.
    pub sent: CookieSet,
    /// What that session is to us.
    pub portal_session: PortalSession,
    /// Whether a proof carries it.
    pub proven: bool,
}

impl<'a> Journey<'a> {
    /// Nobody came yet.
    pub(super) fn new(site: &'a Site, all: &'a [Recorded], given: Given) -> Self {
        Self { site, all, session: None, guest: None, given }
    }

    /// The next request, told in `line`.
    pub(super) fn step(&mut self, recorded: &Recorded, limits: &Limits, line: &mut Line) {
        let kind =
            Kind::of(&recorded.asked.method, &recorded.headers, Lines::of(&recorded.headers));
        line.portal = self.site.portal.name.clone();
        line.kind = if kind == Kind::Page { "page" } else { "call" };
        line.visitor = "unknown";
        let (None, Some(target)) = (recorded.asked.refusal(limits), recorded.asked.target()) else {
            let refusal = recorded.asked.refusal(limits);
            let (status, why) = refusal.unwrap_or_default();
            return line.refuse(status.as_u16(), &why);
        };
        if has_token_in_address(&self.site.portal.identity, target.query) {
            return line.refuse(400, "a token of the portal is in its address");
        }
        let set = match session_of(self.site, recorded) {
            Ok(set) => set,
            Err(why) => return line.refuse(400, &why),
        };
        if let Some(doubt) = target.path.doubt() {
            line.because(format!("the path is ambiguous: {doubt}"));
        }
        let mut passing = Passing {
            recorded,
            target,
            portal_session: self.portal_session(&set),
            proven: self.is_known(&set, line),
            sent: CookieSet::default(),
            set,
        };
        let sight = self.sight(&passing, limits);
        if let Sight::Login(_, Attempt::Ambiguous) = sight {
            return line.refuse(400, "it is a login that can be read in two ways");
        }
        let origin = Origin { client: self.given.client, host: recorded.asked.host.as_str() };
        let told = purpose(&self.site.portal, target, origin);
        let destination = match sight {
            Sight::Login(..) => Destination::Login,
            Sight::Other | Sight::Unclear => told.destination,
        };
        let told = Purpose { destination, ..told };
        line.because(words::purpose(&self.site.portal, target, told));
        self.doubt_tokens(&mut passing, destination, line);
        let verdict = self.verdict(&mut passing, told, kind, line);
        self.after(passing, destination, sight, verdict, line);
    }

    /// Whether the request belongs to the session that was learned.
    fn is_known(&self, set: &CookieSet, line: &mut Line) -> bool {
        let Some(held) = &self.session else { return false };
        let fits = held.record.fits(&self.site.binder.parts(set));
        match fits {
            true => {
                line.visitor = "proven";
                line.user = held.user.as_ref().map(|user| plain(user.as_str()));
            }
            false => line.because("its portal session is not the one that was learned"),
        }
        fits
    }

    /// A request to a protected path that may hide somebody else's token is nobody's.
    fn doubt_tokens(&self, passing: &mut Passing<'_>, destination: Destination, line: &mut Line) {
        let identity = &self.site.portal.identity;
        let headers = &passing.recorded.headers;
        let hides = may_hide_a_token(identity, headers, passing.target.method);
        if passing.proven && destination == Destination::Protected && hides {
            line.because("it may bring a token in its body, so it is nobody's");
            line.visitor = "unknown";
            line.user = None;
            passing.proven = false;
        }
    }

    fn portal_session(&self, set: &CookieSet) -> PortalSession {
        match self.guest {
            _ if set.is_empty() => PortalSession::Absent,
            Some(guest) if guest == self.site.binder.bind(set) => PortalSession::Guest,
            Some(_) | None => PortalSession::Other,
        }
    }

    /// What the body says at an address that takes a password.
    fn sight(&self, passing: &Passing<'_>, limits: &Limits) -> Sight {
        let Target { method, path, query } = passing.target;
        let body = passing.recorded.body.as_slice();
        if !takes_password(&self.site.portal, passing.target) {
            return Sight::Other;
        }
        if body.len() > limits.login_body {
            return Sight::Unclear;
        }
        let kind = &BodyKind::of(&passing.recorded.headers);
        read_attempt(&self.site.portal.identity, Sent { method, path, query, kind, body })
    }

    /// The decision, and the challenges on the way that are taken as met.
    fn verdict(
        &mut self,
        passing: &mut Passing<'_>,
        told: Purpose<'_>,
        kind: Kind,
        line: &mut Line,
    ) -> Verdict {
        let portal = &self.site.portal;
        let shown = passing.target.path.as_str();
        if !passing.proven
            && told.destination == Destination::Protected
            && told.judged.demand != Demand::Deny
            && let Some(user) = self.told(passing, line)
        {
            let name = user.as_ref().map(UserName::as_str);
            let stage = self.stage(name, passing.recorded.at, line);
            let visitor = Visitor::Named(Standing::Enrolled);
            let asked = decide(&facts(told, visitor, stage, PortalSession::Other));
            line.because(format!(
                "before that: {}; that the second factor is given then is taken as given",
                words::answer(portal, &asked, kind, shown)
            ));
            self.learn(passing.recorded, user, &passing.set.clone(), Learned::Told);
            passing.proven = true;
            self.is_known(&passing.set, line);
        }
        let mut verdict = self.judged(passing, told, line);
        if verdict == Verdict::Challenge(Challenge::StepUp)
            && let Some(held) = &mut self.session
        {
            line.because(format!(
                "before that: {}; that a fresh code is given then is taken as given",
                words::answer(portal, &verdict, kind, shown)
            ));
            held.record.level = Level::Proven { factor: FactorUsed::Totp, at: passing.recorded.at };
            verdict = self.judged(passing, told, line);
        }
        line.verdict = verdict_word(&verdict);
        line.answer = words::answer(portal, &verdict, kind, shown);
        if let Verdict::Forward(permit) = &verdict
            && permit.cookies() == PortalCookies::Keep
        {
            passing.sent = passing.set.clone();
        }
        verdict
    }

    /// The decision about the visitor as far as they are known by now.
    fn judged(&self, passing: &Passing<'_>, told: Purpose<'_>, line: &mut Line) -> Verdict {
        let at = passing.recorded.at;
        let held = self.session.as_ref().filter(|_| passing.proven);
        let visitor = match held {
            Some(held) => Visitor::Proven(held.record.proof_age(at)),
            None => Visitor::Unknown,
        };
        let name = held.and_then(|held| held.user.as_ref()).map(UserName::as_str);
        let stage = match visitor {
            // Whoever lacks nothing is asked for nothing at any stage.
            Visitor::Proven(_) => self.site.portal.enforcement.stage(name, self.moment(at)),
            Visitor::Unknown | Visitor::Named(_) => self.stage(name, at, line),
        };
        decide(&facts(told, visitor, stage, passing.portal_session))
    }

    /// How far the portal is with somebody, which is told where not everybody is held.
    fn stage(&self, user: Option<&str>, recorded: UnixMillis, line: &mut Line) -> Stage {
        let (enforcement, at) = (&self.site.portal.enforcement, self.moment(recorded));
        let stage = enforcement.stage(user, at);
        if stage != Stage::Required {
            line.because(reasons::enforcement(enforcement, user, at));
        }
        stage
    }

    fn moment(&self, recorded: UnixMillis) -> UnixMillis {
        self.given.at.unwrap_or(recorded)
    }

    /// Who a session is by the portal's word or a proxy's, where no login was seen. The outer
    /// nothing means nobody; the inner that the recording does not say who.
    fn told(&self, passing: &Passing<'_>, line: &mut Line) -> Option<Option<UserName>> {
        let identity = &self.site.portal.identity;
        match passing.set.line() {
            Some(SessionLine::NamedInFront(_)) => {
                line.because("the proxy in front names the user; the recording cannot show it");
                return Some(None);
            }
            Some(SessionLine::Authorization(given)) if identity.basic.is_some() => {
                let taken = passing.recorded.answer.as_ref().is_some_and(|it| it.status != 401);
                let name = basic_name(given).and_then(|name| normalise(&identity.username, &name));
                if let (true, Some(user)) = (taken, name) {
                    line.because("the portal took the name and password of the request");
                    // Where the portal can say more closely who that is, its word counts.
                    let word = identity.whoami.as_ref().map(|_| &passing.set);
                    let word = word.and_then(|set| login::whoami(self, set, line));
                    return word.unwrap_or(Some(user)).map(Some);
                }
            }
            Some(SessionLine::Authorization(_)) | None => {}
        }
        if passing.set.is_empty() {
            return None;
        }
        if identity.whoami.is_none() {
            return login::signed(self, &passing.set, passing.recorded.at, line).map(Some);
        }
        login::whoami(self, &passing.set, line).flatten().map(Some)
    }

    /// What follows from the verdict and the recorded answer.
    fn after(
        &mut self,
        passing: Passing<'_>,
        destination: Destination,
        sight: Sight,
        verdict: Verdict,
        line: &mut Line,
    ) {
        match verdict {
            Verdict::OwnPage | Verdict::Deny => {}
            Verdict::Challenge(Challenge::SignIn) => self.not_seen(&passing, line),
            Verdict::Challenge(_) => {}
            Verdict::Forward(permit) => match sight {
                Sight::Login(number, attempt) => {
                    login::carry(self, &passing, number, attempt, line);
                }
                Sight::Other | Sight::Unclear => {
                    let unclear = sight == Sight::Unclear;
                    if self.refuses_unread(passing.target, unclear) {
                        return line.refuse(400, "it can only be a login, and cannot be read");
                    }
                    self.settle(&passing, destination, permit.cookies(), unclear, line);
                }
            },
        }
    }

    fn refuses_unread(&self, target: Target<'_>, unclear: bool) -> bool {
        let identity = &self.site.portal.identity;
        let in_query = target.query.is_some_and(|query| names_a_user(identity, query.as_bytes()));
        (unclear || in_query) && is_for_logins_alone(identity, target.path)
    }

    /// From now on this portal session is somebody's, who gave the second factor too.
    pub(super) fn learn(
        &mut self,
        recorded: &Recorded,
        user: Option<UserName>,
        set: &CookieSet,
        learned: Learned,
    ) {
        let binder = &self.site.binder;
        // Who is not known by name is told apart by nothing here: there is one visitor.
        let name = user.clone().unwrap_or_else(|| UserName::canonical(String::new()));
        let bind = binder.bind(set);
        let record = SessionRecord {
            portal: self.site.portal.name.clone(),
            root: bind,
            sid: bind,
            sub: binder.subject(&name),
            user: name,
            bind,
            parts: binder.parts(set),
            scoped: binder.scoped_parts(set),
            started: recorded.at,
            ends: recorded.at,
            level: Level::Proven { factor: FactorUsed::Totp, at: recorded.at },
            learned,
            place: Place::default(),
        };
        self.guest = None;
        self.session = Some(Held { record, user });
    }

    /// No session stands any more.
    pub(super) fn end(&mut self) {
        self.session = None;
        self.guest = None;
    }

    /// The portal session after an answer to `target`.
    pub(super) fn set_after(
        &self,
        before: &CookieSet,
        changes: &[CookieChange],
        target: Target<'_>,
    ) -> CookieSet {
        let patterns = &self.site.portal.identity.session_cookies;
        before.after(changes, patterns, target.path.as_str())
    }
}

/// A browser is no service, and who has a second factor is told of no date.
fn facts(
    told: Purpose<'_>,
    visitor: Visitor,
    stage: Stage,
    portal_session: PortalSession,
) -> Facts {
    let Purpose { destination, judged } = told;
    let demand = judged.demand;
    Facts { destination, demand, visitor, stage, notice_due: false, service: false, portal_session }
}

/// The portal session of a request.
///
/// # Errors
/// With the reason, when its cookies can be read in two ways.
pub(super) fn session_of(site: &Site, recorded: &Recorded) -> Result<CookieSet, String> {
    let identity = &site.portal.identity;
    let cookies = Cookies::read(&recorded.headers, &site.cookie_rules)
        .map_err(|error| format!("its cookies can be read in two ways: {error}"))?;
    let line = match &identity.header {
        // The proxy in front adds the name after the browser; which one does not matter here.
        Some(_) => Some(SessionLine::NamedInFront("somebody".to_owned())),
        None if identity.reads_authorization() => {
            let given = recorded.headers.get(header::AUTHORIZATION);
            let given = given.and_then(|given| given.to_str().ok());
            given.map(SessionLine::authorization)
        }
        None => None,
    };
    Ok(CookieSet::of_request(&cookies, &identity.session_cookies).with_line(line))
}

/// What the answer changes in the browser's cookies; the portal sets none of ours.
pub(super) fn changes(recorded: &Recorded, answer: &RecordedAnswer) -> Vec<CookieChange> {
    let all = set_cookie::changes(&answer.headers, recorded.at).into_iter();
    all.filter(|change| !is_like_ours(&change.name)).collect()
}

/// The body of an answer as far as the gateway holds it.
pub(super) fn judged_body(answer: &RecordedAnswer) -> Option<&[u8]> {
    answer.body.as_deref().filter(|body| body.len() <= LONGEST_JUDGED)
}
