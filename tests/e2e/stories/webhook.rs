//! Another system is told what happens, by signed requests to the one address that ops named. It
//! may be down, slow or strange: nobody waits for it, and no event is lost.

use std::time::Duration;

use crate::dsl::desk::{DESK, ORGANISATION, command};
use crate::dsl::steps::{enrol, give_code, sign_in_again};
use crate::dsl::webhook::{Event, KEY, Webhook};
use crate::dsl::{ALICE, BOB, Gateway, Portal, eventually, gateway, portal};

/// Longer than any pause.
const LATER: Duration = Duration::from_secs(600);

async fn portal_with_a_desk() -> Portal {
    portal::form().yaml(ORGANISATION).run().await
}

async fn outcomes(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric("portcullis_webhook_events_total", &[("outcome", outcome)]).await
}

/// Waits until so many wait: they are counted anew after each of them is.
async fn left_waiting(gateway: &Gateway, count: f64) {
    let what = format!("{count} events to wait");
    let waiting = async || gateway.metric("portcullis_webhook_events_waiting", &[]).await;
    eventually(&what, async || (waiting().await == count).then_some(())).await;
}

/// Waits until so many came to this end.
async fn counted(gateway: &Gateway, outcome: &str, count: f64) {
    let what = format!("{count} events to be {outcome}");
    eventually(&what, async || (outcomes(gateway, outcome).await >= count).then_some(())).await;
}

fn is_about(event: &Event, kind: &str, user: &str) {
    let json = event.json();
    assert_eq!((json["type"].as_str(), json["data"]["user"].as_str()), (Some(kind), Some(user)));
    assert_eq!(json["data"]["portal"], "wiki");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_system_hears_what_happens_and_knows_from_whom() {
    let mut webhook = Webhook::secure();
    webhook.up();
    let portal = portal_with_a_desk().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(&webhook.yaml()).token(DESK);
    let mut gateway = gateway.trusting(webhook.certificate()).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    is_about(&webhook.first(1).await[0], "enrolled", "alice");
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    give_code(&mut browser, &page, &alice.codes[0]).await;
    is_about(&webhook.first(2).await[1], "recovery_code_used", "alice");
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    let by = ["--requested-by", "bob@example.com"];
    assert_eq!(command(&gateway, DESK, &[&words[..], &by].concat()).code, 0);
    let events = webhook.first(5).await;
    for (event, kind) in events[2..].iter().zip(["reset_requested", "reset_approved", "reset_done"])
    {
        is_about(event, kind, "alice");
    }
    gateway.refuse(&format!("{}nonsense: 1\n", gateway.yaml()), "nonsense").await;
    let mut events = webhook.first(6).await;
    // The changed file may be seen a second time.
    events.truncate(6);
    assert_eq!(events[5].json()["type"], "configuration_refused");
    assert_eq!(events[5].json()["data"], serde_json::json!({}));

    let mut ids: Vec<&str> = events.iter().map(|event| event.header("webhook-id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "each event has a name of its own");
    let mut secrets = alice.codes.clone();
    secrets.extend(alice.browser.jar.values().cloned());
    let more = [ALICE.1, alice.phone.secret(), KEY, DESK.secret, "lost phone", "bob@example.com"];
    secrets.extend(more.map(str::to_owned));
    for event in &events {
        assert!(event.signed, "{event:?}");
        assert_eq!(event.path, "/mfa?of=tests");
        assert_eq!(event.header("content-type"), "application/json");
        let at: u64 = event.header("webhook-timestamp").parse().unwrap();
        assert!(at <= gateway.now() && at + 120 > gateway.now(), "{at}");
        for secret in &secrets {
            assert!(!format!("{event:?}").contains(secret.as_str()), "{secret} was told");
        }
    }
    let log = gateway.log();
    for word in ["alice", "of=tests", KEY] {
        assert!(!log.contains(word), "{word} is in the log: {log}");
    }
    counted(&gateway, "sent", 6.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_the_other_system_also_when_the_power_is_cut() {
    let mut webhook = Webhook::open();
    let portal = portal_with_a_desk().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&webhook.yaml()).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    counted(&gateway, "retried", 1.0).await;
    assert!(alice.open("/home").await.body.contains("secret-page"), "nobody waits for it");
    gateway.kill();
    webhook.answers("500");
    webhook.up();
    gateway.start().await;
    gateway.advance(LATER);
    let first = webhook.first(1).await.remove(0);
    is_about(&first, "enrolled", "alice");
    assert!(first.signed && first.answer == "500", "{first:?}");
    counted(&gateway, "retried", 1.0).await;
    webhook.answers("200");
    gateway.advance(LATER);
    let second = webhook.first(2).await.remove(1);
    assert!(second.signed, "{second:?}");
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    counted(&gateway, "sent", 1.0).await;
    left_waiting(&gateway, 0.0).await;
    assert_eq!(webhook.events().len(), 2, "what was taken is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_gone_for_good_is_left_alone() {
    let mut webhook = Webhook::open();
    webhook.answers("410");
    webhook.up();
    let portal = portal_with_a_desk().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&webhook.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    gateway.has_logged("wants nothing any more").await;
    webhook.answers("204");
    gateway.next_code();
    enrol(&gateway, "wiki", BOB).await;
    gateway.advance(LATER);
    left_waiting(&gateway, 1.0).await;
    assert_eq!(webhook.events().len(), 1);
    // Another configuration asks it once more.
    let yaml = gateway.yaml();
    gateway.take(&format!("{yaml}branding: {{ name: Another }}\n")).await;
    let events = webhook.first(2).await;
    is_about(&events[1], "enrolled", "bob");
    assert_eq!(outcomes(&gateway, "refused").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed() {
    let mut webhook = Webhook::open();
    let elsewhere = webhook.url().replace("/mfa?of=tests", "/elsewhere");
    webhook.answers(&format!("307 {elsewhere}"));
    webhook.up();
    let portal = portal_with_a_desk().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&webhook.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    counted(&gateway, "retried", 1.0).await;
    webhook.answers("204");
    gateway.advance(LATER);
    counted(&gateway, "sent", 1.0).await;
    let paths: Vec<String> = webhook.events().into_iter().map(|event| event.path).collect();
    assert_eq!(paths, ["/mfa?of=tests", "/mfa?of=tests"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_hangs_delays_nobody_and_holds_up_no_other_event() {
    let mut webhook = Webhook::open();
    webhook.answers("hang");
    webhook.up();
    let portal = portal_with_a_desk().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&webhook.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    webhook.first(1).await;
    let mut bob = enrol(&gateway, "wiki", BOB).await.browser;
    assert!(bob.open("/home").await.body.contains("secret-page"));
    webhook.answers("204");
    counted(&gateway, "retried", 1.0).await;
    gateway.advance(Duration::from_secs(5));
    // The first one has a longer delay by now than the server has a pause.
    is_about(&webhook.first(2).await[1], "enrolled", "bob");
    gateway.advance(LATER);
    is_about(&webhook.first(3).await[2], "enrolled", "alice");
    counted(&gateway, "sent", 2.0).await;
}
