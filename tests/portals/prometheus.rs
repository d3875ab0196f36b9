//! Prometheus: HTTP Basic for every path, and no session at all.

use crate::dsl::ALICE;
use crate::lines::{Keyed, Place, Way, basic, whole_story};

pub const PROMETHEUS: Keyed = Keyed {
    name: "prometheus",
    way: Way::Basic,
    page: "/api/v1/status/config",
    inside: "secret-target",
};

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_a_second_factor() {
    whole_story(&PROMETHEUS).await;
}

/// A password that was taken a moment ago opens no address without it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_without_the_password_in_the_request_itself() {
    let place = Place::open(&PROMETHEUS).await;
    let alice = place.enrol(ALICE).await;
    let mut shown = Vec::new();
    for line in [None, Some("Basic"), Some("Basic !"), Some("Bearer x")] {
        let mut browser = alice.browser.clone();
        browser.authorization = line.map(str::to_owned);
        if place.shows(&mut browser).await {
            shown.push(format!("{line:?}"));
        }
    }
    let mut other = alice.browser.clone();
    other.authorization = Some(basic((ALICE.0, "wrong")));
    place.is_kept_out(&mut other, "login_required").await;
    assert!(shown.is_empty(), "{shown:#?}");
    place.lets_in(&mut alice.browser.clone()).await;
}

/// The address of a health check is no way around the second factor.
#[tokio::test(flavor = "multi_thread")]
async fn no_path_is_open() {
    let place = Place::open(&PROMETHEUS).await;
    for path in ["/", "/graph", "/-/healthy", "/-/ready", "/metrics", "/static/js/x", "/-/quit"] {
        for line in [None, Some(basic(ALICE))] {
            let mut browser = place.browser();
            browser.authorization = line;
            let answer = browser.call("GET", path).await;
            assert_eq!(answer.status, 401, "{path}: {:?}", answer.answer);
            assert!(answer.line("content-type").unwrap().contains("problem+json"), "{path}");
        }
    }
}
