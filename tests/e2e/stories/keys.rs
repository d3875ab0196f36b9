//! SES-7: the keys of the gateway are changed, on a quiet day and on the worst one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::dsl::desk::{ADMIN, DESK, Said, Token, ask, call, call_with, command};
use crate::dsl::signed::verified;
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

const A_SECOND: Duration = Duration::from_secs(1);
/// As long as a key of assertions is announced.
const A_DAY: Duration = Duration::from_secs(24 * 3600);
const TELLS: &str = "upstream_headers: { assertion: X-Portcullis-Assertion }";
const ONLY_SHOP: Token = Token { name: "shop", ..ADMIN }.at("[shop]");

async fn house() -> (Portal, Portal, Gateway) {
    let wiki = portal::form().yaml(TELLS).run().await;
    let shop = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop);
    (wiki, shop, gateway.token(ADMIN).token(DESK).run().await)
}

fn rotate(gateway: &Gateway, more: &[&str]) -> Value {
    let words = [&["keys", "rotate", "--output", "json"], more].concat();
    let done = command(gateway, ADMIN, &words);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    serde_json::from_str(&done.out).unwrap()
}

/// The name of the key that signed a browser's session.
fn kid(browser: &Browser) -> String {
    let head = browser.jar["__Host-mfa"].split('.').next().unwrap();
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Asks again and again until told to stop; gives how often, and every answer that was not hers.
async fn asks_on(mut browser: Browser, stop: Arc<AtomicBool>) -> (usize, Vec<u16>) {
    let (mut asked, mut refused) = (0, Vec::new());
    while !stop.load(Ordering::SeqCst) {
        let call = browser.call("GET", "/home").await;
        let page = browser.open("/home").await;
        asked += 2;
        refused.extend([call, page].iter().map(|shown| shown.status).filter(|it| *it != 200));
    }
    (asked, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_7_keys_are_rotated_under_load_and_nobody_is_signed_out() {
    let (_wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let bob = enrol(&gateway, "shop", BOB).await;
    let first = kid(&alice.browser);
    let (stop, mut asking) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for http2 in [false, true] {
        for browser in [&alice.browser, &bob.browser] {
            asking.spawn(asks_on(browser.clone().over(http2), Arc::clone(&stop)));
        }
    }
    let kids: Vec<String> =
        (0..3).map(|_| text(&rotate(&gateway, &[])["sessions"]["kid"])).collect();
    stop.store(true, Ordering::SeqCst);
    for (asked, refused) in asking.join_all().await {
        assert!(asked > 0 && refused.is_empty(), "{refused:?} of {asked}");
    }
    // Whoever goes on gets a cookie of the newest key, and a restart forgets none of them.
    gateway.advance(Duration::from_secs(400));
    let mut later = alice.browser.clone();
    assert!(later.open("/home").await.body.contains("for alice alone"));
    assert_eq!((kid(&alice.browser), kid(&later)), (first.clone(), kids[2].clone()));
    assert_eq!(gateway.stop(), 0);
    gateway.start().await;
    for mut browser in [alice.browser.clone(), later] {
        assert!(browser.open("/home").await.body.contains("for alice alone"));
    }
    let told = rotate(&gateway, &[]);
    let previous = told["sessions"]["previous"].as_array().unwrap();
    assert_eq!(previous.len(), 4, "{told}");
    assert!(previous.iter().any(|key| key["kid"] == first.as_str()), "{told}");
    assert_eq!((&told["emergency"], &told["sessions_ended"]), (&false.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_7_in_an_emergency_every_session_of_every_portal_ends_in_a_second() {
    let (_wiki, _shop, mut gateway) = house().await;
    let people = [enrol(&gateway, "wiki", ALICE).await, enrol(&gateway, "shop", BOB).await];
    rotate(&gateway, &[]);
    let mut sockets = Vec::new();
    for (person, hello) in people.iter().zip(["hello alice", "hello bob"]) {
        let mut socket = Socket::open(&gateway, &person.browser, "/ws").await;
        assert_eq!(socket.next().await.as_deref(), Some(hello));
        sockets.push(socket);
    }
    let done = command(&gateway, ADMIN, &["keys", "rotate", "--emergency"]);
    let told = Instant::now();
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    let foot = "the keys before count no more; sessions ended: 2\n";
    assert!(done.out.ends_with(foot) && !done.out.contains("counts until"), "{}", done.out);
    for mut socket in sockets {
        assert_eq!(socket.next().await, None, "a stream goes on");
    }
    assert!(told.elapsed() < A_SECOND, "{:?}", told.elapsed());
    for http2 in [false, true] {
        for person in &people {
            let mut browser = person.browser.clone().over(http2);
            assert!(!browser.open("/home").await.body.contains("secret-page"));
            assert_eq!(browser.call("GET", "/home").await.status, 401);
        }
    }
    // Not for a moment longer, and not after a restart either; the phones are as good as before.
    gateway.kill();
    gateway.start().await;
    assert!(!people[0].browser.clone().open("/home").await.body.contains("secret-page"));
    gateway.advance(Duration::from_secs(180));
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let led = give_code(&mut browser, &page, &people[0].phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));
}

async fn keys(gateway: &Gateway) -> Value {
    gateway.send(Call::get("wiki.test", "/.mfa/jwks.json")).await.json()
}

async fn asserted(portal: &Portal, browser: &Browser) -> String {
    portal.take_seen();
    assert_eq!(browser.clone().open("/echo").await.status, 200);
    let [seen] = portal.take_seen().try_into().unwrap();
    seen.all("x-portcullis-assertion")[0].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_7_a_portal_that_keeps_our_keys_for_a_day_verifies_every_assertion() {
    let (wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let before = keys(&gateway).await;
    let told = rotate(&gateway, &[]);
    let announced = keys(&gateway).await;
    let next = text(&told["assertions"]["next"]["kid"]);
    let signed = asserted(&wiki, &alice.browser).await;
    let signed = verified(&signed, &before).expect("a portal that kept the keys refuses it");
    assert_eq!(signed.head["kid"], told["assertions"]["kid"]);
    gateway.advance(A_DAY);
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    browser.follow(led).await;
    let later = asserted(&wiki, &browser).await;
    let signed = verified(&later, &announced).expect("a portal that kept the keys refuses it");
    assert_eq!(signed.head["kid"], next.as_str());
    assert!(verified(&later, &before).is_none());
    // In an emergency nothing that the key before signed is vouched for, from the next request on.
    let told = rotate(&gateway, &["--emergency"]);
    let now = keys(&gateway).await;
    assert_eq!(now["keys"].as_array().unwrap().len(), 1);
    assert_eq!(now["keys"][0]["kid"], told["assertions"]["kid"]);
    assert!(verified(&later, &now).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_7_keys_are_rotated_by_who_may_act_everywhere_and_by_nobody_else() {
    let (_wiki, _shop, gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let refused: Said = command(&gateway, DESK, &["keys", "rotate", "--emergency"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.complaint.contains("this needs admin"), "{}", refused.complaint);
    for body in [r#"{"emergency":"yes"}"#, r#"{"emergencies":true}"#, "[]", "[true]", "true"] {
        let call = call_with(ADMIN, "POST", "/api/v1/keys/rotate", body);
        assert_eq!(ask(&gateway, call).await.status, 400, "{body}");
    }
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let without = ask(&gateway, call(ADMIN, "POST", "/api/v1/keys/rotate")).await;
    assert_eq!((without.status, &without.json()["emergency"]), (200, &false.into()));
    let table = command(&gateway, ADMIN, &["keys", "rotate"]).out;
    assert!(table.starts_with("FOR ") && table.ends_with("nobody was signed out\n"), "{table}");
    assert!(table.contains("counts until") && table.contains("signs from"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_7_a_token_for_one_portal_touches_nothing_of_all() {
    let shop = portal::form().run().await;
    let gateway = gateway::new().portal("shop", &shop).token(ONLY_SHOP).run().await;
    for (method, path) in [
        ("POST", "/api/v1/keys/rotate"),
        ("GET", "/api/v1/store"),
        ("POST", "/api/v1/store/export"),
    ] {
        let answer = ask(&gateway, call(ONLY_SHOP, method, path)).await;
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
        assert!(answer.body.contains("concerns all of them"), "{}", answer.body);
    }
}
