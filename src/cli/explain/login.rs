//! A login of the recording: by which rule, whose, which marks the answer has and what would
//! have been learned.

use super::journey::{Journey, Passing, changes, judged_body, session_of};
use super::line::{Line, LoginLine};
use super::marks;
use super::recorded::{Recorded, RecordedAnswer};
use super::words::plain;
use crate::clock::UnixMillis;
use crate::config::LoginRule;
use crate::config::login_rule::Step;
use crate::identity::{
    self, Answer, Attempt, CookieSet, LoginOutcome, SessionLine, Told, announced, bearer_of, judge,
    user_of,
};
use crate::net::kind::navigates;
use crate::net::set_cookie::CookieChange;
use crate::policy::Destination;
use crate::session::Learned;
use crate::user::UserName;

/// A login with its answer.
struct Judged<'a> {
    passing: &'a Passing<'a>,
    attempt: Attempt,
    answer: &'a RecordedAnswer,
    changes: Vec<CookieChange>,
}

/// Carries a login to its end.
pub(super) fn carry(
    journey: &mut Journey<'_>,
    passing: &Passing<'_>,
    number: usize,
    attempt: Attempt,
    line: &mut Line,
) {
    let site = journey.site;
    let Some(rule) = site.portal.identity.logins.get(number) else { return };
    let sent = site.binder.parts(&passing.sent);
    let attempt = attempt.recalled(site.names.here().recall(passing.recorded.at, &sent));
    let mut told = LoginLine {
        rule: rule_name(number, rule),
        names: named(&attempt),
        marks: Vec::new(),
        outcome: "",
    };
    let Some(answer) = &passing.recorded.answer else {
        told.outcome = "no answer was recorded: nobody is learned, and what stood before ends";
        line.login = Some(told);
        return journey.end();
    };
    let changes = changes(passing.recorded, answer);
    let judged = Judged { passing, attempt, answer, changes };
    told.marks = marks::of(rule, &judged.answer());
    let outcome = judge(rule, &judged.answer());
    told.outcome = match (rule.step, outcome) {
        (Step::Name, _) => judged.name(journey, outcome, line),
        (Step::Password, LoginOutcome::Failure) => judged.refused(journey, line),
        (Step::Password, LoginOutcome::Unclear) => {
            journey.end();
            "the portal may have taken the password, and nobody can tell: nobody is learned"
        }
        (Step::Password, LoginOutcome::Success) => judged.taken(journey, line),
    };
    line.login = Some(told);
}

