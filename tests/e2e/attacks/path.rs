//! PATH: a rule that opens matches one spelling of a path and no other.

use crate::dsl::scene::{ANYBODY, Visitor};
use crate::dsl::wire::{BOTH, CUT, Protocol, statuses};
use crate::dsl::{Call, Scene, Wire};

/// Ways to write a protected path so that a rule for `/public/**` might take it. Once
/// somebody is proven, the portal gets them as they came.
const DISGUISES: &[&str] = &[
    "/home",
    "/public",
    "/public/../home",
    "/public/..;/home",
    "/public/..;x=1/home",
    "/public/%2e%2e/home",
    "/public/.%2e/home",
    "/public/%2E./home",
    "/public/%2e%2e%2fhome",
    "/public%2f..%2fhome",
    "/public/..%2fhome",
    "/public/..%2Fhome",
    "/public/..%5chome",
    "/public/..\\home",
    "/public\\..\\home",
    "/public/\\../home",
    "/\\home",
    "\\home",
    "/public//home",
    "/public//../home",
    "//home",
    "///home",
    "//public/x",
    "//public/../home",
    "/public/..",
    "/public/.",
    "/public/./x",
    "/public/../",
    "/public/x/../../home",
    "/public/./../home",
    "/public/%2e/home/..",
    "/public/..%20/home",
    "/public/.%20./home",
    "/public/.../home",
    "/./home",
    "/../home",
    "/%2e/home",
    "/%2e%2e/home",
    "/%68ome",
    "/hom%65",
    "/HOME",
    "/home/",
    "/home/.",
    "/home/..",
    "/home;x=1",
    "/home;/public/x",
    "/;/home",
    "/public;/../home",
    "/public;x=1/y",
    "/home%20",
    "/home%3f",
    "/home%23/public",
    "/home.css",
    "/home/x.css",
    "/home%2fx.css",
    "/home?x=/public/",
    "/home?/public/x",
    "/public?/../home",
    "/public?x",
    "/public/%252e%252e/home",
    "/public/%25%32%65%25%32%65/home",
    "/public/..%252fhome",
    "/public/..%255chome",
    "/home%c0%af",
    "/public/..%c0%afhome",
    "/public/%c0%ae%c0%ae/home",
    "/public/..%e0%80%afhome",
    "/public/..%c1%9chome",
    "/public/..%ef%bc%8fhome",
    "/public/%ef%bc%8e%ef%bc%8e/home",
    "/public/..%e2%88%95home",
    "/%e2%80%aehome",
    "/public/%e2%80%aex",
    "/public/%e9",
    "/public/%u002e%u002e/home",
    "/public/..%u2215home",
    "/PUBLIC/x",
    "/Public/x",
    "/publicx/home",
    "/%70ublic/x",
    "/publi%63/x",
    "/public/%61",
    "/public/a%2fb",
    "/public/a%2eb",
    "/public/a;b",
    "/public/a%3bb",
    "/public/%25",
    "/public/%",
    "/public/%2",
    "/public/%zz",
    "/x/public/x",
    "/home/../public/x",
    "/home/%2e%2e/public/x",
    "/login/../home",
    "/login/",
    "/login/x",
    "/LOGIN",
    "/%6cogin",
    "/login;x",
    "//login",
    "//.mfa/",
    "/.MFA/",
    "/.Mfa/../home",
    "/%2emfa/",
    "/.%6dfa/../home",
    "/.mfa;/home",
    "/.mfa%2f..%2fhome",
    "/.mfax/home",
    "/x/../.mfa/",
    "/./.mfa/../home",
];

/// What could be read as ours is ours: no portal answers there, proven or not.
const OURS: &[&str] = &[
    "/.mfa/../home",
    "/.mfa/%2e%2e/home",
    "/.mfa/..%2fhome",
    "/.mfa/..;/home",
    "/.mfa/..\\home",
    "/.mfa//home",
    "/.mfa//../home",
    "/.mfa/./../home",
    "/.mfa/help/../../home",
    "/.mfa/public/x",
    "/.mfa/echo",
];

