//! ID-1 to ID-6 and C22: nobody is taken for somebody else, and nobody for somebody at all
//! whom the portal did not let in before the gateway's eyes.

use std::time::Duration;

use crate::dsl::steps::{enrol, enrol_with, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Portal, eventually, gateway, member, portal};

pub(super) const SECRET: &str = "secret-page";

/// Nothing that is behind the second factor shows in this browser, at any address.
pub(super) async fn sees_nothing(browser: &Browser, portal: &Portal) {
    let before = portal.seen_at("/home").len();
    for path in ["/home", "/login", "/public/page", "/.mfa/", "/.mfa/recovery-codes"] {
        let shown = browser.clone().open(path).await;
        assert!(!shown.body.contains(SECRET), "{path} shows {}", shown.body);
        let called = browser.clone().call("GET", path).await;
        assert!(!called.body.contains(SECRET), "{path} tells {}", called.body);
    }
    assert_eq!(portal.seen_at("/home").len(), before, "a protected path reached the portal");
    let refused = browser.clone().call("GET", "/home").await;
    assert!([401, 429].contains(&refused.status), "{refused:?}");
}

/// The same, and the gateway does not even know a name.
pub(super) async fn is_nobody(browser: &Browser, portal: &Portal) {
    sees_nothing(browser, portal).await;
    let led = browser.clone().open("/home").await;
    assert_eq!((led.status, led.location()), (303, "/login"));
    for page in ["/.mfa/enrol", "/.mfa/verify"] {
        assert_eq!(browser.clone().open(page).await.location(), "/login");
    }
}

