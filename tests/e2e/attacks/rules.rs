//! PATH-2 and PATH-3: rules by path and method open what they name and nothing that is like it.

use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Browser, Call, Gateway, Portal, gateway, portal};

const RULES: &str = "\
rules:
  - { match: { path: /open/a.txt, method: [GET] }, require: none }
  - { match: { path: /open/sub/** }, require: none }
  - { match: { path: /closed/** }, require: deny }
  - { match: { path: /write/**, method: [GET] }, require: none }
";

async fn scene() -> (Portal, Gateway, Browser) {
    let portal = portal::form().yaml(RULES).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    portal.take_seen();
    (portal, gateway, alice)
}

async fn status(gateway: &Gateway, method: &str, target: &str, http2: bool) -> u16 {
    let mut call = Call::new(method, "wiki.test", target);
    call.http2 = http2;
    gateway.send(call).await.status
}

/// An opening rule opens its own path: no beginning, no end, no spelling of it.
#[tokio::test(flavor = "multi_thread")]
async fn path_2_a_rule_is_anchored_and_literal() {
    let (portal, gateway, _) = scene().await;
    for http2 in [false, true] {
        for target in [
            "/open/aXtxt",
            "/open/a.txt/",
            "/open/a.txt/x",
            "/x/open/a.txt",
            "/open/a.txt.bak",
            "/open",
            "/open/",
            "/open/sub",
            "/open/subx",
            "/open/SUB/x",
            "/open/sub/../x",
            "/open/sub//x",
            "/open/sub/%2e%2e/x",
            "/open/sub/x;y",
            "/open/%73ub/x",
            "/?/open/a.txt",
            "/home?x=/open/sub/y",
        ] {
            // What has two readings meets the strictest rule, which denies.
            let held = status(&gateway, "GET", target, http2).await;
            assert!(matches!(held, 401 | 403), "{held}: {target}, HTTP/2 {http2}");
        }
        assert!(portal.take_seen().is_empty(), "one of them reached the portal");
        for target in ["/open/a.txt", "/open/a.txt?x=1", "/open/sub/x", "/open/sub/x/y.z"] {
            assert_ne!(status(&gateway, "GET", target, http2).await, 401, "{target}, {http2}");
        }
        assert_eq!(portal.take_seen().len(), 4);
    }
}

/// A strict rule is met by whatever a portal may read as its path, also by who is proven.
#[tokio::test(flavor = "multi_thread")]
async fn path_2_a_strict_rule_has_no_second_spelling() {
    let (portal, _gateway, alice) = scene().await;
    for http2 in [false, true] {
        for target in [
            "/closed/x",
            "/closed/",
            "/CLOSED/x",
            "/closed/x/",
            "//closed/x",
            "/./closed/x",
            "/a/../closed/x",
            "/%63losed/x",
            "/closed;a/x",
            "/closed%2fx",
            "/closed/../home",
            "/closed/%2e%2e/home",
            "/closed./x",
            "/closed%20/x",
        ] {
            let shown = alice.clone().over(http2).call("GET", target).await;
            assert_eq!(shown.status, 403, "{target}, HTTP/2 {http2}: {:?}", shown.answer);
        }
        assert!(portal.take_seen().is_empty(), "one of them reached the portal");
        assert_eq!(alice.clone().over(http2).call("GET", "/closedx").await.status, 200);
        portal.take_seen();
    }
}

/// A rule for GET is one for HEAD too, and for no other method, whatever a line says.
#[tokio::test(flavor = "multi_thread")]
async fn path_3_a_method_is_the_one_of_the_request_line() {
    let (portal, gateway, _) = scene().await;
    for http2 in [false, true] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
            assert_eq!(status(&gateway, method, "/write/x", http2).await, 401, "{method}");
        }
        for method in ["GET", "HEAD"] {
            assert_ne!(status(&gateway, method, "/write/x", http2).await, 401, "{method}");
        }
        let seen = portal.take_seen();
        let methods: Vec<&str> = seen.iter().map(|seen| seen.method.as_str()).collect();
        assert_eq!(methods, ["GET", "HEAD"], "HTTP/2 {http2}");
        for line in ["x-http-method-override", "x-http-method", "x-method-override"] {
            for (method, other) in [("POST", "GET"), ("GET", "POST")] {
                let mut call = Call::new(method, "wiki.test", "/write/x").line(line, other);
                call.http2 = http2;
                let answer = gateway.send(call).await;
                assert_eq!(answer.status == 401, method == "POST", "{line}: {answer:?}");
            }
        }
        let told = portal.take_seen();
        assert!(
            told.iter().all(|seen| seen.lines.iter().all(|(name, _)| !name.contains("method")))
        );
    }
    assert!((400..402).contains(&status(&gateway, "get", "/write/x", false).await));
}
