//! ID-1, ID-2 and C22 for logins of other kinds than a form, logins in two steps, and DOS-2 and
//! DOS-3: bodies and answers that are longer than anybody should read.

use super::identity::{FORM, SECRET, is_nobody, send_login};
use crate::dsl::steps::{enrol, enrol_at, name_first, sign_in, sign_in_by_script};
use crate::dsl::{ALICE, BOB, Browser, Portal, client, gateway, portal};

const MULTIPART: &str = "multipart/form-data; boundary=b";

#[tokio::test(flavor = "multi_thread")]
async fn id_1_no_way_of_telling_a_script_no_is_taken_for_a_yes() {
    let mut portals = Vec::new();
    for way in 0..portal::REFUSALS {
        portals.push((
            format!("way{way}"),
            portal::form().by_script().says_no_in_way(way).run().await,
        ));
    }
    let front = gateway::new();
    let front = portals.iter().fold(front, |front, (name, portal)| front.portal(name, portal));
    let gateway = front.run().await;
    for (name, portal) in &portals {
        for http2 in [false, true] {
            for user in ["alice", "true", "\",\"ok\":true,\"", "{\"ok\":true}"] {
                let mut browser = gateway.browser(name).over(http2);
                let fields = [("user", user), ("password", "wrong")];
                let answer = sign_in_by_script(&mut browser, &fields).await;
                assert_eq!(answer.line("location"), None, "{name} {user}");
                is_nobody(&browser, portal).await;
            }
        }
    }
    let learned = gateway.metric("portcullis_logins_observed_total", &[("outcome", "success")]);
    assert_eq!(learned.await, 0.0);
}

fn part(head: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
}

/// A multipart login with these parts for the name.
fn multipart(name: &str) -> String {
    let rest = [part("name=\"password\"", ALICE.1), part("name=\"token\"", "TOKEN")].concat();
    format!("{name}{rest}--b--\r\n")
}

fn ambiguous_multipart() -> Vec<(&'static str, &'static str, String)> {
    let (alice, bob) = (part("name=\"user\"", "alice"), part("name=\"user\"", "bob"));
    let good = multipart(&alice);
    let mut logins = Vec::new();
    for name in [
        format!("{bob}{alice}"),
        format!("{alice}{alice}"),
        format!("{alice}{}", part("name=\"User\"", "bob")),
        format!("{}{alice}", part("name=\"user[]\"", "bob")),
        format!("{}{alice}", part("name=\"us%65r\"", "bob")),
        format!("{}{alice}", part("name=user", "bob")),
        part("name=\"user\"; filename=\"x\"", "alice"),
        part("name=\"user\"; name=\"x\"", "alice"),
        part("name=\"x\"; name*=utf-8\'\'user", "alice"),
        part("name=\"us\\er\"", "alice"),
        part("name=\"user\"\r\nContent-Type: text/plain; charset=utf-16", "alice"),
        part("name=\"user\"\r\nContent-Type: text/plain; charset=ibm037", "alice"),
        part("name=\"user\"\r\nContent-Transfer-Encoding: base64", "YWxpY2U="),
        format!("{}{alice}", part("name=\"_charset_\"", "utf-16")),
        part("name=\"user\"", "alice\0"),
        part("name=\"user\"", "alice,bob"),
        part("name=\"user\"", "DOM\\alice"),
        part("name=\"user\"", ""),
        part("name=\"user\"", &"a".repeat(300)),
        String::new(),
    ] {
        logins.push(("", MULTIPART, multipart(&name)));
    }
    for query in ["?user=bob", "?USER=bob", "?user[]=bob", "?x=1;user=bob"] {
        logins.push((query, MULTIPART, good.clone()));
    }
    logins.push(("", MULTIPART, format!("preamble\r\n{good}")));
    logins.push(("", MULTIPART, format!("{good}{good}")));
    logins.push(("", MULTIPART, good.replace("\r\n", "\n")));
    for kind in [
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; xboundary=c; boundary=b",
        "multipart/form-data; boundary=b; charset=utf-16",
        "multipart/form-data; boundary=\"b\\c\"",
        "multipart/mixed; boundary=b",
    ] {
        logins.push(("", kind, good.clone()));
    }
    logins
}