impl Judged<'_> {
    fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.answer.status,
            headers: &self.answer.headers,
            cookies: &self.changes,
            body: judged_body(self.answer),
            user: self.attempt.user(),
        }
    }

    /// The first of two steps: the name waits for its password.
    fn name(
        &self,
        journey: &mut Journey<'_>,
        outcome: LoginOutcome,
        line: &mut Line,
    ) -> &'static str {
        let site = journey.site;
        let sent = site.binder.parts(&self.passing.sent);
        let after = site.binder.parts(&self.session_after(journey));
        let name = self.attempt.user().filter(|_| outcome == LoginOutcome::Success);
        site.names.here().settle(self.passing.recorded.at, &sent, &after, name);
        if after.is_empty() && outcome == LoginOutcome::Success {
            line.warn("no session cookie goes with this step: the name cannot be remembered");
        }
        self.refused(journey, line);
        match name {
            Some(_) => "the name waits for the password of the next step",
            None => "no name is remembered",
        }
    }

    fn refused(&self, journey: &mut Journey<'_>, line: &mut Line) -> &'static str {
        match self.passing.proven {
            true => journey.end(),
            false => journey.begin_guest(self.passing, Destination::Login, &self.changes, line),
        }
        "the portal did not take the password, as far as the marks say: nobody is learned"
    }

    /// The portal took the password.
    fn taken(&self, journey: &mut Journey<'_>, line: &mut Line) -> &'static str {
        let after = self.session_after(journey);
        if after.is_empty() {
            let set: Vec<String> = self.changes.iter().map(|change| plain(&change.name)).collect();
            line.warn(format!(
                "the answer begins no session that the rules know; it sets {}",
                if set.is_empty() { "no cookie".to_owned() } else { set.join(", ") }
            ));
            journey.end();
            return "the portal took the password, but no session begins: nobody is learned";
        }
        let Some(user) = self.who(journey, &after, line) else {
            journey.end();
            return "refused with 403: nobody can say who signed in";
        };
        let names: Vec<String> = after.iter().map(|(name, _)| plain(name)).collect();
        let shown = plain(user.as_str());
        line.because(format!("learned: {shown}, bound to {}", bound_to(&names)));
        line.learned = Some(shown);
        line.because(match navigates(&self.passing.recorded.headers) {
            true => "the browser is led to the second factor; that it is given is taken as given",
            false => {
                "a script signs in: it gets the answer as it is, and the next protected request \
                 asks for the second factor; that it is given is taken as given"
            }
        });
        journey.learn(self.passing.recorded, Some(user), &after, Learned::Login);
        "the portal took the password"
    }

    fn who(&self, journey: &Journey<'_>, after: &CookieSet, line: &mut Line) -> Option<UserName> {
        let identity = &journey.site.portal.identity;
        let typed = self.attempt.user().cloned();
        if identity.whoami.is_some() {
            // Where the recording does not have the portal's word, the typed name stands in.
            return whoami(journey, after, line).unwrap_or(typed);
        }
        if identity.jwt.is_some() {
            return signed(journey, after, self.passing.recorded.at, line);
        }
        match &identity.announce {
            Some(_) => announced(identity, &self.answer.headers).flatten(),
            None => typed,
        }
    }

    fn session_after(&self, journey: &Journey<'_>) -> CookieSet {
        let after = journey.set_after(&self.passing.sent, &self.changes, self.passing.target);
        let Some(pointer) = &journey.site.portal.identity.session_bearer else { return after };
        let token = judged_body(self.answer).and_then(|body| bearer_of(body, pointer));
        after.with_line(token.map(SessionLine::Authorization))
    }
}

/// What the portal said of this session when the browser itself asked the address of `whoami`.
/// The outer nothing means that the recording does not say; the inner that it is nobody's.
pub(super) fn whoami(
    journey: &Journey<'_>,
    set: &CookieSet,
    line: &mut Line,
) -> Option<Option<UserName>> {
    let identity = &journey.site.portal.identity;
    let rule = identity.whoami.as_ref()?;
    let asks = |one: &&Recorded| {
        one.asked.method == http::Method::GET
            && one.asked.is_for(&rule.target)
            && journey.site.portal.hosts.iter().any(|host| host == one.asked.host.as_str())
            && session_of(journey.site, one).is_ok_and(|other| other.is_same(set))
    };
    let answer = journey.all.iter().find(asks).and_then(|one| one.answer.as_ref());
    let word = answer.and_then(|answer| {
        let told =
            Told { status: answer.status, headers: &answer.headers, body: judged_body(answer) };
        user_of(identity, &rule.name, &told).ok()
    });
    match &word {
        Some(Some(user)) => line.because(format!(
            "the portal's whoami {} names {} elsewhere in the recording",
            plain(&rule.target),
            plain(user.as_str())
        )),
        Some(None) => {
            line.because(format!("the portal's whoami {} names nobody", plain(&rule.target)))
        }
        None => line.because(format!(
            "the portal is asked by whoami {} whose session this is; the recording has no answer",
            plain(&rule.target)
        )),
    }
    word
}

/// Whom the portal's own token names at the time of the recording.
pub(super) fn signed(
    journey: &Journey<'_>,
    set: &CookieSet,
    now: UnixMillis,
    line: &mut Line,
) -> Option<UserName> {
    let identity = &journey.site.portal.identity;
    match identity::signed(identity, identity.jwt.as_ref()?, now, set) {
        Ok(Some(user)) => {
            line.because(format!("the portal's own token names {}", plain(user.as_str())));
            Some(user)
        }
        Ok(None) => None,
        Err(fault) => {
            line.warn(format!("the portal's token names nobody: {fault}"));
            None
        }
    }
}

fn rule_name(number: usize, rule: &LoginRule) -> String {
    let form: Vec<String> =
        rule.form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let with = if form.is_empty() { String::new() } else { format!(" with {}", form.join(", ")) };
    format!("logins[{number}] {} {}{with}", rule.method, rule.path)
}

fn named(attempt: &Attempt) -> String {
    match attempt {
        Attempt::By(user) => format!("names {}", plain(user.as_str())),
        Attempt::Unnamed => "names nobody: the portal says who it is".to_owned(),
        Attempt::Nameless | Attempt::Remembered(_) => {
            "names nobody, or nobody that fits the portal's rule for names".to_owned()
        }
        Attempt::Ambiguous => "can be read in two ways".to_owned(),
    }
}

fn bound_to(names: &[String]) -> String {
    if names.is_empty() { "a token".to_owned() } else { names.join(", ") }
}
