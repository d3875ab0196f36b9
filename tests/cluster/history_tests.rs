//! Histories that have to be refused, each beside the one like it that is as it should be.

use super::*;

const ALICE: &str = "alice";

fn ms(milliseconds: u64) -> Moment {
    Duration::from_millis(milliseconds)
}

/// Something that took ten milliseconds, at the first gateway.
fn event(began: u64, deed: Deed) -> Event {
    Event { began: ms(began), ended: ms(began + 10), at: "g1".to_owned(), deed }
}

fn code(began: u64, user: &str, code: Code, answer: Verdict) -> Event {
    event(began, Deed::Code { user: user.to_owned(), code, answer })
}

fn enrolled(began: u64) -> Event {
    event(began, Deed::Enrolled { user: ALICE.to_owned() })
}

fn known(began: u64, enrolled: bool) -> Event {
    event(began, Deed::Known { user: ALICE.to_owned(), enrolled })
}

fn proven(began: u64, session: usize) -> Event {
    event(began, Deed::Proven { user: ALICE.to_owned(), session })
}

fn page(began: u64, session: usize, answer: Shown) -> Event {
    event(began, Deed::Page { user: ALICE.to_owned(), session, answer })
}

fn revoked(began: u64, told: bool) -> Event {
    event(began, Deed::Revoked { user: ALICE.to_owned(), told })
}

fn count(events: &[Event]) -> usize {
    faults(events).len()
}

#[test]
fn a_code_is_accepted_once_of_one_user() {
    use Verdict::{Accepted, Refused, Unknown};
    let one = |at, answer| code(at, ALICE, Code::Step(7), answer);
    assert_eq!(count(&[one(0, Accepted), one(1, Refused), one(2, Unknown)]), 0);
    assert_eq!(count(&[one(0, Accepted), code(1, "bob", Code::Step(7), Accepted)]), 0);
    assert_eq!(count(&[one(0, Accepted), code(1, ALICE, Code::Step(8), Accepted)]), 0);
    assert_eq!(count(&[one(0, Accepted), one(1, Refused), one(90_000, Accepted)]), 1);
    let kept = |at| code(at, ALICE, Code::Recovery("a".to_owned()), Accepted);
    assert_eq!(count(&[kept(0), kept(5)]), 1);
}

#[test]
fn an_enrolment_that_was_told_is_found_again() {
    assert_eq!(count(&[enrolled(0), known(20, true)]), 0);
    assert_eq!(count(&[known(0, false), enrolled(20), known(40, true)]), 0);
    assert_eq!(count(&[enrolled(0), known(20, true), known(40, false)]), 1);
    assert_eq!(count(&[enrolled(0), known(20, false), known(40, true)]), 1);
    // Who was not asked after it may be lost.
    assert_eq!(count(&[known(0, true), enrolled(20)]), 1);
}

#[test]
fn a_revoked_session_is_served_for_a_second_at_most() {
    use Shown::{InDoubt, Served, TurnedAway};
    let told = |answer, at| [proven(0, 1), revoked(100, true), page(at, 1, answer)];
    assert_eq!(count(&told(Served, 1_110)), 0);
    assert_eq!(count(&told(TurnedAway, 150)), 0);
    assert_eq!(count(&told(InDoubt, 5_000)), 0);
    assert_eq!(count(&told(Served, 1_111)), 1);
    assert_eq!(latest_of_revoked(&told(Served, 500)), ms(390));
    // One that nobody was told of may not have happened.
    assert_eq!(count(&[proven(0, 1), revoked(100, false), page(5_000, 1, Served)]), 0);
    // Nor does it hit a session of somebody else, or one that was proven after it.
    let other = Deed::Page { user: "bob".to_owned(), session: 2, answer: Served };
    let his = Deed::Proven { user: "bob".to_owned(), session: 2 };
    assert_eq!(count(&[event(0, his), revoked(100, true), event(5_000, other)]), 0);
    assert_eq!(count(&[revoked(100, true), proven(300, 1), page(5_000, 1, Served)]), 0);
    // The first order is the one that counts.
    let twice = [proven(0, 1), revoked(100, true), revoked(4_000, true), page(4_500, 1, Served)];
    assert_eq!(count(&twice), 1);
}

#[test]
fn nobody_proven_is_turned_away_while_the_session_stands() {
    use Shown::{InDoubt, Nobody, TurnedAway};
    let shown = |answer| [proven(0, 1), page(100, 1, answer)];
    assert_eq!(count(&shown(InDoubt)) + count(&shown(Nobody)), 0);
    assert_eq!(count(&shown(TurnedAway)), 1);
    // An order that came to an unknown end may have ended it.
    assert_eq!(count(&[proven(0, 1), revoked(50, false), page(100, 1, TurnedAway)]), 0);
    assert_eq!(count(&[proven(0, 1), page(100, 1, TurnedAway), revoked(500, true)]), 1);
}

#[test]
fn without_its_store_a_gateway_serves_from_memory_for_a_second() {
    let one = ["g1".to_owned()];
    let blindly = |at| served_blindly(&[page(at, 1, Shown::Served)], &one, ms(100), ms(9_000));
    for at in [0, 200, 1_100] {
        assert!(blindly(at).is_empty(), "{at}");
    }
    assert_eq!(blindly(1_101).len(), 1);
    assert!(blindly(9_000).is_empty(), "it may have been answered with the store back");
    let doubtful = [page(5_000, 1, Shown::InDoubt)];
    assert!(served_blindly(&doubtful, &one, ms(100), ms(9_000)).is_empty());
    let elsewhere = [Event { at: "g2".to_owned(), ..page(5_000, 1, Shown::Served) }];
    assert!(served_blindly(&elsewhere, &one, ms(100), ms(9_000)).is_empty());
    let pages = [page(200, 1, Shown::Served), page(700, 1, Shown::Served)];
    assert_eq!(latest_from_memory(&pages, &one, ms(100), ms(9_000)), ms(600));
}

#[test]
fn the_first_accepted_code_tells_when_sign_ins_went_on() {
    use Verdict::{Accepted, Refused};
    let one = |at, answer| code(at, ALICE, Code::Step(at), answer);
    let events = [one(0, Accepted), one(500, Refused), one(900, Accepted), one(2_000, Accepted)];
    assert_eq!(resumed(&events, ms(100)), Some(ms(810)));
    assert_eq!(resumed(&events, ms(2_500)), None);
    assert_eq!(longest_silence(&events, ms(0), ms(2_100)), ms(1_100));
    assert_eq!(longest_silence(&events, ms(0), ms(9_000)), ms(6_990));
}