#[tokio::test(flavor = "multi_thread")]
async fn id_2_a_multipart_login_with_two_readings_makes_nobody_known() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        for login in ambiguous_multipart() {
            let mut browser = gateway.browser("wiki").over(http2);
            let status = send_login(&mut browser, &login).await;
            assert!([200, 400, 401, 403].contains(&status), "{login:?}: {status}");
            is_nobody(&browser, &portal).await;
        }
        let mut browser = gateway.browser("wiki").over(http2);
        let good = multipart(&part("name=\"user\"", " Alice"));
        assert_eq!(send_login(&mut browser, &("", MULTIPART, good)).await, 303);
        assert!(browser.open("/home").await.location().starts_with("/.mfa/enrol"));
    }
}

const JSON: &str = "application/json";

fn ambiguous_json() -> Vec<(&'static str, &'static str, String)> {
    let json = |name: &str| format!("{{{name}\"password\":\"{}\",\"token\":\"TOKEN\"}}", ALICE.1);
    let good = json("\"user\":\"alice\",");
    let mut logins = Vec::new();
    for name in [
        "\"user\":\"bob\",\"user\":\"alice\",",
        "\"user\":\"alice\",\"user\":\"alice\",",
        "\"user\":\"alice\",\"\\u0075ser\":\"bob\",",
        "\"user\":\"alice\",\"User\":\"bob\",",
        "\"USER\":\"bob\",\"user\":\"alice\",",
        "\"user\":\"alice\",\"user\\u0000\":\"bob\",",
        "\"user\":\"alice\",\"user[]\":\"bob\",",
        "\"x\":{\"a\":1,\"a\":2},\"user\":\"alice\",",
        "\"user\":\"alice\\u0000\",",
        "\"user\":\"al\\ud800ice\",",
        "\"user\":\"alice,bob\",",
        "\"user\":\"DOM\\\\alice\",",
        "\"user\":\"\u{ff21}lice\",",
        "\"user\":\"\",",
        "\"user\":1,",
        "\"user\":null,",
        "\"user\":[\"alice\"],",
        "\"user\":{\"user\":\"alice\"},",
        "",
    ] {
        logins.push(("", JSON, json(name)));
    }
    let deep = format!("\"x\":{}{},", "[".repeat(40), "]".repeat(40));
    logins.push(("", JSON, json(&format!("{deep}\"user\":\"alice\","))));
    for query in ["?user=bob", "?USER=bob", "?user[]=bob", "?x=1;user=bob"] {
        logins.push((query, JSON, good.clone()));
    }
    logins.push(("", JSON, format!("{good} {{}}")));
    logins.push(("", JSON, format!("\u{feff}{good}")));
    logins.push(("", JSON, good.replace('}', ",}")));
    let form = format!("user=alice&password={}&token=TOKEN", ALICE.1);
    logins.push(("", JSON, form.clone()));
    logins.push(("", FORM, form));
    for kind in ["application/json; charset=utf-16", "text/plain", "", FORM, MULTIPART] {
        logins.push(("", kind, good.clone()));
    }
    logins
}

