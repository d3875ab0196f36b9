//! LOG-1 and AUD-1: nobody writes a line of their own into the audit log, and nobody fills it.

use serde_json::Value;

use crate::dsl::book::{self, AUDIT};
use crate::dsl::desk::{DESK, ORGANISATION, ask, call_with};
use crate::dsl::steps::{enrol, sign_in, sign_in_anew};
use crate::dsl::{ALICE, Call, gateway, portal};

/// What somebody may type who means to falsify a log, or to steer the terminal of its reader.
fn typed() -> Vec<String> {
    let mut typed: Vec<String> = [
        "a\n{\"event\":\"code_accepted\",\"user\":\"mallory\"}",
        "a\r\nb\u{85}c\u{2028}d\u{2029}e",
        "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
        "\u{202e}ecila\u{2066}\u{200b}\u{feff}\u{e0041}\u{ad}",
        "\",\"event\":\"reset_done\",\"x\":\"",
        "\\\",\\u000a{",
    ]
    .map(str::to_owned)
    .into();
    typed.push("x".repeat(100_000));
    typed
}

#[tokio::test(flavor = "multi_thread")]
async fn log_1_whatever_somebody_types_one_event_is_one_line() {
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).yaml(AUDIT).token(DESK).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut told = 0;
    for typed in typed() {
        // As a name, as the label of an authenticator, as a path and as words of the desk.
        sign_in(&mut gateway.browser("wiki"), (&typed, "x")).await;
        let mut bob = gateway.browser("wiki");
        let page = sign_in_anew(&mut bob, crate::dsl::BOB).await;
        let form = page.form("code").fill("code", "000000").fill("label", &typed);
        bob.send(&page, &form).await;
        let short: String = typed.chars().take(200).collect();
        let wish = serde_json::json!({
            "requested_by": short, "channel": "colleague", "reason": "lost", "ticket": "T-1",
        });
        let path = "/api/v1/portals/wiki/users/alice/reset";
        let call = call_with(DESK, "POST", path, &wish.to_string());
        assert_eq!(ask(&gateway, call).await.status, 422, "{short:?}");
        told += 1;
    }
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let refused = book::wait_for(&gateway, "reset_refused", told).await;
    assert_eq!(refused.len(), told);
    for (line, typed) in refused.iter().zip(typed()) {
        let short: String = typed.chars().take(200).collect();
        assert_eq!(line["requested_by"], short, "what is read is what was typed");
    }
    let text = book::text(&gateway);
    for (number, line) in text.lines().enumerate() {
        assert!(line.len() < 4096, "{} bytes", line.len());
        assert!(!line.chars().any(|sign| sign.is_control()), "{line:?}");
        for hidden in
            ["\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}", "\u{e0041}", "\u{ad}", "\u{2028}"]
        {
            assert!(!line.contains(hidden), "{line:?}");
        }
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["seq"], number as u64 + 1);
        assert_ne!(line["user"], "mallory");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aud_1_no_number_of_refusals_hides_what_counts() {
    let wiki = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &wiki).yaml(AUDIT).run().await;
    for _ in 0..1_500 {
        let call = Call::get("localhost", "/api/v1/portals");
        assert_eq!(ask(&gateway, call).await.status, 401);
    }
    enrol(&gateway, "wiki", ALICE).await;
    book::wait_for(&gateway, "enrolled", 1).await;
    book::wait_for(&gateway, "recovery_codes_made", 1).await;
    let lines = book::lines(&gateway);
    let refused = lines.iter().filter(|line| line["event"] == "desk_refused").count() as u64;
    let lost: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
    assert_eq!(refused + lost, 1_500, "each is there, or counted");
    assert!(refused >= 1_000, "{refused}");
}
