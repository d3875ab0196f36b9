//! What each kind of visitor gets: the gateway's own decision, with the facts that each of them
//! would bring.

use std::time::Duration;

use serde::Serialize;

use super::request::{Circumstances, verdict_word};
use super::words::answer;
use super::{Enrolled, GivenLevel};
use crate::config::Portal;
use crate::config::units::show_duration;
use crate::net::kind::Kind;
use crate::policy::{
    Challenge, Demand, Destination, Facts, PortalSession, Standing, Verdict, Visitor, decide,
};
use crate::site::destination::Purpose;

/// What one kind of visitor gets.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Who that is.
    pub visitor: String,
    /// The word for what becomes of a page.
    verdict: &'static str,
    /// What becomes of a page.
    pub page: String,
    /// What becomes of a call.
    pub call: String,
}

/// Somebody who might send the request.
struct Sender {
    level: GivenLevel,
    name: String,
    visitor: Visitor,
    notice_due: bool,
    service: bool,
}

impl Sender {
    fn new(level: GivenLevel, name: impl Into<String>, visitor: Visitor) -> Self {
        Self { level, name: name.into(), visitor, notice_due: false, service: false }
    }

    /// What is to be known of the request when it is of this kind.
    fn facts(
        &self,
        told: Purpose<'_>,
        given: &Circumstances<'_>,
        portal: &Portal,
        kind: Kind,
    ) -> Facts {
        // Of whom nothing is known, nobody can say which group it is.
        let user = given.user.filter(|_| self.level != GivenLevel::Unknown);
        let no_session = self.level == GivenLevel::Unknown;
        Facts {
            destination: told.destination,
            demand: told.judged.demand,
            visitor: self.visitor,
            stage: portal.enforcement.stage(user, given.now),
            notice_due: self.notice_due
                && kind == Kind::Page
                && told.destination == Destination::Protected,
            service: self.service,
            portal_session: if no_session { PortalSession::Absent } else { PortalSession::Other },
        }
    }
}

/// What each visitor gets who is as well known as was asked for.
pub(super) fn rows(
    portal: &Portal,
    told: Purpose<'_>,
    given: &Circumstances<'_>,
    target: &str,
) -> Vec<Row> {
    let wanted = |sender: &Sender| given.level.is_none_or(|level| level == sender.level);
    let row = |sender: Sender| {
        let judged = |kind| decide(&sender.facts(told, given, portal, kind));
        let (page, call) = (judged(Kind::Page), judged(Kind::Call));
        Row {
            verdict: verdict_word(&page),
            page: answer(portal, &page, Kind::Page, target),
            call: answer(portal, &call, Kind::Call, target),
            visitor: sender.name,
        }
    };
    senders(portal, told, given).into_iter().filter(wanted).map(row).collect()
}

fn senders(portal: &Portal, told: Purpose<'_>, given: &Circumstances<'_>) -> Vec<Sender> {
    let mut all = vec![Sender::new(GivenLevel::Unknown, "unknown", Visitor::Unknown)];
    if told.destination == Destination::Protected && told.judged.tokens().is_some() {
        let service =
            Sender::new(GivenLevel::Unknown, "a service with its token", Visitor::Unknown);
        all.push(Sender { service: true, ..service });
    }
    if given.enrolled != Some(Enrolled::Yes) {
        all.extend(newcomers(portal, told, given));
    }
    if given.enrolled != Some(Enrolled::No) {
        let visitor = Visitor::Named(Standing::Enrolled);
        all.push(Sender::new(GivenLevel::Named, "named", visitor));
    }
    all.extend(proven(portal, told.judged.demand, given));
    all
}

/// Who has no second factor, and may have to be told of it.
fn newcomers(portal: &Portal, told: Purpose<'_>, given: &Circumstances<'_>) -> Vec<Sender> {
    let visitor = Visitor::Named(Standing::NotEnrolled);
    let new = |name: String| Sender::new(GivenLevel::Named, name, visitor);
    let due = Sender { notice_due: true, ..new("named, first time".to_owned()) };
    let verdict = decide(&due.facts(told, given, portal, Kind::Page));
    if verdict != Verdict::Challenge(Challenge::Notice) {
        return vec![due];
    }
    let told = show_duration(portal.enforcement.reminder);
    vec![due, new(format!("named, told within {told}"))]
}

fn proven(portal: &Portal, demand: Demand, given: &Circumstances<'_>) -> Vec<Sender> {
    let level = GivenLevel::Proven;
    let proof = |name: &str, age| Sender::new(level, name, Visitor::Proven(age));
    let mut all = match demand {
        Demand::Fresh(within) => {
            let stale = within.saturating_add(Duration::from_millis(1));
            let name = format!("proven, over {} ago", show_duration(within));
            vec![proof("proven just now", Some(Duration::ZERO)), proof(&name, Some(stale))]
        }
        Demand::None | Demand::Service | Demand::Mfa | Demand::Deny => {
            vec![proof("proven", Some(Duration::ZERO))]
        }
    };
    if let Some(device) = &portal.remember_device {
        let somewhere = device.counts_at(given.client);
        match given.client {
            _ if somewhere => all.push(proof("a remembered device", None)),
            None => all.push(proof("a remembered device, in its networks", None)),
            Some(_) => {}
        }
    }
    all
}