/// What no portal should see: refused, whoever asks.
const FORBIDDEN: &[&[u8]] = &[
    b"/home%00",
    b"/home%00.css",
    b"/public/x%00/../home",
    b"/public/..%00/home",
    b"/public/\x00../home",
    b"/home\x01",
    b"/home\x1f",
    b"/home\x7f",
    b"/home\x0b",
    b"/public/x\x0c",
    b"/home%01",
    b"/home%09",
    b"/home%0a",
    b"/public/x%0d%0aX-Remote-User:%20alice",
    b"/home%1f",
    b"/home%7f",
    b"/home%7F",
    b"/caf\xc3\xa9",
    b"/public/caf\xc3\xa9",
    b"/public/..\xc0\xafhome",
    b"/public/\xe9",
    b"/public/\xef\xbc\x8e\xef\xbc\x8e/home",
    b"/public/x?\xff",
    b"home",
    b"public/x",
    b"./public/x",
    b"../home",
    b"*",
    b"?/public/x",
    b"?",
    b"",
    b"%2fhome",
    b"mailto:home",
    b"file:///public/x",
    b"javascript:/public/x",
];

fn shown(target: &[u8]) -> String {
    String::from_utf8_lossy(target).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_no_disguise_opens_a_protected_path() {
    let scene = Scene::set().await;
    for protocol in BOTH {
        for path in DISGUISES {
            let call = Wire::get("wiki.test", path);
            let expected = if path.starts_with('/') { [303, 401] } else { [400, 400] };
            let page = call.clone().page().send(&scene.gateway, protocol).await;
            let call = call.send(&scene.gateway, protocol).await;
            let seen = scene.portal.take_seen();
            assert!(seen.is_empty(), "{protocol:?} {path}: {seen:?}");
            let cut = protocol == Protocol::Http2 && expected[0] == 400 && page == CUT;
            assert!([page, call] == expected || cut, "{protocol:?} {path}: {page} {call}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_an_odd_path_goes_as_it_came_once_the_visitor_is_proven() {
    let scene = Scene::set().await;
    for protocol in BOTH {
        for path in DISGUISES.iter().filter(|path| path.starts_with('/')) {
            let wire = scene.by(Visitor::Alice, Wire::get("wiki.test", path));
            let status = wire.send(&scene.gateway, protocol).await;
            assert!(![303, 401].contains(&status), "{protocol:?} {path}: {status}");
            let seen = scene.portal.take_seen();
            let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
            assert_eq!(targets, [*path], "{protocol:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_what_is_ours_never_reaches_the_portal() {
    let scene = Scene::set().await;
    for visitor in ANYBODY {
        for protocol in BOTH {
            for path in OURS {
                let wire = scene.by(visitor, Wire::get("wiki.test", path).page());
                let status = wire.send(&scene.gateway, protocol).await;
                assert_eq!(status, 404, "{visitor:?} {protocol:?} {path}");
            }
        }
    }
    assert!(scene.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_what_no_portal_should_see_is_refused() {
    let scene = Scene::set().await;
    for visitor in ANYBODY {
        for protocol in BOTH {
            for target in FORBIDDEN {
                let wire = scene.by(visitor, Wire::get("wiki.test", target));
                let status = wire.send(&scene.gateway, protocol).await;
                let refused = status == 400 || (protocol == Protocol::Http2 && status == CUT);
                assert!(refused, "{visitor:?} {protocol:?} {:?}: {status}", shown(target));
                let seen = scene.portal.take_seen();
                assert!(seen.is_empty(), "{protocol:?} {:?}: {seen:?}", shown(target));
            }
        }
    }
    scene.alice_is_still_in().await;
}

/// HTTP/2 has no request line that still shows what was cut off: there the portal gets what
/// we decided by, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn path_1_a_fragment_changes_no_decision() {
    let scene = Scene::set().await;
    let targets = ["/home#/public/x", "/home#", "/#/public/x", "/public#/x", "/home#/../public/x"];
    for target in targets.iter().chain(&["/public/x#/../../home"]) {
        for visitor in ANYBODY {
            let wire = scene.by(visitor, Wire::get("wiki.test", target));
            assert_eq!(wire.send(&scene.gateway, Protocol::Http1).await, 400, "{target}");
            let later = [b"\r\n\r\n", &wire.text()[..]].concat();
            assert_eq!(statuses(&scene.gateway, "wiki.test", &later).await, [400], "{target}");
        }
    }
    for target in targets {
        let wire = Wire::get("wiki.test", target);
        let status = wire.send(&scene.gateway, Protocol::Http2).await;
        assert!([400, 401, CUT].contains(&status), "{target}: {status}");
    }
    assert!(scene.portal.take_seen().is_empty());
    let wire = Wire::get("wiki.test", "/public/x#/../../home");
    let status = wire.send(&scene.gateway, Protocol::Http2).await;
    let seen = scene.portal.take_seen();
    let as_decided = seen.iter().all(|seen| seen.target == "/public/x");
    assert!([200, 400, CUT].contains(&status) && as_decided, "{status}: {seen:?}");
}

/// The server below us escapes white space and control bytes before anybody decides. Then
/// the portal gets the escapes that we decided by, and never a line that hid behind them.
#[tokio::test(flavor = "multi_thread")]
async fn path_1_white_space_in_a_target_changes_no_decision() {
    let scene = Scene::set().await;
    let targets = [
        ("/home /public/x", "/home%20/public/x"),
        ("/public/x /../home", "/public/x%20/../home"),
        ("/public/.. /home", "/public/..%20/home"),
        ("/home?\x01", "/home?%01"),
        ("/home?a b", "/home?a%20b"),
        (" /home", ""),
        ("/home\n", ""),
        ("/public/x\r\nX-Remote-User: alice", ""),
    ];
    for visitor in ANYBODY {
        for protocol in BOTH {
            for (target, escaped) in targets {
                let wire = scene.by(visitor, Wire::get("wiki.test", target));
                let status = wire.send(&scene.gateway, protocol).await;
                let seen = scene.portal.take_seen();
                let trial = format!("{visitor:?} {protocol:?} {target:?}: {status} {seen:?}");
                let as_decided = seen.iter().all(|seen| seen.target == escaped);
                assert!(as_decided && (seen.is_empty() || visitor == Visitor::Alice), "{trial}");
                assert!(!seen.is_empty() || [400, 401, CUT].contains(&status), "{trial}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_a_public_path_in_its_one_spelling_is_open() {
    let scene = Scene::set().await;
    let paths = [
        "/public/x",
        "/public/",
        "/public/a/b.css",
        "/public/a%20b",
        "/public/caf%C3%A9.png",
        "/public/a..b",
        "/public/.hidden",
        "/public/x?a=/../home",
        "/public/x?%2e%2e%2f",
    ];
    for visitor in ANYBODY {
        for protocol in BOTH {
            for path in paths {
                let wire = scene.by(visitor, Wire::get("wiki.test", path));
                assert_eq!(wire.send(&scene.gateway, protocol).await, 200, "{path}");
                assert_eq!(scene.portal.take_seen()[0].target, path, "{protocol:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_what_is_too_long_is_refused() {
    let scene = Scene::set().await;
    let long = format!("/public/{}", "a".repeat(8192));
    let query = format!("/home?{}", "a".repeat(8192));
    for visitor in ANYBODY {
        for protocol in BOTH {
            for target in [&long, &query] {
                let wire = scene.by(visitor, Wire::get("wiki.test", target));
                assert_eq!(wire.send(&scene.gateway, protocol).await, 414, "{protocol:?}");
            }
        }
    }
    let fat = Call::get("wiki.test", "/public/x").line("x-fat", "a".repeat(33 * 1024));
    assert_eq!(scene.gateway.send(fat).await.status, 431);
    assert!(scene.portal.take_seen().is_empty());
}
