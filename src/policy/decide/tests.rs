//! Facts and verdicts: the table of the contract, and what holds for all facts.

use std::time::Duration;

use proptest::prelude::*;

use super::decide;
use crate::clock::UnixMillis;
use crate::policy::{
    Challenge, Demand, Destination, Facts, PortalCookies, PortalSession, Reason, Stage, Standing,
    Verdict, Visitor,
};

const WAIT: Duration = Duration::from_secs(30);
const FIVE_MINUTES: Duration = Duration::from_secs(300);
const ANNOUNCED: Stage = Stage::Announced(Some(UnixMillis(1)));

/// A visitor of a protected path whose portal session may be somebody's.
const PLAIN: Facts = Facts {
    destination: Destination::Protected,
    demand: Demand::Mfa,
    visitor: Visitor::Unknown,
    stage: Stage::Required,
    notice_due: false,
    service: false,
    portal_session: PortalSession::Other,
};

const VISITORS: [(Visitor, Option<Challenge>); 6] = [
    (Visitor::Unknown, Some(Challenge::SignIn)),
    (Visitor::Named(Standing::NotEnrolled), Some(Challenge::Enrol)),
    (Visitor::Named(Standing::Enrolled), Some(Challenge::Verify)),
    (Visitor::Named(Standing::Locked(WAIT)), Some(Challenge::Wait(WAIT))),
    (Visitor::Named(Standing::Disabled), Some(Challenge::AskDesk)),
    (Visitor::Proven(Some(FIVE_MINUTES)), None),
];

fn forwarded(facts: &Facts) -> Option<(Reason, PortalCookies)> {
    match decide(facts) {
        Verdict::Forward(permit) => Some((permit.reason(), permit.cookies())),
        Verdict::OwnPage | Verdict::Challenge(_) | Verdict::Deny => None,
    }
}

#[test]
fn a_protected_path_asks_for_what_is_missing() {
    for (visitor, missing) in VISITORS {
        let verdict = decide(&Facts { visitor, ..PLAIN });
        match missing {
            Some(challenge) => assert_eq!(verdict, Verdict::Challenge(challenge)),
            None => assert!(matches!(verdict, Verdict::Forward(_)), "{visitor:?} was held"),
        }
    }
}

#[test]
fn before_the_date_only_who_has_none_goes_on() {
    for stage in [ANNOUNCED, Stage::Announced(None)] {
        for (visitor, missing) in VISITORS {
            let facts = Facts { visitor, stage, ..PLAIN };
            let expected = match missing {
                Some(Challenge::Enrol) => Some((Reason::Grace, PortalCookies::Keep)),
                None => Some((Reason::Proven, PortalCookies::Keep)),
                Some(_) => None,
            };
            assert_eq!(forwarded(&facts), expected, "{visitor:?}");
            let due = decide(&Facts { notice_due: true, ..facts });
            let told = missing == Some(Challenge::Enrol);
            assert_eq!(due == Verdict::Challenge(Challenge::Notice), told, "{visitor:?}");
        }
    }
}

#[test]
fn a_portal_that_reports_holds_nobody_and_says_whom_it_would() {
    for (visitor, missing) in VISITORS {
        let reason = missing.map_or(Reason::Proven, Reason::Report);
        let facts = Facts { visitor, stage: Stage::Report, ..PLAIN };
        assert_eq!(forwarded(&facts), Some((reason, PortalCookies::Keep)), "{visitor:?}");
        let reason = if missing.is_some() { Reason::Bypass } else { Reason::Proven };
        let facts = Facts { stage: Stage::Off, ..facts };
        assert_eq!(forwarded(&facts), Some((reason, PortalCookies::Keep)), "{visitor:?}");
    }
}

#[test]
fn a_proof_has_an_age() {
    let demand = Demand::Fresh(FIVE_MINUTES);
    let later = FIVE_MINUTES + Duration::from_millis(1);
    for (age, opens) in [
        (Some(Duration::ZERO), true),
        (Some(FIVE_MINUTES), true),
        (Some(later), false),
        (None, false),
    ] {
        let verdict = decide(&Facts { visitor: Visitor::Proven(age), demand, ..PLAIN });
        assert_eq!(matches!(verdict, Verdict::Forward(_)), opens, "{age:?}");
        assert_eq!(verdict == Verdict::Challenge(Challenge::StepUp), !opens, "{age:?}");
    }
}

#[test]
fn a_service_needs_its_token_where_a_person_needs_a_factor() {
    let facts = Facts { demand: Demand::Service, ..PLAIN };
    assert_eq!(decide(&facts), Verdict::Challenge(Challenge::SignIn));
    let with_token = Facts { service: true, ..facts };
    assert_eq!(forwarded(&with_token), Some((Reason::Bypass, PortalCookies::Keep)));
    let elsewhere = Facts { demand: Demand::Mfa, ..with_token };
    assert_eq!(decide(&elsewhere), Verdict::Challenge(Challenge::SignIn));
    let person = Facts { visitor: Visitor::Proven(None), ..facts };
    assert_eq!(forwarded(&person), Some((Reason::Proven, PortalCookies::Keep)));
}

