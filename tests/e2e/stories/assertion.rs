//! What a portal is told of its visitors where it asks for that: who was proven, in a plain
//! line and in a signed one, and nothing of anybody else.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::dsl::gateway::Fronted;
use crate::dsl::office::{self, ASKED, Word};
use crate::dsl::portal::Seen;
use crate::dsl::signed::{Signed, verified};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol, enrol_here, give_code, sign_in, sign_in_again, sign_out};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

const TELLS: &str = "upstream_headers: { user: X-Portal-User, assertion: X-Portcullis-Assertion }";
const USER: &str = "x-portal-user";
const ASSERTION: &str = "x-portcullis-assertion";

async fn stage() -> (Portal, Gateway) {
    let portal = portal::form().yaml(TELLS).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    (portal, gateway)
}

fn tells_nothing(seen: &[Seen]) {
    assert!(!seen.is_empty(), "nothing reached the portal");
    for seen in seen {
        let told = [seen.all(USER), seen.all(ASSERTION)].concat();
        assert!(told.is_empty(), "{} {}: {told:?}", seen.method, seen.target);
    }
}

/// The assertion of a request that names this user.
fn told(seen: &Seen, user: &str) -> String {
    assert_eq!(seen.all(USER), [user], "{} {}", seen.method, seen.target);
    let [assertion] = seen.all(ASSERTION).try_into().unwrap();
    let assertion: &str = assertion;
    assertion.to_owned()
}

/// The assertion that goes along when this browser asks for something now.
async fn asserted(portal: &Portal, browser: &Browser, user: &str) -> String {
    portal.take_seen();
    assert_eq!(browser.clone().open("/echo").await.status, 200);
    let [seen] = portal.take_seen().try_into().unwrap();
    told(&seen, user)
}

async fn keys(gateway: &Gateway, host: &str) -> Value {
    let answer = gateway.send(Call::get(host, "/.mfa/jwks.json")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.line("content-type"), Some("application/jwk-set+json"));
    assert_eq!(answer.line("cache-control"), Some("no-store"));
    assert!(answer.all("set-cookie").is_empty());
    answer.json()
}

