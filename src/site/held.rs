//! What a request that is held is told: where a browser is led, and with which status a call
//! is answered.

use http::StatusCode;

use crate::config::Portal;
use crate::net::return_to::ReturnTo;
use crate::policy::Challenge;

/// What tells the page that asks for a code that a proof which stands is too old.
pub const STEP_UP: &str = "step_up=yes";

/// Where a visitor gives what is missing.
pub fn place(portal: &Portal, challenge: Challenge) -> String {
    let prefix = &portal.prefix;
    match challenge {
        Challenge::SignIn => portal.identity.login_url.clone().unwrap_or_else(|| "/".to_owned()),
        Challenge::Enrol => format!("{prefix}/enrol"),
        Challenge::Notice => format!("{prefix}/notice"),
        Challenge::StepUp => format!("{prefix}/verify?{STEP_UP}"),
        Challenge::Verify | Challenge::Wait(_) | Challenge::AskDesk => format!("{prefix}/verify"),
    }
}

/// Where a browser that asked for `target` is led. Nowhere when it has to sign in to a portal
/// that has no page for that.
pub fn way(portal: &Portal, challenge: Challenge, target: &str) -> Option<String> {
    let place = place(portal, challenge);
    match challenge {
        Challenge::SignIn => portal.identity.login_url.is_some().then_some(place),
        Challenge::StepUp => {
            let way = way(portal, Challenge::Verify, target)?;
            Some(format!("{way}&{STEP_UP}"))
        }
        Challenge::Enrol
        | Challenge::Verify
        | Challenge::Notice
        | Challenge::Wait(_)
        | Challenge::AskDesk => {
            let return_to = ReturnTo::parse(target, &portal.prefix);
            Some(format!("{place}?return_to={}", return_to.as_query_value()))
        }
    }
}

/// The status of a call's answer.
pub fn call_status(challenge: Challenge) -> StatusCode {
    match challenge {
        Challenge::SignIn
        | Challenge::Enrol
        | Challenge::Verify
        | Challenge::StepUp
        | Challenge::Notice => StatusCode::UNAUTHORIZED,
        Challenge::Wait(_) | Challenge::AskDesk => StatusCode::TOO_MANY_REQUESTS,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{call_status, place, way};
    use crate::policy::Challenge;
    use crate::site::house::sites;

    #[test]
    fn a_browser_is_led_to_what_is_missing_and_back() {
        let sites = sites();
        let portal = &sites.named("wiki.test").portal;
        let led = |challenge| way(portal, challenge, "/a?b=c").unwrap();
        assert_eq!(led(Challenge::SignIn), "/login?do=login");
        assert_eq!(led(Challenge::Enrol), "/.mfa/enrol?return_to=%2Fa%3Fb%3Dc");
        assert_eq!(led(Challenge::Verify), "/.mfa/verify?return_to=%2Fa%3Fb%3Dc");
        assert_eq!(led(Challenge::StepUp), "/.mfa/verify?return_to=%2Fa%3Fb%3Dc&step_up=yes");
        assert_eq!(led(Challenge::Notice), "/.mfa/notice?return_to=%2Fa%3Fb%3Dc");
        assert_eq!(place(portal, Challenge::AskDesk), "/.mfa/verify");
    }

    #[test]
    fn a_call_is_told_to_wait_or_to_sign_in() {
        assert_eq!(call_status(Challenge::Verify), 401);
        assert_eq!(call_status(Challenge::Wait(Duration::from_secs(1))), 429);
    }
}
