//! WS-1 and C09: a socket is opened by who has proven the second factor, from the portal's
//! own pages, and lives no longer than the session.

use std::time::Duration;

use crate::dsl::broken::Broken;
use crate::dsl::socket::{Socket, handshake, refusal};
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again, sign_in_inside, sign_out};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

/// How soon a socket ends after its session.
const A_SECOND: Duration = Duration::from_secs(1);

async fn portal_never_saw(portal: &Portal, gateway: &Gateway, browser: &Browser, head: &str) {
    let before = portal.seen().len();
    let (status, answer) = refusal(gateway, browser, head).await;
    assert!((400..500).contains(&status), "{head}: {answer}");
    assert_eq!(portal.seen().len(), before, "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_1_no_socket_opens_without_proof() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let nobody = gateway.browser("wiki");
    let mut not_enrolled = gateway.browser("wiki");
    sign_in(&mut not_enrolled, BOB).await;
    let mut enrolled = gateway.browser("wiki");
    sign_in_again(&mut enrolled, ALICE).await;
    let mut stolen = gateway.browser("wiki");
    let session = portal.sign_in_directly("alice");
    stolen.jar.insert("portalsession".to_owned(), session);
    for (browser, name) in [
        (&nobody, "login_required"),
        (&not_enrolled, "enrolment_required"),
        (&enrolled, "mfa_required"),
        (&stolen, "login_required"),
    ] {
        let (status, answer) = refusal(&gateway, browser, &handshake(browser, "/ws")).await;
        assert_eq!(status, 401, "{answer}");
        let told = format!("portcullis-challenge: {name};");
        assert!(answer.to_lowercase().contains(&told), "{answer}");
    }
    assert!(portal.seen_at("/ws").is_empty());
    let mut socket = Socket::open(&gateway, &alice, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    socket.say("to and fro").await;
    assert_eq!(socket.next().await.as_deref(), Some("to and fro"));
    // A path that is open to all is no way in either: the portal's session stays behind.
    let (status, _) = refusal(&gateway, &enrolled, &handshake(&enrolled, "/public/ws")).await;
    assert_eq!(status, 200);
    let seen = &portal.seen_at("/public/ws")[0];
    assert!(!seen.all("cookie").iter().any(|line| line.contains("portalsession")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c09_a_socket_opens_from_the_portals_own_pages_alone() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for origin in [
        "https://evil.test",
        "https://wiki.test.evil.test",
        "https://evil.test/wiki.test",
        "https://wiki.test@evil.test",
        "null",
        "",
        "wiki.test",
        "file://",
    ] {
        let head = format!("{}Origin: {origin}\r\n", handshake(&alice, "/ws"));
        let (status, answer) = refusal(&gateway, &alice, &head).await;
        assert_eq!(status, 403, "{origin}: {answer}");
    }
    let twice = "Origin: https://wiki.test\r\nOrigin: https://evil.test\r\n";
    let head = format!("{}{twice}", handshake(&alice, "/ws"));
    assert_eq!(refusal(&gateway, &alice, &head).await.0, 400);
    assert!(portal.seen_at("/ws").is_empty());
    let head = format!("{}Origin: https://wiki.test\r\n", handshake(&alice, "/ws"));
    assert!(refusal(&gateway, &alice, &head).await.1.starts_with("HTTP/1.1 101"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c09_nothing_but_a_websocket_is_upgraded_to() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for browser in [&alice, &gateway.browser("wiki")] {
        let head = handshake(browser, "/ws");
        for upgrade in ["foo", "h2c", "websocket, h2c", "websocket/13", "TLS/1.0", ""] {
            let head = head.replace("Upgrade: websocket\r\n", &format!("Upgrade: {upgrade}\r\n"));
            portal_never_saw(&portal, &gateway, browser, &head).await;
            let open = head.replace("/ws ", "/public/page ");
            portal_never_saw(&portal, &gateway, browser, &open).await;
        }
        let twice = format!("{head}Upgrade: h2c\r\n");
        portal_never_saw(&portal, &gateway, browser, &twice).await;
        let settings = head
            .replace("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings")
            .replace("Upgrade: websocket", "Upgrade: h2c");
        let settings = format!("{settings}HTTP2-Settings: AAMAAABkAAQAAP__\r\n");
        portal_never_saw(&portal, &gateway, browser, &settings).await;
        let post = format!("{}Content-Length: 0\r\n", head.replace("GET ", "POST "));
        portal_never_saw(&portal, &gateway, browser, &post).await;
        let connect = head.replace("GET /ws", "CONNECT wiki.test:443");
        portal_never_saw(&portal, &gateway, browser, &connect).await;
        // A second request behind the handshake does not slip through with it.
        let smuggled = format!(
            "{}\r\nGET /smuggled HTTP/1.1\r\nHost: wiki.test\r\n",
            head.replace("websocket", "foo")
        );
        portal_never_saw(&portal, &gateway, browser, &smuggled).await;
    }
    let over_http2 = alice.clone().over(true);
    let call = over_http2.with_cookies(Call::new("CONNECT", "wiki.test", "/ws"));
    let mut connection = over_http2.connect().await;
    let answer = connection.send(call).await;
    assert!(answer.is_err() || answer.unwrap().status >= 400);
    assert!(portal.seen_at("/ws").is_empty() && portal.seen_at("/smuggled").is_empty());
}

async fn ends_soon(mut socket: Socket, why: &str) {
    let ended = tokio::time::timeout(A_SECOND, socket.next()).await;
    assert_eq!(ended.unwrap_or_else(|_| panic!("the socket outlives {why}")), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_1_a_socket_ends_with_the_session_that_opened_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for (round, why) in ["signing out", "the portal's sign-out", "another login", "its time"]
        .into_iter()
        .enumerate()
    {
        if round > 0 {
            gateway.next_code();
            alice.browser = gateway.browser("wiki");
            let page = sign_in_again(&mut alice.browser, ALICE).await;
            let code = alice.phone.code(gateway.now());
            assert_eq!(give_code(&mut alice.browser, &page, &code).await.status, 303);
        }
        let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
        assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
        let tab = &mut alice.browser;
        match why {
            "signing out" => sign_out(tab).await,
            "the portal's sign-out" => assert_eq!(tab.open("/logout").await.status, 302),
            "another login" => {
                let token = portal.token_of(&tab.jar["portalsession"]);
                sign_in_inside(tab, &token, BOB).await;
            }
            _ => gateway.advance(Duration::from_secs(12 * 3600)),
        }
        ends_soon(socket, why).await;
    }
}

/// What a portal says that switches protocols whatever it is asked for.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfrom the tunnel";

#[tokio::test(flavor = "multi_thread")]
async fn ws_2_no_tunnel_opens_that_nobody_asked_for() {
    let portal = Broken::that_says_and_waits(SWITCH).await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        for method in ["GET", "POST", "HEAD"] {
            let mut call = Call::new(method, "wiki.test", "/public/page");
            call.http2 = http2;
            let answer = gateway.send(call).await;
            assert_eq!(answer.status, 502, "{method}, HTTP/2: {http2}: {}", answer.body);
            assert!(answer.line("upgrade").is_none(), "{method}, HTTP/2: {http2}");
            assert!(!answer.body.contains("tunnel"), "{method}, HTTP/2: {http2}");
        }
    }
}
