//! What many people asked of a cluster, when, and what they were told; and what must never be
//! found in it. The clock is the test's own: an event lasts from before its request was sent
//! until its answer was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The time since the history began.
pub type Moment = Duration;

/// How soon nothing of a revoked session is served, and nothing from memory without a store.
pub const A_SECOND: Duration = Duration::from_secs(1);

/// Something that was asked and answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub began: Moment,
    pub ended: Moment,
    /// Which gateway answered, where that is known.
    pub at: String,
    pub deed: Deed,
}

/// What was asked, and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Somebody gave a code.
    Code { user: String, code: Code, answer: Verdict },
    /// Somebody was told to be enrolled.
    Enrolled { user: String },
    /// Somebody gave the password; whether a code was asked for, or an enrolment begun.
    Known { user: String, enrolled: bool },
    /// A session is proven from now on.
    Proven { user: String, session: usize },
    /// A proven session asked for a page.
    Page { user: String, session: usize, answer: Shown },
    /// All sessions of somebody were to end.
    Revoked { user: String, told: bool },
}

/// A code that counts once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Of an app, for this time step.
    Step(u64),
    /// One of those that are kept for the day the phone is gone.
    Recovery(String),
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Refused,
    /// There was no answer, or one that says neither.
    Unknown,
}

/// What became of a request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The portal's page.
    Served,
    /// The gateway said that it cannot tell now.
    InDoubt,
    /// The visitor was sent to prove something.
    TurnedAway,
    /// There was no gateway to answer.
    Nobody,
}

/// All events, as they are written down.
pub struct History {
    begun: Instant,
    events: Mutex<Vec<Event>>,
}

impl History {
    pub fn begin() -> Self {
        Self { begun: Instant::now(), events: Mutex::default() }
    }

    pub fn now(&self) -> Moment {
        self.begun.elapsed()
    }

    /// Writes down what was asked at `began` and is answered now.
    pub fn note(&self, began: Moment, at: &str, deed: Deed) {
        let event = Event { began, ended: self.now(), at: at.to_owned(), deed };
        self.events.lock().unwrap().push(event);
    }

    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

/// Everything in a history that must not be there.
pub fn faults(events: &[Event]) -> Vec<String> {
    [accepted_twice(events), lost(events), served_late(events), turned_away(events)].concat()
}

/// Codes that were accepted more than once, wherever.
fn accepted_twice(events: &[Event]) -> Vec<String> {
    let mut accepted: BTreeMap<(&str, &Code), Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Deed::Code { user, code, answer: Verdict::Accepted } = &event.deed {
            accepted.entry((user, code)).or_default().push(event);
        }
    }
    let twice = accepted.into_iter().filter(|(_, events)| events.len() > 1);
    twice
        .map(|((user, code), events)| {
            let places: Vec<_> = events.iter().map(|event| (&event.at, event.began)).collect();
            format!("{code:?} of {user} was accepted {} times: {places:?}", places.len())
        })
        .collect()
}

/// Whoever was told to be enrolled and then was not, or was not asked again.
fn lost(events: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    for told in events {
        let Deed::Enrolled { user: newcomer } = &told.deed else { continue };
        let mut was_asked = false;
        for event in events.iter().filter(|event| event.began >= told.ended) {
            match &event.deed {
                Deed::Known { user, enrolled } if user == newcomer => {
                    was_asked |= enrolled;
                    if !enrolled {
                        faults.push(format!(
                            "{user} was told at {:?}, and is not enrolled at {:?}, by {}",
                            told.ended, event.began, event.at
                        ));
                    }
                }
                _ => {}
            }
        }
        if !was_asked {
            faults.push(format!("{newcomer} was told, and nobody looked whether it is so"));
        }
    }
    faults
}

/// Pages that a revoked session got too late.
fn served_late(events: &[Event]) -> Vec<String> {
    pages_after_revocation(events)
        .filter(|(_, late)| *late > A_SECOND)
        .map(|(event, late)| format!("{late:?} after its end: {event:?}"))
        .collect()
}