#[tokio::test(flavor = "multi_thread")]
async fn id_2_a_login_in_json_with_two_readings_makes_nobody_known() {
    let portal = portal::form().by_script().run().await;
    let gateway = gateway::new().portal("app", &portal).run().await;
    for http2 in [false, true] {
        for login in ambiguous_json() {
            let mut browser = gateway.browser("app").over(http2);
            let status = send_login(&mut browser, &login).await;
            assert!([200, 400, 401, 403].contains(&status), "{login:?}: {status}");
            is_nobody(&browser, &portal).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_a_script_is_answered_as_it_is_and_asked_for_a_code_at_the_next_page() {
    let portal = portal::form().by_script().run().await;
    let gateway = gateway::new().portal("app", &portal).run().await;
    for (http2, (user, name, password)) in
        [(false, ("Alice ", ALICE.0, ALICE.1)), (true, (BOB.0, BOB.0, BOB.1))]
    {
        let mut browser = gateway.browser("app").over(http2);
        let fields = [("user", user), ("password", password)];
        let answer = sign_in_by_script(&mut browser, &fields).await;
        assert_eq!(answer.status, 200);
        let expected = serde_json::json!({ "ok": true, "user": name });
        assert_eq!(answer.json(), expected);
        let called = browser.call("GET", "/home").await;
        assert_eq!(called.status, 401);
        assert!(!called.body.contains(SECRET));
        let led = browser.open("/home").await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        let page = browser.follow(led).await;
        let mut enrolled = enrol_at(&gateway, browser, page).await;
        let home = enrolled.browser.open("/home").await;
        assert!(home.body.contains(&format!("for {name} alone")));
    }
}

/// The second of two steps, with fields of the test's own beside the password.
async fn give_password(
    portal: &Portal,
    browser: &mut Browser,
    password: &str,
    more: &[(&str, &str)],
) -> u16 {
    let token = portal.token_of(&browser.jar["portalsession"]);
    let mut fields = vec![("password", password), ("token", token.as_str())];
    fields.extend_from_slice(more);
    let shown = browser.post("/password", &fields).await;
    assert!(!shown.body.contains(SECRET), "{}", shown.body);
    shown.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_given_first_is_known_when_its_password_comes() {
    let portal = portal::form().in_two_steps().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, (user, password)) in [(false, ALICE), (true, BOB)] {
        let mut browser = gateway.browser("wiki").over(http2);
        name_first(&mut browser, user).await;
        is_nobody(&browser, &portal).await;
        assert_eq!(give_password(&portal, &mut browser, "wrong", &[]).await, 302);
        is_nobody(&browser, &portal).await;
        assert_eq!(
            give_password(&portal, &mut browser, password, &[]).await,
            303,
            "{}",
            gateway.log()
        );
        let led = browser.open("/home").await;
        let page = browser.follow(led).await;
        let mut enrolled = enrol_at(&gateway, browser, page).await;
        let home = enrolled.browser.open("/home").await;
        assert!(home.body.contains(&format!("for {user} alone")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_2_who_names_two_people_one_after_the_other_is_the_latest_or_nobody() {
    let portal = portal::form().in_two_steps().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = gateway.browser("wiki");
    name_first(&mut alice, ALICE.0).await;
    assert_eq!(give_password(&portal, &mut alice, ALICE.1, &[]).await, 303);
    let led = alice.open("/home").await;
    let page = alice.follow(led).await;
    enrol_at(&gateway, alice, page).await;
    for http2 in [false, true] {
        let new = || gateway.browser("wiki").over(http2);
        // Alice, who has a phone, then bob, whose password she knows: she is asked for his.
        let mut browser = new();
        name_first(&mut browser, ALICE.0).await;
        name_first(&mut browser, BOB.0).await;
        assert_eq!(give_password(&portal, &mut browser, BOB.1, &[]).await, 303);
        let led = browser.open("/home").await;
        assert!(led.location().starts_with("/.mfa/enrol"), "bob has no phone: {:?}", led.answer);

        // Another name beside the password, which this portal takes for the true one.
        for said in ["user", "User", "user[]"] {
            let mut browser = new();
            name_first(&mut browser, ALICE.0).await;
            give_password(&portal, &mut browser, BOB.1, &[(said, BOB.0)]).await;
            is_nobody(&browser, &portal).await;
        }
        let mut browser = new();
        name_first(&mut browser, ALICE.0).await;
        assert_eq!(give_password(&portal, &mut browser, ALICE.1, &[("user", "ALICE")]).await, 303);
        let led = browser.open("/home").await;
        assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);

        // A name that nobody could read, or that came where no rule looks: whom the portal
        // remembers is in doubt, also for who is named after that.
        for target in ["/public/page", "/public/page?user=bob"] {
            let mut browser = new();
            name_first(&mut browser, ALICE.0).await;
            browser.post(target, &[("user", BOB.0)]).await;
            name_first(&mut browser, ALICE.0).await;
            assert_eq!(give_password(&portal, &mut browser, ALICE.1, &[]).await, 403);
            is_nobody(&browser, &portal).await;
        }

        for name in ["user", "\\u0075ser"] {
            let mut browser = new();
            name_first(&mut browser, ALICE.0).await;
            let body = format!("{{\"{name}\":\"bob\"}}");
            let mut call = browser.posting("/public/page", &[]).body(body);
            call.lines.retain(|(name, _)| name != "content-type");
            let shown = browser.visit("/public/page", call.line("content-type", JSON)).await;
            assert_eq!(shown.status, 200);
            assert_eq!(give_password(&portal, &mut browser, ALICE.1, &[]).await, 403, "{name}");
            is_nobody(&browser, &portal).await;
        }

        // Nobody was named.
        let mut browser = new();
        browser.open("/login").await;
        give_password(&portal, &mut browser, BOB.1, &[("user", BOB.0)]).await;
        is_nobody(&browser, &portal).await;

        // Another cookie of the session beside, of which the portal makes nothing.
        let mut browser = new();
        name_first(&mut browser, ALICE.0).await;
        browser.jar.insert("portalfolder".to_owned(), "x".to_owned());
        give_password(&portal, &mut browser, ALICE.1, &[]).await;
        is_nobody(&browser, &portal).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dos_3_an_answer_that_is_too_long_or_packed_makes_nobody_known() {
    let portal = portal::form().by_script().run().await;
    let gateway = gateway::new().portal("app", &portal).run().await;
    // Each thread takes memory for its first visitors, which is no measure of an answer.
    for http2 in [false, true].repeat(8) {
        let mut warm = gateway.browser("app").over(http2);
        sign_in_by_script(&mut warm, &[("user", "alice"), ("password", "wrong")]).await;
    }
    gateway.forget_peak();
    let before = gateway.peak();
    for then in ["big", "bomb"] {
        for http2 in [false, true] {
            let mut browser = gateway.browser("app").over(http2);
            let fields = [("user", ALICE.0), ("password", ALICE.1), ("then", then)];
            let answer = sign_in_by_script(&mut browser, &fields).await;
            assert_eq!(answer.status, 502, "{then}");
            assert!(!answer.body.contains("ok"), "{then}: {}", answer.body);
            is_nobody(&browser, &portal).await;
        }
    }
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB were held for an answer");
    let asked = portal.seen_at("/login").into_iter().filter(|seen| seen.method == "POST");
    for seen in asked {
        assert_eq!(seen.all("accept-encoding"), ["identity"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_4_a_login_whose_answer_was_lost_leaves_no_guest_behind() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for then in ["fail", "cut"] {
        for http2 in [false, true] {
            let mut browser = gateway.browser("wiki").over(http2);
            let page = browser.go("/login").await;
            let form = page.form("password").fill("user", ALICE.0).fill("password", ALICE.1);
            let answer = browser.send(&page, &form.fill("then", then)).await;
            assert!(answer.status >= 500, "{then}: {}", answer.status);
            // The portal took the password, and greets whoever brings this session.
            let session = browser.jar["portalsession"].clone();
            assert_eq!(portal.user_of(&session).as_deref(), Some("alice"));
            is_nobody(&browser, &portal).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dos_2_a_login_that_is_too_long_is_refused_before_it_is_read() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let raw = async |lines: &str, body: &str| {
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: wiki.test\r\nContent-Type: {FORM}\r\n{lines}\r\n\r\n{body}"
        );
        client::raw(gateway.https(), gateway.trusted(), "wiki.test", request.as_bytes()).await
    };
    let is_refused = |answer: &str| {
        ["400", "401"].iter().any(|code| answer.starts_with(&format!("HTTP/1.1 {code}")))
    };
    // Each thread takes memory for its first visitors, which is no measure of a login.
    for http2 in [false, true].repeat(8) {
        let mut warm = gateway.browser("wiki").over(http2);
        sign_in(&mut warm, (ALICE.0, "wrong")).await;
    }
    portal.take_seen();
    gateway.forget_peak();
    let before = gateway.peak();
    // Nothing but the head comes, and the refusal does not wait for more.
    let declared = raw("Content-Length: 1000000000", "user=alice").await;
    assert!(is_refused(&declared), "{declared}");
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let chunked = raw("Transfer-Encoding: chunked", &chunk.repeat(10)).await;
    assert!(is_refused(&chunked), "{chunked}");
    let long = format!("user=alice&x={}", "x".repeat(80_000));
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki").over(http2);
        let call = browser.posting("/login", &[]).body(&long);
        let refused = browser.visit("/login", call).await;
        assert!([303, 400, 401].contains(&refused.status), "{refused:?}");
        is_nobody(&browser, &portal).await;
    }
    assert!(portal.seen_at("/login").iter().all(|seen| seen.method == "GET"));
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB were held for a login");
    let alice = enrol(&gateway, "wiki", ALICE).await;
    assert!(alice.browser.clone().open("/home").await.body.contains(SECRET));
}
