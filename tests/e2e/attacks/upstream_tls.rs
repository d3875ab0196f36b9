//! TLS-1: a portal over TLS is trusted by chain and name, for pages and for WebSockets; one
//! that nobody vouches for gets no request.

use crate::dsl::secure::Secure;
use crate::dsl::socket::{Socket, handshake, refusal};
use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Call, Gateway, gateway, portal};

/// A year in which nobody will run this.
const FAR_OFF: i32 = 2999;

async fn trusts_nobody_there(gateway: &Gateway, what: &str) {
    for http2 in [false, true] {
        let call = Call { http2, ..Call::get("wiki.test", "/public/page") };
        let answer = gateway.send(call).await;
        assert_eq!(answer.status, 502, "{what}, HTTP/2: {http2}: {answer:?}");
    }
    let browser = gateway.browser("wiki");
    let head = handshake(&browser, "/public/ws");
    let (status, answer) = refusal(gateway, &browser, &head).await;
    assert_eq!(status, 502, "{what}: {answer}");
    let login = gateway.browser("wiki").post("/login", &[("user", "alice")]).await;
    assert_eq!(login.status, 502, "{what}: {:?}", login.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_a_portal_that_nobody_vouches_for_gets_no_request() {
    for (what, name, year, vouched) in [
        ("vouches for itself", "localhost", FAR_OFF, false),
        ("has another's name", "elsewhere.test", FAR_OFF, true),
        ("has the gateway's name", "wiki.test", FAR_OFF, true),
        ("has run out", "localhost", 2020, true),
    ] {
        let portal = portal::form().run().await;
        let secure = Secure::to(&portal, name, year).await;
        let builder = gateway::new().portal("wiki", &secure);
        let builder = if vouched { builder.trusting(secure.certificate()) } else { builder };
        let gateway = builder.run().await;
        trusts_nobody_there(&gateway, what).await;
        assert_eq!(secure.trusted(), 0, "a portal that {what} was trusted");
        assert!(portal.seen().is_empty(), "a portal that {what} was asked");
        let name = "portcullis_upstream_errors_total";
        // Two pages, a WebSocket, a login.
        assert_eq!(gateway.metric(name, &[("kind", "tls")]).await, 4.0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_a_portal_that_is_vouched_for_is_served_like_any_other() {
    let portal = portal::form().run().await;
    let secure = Secure::to(&portal, "localhost", FAR_OFF).await;
    let gateway = gateway::new().portal("wiki", &secure).trusting(secure.certificate()).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for http2 in [false, true] {
        let page = alice.clone().over(http2).open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    }
    // More than one: a portal that answers a handshake at once must not lose its socket.
    for _ in 0..20 {
        let mut socket = Socket::open(&gateway, &alice, "/ws").await;
        assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
        let long = "long ".repeat(50_000);
        for text in ["one", &long] {
            socket.say(text).await;
            assert_eq!(socket.next().await.as_deref(), Some(text));
        }
    }
    assert!(secure.trusted() > 20, "{} connections over TLS", secure.trusted());
}