#[test]
fn what_is_denied_is_denied_to_everybody_at_every_stage() {
    for stage in [Stage::Required, ANNOUNCED, Stage::Report, Stage::Off] {
        for destination in [Destination::Login, Destination::Public, Destination::Protected] {
            for (visitor, _) in VISITORS {
                let facts = Facts { destination, demand: Demand::Deny, visitor, stage, ..PLAIN };
                assert_eq!(decide(&Facts { service: true, ..facts }), Verdict::Deny);
            }
        }
    }
}

#[test]
fn an_open_address_does_not_see_a_session_without_proof() {
    let named = Visitor::Named(Standing::Enrolled);
    for (destination, reason, cookies) in [
        (Destination::Public, Reason::Public, PortalCookies::WithholdBothWays),
        (Destination::Bypass, Reason::Bypass, PortalCookies::Keep),
        (Destination::Login, Reason::Public, PortalCookies::Withhold),
    ] {
        for visitor in [named, Visitor::Unknown] {
            let facts = Facts { destination, visitor, demand: Demand::None, ..PLAIN };
            assert_eq!(forwarded(&facts), Some((reason, cookies)));
        }
        let newcomer = Visitor::Named(Standing::NotEnrolled);
        let facts = Facts { destination, visitor: newcomer, stage: ANNOUNCED, ..PLAIN };
        let told_later = Facts { notice_due: true, ..facts };
        assert_eq!(forwarded(&told_later), Some((reason, PortalCookies::Keep)));
    }
}

fn any_visitor() -> impl Strategy<Value = Visitor> {
    prop_oneof![
        proptest::sample::select(VISITORS.to_vec()).prop_map(|(visitor, _)| visitor),
        proptest::option::of(0..7_200_u64)
            .prop_map(|age| Visitor::Proven(age.map(Duration::from_secs))),
    ]
}

fn any_demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        Just(Demand::None),
        Just(Demand::Service),
        Just(Demand::Mfa),
        (60..3600_u64).prop_map(|seconds| Demand::Fresh(Duration::from_secs(seconds))),
        Just(Demand::Deny),
    ]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let destination = proptest::sample::select(vec![
        Destination::OwnPage,
        Destination::Public,
        Destination::Bypass,
        Destination::Login,
        Destination::Protected,
    ]);
    let stage = proptest::sample::select(vec![
        Stage::Required,
        ANNOUNCED,
        Stage::Announced(None),
        Stage::Report,
        Stage::Off,
    ]);
    let session = proptest::sample::select(vec![
        PortalSession::Absent,
        PortalSession::Guest,
        PortalSession::Other,
    ]);
    let flags = (any::<bool>(), any::<bool>());
    (destination, any_demand(), any_visitor(), stage, flags, session).prop_map(
        |(destination, demand, visitor, stage, (notice_due, service), portal_session)| Facts {
            destination,
            demand,
            visitor,
            stage,
            notice_due,
            service,
            portal_session,
        },
    )
}

fn is_proven(visitor: Visitor) -> bool {
    matches!(visitor, Visitor::Proven(_))
}

proptest! {
    #[test]
    fn only_a_proven_visitor_takes_a_session_or_a_protected_path(facts in any_facts()) {
        let facts = Facts { stage: Stage::Required, service: false, ..facts };
        if let Some((_, cookies)) = forwarded(&facts) {
            let proven = is_proven(facts.visitor);
            prop_assert!(proven || facts.destination != Destination::Protected);
            let nobody = facts.portal_session != PortalSession::Other;
            let asked = facts.destination != Destination::Bypass;
            prop_assert!(proven || nobody || !asked || cookies != PortalCookies::Keep);
        }
    }

    #[test]
    fn a_stricter_demand_opens_nothing(facts in any_facts(), other in any_demand()) {
        let (less, more) = (facts.demand.min(other), facts.demand.max(other));
        // Where nothing is asked the path is not protected.
        prop_assume!(less != Demand::None || facts.destination != Destination::Protected);
        let opens = |demand| forwarded(&Facts { demand, ..facts }).is_some();
        prop_assert!(opens(less) || !opens(more), "{less:?} held what {more:?} opened");
    }

    #[test]
    fn a_later_stage_of_a_rollout_opens_nothing(facts in any_facts()) {
        let opens = |stage| forwarded(&Facts { stage, ..facts }).is_some();
        prop_assert!(opens(Stage::Report) || !opens(ANNOUNCED));
        prop_assert!(opens(ANNOUNCED) || facts.notice_due || !opens(Stage::Required));
        prop_assert_eq!(opens(Stage::Report), opens(Stage::Off));
    }
}
