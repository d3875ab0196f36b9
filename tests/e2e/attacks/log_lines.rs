//! LOG-1: one event is one line, whatever was in the request, and no line can be forged, made
//! to steer a terminal or read in another order than it has.

use serde_json::Value;

use super::guessing::send;
use crate::dsl::steps::{enrol, sign_in, sign_in_again};
use crate::dsl::{ALICE, Call, Gateway, eventually, gateway, portal};

const FORGED: &str = "{\"message\":\"request\",\"verdict\":\"forged\"}";

/// What breaks a line, moves a cursor or turns the direction of a text.
fn hostile() -> Vec<String> {
    vec![
        format!("a\n{FORGED}"),
        format!("a\r\n{FORGED}\r\n"),
        "\u{1b}[2J\u{1b}[31m\u{9b}31m\u{7}\u{8}".to_owned(),
        "a\u{202e}b\u{2066}c\u{2028}d\u{85}e".to_owned(),
        format!("\",\"verdict\":\"forged\",\"x\":\"{FORGED}"),
        "x".repeat(50_000),
    ]
}

/// Sends each hostile text in every place that it fits.
async fn attack(gateway: &Gateway) {
    let alice = enrol(gateway, "wiki", ALICE).await;
    for (number, text) in hostile().into_iter().enumerate() {
        let mut browser = gateway.browser("wiki").over(number % 2 == 0);
        sign_in(&mut browser, (&text, "wrong")).await;
        sign_in(&mut browser, ("alice", &text)).await;
        sign_in_again(&mut browser, ALICE).await;
        send(&mut browser, &text).await;
        let short: String = text.chars().take(1000).collect();
        let escaped: String = form_urlencoded::byte_serialize(short.as_bytes()).collect();
        let escaped = escaped.replace('+', "%20");
        let raw: String = short.chars().filter(|sign| !sign.is_control()).collect();
        for target in [format!("/home/{escaped}"), format!("/.mfa/{escaped}?{escaped}")] {
            let call = browser.with_cookies(Call::get(&browser.host, &target)).page();
            let call =
                call.line("user-agent", &raw).line("referer", &raw).line("x-forwarded-for", &raw);
            browser.clone().visit(&target, call).await;
        }
    }
    let mut alice = alice.browser;
    assert_eq!(alice.open("/home/last").await.status, 200);
}

/// The whole log, once each request has left its line: as many have this in them as there were
/// requests, so that none was lost or made up.
async fn whole_log(gateway: &Gateway, mark: &str) -> String {
    eventually("one line for each request", async || {
        let requests = gateway.metric("portcullis_request_seconds_count", &[]).await;
        let log = gateway.log();
        let lines = log.lines().filter(|line| line.contains(mark)).count();
        (log.contains("/home/last") && lines as f64 == requests).then_some(log)
    })
    .await
}

fn steers_nothing(log: &str) {
    let steers = |sign: char| {
        sign.is_control() && sign != '\n'
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    assert!(!log.contains(steers), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_1_one_event_is_one_line_of_json() {
    let portal = portal::form().run().await;
    let log = "telemetry: { log: json, level: trace, access_log: true }";
    let gateway = gateway::new().portal("wiki", &portal).yaml(log).run().await;
    attack(&gateway).await;
    let log = whole_log(&gateway, "\"target\":\"access\"").await;
    steers_nothing(&log);
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {line}")))
        .collect();
    for (event, line) in events.iter().zip(log.lines()) {
        assert_ne!(event["verdict"], "forged", "{line}");
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        assert!(line.len() < 4096, "a line of {} bytes", line.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_1_one_event_is_one_line_of_text() {
    let portal = portal::form().run().await;
    let log = "telemetry: { log: text, level: trace, access_log: true }";
    let gateway = gateway::new().portal("wiki", &portal).yaml(log).run().await;
    attack(&gateway).await;
    let log = whole_log(&gateway, " access: ").await;
    steers_nothing(&log);
    let is_event = |line: &str| line.starts_with("20") && line.as_bytes()[10] == b'T';
    assert!(log.lines().all(is_event), "{log}");
}

/// Numbers have labels of closed sets, so nothing that came in a request is in them.
#[tokio::test(flavor = "multi_thread")]
async fn log_1_no_number_is_named_by_a_request() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let numbers = async || {
        let call = Call::get("localhost", "/metrics");
        let answer = crate::dsl::client::plain(gateway.admin(), call).await;
        let series = answer.body.lines().filter_map(|line| line.rsplit_once(' '));
        series.map(|(name, _)| name.to_owned()).filter(|name| !name.starts_with('#')).count()
    };
    let open = async |number: usize| {
        let mut browser = gateway.browser("wiki").over(number.is_multiple_of(2));
        browser.open(&format!("/home/{number}?{number}")).await;
    };
    // Each kind of answer has its numbers from its first time on.
    open(0).await;
    attack(&gateway).await;
    let before = numbers().await;
    for number in 1..500 {
        open(number).await;
    }
    assert_eq!(numbers().await, before);
}