/// The portal does not get this browser's session at an open address.
async fn brings_no_session(browser: &Browser, session: &str) {
    let echo = browser.clone().open("/public/echo").await;
    assert_eq!(echo.status, 200);
    assert!(!echo.body.contains(session), "{}", echo.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_1_no_way_of_saying_no_is_taken_for_a_yes() {
    let mut portals = Vec::new();
    for way in 0..portal::ERRORS {
        let form = || portal::form().says_no_in_way(way);
        portals.push((format!("way{way}"), form().run().await));
        portals.push((format!("body{way}"), form().judged_by_body().run().await));
    }
    let front = gateway::new();
    let front = portals.iter().fold(front, |front, (name, portal)| front.portal(name, portal));
    let gateway = front.run().await;
    for (name, portal) in &portals {
        for http2 in [false, true] {
            for user in ["alice", "Welcome", "alice-Welcome", "<!--Welcome-->"] {
                let mut browser = gateway.browser(name).over(http2);
                let answer = sign_in(&mut browser, (user, "wrong")).await;
                let led: Vec<&str> = answer.all("location");
                assert!(!led.iter().any(|led| led.contains(".mfa")), "{name} {user}: {led:?}");
                is_nobody(&browser, portal).await;
            }
        }
    }
    let learned = gateway.metric("portcullis_logins_observed_total", &[("outcome", "success")]);
    assert_eq!(learned.await, 0.0);
    for name in ["way0", "body0"] {
        let mut browser = gateway.browser(name);
        let led = sign_in(&mut browser, ALICE).await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{name}: {:?}", led.answer);
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A login that two readers may read in two ways: query, kind of body, and the fields of the
/// name in a form or a whole body.
fn ambiguous() -> Vec<(&'static str, &'static str, String)> {
    let form = |fields: &str| format!("{fields}&password=Correct-Horse-9&token=TOKEN");
    let mut logins = Vec::new();
    for name in [
        "user=bob&user=alice",
        "user=alice&user=bob",
        "user=alice&user=alice",
        "user=bob&us%65r=alice",
        "USER=bob&user=alice",
        "user=alice&User=bob",
        "user[]=alice",
        "user[0]=bob&user=alice",
        "user=alice&user%5B%5D=bob",
        "user%00=bob&user=alice",
        "user=alice&%20user=bob",
        "user=bob;user=alice",
        "x=1;user=bob&user=alice",
        "user=alice&x=1;user=bob",
        "user=alice%00",
        "user=alice%00bob",
        "user=%EF%BC%A1%EF%BC%AC%EF%BC%A9%EF%BC%A3%EF%BC%A5",
        "user=al%C3%AFce",
        "user=ali%CC%88ce",
        "user=alice%FF",
        "user=%F0%9F%98%80",
        "user=DOM%5Calice",
        "user=alice%2Cbob",
        "user=a%7Cb",
        "user=alice%0Abob",
        "user=",
        "name=alice",
    ] {
        logins.push(("", FORM, form(name)));
    }
    logins.push(("", FORM, form(&format!("user={}", "a".repeat(300)))));
    for query in ["?user=bob", "?USER=bob", "?user[]=bob", "?x=1;user=bob"] {
        logins.push((query, FORM, form("user=alice")));
    }
    logins.push(("?user=alice", FORM, form("x=1")));
    for charset in ["utf-16", "utf-7", "ibm037", "iso-8859-1", "\"utf-16\""] {
        let kind = format!("{FORM}; charset={charset}");
        logins.push(("", kind.leak(), form("user=alice")));
    }
    let json =
        "{\"user\":\"alice\",\"password\":\"Correct-Horse-9\",\"token\":\"TOKEN\"}".to_owned();
    for kind in ["application/json", "text/plain", "", "application/json; charset=utf-8", FORM] {
        logins.push(("", kind, json.clone()));
    }
    logins
}

/// What a browser sends that opened the login page, with a body of the test's own.
pub(super) async fn send_login(
    browser: &mut Browser,
    (query, kind, body): &(&str, &str, String),
) -> u16 {
    let page = browser.go("/login").await;
    let token = page.form("password").field("token").unwrap().to_owned();
    let target = format!("/login{query}");
    let mut call = browser.posting(&target, &[]).body(body.replace("TOKEN", &token));
    call.lines.retain(|(name, _)| name != "content-type");
    let call = if kind.is_empty() { call } else { call.line("content-type", kind) };
    let shown = browser.visit(&target, call).await;
    assert!(!shown.body.contains(SECRET), "{body}: {}", shown.body);
    shown.status
}

#[tokio::test(flavor = "multi_thread")]
async fn id_2_a_login_with_two_readings_makes_nobody_known() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        for login in ambiguous() {
            let mut browser = gateway.browser("wiki").over(http2);
            let status = send_login(&mut browser, &login).await;
            assert!([200, 400, 401, 403].contains(&status), "{login:?}: {status}");
            let led = browser.clone().open("/home").await;
            assert_eq!(led.location(), "/login", "{login:?} made somebody known");
            is_nobody(&browser, &portal).await;
        }
        let mut browser = gateway.browser("wiki").over(http2);
        let plain = format!("{FORM}; charset=UTF-8");
        let body = "user=alice&password=Correct-Horse-9&token=TOKEN".to_owned();
        assert_eq!(send_login(&mut browser, &("?x=1", &plain, body)).await, 303);
        assert!(browser.open("/home").await.location().starts_with("/.mfa/enrol"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_3_another_spelling_of_the_name_is_the_same_user() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        for user in ["ALICE ", "Alice", "aLICE", " alice", "alice\t"] {
            let mut browser = gateway.browser("wiki").over(http2);
            let page = sign_in_again(&mut browser, (user, ALICE.1)).await;
            assert_eq!(page.status, 200);
            sees_nothing(&browser, &portal).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_4_a_session_from_elsewhere_opens_nothing() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki").over(http2);
        let session = portal.sign_in_directly("alice");
        browser.jar.insert("portalsession".to_owned(), session.clone());
        is_nobody(&browser, &portal).await;
        brings_no_session(&browser, &session).await;
        assert_eq!(portal.user_of(&session).as_deref(), Some("alice"));

        // A way in that the gateway was not told of.
        let mut browser = gateway.browser("wiki").over(http2);
        browser.open("/login").await;
        let body = serde_json::json!({ "user": "alice", "password": ALICE.1 }).to_string();
        let call = browser.posting("/public/api-login", &[]).body(body);
        let answer = browser.visit("/public/api-login", call).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"ok\":true}"));
        let mut got = browser.jar["portalsession"].clone();
        is_nobody(&browser, &portal).await;
        brings_no_session(&browser, &got).await;
        // Nor with a cookie that the gateway gives for a session of nobody.
        let mut guest = gateway.browser("wiki").over(http2);
        guest.open("/login").await;
        std::mem::swap(guest.jar.get_mut("portalsession").unwrap(), &mut got);
        is_nobody(&guest, &portal).await;
        brings_no_session(&guest, &guest.jar["portalsession"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_4_the_portals_greeting_is_for_the_proven_alone() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        // The cookie of a guest, kept and brought again after somebody signed in.
        let mut browser = gateway.browser("wiki").over(http2);
        browser.open("/login").await;
        let guest = browser.clone();
        assert!(guest.jar.contains_key("__Host-mfa"));
        let led = sign_in(&mut browser, BOB).await;
        assert!(led.location().starts_with("/.mfa/enrol"));
        let session = browser.jar["portalsession"].clone();
        assert_eq!(guest.jar["portalsession"], session);
        assert_eq!(portal.user_of(&session).as_deref(), Some("bob"));
        is_nobody(&guest, &portal).await;
        brings_no_session(&guest, &session).await;
        // The password alone.
        sees_nothing(&browser, &portal).await;
        brings_no_session(&browser, &session).await;
    }
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    assert!(alice.browser.open("/login").await.body.contains(SECRET), "the greeting is for her");
    gateway.advance(Duration::from_secs(13 * 3600));
    let session = alice.browser.jar["portalsession"].clone();
    assert_eq!(portal.user_of(&session).as_deref(), Some("alice"));
    is_nobody(&alice.browser, &portal).await;
    brings_no_session(&alice.browser, &session).await;
}

/// A login as bob in the portal session of `browser`.
async fn sign_in_as_bob(browser: &mut Browser, portal: &Portal, more: &[(&str, &str)]) -> u16 {
    let token = portal.token_of(&browser.jar["portalsession"]);
    let mut fields = vec![("user", BOB.0), ("password", BOB.1), ("token", token.as_str())];
    fields.extend_from_slice(more);
    let call = browser.posting("/login", &fields);
    let shown = browser.visit("/login", call).await;
    assert!(!shown.body.contains("for bob alone"), "{}", shown.body);
    shown.status
}

#[tokio::test(flavor = "multi_thread")]
async fn id_5_a_second_login_in_a_session_takes_the_proof_away() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let proven = alice.browser.clone();
    // Without alice's cookie the portal's session stays behind: this login is in no session.
    let mut stranger = proven.clone();
    stranger.jar.remove("__Host-mfa");
    assert_eq!(sign_in_as_bob(&mut stranger, &portal, &[]).await, 403);
    assert_eq!(portal.user_of(&proven.jar["portalsession"]).as_deref(), Some("alice"));
    sees_nothing(&stranger, &portal).await;
    assert_eq!(sign_in_as_bob(&mut alice.browser, &portal, &[]).await, 303);
    assert_eq!(portal.user_of(&proven.jar["portalsession"]).as_deref(), Some("bob"));
    is_nobody(&proven, &portal).await;
    sees_nothing(&alice.browser, &portal).await;
    let led = alice.browser.open("/home").await;
    assert!(led.location().starts_with("/.mfa/enrol"), "bob has not enrolled");
}

#[tokio::test(flavor = "multi_thread")]
async fn id_5_no_proof_counts_while_somebody_signs_in() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let token = portal.token_of(&alice.jar["portalsession"]);
    let fields =
        [("user", BOB.0), ("password", BOB.1), ("token", token.as_str()), ("then", "held")];
    let (call, mut second) = (alice.posting("/login", &fields), alice.clone());
    let login = tokio::spawn(async move { second.visit("/login", call).await });
    let session = &alice.jar["portalsession"];
    let is_bobs = async || (portal.user_of(session).as_deref() == Some("bob")).then_some(());
    eventually("the portal to take bob's password", is_bobs).await;
    for http2 in [false, true] {
        sees_nothing(&alice.clone().over(http2), &portal).await;
    }
    portal.release();
    assert_eq!(login.await.unwrap().status, 303);
    is_nobody(&alice, &portal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn id_5_a_login_that_goes_wrong_within_a_session_ends_its_proof() {
    let keeps = || portal::form().keeps_session_at_login();
    let (form, body) = (keeps().run().await, keeps().judged_by_body().run().await);
    let gateway = gateway::new().portal("form", &form).portal("body", &body).run().await;
    let mut spent = Vec::new();
    // After the last, the portal has taken bob's password and its answer looks like a no.
    for then in [("password", "wrong"), ("then", "fail"), ("then", "cut"), ("next", "/login?x")] {
        for (name, portal) in [("form", &form), ("body", &body)] {
            if (name, then.1) == ("form", "cut") || (name, then.0) == ("body", "next") {
                continue;
            }
            let number = spent.len();
            let (user, password) = member(number);
            let mut proven = enrol(&gateway, name, (&user, &password)).await.browser;
            let before = proven.clone();
            let status = sign_in_as_bob(&mut proven, portal, &[then]).await;
            assert_ne!(status, 303, "{then:?} at {name}");
            is_nobody(&before, portal).await;
            sees_nothing(&proven, portal).await;
            spent.push((name, then));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_5_a_login_that_cannot_be_read_reaches_no_proven_session() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let session = alice.jar["portalsession"].clone();
    let token = portal.token_of(&session);
    let json = serde_json::json!({ "user": BOB.0, "password": BOB.1, "token": token }).to_string();
    let long = format!("user=bob&password={}&token={token}&x={}", BOB.1, "x".repeat(80_000));
    let plain = format!("user=bob&password={}&token={token}", BOB.1);
    let in_query = format!("/login?{plain}");
    for (target, kind, body) in [
        ("/login", "application/json", json),
        ("/login", FORM, long),
        ("/login", "application/x-www-form-urlencoded; charset=ibm037", plain.clone()),
        ("/login", "text/plain", plain),
        (&in_query, "text/plain", String::new()),
        (&in_query, FORM, String::new()),
    ] {
        for http2 in [false, true] {
            let mut browser = alice.clone().over(http2);
            let mut call = browser.posting(target, &[]).body(&body);
            call.lines.retain(|(name, _)| name != "content-type");
            let refused = browser.visit("/login", call.line("content-type", kind)).await;
            assert_eq!(refused.status, 400, "{target} {kind}");
            assert_eq!(portal.user_of(&session).as_deref(), Some("alice"), "{target} {kind}");
            let shown = alice.clone().open("/home").await;
            assert!(shown.body.contains("for alice alone"), "a refused login ends nothing");
        }
    }
    let by_link = alice.clone().open(&in_query).await;
    assert_eq!(by_link.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_6_a_session_that_was_fixed_before_opens_nothing_for_who_fixed_it() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for (number, planted) in ["portalsession", "__Host-mfa"].into_iter().enumerate() {
        let mut attacker = gateway.browser("wiki");
        attacker.open("/login").await;
        let fixed = attacker.jar["portalsession"].clone();
        let mut victim = gateway.browser("wiki");
        victim.jar.insert("portalsession".to_owned(), fixed.clone());
        if planted == "__Host-mfa" {
            victim.jar = attacker.jar.clone();
        }
        let (user, password) = member(number);
        let victim = enrol_with(&gateway, victim, (&user, &password)).await.browser;
        let same = victim.jar["portalsession"] == fixed;
        assert_eq!(same, planted == "__Host-mfa", "a foreign session was taken over");
        for http2 in [false, true] {
            let with_guest_cookie = attacker.clone().over(http2);
            let mut alone = with_guest_cookie.clone();
            alone.jar.remove("__Host-mfa");
            for attacker in [with_guest_cookie, alone] {
                is_nobody(&attacker, &portal).await;
                if same {
                    brings_no_session(&attacker, &fixed).await;
                }
            }
        }
        assert!(victim.clone().open("/home").await.body.contains(SECRET));
    }
}
