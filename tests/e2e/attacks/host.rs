//! HOST: one portal per name, and no proof of one portal at another.

use crate::dsl::browser::Browser;
use crate::dsl::scene::{ANYBODY, Visitor};
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::wire::{BOTH, CUT, Protocol, status_field, statuses};
use crate::dsl::{ALICE, Gateway, Portal, Scene, Wire, client, gateway, portal};

async fn two_portals() -> (Portal, Portal, Gateway) {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    (wiki, shop, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_one_host_in_any_spelling_is_one_portal() {
    let (wiki, shop, gateway) = two_portals().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    wiki.take_seen();
    let spellings = [
        "wiki.test",
        "WIKI.TEST",
        "Wiki.test",
        "wiki.Test",
        "wiki.test.",
        "wiki.test:443",
        "wiki.test:8443",
        "Wiki.test.:8443",
    ];
    for protocol in BOTH {
        for host in spellings {
            let wire = Wire::get("wiki.test", "/echo").host(host);
            assert_eq!(wire.send(&gateway, protocol).await, 401, "{protocol:?} {host}");
            assert!(wiki.take_seen().is_empty());
            let wire = wire.cookies_of(&alice);
            assert_eq!(wire.send(&gateway, protocol).await, 200, "{protocol:?} {host}");
            let seen = wiki.take_seen();
            assert_eq!(seen[0].all("host"), [host], "{protocol:?}");
            assert_eq!(seen[0].all("x-forwarded-host"), [host], "{protocol:?}");
        }
    }
    assert!(shop.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_nobody_is_at_a_name_that_is_not_configured() {
    let (wiki, shop, gateway) = two_portals().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    wiki.take_seen();
    let unknown = [
        "evil.test",
        "xwiki.test",
        "x.wiki.test",
        "wiki.test.evil.test",
        "wiki",
        "test",
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]:443",
        "xn--wki-fma.test",
        // The connection was made for another portal.
        "shop.test",
        "SHOP.test.:443",
    ];
    let malformed = [
        "wiki.test, shop.test",
        "wiki.test,shop.test",
        "wiki.test/../x",
        "wiki.test/",
        "wiki.test?",
        "wiki.test#",
        "user@wiki.test",
        "user:password@wiki.test",
        "wiki.test@shop.test",
        "wiki.test:x",
        "wiki.test:-1",
        "wiki.test:99999",
        "wiki.test:443:443",
        "wiki test",
        "wiki..test",
        "wiki.test..",
        ".wiki.test",
        "wiki_test",
        "-wiki.test",
        "w\u{456}ki.test",
        "wiki\u{3002}test",
        "%77iki.test",
        "*.test",
        "*",
        "[::1",
        "http://wiki.test",
        "",
        ".",
    ];
    for protocol in BOTH {
        for browser in [gateway.browser("wiki"), alice.clone()] {
            for host in unknown {
                let wire = Wire::get("wiki.test", "/public/x").host(host).cookies_of(&browser);
                assert_eq!(wire.send(&gateway, protocol).await, 421, "{protocol:?} {host:?}");
            }
            for host in malformed {
                let wire = Wire::get("wiki.test", "/public/x").host(host).cookies_of(&browser);
                let status = wire.send(&gateway, protocol).await;
                let cut = protocol == Protocol::Http2 && status == CUT;
                assert!(status == 400 || cut, "{protocol:?} {host:?}: {status}");
            }
        }
    }
    assert!(wiki.seen().is_empty() && shop.seen().is_empty());
}

/// A browser may send requests for two portals over one connection where their certificate
/// is one; 421 makes it open another.
#[tokio::test(flavor = "multi_thread")]
async fn host_1_a_connection_is_for_one_portal() {
    let (wiki, shop, gateway) = two_portals().await;
    let (address, trusted) = (gateway.https(), gateway.trusted());
    let mut stream = client::tls(address, trusted, "wiki.test", true).await;
    let own = Wire::get("wiki.test", "/public/own");
    let other = Wire::get("wiki.test", "/public/other").host("shop.test");
    tokio::io::AsyncWriteExt::write_all(&mut stream, &own.frames()).await.unwrap();
    assert_eq!(status_field(&mut stream, 1).await, 200);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &other.stream(3)).await.unwrap();
    assert_eq!(status_field(&mut stream, 3).await, 421);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &own.stream(5)).await.unwrap();
    assert_eq!(status_field(&mut stream, 5).await, 200);
    assert_eq!(wiki.seen().len(), 2);
    assert!(shop.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_a_request_names_one_host() {
    let scene = Scene::set().await;
    let heads = [
        "GET /public/x HTTP/1.1\r\n",
        "GET /public/x HTTP/1.0\r\n",
        "GET /public/x HTTP/1.1\r\nHost:\r\n",
        "GET /public/x HTTP/1.1\r\nHost: \t \r\n",
        "GET /public/x HTTP/1.0\r\nHost:\r\n",
        "GET /public/x HTTP/1.1\r\nHost: wiki.test\r\nHost: wiki.test\r\n",
        "GET /public/x HTTP/1.0\r\nHost: wiki.test\r\nHost: wiki.test\r\n",
        "GET /public/x HTTP/1.1\r\nHost: wiki.test\r\nHost: evil.test\r\n",
        "GET /public/x HTTP/1.1\r\nHost: wiki.test\r\nhost:\r\n",
        "GET http://evil.test/public/x HTTP/1.1\r\nHost: wiki.test\r\n",
        "GET http://wiki.test/public/x HTTP/1.1\r\nHost: evil.test\r\n",
        "GET http://user@wiki.test/public/x HTTP/1.1\r\nHost: wiki.test\r\n",
        "GET http://wiki.test/public/x HTTP/1.1\r\n",
        "GET http:///public/x HTTP/1.1\r\nHost: wiki.test\r\n",
        "GET wiki.test/public/x HTTP/1.1\r\nHost: wiki.test\r\n",
        "GET ftp://wiki.test/public/x HTTP/1.1\r\nHost: wiki.test\r\n",
    ];
    for head in heads {
        let cookies = Wire::get("", "").cookies_of(&scene.alice.browser).lines.remove(0).1;
        let line = format!("Cookie: {}\r\n", String::from_utf8(cookies).unwrap());
        for line in ["", &line] {
            let text = format!("{head}{line}\r\n");
            let statuses = statuses(&scene.gateway, "wiki.test", text.as_bytes()).await;
            assert_eq!(statuses, [400], "{head:?}");
        }
    }
    assert!(scene.portal.take_seen().is_empty());
    scene.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_1_the_portal_gets_a_path_where_a_whole_address_came() {
    let scene = Scene::set().await;
    for (target, path) in [
        ("http://wiki.test/public/echo?a=b", "/public/echo?a=b"),
        ("https://wiki.test/public/echo", "/public/echo"),
        ("HTTP://wiki.test/public/echo", "/public/echo"),
        ("http://wiki.test/public/../echo", "/public/../echo"),
        ("http://wiki.test/echo", "/echo"),
        ("http://wiki.test", "/"),
        ("http://wiki.test?/public/x", "/?/public/x"),
    ] {
        for visitor in ANYBODY {
            let wire = scene.by(visitor, Wire::get("wiki.test", target));
            let status = wire.send(&scene.gateway, Protocol::Http1).await;
            let seen: Vec<String> =
                scene.portal.take_seen().into_iter().map(|seen| seen.target).collect();
            match (visitor, path.starts_with("/public/echo")) {
                (Visitor::Unknown, false) => {
                    assert_eq!((status, seen.len()), (401, 0), "{target}");
                }
                (Visitor::Alice, _) | (Visitor::Unknown, true) => {
                    assert_eq!(seen, [path], "{target}: {status}");
                }
            }
        }
    }
}

/// Tries every mixture of two portals' cookies at one of them.
async fn opens_nothing(gateway: &Gateway, at: &Browser, other: &Browser) {
    let (ours, theirs) = (at.jar.get("__Host-mfa"), at.jar.get("portalsession"));
    let (foreign, strange) = (&other.jar["__Host-mfa"], &other.jar["portalsession"]);
    let mixtures = [
        (Some(foreign), theirs),
        (Some(foreign), Some(strange)),
        (ours, Some(strange)),
        (Some(foreign), None),
        (None, Some(strange)),
    ];
    for protocol in BOTH {
        for (token, session) in mixtures {
            let host = at.host.as_str();
            let mut wire = Wire::get(host, "/home");
            for (name, value) in [("__Host-mfa", token), ("portalsession", session)] {
                if let Some(value) = value {
                    wire = wire.line("cookie", format!("{name}={value}"));
                }
            }
            let status = wire.send(gateway, protocol).await;
            assert_eq!(status, 401, "{protocol:?} {host} {token:?} {session:?}");
            let page = wire.page();
            assert_eq!(page.send(gateway, protocol).await, 303, "{protocol:?} {host}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_2_a_proof_of_one_portal_is_worthless_at_another() {
    let (wiki, shop, mut gateway) = two_portals().await;
    let at_wiki = enrol(&gateway, "wiki", ALICE).await;
    let mut newcomer = gateway.browser("shop");
    let led = sign_in(&mut newcomer, ALICE).await;
    assert!(led.location().starts_with("/.mfa/enrol"), "each portal has its own secret");
    opens_nothing(&gateway, &newcomer, &at_wiki.browser).await;
    let at_shop = enrol(&gateway, "shop", ALICE).await;
    wiki.take_seen();
    shop.take_seen();
    opens_nothing(&gateway, &at_shop.browser, &at_wiki.browser).await;
    opens_nothing(&gateway, &at_wiki.browser, &at_shop.browser).await;
    assert!(wiki.take_seen().is_empty() && shop.take_seen().is_empty());
    gateway.next_code();
    let mut again = gateway.browser("shop");
    let page = sign_in_again(&mut again, ALICE).await;
    let code = at_wiki.phone.code(gateway.now());
    assert_ne!(code, at_shop.phone.code(gateway.now()), "the two secrets are one");
    assert_eq!(give_code(&mut again, &page, &code).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_2_a_form_of_one_portal_is_worthless_at_another() {
    let (_wiki, _shop, gateway) = two_portals().await;
    let mut at_wiki = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut at_shop = enrol(&gateway, "shop", ALICE).await.browser;
    let page = at_wiki.open("/.mfa/logout").await;
    let csrf = page.form("csrf").field("csrf").unwrap().to_owned();
    let refused = at_shop.post("/.mfa/logout", &[("csrf", &csrf)]).await;
    assert_eq!(refused.status, 403);
    assert!(at_shop.open("/home").await.body.contains("for alice alone"));
    assert!(at_wiki.open("/home").await.body.contains("for alice alone"));
}