async fn read(gateway: &Gateway, assertion: &str) -> Signed {
    let keys = keys(gateway, "wiki.test").await;
    verified(assertion, &keys).expect("no published key signed it")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_is_told_of_a_proven_visitor_and_of_nobody_else() {
    let (portal, mut gateway) = stage().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let before_the_proof: Vec<Seen> =
        portal.take_seen().into_iter().filter(|seen| seen.target != "/home").collect();
    tells_nothing(&before_the_proof);
    gateway.next_code();
    for http2 in [false, true] {
        for path in ["/public/echo", "/login"] {
            gateway.browser("wiki").over(http2).open(path).await;
            tells_nothing(&portal.take_seen());
        }
        let mut named = gateway.browser("wiki").over(http2);
        sign_in_again(&mut named, ALICE).await;
        tells_nothing(&portal.take_seen());
        for path in ["/public/echo", "/login"] {
            named.open(path).await;
            tells_nothing(&portal.take_seen());
        }
        let mut proven = alice.browser.clone().over(http2);
        for (method, path) in [
            ("GET", "/echo"),
            ("POST", "/echo"),
            ("GET", "/public/echo"),
            ("GET", "/login"),
            ("GET", "/home"),
        ] {
            proven.call(method, path).await;
            let [seen] = portal.take_seen().try_into().unwrap();
            told(&seen, "alice");
        }
    }
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    socket.say("hello").await;
    assert!(socket.next().await.is_some());
    told(&portal.seen_at("/ws")[0], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_unless_it_is_named() {
    let [plain, named, signed] = [
        "",
        "upstream_headers: { user: X-Portal-User }",
        "upstream_headers: { assertion: X-Portcullis-Assertion }",
    ];
    for (yaml, lines) in [(plain, [0, 0]), (named, [1, 0]), (signed, [0, 1])] {
        let portal = portal::form().yaml(yaml).run().await;
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        enrol(&gateway, "wiki", ALICE).await;
        let seen = portal.seen_at("/home").pop().unwrap();
        assert_eq!([seen.all(USER).len(), seen.all(ASSERTION).len()], lines, "{yaml}");
        let keys = gateway.send(Call::get("wiki.test", "/.mfa/jwks.json")).await;
        assert_eq!(keys.status, if yaml == signed { 200 } else { 404 }, "{yaml}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_says_who_when_and_how_for_one_minute() {
    let (portal, mut gateway) = stage().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.advance(Duration::from_secs(300));
    let before = gateway.now();
    let assertion = asserted(&portal, &alice.browser, "alice").await;
    let after = gateway.now();
    let Signed { head, claims } = read(&gateway, &assertion).await;
    let kid = head["kid"].clone();
    assert_eq!(head, json!({ "alg": "EdDSA", "typ": "portcullis-assertion+jwt", "kid": kid }));
    let (issued, given) = (claims["iat"].as_u64().unwrap(), claims["auth_time"].as_u64().unwrap());
    assert!((before..=after).contains(&issued), "{before} {issued} {after}");
    assert!((alice.spent..=alice.spent + 60).contains(&given), "{} {given}", alice.spent);
    assert_eq!(
        claims,
        json!({
            "iss": "https://wiki.test",
            "sub": "alice",
            "aud": "wiki",
            "amr": ["pwd", "otp"],
            "auth_time": given,
            "iat": issued,
            "exp": issued + 60,
        })
    );
    // Nothing of it can be changed, and no other key vouches for it.
    let keys = keys(&gateway, "wiki.test").await;
    let [head, said, signature] = assertion.split('.').collect::<Vec<_>>().try_into().unwrap();
    let bob = String::from_utf8(URL_SAFE_NO_PAD.decode(said).unwrap()).unwrap();
    let bob = URL_SAFE_NO_PAD.encode(bob.replace("alice", "bob"));
    assert!(verified(&format!("{head}.{said}.{signature}"), &keys).is_some());
    assert!(verified(&format!("{head}.{bob}.{signature}"), &keys).is_none());
    // One that is sent has time left; after that there is another, and the proof is the same.
    gateway.advance(Duration::from_secs(45));
    let next = asserted(&portal, &alice.browser, "alice").await;
    assert_ne!(next, assertion);
    let next = read(&gateway, &next).await.claims;
    assert!(next["exp"].as_u64().unwrap() >= gateway.now() + 15);
    assert_eq!(next["auth_time"], given);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_goes_with_its_session() {
    let (portal, mut gateway) = stage().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    let of_alice = asserted(&portal, &alice.browser, "alice").await;
    let of_bob = asserted(&portal, &bob.browser, "bob").await;
    assert_eq!(read(&gateway, &of_alice).await.claims["sub"], "alice");
    assert_eq!(read(&gateway, &of_bob).await.claims["sub"], "bob");
    // Somebody else in the same browser, proven by a recovery code.
    sign_out(&mut alice.browser).await;
    portal.take_seen();
    alice.browser.open("/public/echo").await;
    tells_nothing(&portal.take_seen());
    let page = sign_in_again(&mut alice.browser, BOB).await;
    assert_eq!(give_code(&mut alice.browser, &page, &bob.codes[0]).await.status, 303);
    let now = asserted(&portal, &alice.browser, "bob").await;
    let claims = read(&gateway, &now).await.claims;
    assert_eq!((&claims["sub"], &claims["amr"]), (&json!("bob"), &json!(["pwd", "mfa"])));
    // A new proof of the same user is told at once.
    gateway.next_code();
    let mut again = gateway.browser("wiki");
    let page = sign_in_again(&mut again, ALICE).await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut again, &page, &code).await.status, 303);
    let now = asserted(&portal, &again, "alice").await;
    let given = |claims: &Value| claims["auth_time"].as_u64().unwrap();
    let earlier = given(&read(&gateway, &of_alice).await.claims);
    assert!(given(&read(&gateway, &now).await.claims) >= earlier + 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_portal_has_another_audience_and_the_same_keys() {
    let wiki = portal::form().yaml(TELLS).run().await;
    let shop = portal::form().yaml(TELLS).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    let mut said = Vec::new();
    for (name, portal) in [("wiki", &wiki), ("shop", &shop)] {
        let alice = enrol(&gateway, name, ALICE).await;
        let assertion = asserted(portal, &alice.browser, "alice").await;
        let keys = keys(&gateway, &format!("{name}.test")).await;
        let claims = verified(&assertion, &keys).unwrap().claims;
        said.push((keys, claims["iss"].clone(), claims["aud"].clone()));
    }
    let [(keys, iss, aud), (other_keys, other_iss, other_aud)] = said.try_into().unwrap();
    assert_eq!(keys, other_keys);
    assert_eq!([iss, other_iss], ["https://wiki.test", "https://shop.test"]);
    assert_eq!([aud, other_aud], ["wiki", "shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_outlive_a_restart_and_no_log_has_an_assertion() {
    let portal = portal::form().yaml(TELLS).run().await;
    let yaml = "telemetry: { level: trace }";
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(yaml).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let assertion = asserted(&portal, &alice.browser, "alice").await;
    let over_http2 = asserted(&portal, &alice.browser.clone().over(true), "alice").await;
    let keys_before = keys(&gateway, "wiki.test").await;
    assert_eq!(gateway.stop(), 0);
    gateway.start().await;
    assert_eq!(keys(&gateway, "wiki.test").await, keys_before);
    read(&gateway, &assertion).await;
    let log = gateway.log();
    assert!(log.contains("\"level\""), "{log}");
    for secret in [&assertion, &over_http2] {
        for part in secret.split('.').skip(1) {
            assert!(!log.contains(part), "an assertion is in the log");
        }
    }
    assert!(!log.contains("alice"), "a name is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_and_a_kept_form_are_told_as_any_request() {
    let (portal, mut gateway) = stage().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    sign_in(&mut browser, ALICE).await;
    tells_nothing(&[portal.seen_at("/login").pop().unwrap()]);
    let fields = [("text", "kept"), ("then", "page")];
    let call = browser.posting("/notes/save", &fields);
    let page = browser.visit("/notes/save", call).await;
    let saved = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
    let assertion = told(&portal.seen_at("/notes/save")[0], "alice");
    let claims = read(&gateway, &assertion).await.claims;
    // By the code that sent it on, not by an older one.
    assert!(claims["auth_time"].as_u64().unwrap() >= alice.spent + 60);
    // Who is proven and signs in once more is who they are until that is settled.
    let token = portal.token_of(&browser.jar["portalsession"]);
    let fields = [("user", BOB.0), ("password", BOB.1), ("token", token.as_str())];
    browser.post("/login", &fields).await;
    told(&portal.seen_at("/login").pop().unwrap(), "alice");
    portal.take_seen();
    browser.open("/public/echo").await;
    tells_nothing(&portal.take_seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_through_without_a_proof_is_named_to_nobody() {
    for mode in ["report", "off"] {
        let enforcement = format!("enforcement: {{ mode: {mode} }}");
        let portal = portal::form().yaml(TELLS).yaml(&enforcement).run().await;
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        for http2 in [false, true] {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in(&mut browser, ALICE).await;
            portal.take_seen();
            let shown = browser.open("/home").await;
            assert!(shown.body.contains("for alice alone"), "{mode}: {:?}", shown.answer);
            browser.open("/public/echo").await;
            tells_nothing(&portal.take_seen());
        }
    }
}

/// A portal with more keys than it says itself.
struct Told<'a, F>(&'a F);

impl<F: Fronted> Fronted for Told<'_, F> {
    fn entry(&self, host: &str) -> String {
        format!("{}{TELLS}\n", self.0.entry(host))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn split_1_whatever_a_name_holds_it_is_one_plain_line() {
    let identity = format!("{ASKED}username: {{ pattern: '.{{1,64}}', case: exact }}\n");
    let office = office::run(&identity).await;
    let gateway = gateway::new().portal("office", &Told(&office)).run().await;
    for (number, (document, line, name)) in [
        (r#"{"login":"J\u00fcrgen M"}"#, Some("J%C3%BCrgen%20M"), "J\u{fc}rgen M"),
        (r#"{"login":"a,b;\"c\"%0d%0a"}"#, Some("a%2Cb%3B%22c%22%250d%250a"), "a,b;\"c\"%0d%0a"),
        (r#"{"login":"DOM\\a+b@x"}"#, Some("DOM\\a+b@x"), "DOM\\a+b@x"),
        (r#"{"login":"a\r\nSet-Cookie: b=c"}"#, None, ""),
    ]
    .into_iter()
    .enumerate()
    {
        office.says(Word::Json(document));
        let mut browser = gateway.browser("office");
        let session = office.sign_in_directly(&format!("person{number}"));
        browser.jar.insert("officesession".to_owned(), session);
        office.take_seen();
        let Some(line) = line else {
            // No such name is anybody's.
            assert_ne!(browser.open("/echo").await.status, 200);
            tells_nothing(&office.seen_at("/api/me"));
            continue;
        };
        let person = enrol_here(&gateway, browser).await;
        // What we ask the portal ourselves says nothing of anybody.
        tells_nothing(&office.seen_at("/api/me"));
        office.take_seen();
        assert_eq!(person.browser.clone().open("/echo").await.status, 200);
        let assertion = told(&office.seen_at("/echo")[0], line);
        let claims = verified(&assertion, &keys(&gateway, "office.test").await).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["amr"]), (&json!(name), &json!(["otp"])));
    }
}
