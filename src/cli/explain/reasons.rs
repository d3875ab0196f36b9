//! Why a request gets what it gets: the rule that decides, those that it may meet or not, and
//! how far the portal is with its users.

use crate::clock::UnixMillis;
use crate::config::units::show_duration;
use crate::config::{EnrolmentGuard, Portal};
use crate::policy::rules::{Asked, Because, Judged, Rule};
use crate::policy::{Demand, Destination, Enforcement, Stage};
use crate::site::destination::Purpose;

use super::words::plain;

/// The rule that decides, as it is written, and what it asks.
pub(super) fn rule(told: Purpose<'_>, asked: &Asked<'_>) -> String {
    let Purpose { destination, judged } = told;
    if destination == Destination::OwnPage {
        return "none: no rule rules our own pages".to_owned();
    }
    let text = match judged.because {
        Because::Default => "no rule: the second factor".to_owned(),
        Because::Public(pattern) => format!("public {pattern}"),
        Because::Rule(number, rule) => decisive(number, rule, judged, asked),
    };
    // The login of a portal is denied by rules, and nothing else is asked of it.
    match (destination, judged.demand) {
        (Destination::Login, Demand::Service | Demand::Mfa | Demand::Fresh(_)) => {
            format!("{text}; not asked of the portal's login")
        }
        (
            Destination::Login
            | Destination::OwnPage
            | Destination::Public
            | Destination::Bypass
            | Destination::Protected,
            _,
        ) => text,
    }
}

fn decisive(number: usize, rule: &Rule, judged: Judged<'_>, asked: &Asked<'_>) -> String {
    let text = written(number, rule);
    if rule.doubts(asked).is_empty() {
        return text;
    }
    match judged.demand == rule.demand {
        true => format!("{text}; in doubt, and taken for being stricter"),
        false => format!("{text}; in doubt, so {}", demand(judged.demand)),
    }
}

/// `rules.2: match path /admin/**, method GET → fresh within 5m`
fn written(number: usize, rule: &Rule) -> String {
    let asks = match rule.demand {
        Demand::Service => {
            let names: Vec<&str> = rule.tokens.iter().map(|token| token.name()).collect();
            format!("service by a token of {}", names.join(", "))
        }
        other => demand(other),
    };
    format!("rules.{number}: match {} → {asks}", plain(&rule.conditions.to_string()))
}

fn demand(demand: Demand) -> String {
    match demand {
        Demand::Fresh(within) => format!("fresh within {}", show_duration(within)),
        Demand::None | Demand::Service | Demand::Mfa | Demand::Deny => demand.name().to_owned(),
    }
}

/// Each rule that the request meets in one reading and in another not, and why.
pub(super) fn doubts(portal: &Portal, asked: &Asked<'_>) -> Vec<String> {
    let found = portal.rules.in_doubt(asked).into_iter();
    found
        .map(|(number, rule)| {
            let why: Vec<String> = rule.doubts(asked).iter().map(ToString::to_string).collect();
            format!("{}: {}", written(number, rule), why.join("; "))
        })
        .collect()
}

/// How far a portal is with a user, or with everybody who is in no group.
pub(super) fn enforcement(it: &Enforcement, user: Option<&str>, now: UnixMillis) -> String {
    let group = user.and_then(|user| it.group(user));
    let by = match group {
        Some((number, _)) => format!(", by enforcement.groups.{number}"),
        None => String::new(),
    };
    let reminder = show_duration(it.reminder);
    match it.stage(user, now) {
        Stage::Off => "off: nobody is asked for a second factor".to_owned(),
        Stage::Report => "report: nobody is held, and who would be is counted".to_owned(),
        Stage::Announced(Some(date)) => format!(
            "announced until {}{by}: who has no second factor is told every {reminder}, and goes on",
            date.in_words()
        ),
        Stage::Announced(None) => {
            format!("optional: who has no second factor is told every {reminder}, and goes on")
        }
        Stage::Required => match group.map(|(_, group)| group.from).or(it.from) {
            Some(date) => format!("required since {}{by}", date.in_words()),
            None => "required".to_owned(),
        },
    }
}

/// The word for a stage in JSON.
pub(super) const fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Required => "required",
        Stage::Announced(Some(_)) => "announced",
        Stage::Announced(None) => "optional",
        Stage::Report => "report",
        Stage::Off => "off",
    }
}

/// What an enrolment needs beside the password.
pub(super) fn enrolment(portal: &Portal) -> Option<String> {
    let enrolment = &portal.enrolment;
    let what = match enrolment.guard {
        EnrolmentGuard::None => None,
        EnrolmentGuard::Invite => Some("an enrolment needs an invitation".to_owned()),
        EnrolmentGuard::Email => Some("an enrolment needs a code that comes by mail".to_owned()),
    };
    let late = |word: &str, span: Option<std::time::Duration>| {
        span.map(|span| format!("an invitation {word} {}", show_duration(span)))
    };
    let more = [
        what,
        late("when the user was seen first longer ago than", enrolment.within),
        late("when the user stayed away longer than", enrolment.dormant),
    ];
    let texts: Vec<String> = more.into_iter().flatten().collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
