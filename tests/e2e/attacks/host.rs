//! HOST: one portal per name, and no proof of one portal at another.

use crate::dsl::steps::{enrol, sign_in};
use crate::dsl::{ALICE, Call, client, gateway, portal};

#[tokio::test(flavor = "multi_thread")]
async fn host_1_one_host_in_any_spelling_is_one_portal() {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    for host in ["wiki.test", "WIKI.Test", "wiki.test.", "wiki.test:443", "Wiki.test.:8443"] {
        let answer = gateway.send(Call::get("wiki.test", "/public/x").host(host)).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    assert_eq!(wiki.seen().len(), 5);
    assert!(shop.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_nobody_is_at_a_name_that_is_not_configured() {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    for (host, status) in [
        ("evil.test", 421),
        ("xwiki.test", 421),
        ("wiki.test.evil.test", 421),
        ("127.0.0.1", 421),
        ("[::1]", 421),
        ("wiki", 421),
        ("2130706433", 421),
        ("wiki.test, shop.test", 400),
        ("wiki.test/../x", 400),
        ("user@wiki.test", 400),
        ("wiki.test:x", 400),
        ("wiki test", 400),
        ("", 400),
        ("wiki..test", 400),
        // The connection was made for another portal.
        ("shop.test", 421),
    ] {
        let answer = gateway.send(Call::get("wiki.test", "/public/x").host(host)).await;
        assert_eq!(answer.status, status, "{host:?}");
    }
    let mut coalesced = Call::get("wiki.test", "/public/x").host("shop.test");
    coalesced.http2 = true;
    assert_eq!(gateway.send(coalesced).await.status, 421);
    assert!(wiki.seen().is_empty() && shop.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_a_request_names_one_host() {
    let wiki = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &wiki).run().await;
    for head in [
        "GET /public/x HTTP/1.1\r\n\r\n",
        "GET /public/x HTTP/1.0\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: wiki.test\r\nHost: wiki.test\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: wiki.test\r\nHost: evil.test\r\n\r\n",
        "GET http://evil.test/public/x HTTP/1.1\r\nHost: wiki.test\r\n\r\n",
    ] {
        let answer =
            client::raw(gateway.https(), gateway.trusted(), "wiki.test", head.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"),
            "{head:?} gave {answer}"
        );
    }
    assert!(wiki.seen().is_empty());
    let head = "GET http://wiki.test/public/echo?a=b HTTP/1.1\r\nHost: wiki.test\r\n\r\n";
    let answer =
        client::raw(gateway.https(), gateway.trusted(), "wiki.test", head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(wiki.seen().last().unwrap().target, "/public/echo?a=b");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_2_a_proof_of_one_portal_is_worthless_at_another() {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    let at_wiki = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut at_shop = gateway.browser("shop");
    let led = sign_in(&mut at_shop, ALICE).await;
    assert!(
        led.location().starts_with("/.mfa/enrol"),
        "each portal has its own secret: {:?}",
        led.answer
    );
    for http2 in [false, true] {
        let mut thief = at_shop.clone();
        thief.http2 = http2;
        thief.jar.insert("__Host-mfa".to_owned(), at_wiki.jar["__Host-mfa"].clone());
        assert_eq!(thief.open("/home").await.location(), "/login");
        let mut thief = at_shop.clone();
        thief.http2 = http2;
        thief.jar = at_wiki.jar.clone();
        assert_eq!(thief.open("/home").await.location(), "/login");
    }
    assert!(shop.seen_at("/home").is_empty());
}
