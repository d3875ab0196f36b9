//! A remembered device needs no code for a while: where, for whom and for how long, and what
//! becomes of a copy.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, VIEWER, command};
use crate::dsl::html::forms;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in, sign_in_again, sign_out};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Portal, gateway, portal};

const DEVICE: &str = "__Host-mfa-device";
const REMEMBER: &str = "remember_device: {}";
const OFFER: &str = "Do not ask for a code on this device for 30 days";
const COPIED: &str = "This device is no longer remembered, because somebody may have copied";

fn days(days: u64) -> Duration {
    Duration::from_secs(86_400 * days)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn scene(remember: &str) -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().yaml(remember).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

/// Signs in with a new code and the box ticked, or without the box where there is none.
async fn remembered(gateway: &mut Gateway, alice: &Enrolled, browser: &mut Browser) -> Shown {
    gateway.next_code();
    let page = sign_in_again(browser, ALICE).await;
    give_code(browser, &page, &alice.phone.code(gateway.now())).await
}

/// Signs in again, with whatever the browser is remembered by, and shows where that ends.
async fn comes_back(browser: &mut Browser) -> Shown {
    browser.jar.retain(|name, _| name == DEVICE);
    sign_in_again(browser, ALICE).await
}

fn is_in(shown: &Shown) -> bool {
    shown.body.contains("for alice alone")
}

/// Whether the page asks for a code.
fn asks(shown: &Shown) -> bool {
    shown.path.starts_with("/.mfa/verify") && shown.status == 200
}

fn device_line(shown: &Shown) -> Option<String> {
    let mut lines = shown.all("set-cookie").into_iter();
    lines.find(|line| line.starts_with(DEVICE)).map(|line| line.to_string())
}

/// What the session cookie says.
fn claims(browser: &Browser) -> Value {
    let payload = browser.jar["__Host-mfa"].split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_device_needs_no_code() {
    for http2 in [false, true] {
        let (portal, mut gateway, alice) = scene(REMEMBER).await;
        let mut browser = gateway.browser("wiki").over(http2);
        gateway.next_code();
        let page = sign_in_again(&mut browser, ALICE).await;
        assert!(page.text().contains(OFFER), "{}", page.text());
        let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
        let line = device_line(&told).expect("nothing to be remembered by");
        assert!(line.ends_with("; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax"));
        let first = browser.jar[DEVICE].clone();
        assert_eq!((first.len(), URL_SAFE_NO_PAD.decode(&first).unwrap().len()), (64, 48));
        sign_out(&mut browser).await;
        gateway.advance(days(1));
        portal.take_seen();
        let led = sign_in(&mut browser, ALICE).await;
        assert_eq!(led.location(), "/.mfa/verify?return_to=%2Fhome");
        let passed = browser.follow(led).await;
        assert!(is_in(&passed), "{} {}", passed.path, passed.text());
        assert_ne!(browser.jar[DEVICE], first, "the secret counts twice");
        assert_eq!(claims(&browser)["amr"], serde_json::json!(["pwd", "device"]));
        for seen in portal.take_seen() {
            assert!(!seen.all("cookie").concat().contains("__Host-"), "{seen:?}");
        }
        let device = [("factor", "device"), ("outcome", "accepted")];
        assert_eq!(gateway.metric("portcullis_verifications_total", &device).await, 1.0);
        assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_the_lifetime_is_never_prolonged() {
    let (_portal, mut gateway, alice) = scene(REMEMBER).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    gateway.advance(days(29));
    browser.jar.retain(|name, _| name == DEVICE);
    let led = sign_in(&mut browser, ALICE).await;
    let passed = browser.open(led.location()).await;
    let line = device_line(&passed).unwrap();
    let left = line.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap();
    assert!((86_000..=86_400).contains(&left.parse::<u64>().unwrap()), "{line}");
    gateway.advance(days(1));
    assert!(asks(&comes_back(&mut browser).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_one_users_in_one_browser_at_one_portal() {
    let wiki = portal::form().yaml(REMEMBER).run().await;
    let shop = portal::form().yaml(REMEMBER).run().await;
    let mut gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    enrol(&gateway, "wiki", BOB).await;
    enrol(&gateway, "shop", ALICE).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    let mut other = gateway.browser("wiki");
    assert!(asks(&comes_back(&mut other).await), "another browser");
    let kept = browser.jar[DEVICE].clone();
    let mut elsewhere = gateway.browser("shop");
    elsewhere.jar.insert(DEVICE.to_owned(), kept.clone());
    assert!(asks(&comes_back(&mut elsewhere).await), "another portal");
    browser.jar.retain(|name, _| name == DEVICE);
    assert!(asks(&sign_in_again(&mut browser, BOB).await), "another user");
    assert_eq!(browser.jar[DEVICE], kept);
    gateway.advance(seconds(60));
    assert!(is_in(&comes_back(&mut browser).await), "its own user");
    assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_that_nobody_asked_for() {
    let (_portal, mut gateway, alice) = scene(REMEMBER).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = alice.phone.code(gateway.now());
    let form = page.form("code").fill("code", &code).without("remember");
    let told = browser.send(&page, &form).await;
    assert_eq!((told.location(), device_line(&told)), ("/home", None));
    // Nor by a recovery code, whichever page it is typed at.
    for (with, recovery) in ["", "&with=recovery"].iter().zip(&alice.codes) {
        let mut browser = gateway.browser("wiki");
        let led = sign_in(&mut browser, ALICE).await;
        let page = browser.open(&format!("{}{with}", led.location())).await;
        assert_eq!(page.text().contains(OFFER), with.is_empty());
        let form = page.form("code").fill("code", recovery).fill("remember", "yes");
        let told = browser.send(&page, &form).await;
        assert_eq!((told.location(), device_line(&told)), ("/home", None));
    }
    let page = browser.open("/.mfa/devices").await;
    assert!(page.text().contains("No device is remembered"), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_portal_remembers_that_was_not_told_to() {
    let (_portal, mut gateway, mut alice) = scene("").await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(!page.body.contains("remember"), "{}", page.body);
    let code = alice.phone.code(gateway.now());
    let form = page.form("code").fill("code", &code).fill("remember", "yes");
    let told = browser.send(&page, &form).await;
    assert_eq!((told.location(), device_line(&told)), ("/home", None));
    assert_eq!(alice.browser.open("/.mfa/devices").await.status, 404);
    assert!(!alice.browser.open("/.mfa/").await.body.contains("/.mfa/devices"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_counts_in_its_networks_alone() {
    let only = "remember_device: { lifetime: 12h, networks: [127.0.0.1/32] }";
    let (_portal, mut gateway, alice) = scene(only).await;
    let mut away = gateway.browser("wiki").from(2);
    gateway.next_code();
    let page = sign_in_again(&mut away, ALICE).await;
    assert!(!page.body.contains("remember"), "{}", page.body);
    let code = alice.phone.code(gateway.now());
    let form = page.form("code").fill("code", &code).fill("remember", "yes");
    assert_eq!(device_line(&away.send(&page, &form).await), None);
    let mut browser = gateway.browser("wiki");
    let told = remembered(&mut gateway, &alice, &mut browser).await;
    assert!(device_line(&told).unwrap().contains("Max-Age=43200;"));
    let mut moved = browser.clone().from(2);
    assert!(asks(&comes_back(&mut moved).await));
    assert_eq!(moved.jar[DEVICE], browser.jar[DEVICE]);
    assert!(is_in(&comes_back(&mut browser).await));
}

/// A thief with the password and a copy gets in once; as soon as the owner comes, nobody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_found_out_and_ends_what_it_opened() {
    for http2 in [false, true] {
        let (_portal, mut gateway, alice) = scene(REMEMBER).await;
        let mut browser = gateway.browser("wiki").over(http2);
        remembered(&mut gateway, &alice, &mut browser).await;
        let stolen = browser.jar[DEVICE].clone();
        let mut thief = browser.clone();
        assert!(is_in(&comes_back(&mut thief).await));
        gateway.advance(seconds(11));
        let page = comes_back(&mut browser).await;
        assert!(asks(&page) && page.text().contains(COPIED), "{}", page.text());
        assert!(!browser.jar.contains_key(DEVICE));
        assert_eq!(thief.clone().open("/home").await.location(), "/login", "the thief stays in");
        for secret in [&stolen, &thief.jar[DEVICE].clone()] {
            thief.jar.insert(DEVICE.to_owned(), secret.clone());
            let page = comes_back(&mut thief).await;
            assert!(asks(&page) && !page.text().contains(COPIED), "{}", page.text());
        }
        gateway.next_code();
        let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
        assert!(is_in(&browser.follow(told).await));
        assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 1.0);
        let log = gateway.log();
        assert!(log.contains("a copy of a remembered device was shown"), "{log}");
        for secret in [&stolen, &thief.jar[DEVICE]] {
            assert!(!log.contains(&secret[..20]) && !log.contains("alice"), "{log}");
        }
    }
}

/// NIST SP 800-63B-4 section 5.1 allows for this very case.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_brings_an_idle_session_back_and_a_copy_does_not() {
    let (portal, mut gateway, alice) = scene(REMEMBER).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    gateway.advance(seconds(3_700));
    portal.take_seen();
    assert!(is_in(&browser.go("/home").await));
    assert!(portal.seen_at("/login").is_empty(), "the password was asked for");
    let mut thief = browser.clone();
    assert!(is_in(&comes_back(&mut thief).await));
    gateway.advance(seconds(3_700));
    portal.take_seen();
    let page = browser.go("/home").await;
    assert!(asks(&page) && page.text().contains(COPIED), "{}", page.text());
    assert!(browser.clone().open("/home").await.location().starts_with("/.mfa/verify"));
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(told.location(), "/home");
    assert!(is_in(&browser.open("/home").await));
    assert!(portal.seen_at("/login").is_empty(), "the password was asked for");
}

/// The page that tells of a copy must not wake the proof that a code had given before.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_wakes_no_idle_session_that_a_code_proved() {
    let (_portal, mut gateway, alice) = scene(REMEMBER).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    let mut thief = browser.clone();
    assert!(is_in(&comes_back(&mut thief).await));
    gateway.advance(seconds(3_700));
    let page = browser.go("/home").await;
    assert!(asks(&page) && page.text().contains(COPIED), "{}", page.text());
    let again = browser.clone().open("/home").await;
    assert!(again.location().starts_with("/.mfa/verify"), "{:?}", again.answer);
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(is_in(&browser.follow(told).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_open_at_once_are_no_thieves() {
    let (_portal, mut gateway, alice) = scene(REMEMBER).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    browser.jar.retain(|name, _| name == DEVICE);
    sign_in(&mut browser, ALICE).await;
    let mut tabs = tokio::task::JoinSet::new();
    for tab in 0..20 {
        let mut tab = browser.clone().over(tab % 2 == 0);
        tabs.spawn(async move { tab.open("/.mfa/verify?return_to=%2Fhome").await });
    }
    let answers = tabs.join_all().await;
    let next: Vec<String> = answers.iter().filter_map(device_line).collect();
    assert_eq!(next.len(), 1, "{next:?}");
    let ways = ["/home", "/login"];
    for answer in &answers {
        assert!(answer.status == 200 || ways.contains(&answer.location()), "{answer:?}");
    }
    assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 0.0);
    let secret = next[0].split(['=', ';']).nth(1).unwrap();
    browser.jar.insert(DEVICE.to_owned(), secret.to_owned());
    gateway.advance(seconds(60));
    assert!(is_in(&comes_back(&mut browser).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_see_their_devices_and_end_them() {
    for http2 in [false, true] {
        let (_portal, mut gateway, alice) = scene(REMEMBER).await;
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let mut here = gateway.browser("wiki").over(http2).with_line("user-agent", agent);
        let mut other = gateway.browser("wiki").over(http2);
        remembered(&mut gateway, &alice, &mut here).await;
        remembered(&mut gateway, &alice, &mut other).await;
        let mut named = gateway.browser("wiki");
        sign_in_again(&mut named, ALICE).await;
        let led = named.open("/.mfa/devices").await;
        assert_eq!(led.location(), "/.mfa/verify?return_to=%2F", "without a proof");
        assert!(here.open("/.mfa/").await.body.contains("href=\"/.mfa/devices\""));
        let page = here.open("/.mfa/devices").await;
        for text in ["Firefox on Linux this one", "An unknown browser", "from 127.0.0.0/24"] {
            assert!(page.text().contains(text), "{text}: {}", page.text());
        }
        let series = |page: &Shown| {
            let all: Vec<_> = forms(&page.body).into_iter().collect();
            all.into_iter().filter(|form| form.field("series").is_some()).collect::<Vec<_>>()
        };
        let listed = series(&page);
        assert_eq!(listed.len(), 2);
        // The newest stands first: it is the other one.
        let unsigned = listed[0].clone().without("csrf");
        assert_eq!(here.send(&page, &unsigned).await.status, 403);
        let mut bob = enrol(&gateway, "wiki", BOB).await.browser;
        let theirs = bob.open("/.mfa/logout").await;
        let token = theirs.form("csrf").field("csrf").unwrap().to_owned();
        let told = bob.send(&page, &listed[0].clone().fill("csrf", &token)).await;
        assert_eq!(told.location(), "/.mfa/devices", "what is not there is gone");
        assert_eq!(series(&here.open("/.mfa/devices").await).len(), 2, "bob ended alice's");
        let told = here.send(&page, &listed[0]).await;
        assert_eq!((told.location(), device_line(&told)), ("/.mfa/devices", None));
        assert!(asks(&comes_back(&mut other).await), "it was ended");
        let page = here.follow(told).await;
        let all = page.form("csrf").without("series").fill("action", "end_all");
        let told = here.send(&page, &all).await;
        assert!(device_line(&told).unwrap().contains("Max-Age=0"));
        let page = here.follow(told).await;
        assert!(page.text().contains("No device is remembered"), "{}", page.text());
        assert!(is_in(&here.open("/home").await), "the session itself goes on");
        assert!(asks(&comes_back(&mut here).await), "it was ended");
    }
}

/// What was remembered is on disk before the browser hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_forgets_no_device() {
    let (_portal, mut gateway, alice) = scene(REMEMBER).await;
    let mut browser = gateway.browser("wiki");
    remembered(&mut gateway, &alice, &mut browser).await;
    for _ in 0..2 {
        gateway.kill();
        gateway.start().await;
        assert!(is_in(&comes_back(&mut browser).await));
        gateway.advance(seconds(60));
    }
    browser.jar.insert(format!("{DEVICE}2"), "x".to_owned());
    assert_eq!(browser.open("/home").await.status, 400, "an imitation of the name");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_ends_a_device_and_the_next_sign_in_asks_for_a_code() {
    let portal = portal::form().yaml(REMEMBER).run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).token(DESK);
    let mut gateway = gateway.run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let mut lost = gateway.browser("wiki").with_line("user-agent", agent);
    let mut others = [gateway.browser("wiki"), gateway.browser("wiki")];
    remembered(&mut gateway, &alice, &mut lost).await;
    for other in &mut others {
        remembered(&mut gateway, &alice, other).await;
    }
    let list = || command(&gateway, VIEWER, &["device", "list", "alice", "--portal", "wiki"]).out;
    let listed = list();
    assert!(listed.ends_with("\n3 devices\n"), "{listed}");
    let line = listed.lines().find(|line| line.contains("Firefox on Linux")).unwrap();
    assert!(line.contains("127.0.0.0/24") && line.matches(" UTC").count() == 3, "{line}");
    let one = line.split(' ').next().unwrap();
    let revoke = |token, more: &[&str]| {
        let words = ["device", "revoke", "--portal", "wiki", "alice"];
        command(&gateway, token, &[&words, more].concat())
    };
    assert_eq!(revoke(VIEWER, &["--series", one]).code, 1, "who only looks ends nothing");
    assert_eq!(revoke(DESK, &["--series", ""]).code, 1, "no name is not all of them");
    assert!(list().ends_with("\n3 devices\n"));
    let told = revoke(DESK, &["--series", one]);
    assert_eq!(told.out, "devices of alice forgotten at wiki: 1\n", "{told:?}");
    assert_eq!(revoke(DESK, &["--series", one]).out, "alice has no such device at wiki\n");
    assert!(is_in(&lost.clone().open("/home").await), "the session itself goes on");
    assert!(asks(&comes_back(&mut lost).await), "it was ended");
    assert!(is_in(&comes_back(&mut others[0]).await), "another one was ended");
    assert_eq!(revoke(DESK, &[]).out, "devices of alice forgotten at wiki: 2\n");
    for other in &mut others {
        assert!(asks(&comes_back(other).await), "it was ended");
    }
    assert_eq!(list(), "0 devices\n");
    let json = revoke(DESK, &["--output", "json"]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let nothing = serde_json::json!({ "portal": "wiki", "user": "alice", "devices_ended": 0 });
    assert_eq!(json, nothing);
    assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 0.0);
}

/// Where a code of the last minutes is wanted, a device that stands in for one is not enough:
/// the code is asked for, once, and then it is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_never_fresh_enough() {
    let rule = "rules: [ { match: { path: /home/fresh }, require: fresh, within: 5m } ]";
    for http2 in [false, true] {
        let (portal, mut gateway, alice) = scene(&format!("{REMEMBER}\n{rule}")).await;
        let mut browser = gateway.browser("wiki").over(http2);
        remembered(&mut gateway, &alice, &mut browser).await;
        gateway.advance(days(1));
        // A moment ago the device let its user in; at the very page it does not.
        assert!(is_in(&comes_back(&mut browser).await));
        assert_eq!(claims(&browser)["amr"], serde_json::json!(["pwd", "device"]));
        let kept = browser.jar[DEVICE].clone();
        portal.take_seen();
        let call = browser.call("GET", "/home/fresh").await;
        assert_eq!((call.status, &call.json()["type"]), (401, &"urn:portcullis:mfa_stale".into()));
        let led = browser.open("/home/fresh").await;
        let step_up = "/.mfa/verify?return_to=%2Fhome%2Ffresh&step_up=yes";
        assert_eq!((led.status, led.location()), (303, step_up));
        let page = browser.follow(led).await;
        assert!(asks(&page) && page.text().contains("Enter a new code"), "{}", page.text());
        assert_eq!(browser.jar[DEVICE], kept, "the device was taken");
        assert!(portal.seen_at("/home/fresh").is_empty(), "the portal was asked");
        // Nor does it pass whoever asks for the code's page by another way.
        for way in ["/.mfa/verify?return_to=%2Fhome%2Ffresh", step_up] {
            let mut tab = browser.clone();
            tab.open(way).await;
            assert_eq!(tab.open("/home/fresh").await.location(), step_up, "{way}");
        }
        assert!(is_in(&browser.open("/home").await), "everything else goes on");
        let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
        assert_eq!((told.status, told.location()), (303, "/home/fresh"));
        assert_eq!(browser.open("/home/fresh").await.status, 200);
        assert_eq!(browser.call("GET", "/home/fresh").await.status, 200);
        assert_eq!(portal.seen_at("/home/fresh").len(), 2);
        assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 0.0);
    }
}
