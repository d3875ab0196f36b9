//! The words of an explanation, the same for one request and for a recorded session.

use crate::config::Portal;
use crate::net::kind::Kind;
use crate::net::path::RequestPath;
use crate::policy::rules::Because;
use crate::policy::{Challenge, Destination, PortalCookies, Reason, Verdict};
use crate::site::destination::{Purpose, Target, own_page, takes_password};
use crate::site::held;
use crate::telemetry::escape::shown;

/// The longest text of a request that is repeated.
const LONGEST: usize = 200;

/// A text of a request that a terminal shows as it is, cut where it is long.
pub(super) fn plain(text: &str) -> String {
    shown(text, LONGEST).into_owned()
}

/// Whether a path can be read in one way alone.
pub(super) fn reading(path: &RequestPath) -> String {
    match path.doubt() {
        None => "canonical".to_owned(),
        Some(why) => format!("ambiguous, so no rule opens it: {why}"),
    }
}

/// What a request is for, and by which rule.
pub(super) fn purpose(portal: &Portal, target: Target<'_>, told: Purpose<'_>) -> String {
    let login_url = portal.identity.login_url.as_deref().unwrap_or_default();
    match told.destination {
        Destination::OwnPage => {
            let rest = own_page(portal, target.path).unwrap_or_default();
            format!("a page of ours: '{}' below {}", plain(rest), portal.prefix)
        }
        Destination::Login if takes_password(portal, target) => "the portal's login".to_owned(),
        Destination::Login => format!("the portal's login page, by login_url {login_url}"),
        Destination::Public | Destination::Bypass => match told.judged.because {
            Because::Public(pattern) => format!("open to everybody, by public {pattern}"),
            Because::Rule(number, _) => format!("open to everybody, by rules.{number}"),
            Because::Default => "open to everybody".to_owned(),
        },
        Destination::Protected => match told.judged.because {
            Because::Rule(number, _) => format!("a protected page, by rules.{number}"),
            Because::Default | Because::Public(_) => {
                "a protected page: no rule opens it".to_owned()
            }
        },
    }
}

/// What becomes of a request for `target`, as `kind` sees it.
pub(super) fn answer(portal: &Portal, verdict: &Verdict, kind: Kind, target: &str) -> String {
    match verdict {
        Verdict::OwnPage => "a page of ours".to_owned(),
        Verdict::Forward(permit) => {
            let kept = cookies(permit.cookies());
            format!("goes to the portal{kept}{}", reason(permit.reason()))
        }
        Verdict::Deny => "403, by a rule".to_owned(),
        Verdict::Challenge(challenge) => held(portal, *challenge, kind, target),
    }
}

fn held(portal: &Portal, challenge: Challenge, kind: Kind, target: &str) -> String {
    let status = held::call_status(challenge).as_u16();
    match (kind, held::way(portal, challenge, target)) {
        (Kind::Page, Some(way)) => format!("303 to {way}"),
        (Kind::Page, None) => format!("{status}, a page that asks to sign in"),
        (Kind::Call, _) => format!("{status} urn:portcullis:{}", challenge.name()),
    }
}

/// What the destination does not say.
fn reason(reason: Reason) -> String {
    match reason {
        Reason::Public | Reason::Proven | Reason::Bypass => String::new(),
        Reason::Grace => ", for now".to_owned(),
        Reason::Report(challenge) => format!(", counted as {}", challenge.name()),
    }
}

fn cookies(cookies: PortalCookies) -> &'static str {
    match cookies {
        PortalCookies::Keep => "",
        PortalCookies::Withhold => " without the portal's session",
        PortalCookies::WithholdBothWays => {
            " without the portal's session; one that begins here is dropped"
        }
    }
}