/// The latest that a revoked session was served, after whoever ended it had been told so.
pub fn latest_of_revoked(events: &[Event]) -> Duration {
    pages_after_revocation(events).map(|(_, late)| late).max().unwrap_or_default()
}

/// Each page that a revoked session got, and how long after its end it was asked for.
fn pages_after_revocation(events: &[Event]) -> impl Iterator<Item = (&Event, Duration)> {
    let proofs = proofs(events);
    let ends: Vec<(&str, Moment, Moment)> = events
        .iter()
        .filter_map(|event| match &event.deed {
            Deed::Revoked { user, told: true } => Some((user.as_str(), event.began, event.ended)),
            _ => None,
        })
        .collect();
    events.iter().filter_map(move |event| {
        let Deed::Page { user, session, answer: Shown::Served } = &event.deed else { return None };
        let proven = *proofs.get(session)?;
        // Only a session that was certainly there when the order came has to end by it.
        let mut hit = ends.iter().filter(|(of, began, _)| of == user && proven <= *began);
        let (.., told) = hit.next()?;
        Some((event, event.began.checked_sub(*told)?))
    })
}

/// Proven visitors who were sent away although nobody had ended their session.
fn turned_away(events: &[Event]) -> Vec<String> {
    let proofs = proofs(events);
    let ends: BTreeSet<(&str, Moment)> = events
        .iter()
        .filter_map(|event| match &event.deed {
            Deed::Revoked { user, .. } => Some((user.as_str(), event.began)),
            _ => None,
        })
        .collect();
    let wronged = |event: &&Event| match &event.deed {
        Deed::Page { user, session, answer: Shown::TurnedAway } => {
            let over = ends.iter().any(|(of, began)| of == user && *began <= event.ended);
            !over && proofs.get(session).is_some_and(|proven| *proven <= event.began)
        }
        _ => false,
    };
    let wronged = events.iter().filter(wronged);
    wronged.map(|event| format!("a proven visitor was turned away: {event:?}")).collect()
}

fn proofs(events: &[Event]) -> BTreeMap<usize, Moment> {
    let proven = events.iter().filter_map(|event| match &event.deed {
        Deed::Proven { session, .. } => Some((*session, event.ended)),
        _ => None,
    });
    proven.collect()
}

/// Pages that these gateways served although they could not reach their store from `from` to
/// `to`, and what they remembered was too old.
pub fn served_blindly(events: &[Event], at: &[String], from: Moment, to: Moment) -> Vec<String> {
    pages_within(events, at, from, to)
        .filter(|event| event.began > from + A_SECOND)
        .map(|event| format!("served without a store since {from:?}: {event:?}"))
        .collect()
}

/// The latest page that these gateways served from memory, after the store was gone.
pub fn latest_from_memory(events: &[Event], at: &[String], from: Moment, to: Moment) -> Duration {
    let pages = pages_within(events, at, from, to);
    pages.map(|event| event.began.saturating_sub(from)).max().unwrap_or_default()
}

fn pages_within<'a>(
    events: &'a [Event],
    at: &'a [String],
    from: Moment,
    to: Moment,
) -> impl Iterator<Item = &'a Event> {
    events.iter().filter(move |event| {
        let served = matches!(event.deed, Deed::Page { answer: Shown::Served, .. });
        served && at.contains(&event.at) && event.began >= from && event.ended <= to
    })
}

/// How long after `moment` somebody gave a code that was accepted, or nobody did.
pub fn resumed(events: &[Event], moment: Moment) -> Option<Duration> {
    let accepted = events.iter().filter(|event| is_accepted(event) && event.began >= moment);
    accepted.map(|event| event.ended - moment).min()
}

/// The longest time in which nobody's code was accepted, between these two moments.
pub fn longest_silence(events: &[Event], from: Moment, to: Moment) -> Duration {
    let mut moments: Vec<Moment> =
        events.iter().filter(|event| is_accepted(event)).map(|event| event.ended).collect();
    moments.retain(|moment| (from..to).contains(moment));
    moments.extend([from, to]);
    moments.sort();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// Whether it is a code that was accepted.
pub fn is_accepted(event: &Event) -> bool {
    matches!(event.deed, Deed::Code { answer: Verdict::Accepted, .. })
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
