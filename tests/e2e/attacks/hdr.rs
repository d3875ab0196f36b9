//! Header lines: a client sets nothing that a portal believes, takes nothing away that we
//! decided by, and no two of us read its cookies or its body in two ways.

use crate::dsl::scene::{ANYBODY, Visitor};
use crate::dsl::wire::{BOTH, CUT, Protocol, statuses};
use crate::dsl::{Scene, Wire};

/// Lines by which proxies tell portals who asks, from where, and for what.
const BELIEVED: &[&str] = &[
    "X-Remote-User",
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "X-Portal-User",
    "X-Portcullis-Assertion",
    "X-WebAuth-User",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Client-Cert",
    "Forwarded",
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "CF-Access-Authenticated-User-Email",
    "X-Accel-Redirect",
    "SSL-Client-Verify",
    "SSL-Client-S-DN",
    "X-SSL-Client-Cert",
];

/// A name as a CGI portal sees it.
fn folded(name: &str) -> String {
    let sign = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '-' };
    name.to_ascii_lowercase().chars().map(sign).collect::<String>().trim_matches('-').to_owned()
}

/// Asserts that the one request since the last time carries our own lines and none of a
/// client's.
fn carries_ours_alone(scene: &Scene, trial: &str) {
    let seen = scene.portal.take_seen();
    assert_eq!(seen.len(), 1, "{trial}: {seen:?}");
    let seen = &seen[0];
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "{trial}");
    assert_eq!(seen.all("x-forwarded-proto"), ["https"], "{trial}");
    assert_eq!(seen.all("x-forwarded-host"), ["wiki.test"], "{trial}");
    assert_eq!(seen.all("host"), ["wiki.test"], "{trial}");
    let ours = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
    let believed: Vec<String> = BELIEVED.iter().map(|name| folded(name)).collect();
    for (name, value) in &seen.lines {
        let passes = ours.contains(&name.as_str()) || !believed.contains(&folded(name));
        assert!(passes, "{trial}: the portal saw {name}: {value}");
        assert!(!value.contains("evil"), "{trial}: the portal saw {name}: {value}");
        assert!(!value.to_lowercase().contains("__host-mfa"), "{trial}: {name}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_a_client_names_nobody() {
    let scene = Scene::set().await;
    type Change = fn(&str) -> String;
    let spellings: [Change; 3] = [str::to_owned, str::to_lowercase, str::to_uppercase];
    let values: [&[&[u8]]; 5] =
        [&[b"evil"], &[b"evil", b"evil"], &[b"evil, alice"], &[b""], &[b" \xe9vil\xff "]];
    for visitor in ANYBODY {
        for protocol in BOTH {
            for spelling in spellings {
                for values in values {
                    let target = if visitor == Visitor::Alice { "/echo" } else { "/public/echo" };
                    let mut wire = scene.by(visitor, Wire::get("wiki.test", target));
                    for (name, value) in BELIEVED
                        .iter()
                        .flat_map(|name| values.iter().map(move |value| (spelling(name), *value)))
                    {
                        wire = wire.line(name, value);
                    }
                    let status = wire.send(&scene.gateway, protocol).await;
                    assert_eq!(status, 200, "{visitor:?} {protocol:?} {values:?}");
                    carries_ours_alone(&scene, &format!("{visitor:?} {protocol:?} {values:?}"));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_a_name_in_disguise_is_refused() {
    let scene = Scene::set().await;
    let others = ["Cookie", "Host", "Authorization", "Content-Length", "Transfer-Encoding"];
    for name in BELIEVED.iter().chain(&others) {
        let disguises = [
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
            name.replace('-', "."),
            format!("{name}-"),
            format!("{name}_"),
            format!("{name}!"),
            format!("_{name}"),
        ];
        for disguise in disguises.iter().filter(|disguise| disguise != name) {
            for protocol in BOTH {
                let visitor = if protocol == Protocol::Http1 { ANYBODY[1] } else { ANYBODY[0] };
                for target in ["/echo", "/public/echo"] {
                    let wire = Wire::get("wiki.test", target).line(disguise, "evil");
                    let status = scene.by(visitor, wire).send(&scene.gateway, protocol).await;
                    assert_eq!(status, 400, "{protocol:?} {target} {disguise}");
                }
            }
        }
    }
    assert!(scene.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_a_name_with_a_space_or_beyond_ascii_is_refused() {
    let scene = Scene::set().await;
    for visitor in ANYBODY {
        for name in ["X-Remote-User ", " X-Remote-User", "X Remote User", "X-Remote-Us\u{e9}r", ""]
        {
            for protocol in BOTH {
                let wire = Wire::get("wiki.test", "/public/echo").line("a", "b").line(name, "evil");
                let status = scene.by(visitor, wire).send(&scene.gateway, protocol).await;
                assert!([400, CUT].contains(&status), "{protocol:?} {name:?}: {status}");
            }
        }
    }
    assert!(scene.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_our_cookies_stay_with_us() {
    let scene = Scene::set().await;
    assert!(scene.alice.browser.jar.contains_key("__Host-mfa"));
    let session = format!("portalsession={}", scene.alice.browser.jar["portalsession"]);
    for protocol in BOTH {
        for device in ["", "__Host-mfa-device=d"] {
            let wire = Wire::get("wiki.test", "/echo").cookies_of(&scene.alice.browser);
            let wire = if device.is_empty() { wire } else { wire.line("cookie", device) };
            assert_eq!(wire.send(&scene.gateway, protocol).await, 200);
            let seen = scene.portal.take_seen();
            assert_eq!(seen[0].all("cookie"), [session.as_str()], "{protocol:?} {device}");
        }
    }
    let alone = Wire::get("wiki.test", "/public/echo").line("cookie", "__Host-mfa-device=d");
    assert_eq!(alone.send(&scene.gateway, Protocol::Http1).await, 200);
    assert!(scene.portal.take_seen()[0].all("cookie").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_3_connection_takes_no_line_away() {
    let scene = Scene::set().await;
    let list = "a, b, c, d, e, f, g, h, i, j, k, cookie";
    let others = [
        "Cookie",
        "cookie",
        "close, Cookie",
        "keep-alive,X-Remote-User",
        "Host",
        "Authorization",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-Fetch-Mode",
        "\"Cookie\"",
        "close;Cookie",
        "close Cookie",
        "Cookie\t",
        ",,Cookie",
        "X-Whatever",
        "\u{a0}Cookie",
        list,
    ];
    for visitor in ANYBODY {
        for value in BELIEVED.iter().chain(&others) {
            for protocol in BOTH {
                let wire = Wire::get("wiki.test", "/public/echo").line("Connection", value);
                let status = scene.by(visitor, wire).send(&scene.gateway, protocol).await;
                let refused = status == 400 || (protocol == Protocol::Http2 && status == CUT);
                assert!(refused, "{visitor:?} {protocol:?} {value:?}: {status}");
            }
        }
        let two = Wire::get("wiki.test", "/public/echo").line("Connection", "close");
        let two = scene.by(visitor, two.line("Connection", "Cookie"));
        assert_eq!(two.send(&scene.gateway, Protocol::Http1).await, 400);
    }
    assert!(scene.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_3_connection_may_speak_of_itself() {
    let scene = Scene::set().await;
    for value in ["close", "keep-alive", "Close", "keep-alive, TE", "TE, close"] {
        let wire = Wire::get("wiki.test", "/echo").line("Connection", value);
        let wire = scene.by(Visitor::Alice, wire);
        assert_eq!(wire.send(&scene.gateway, Protocol::Http1).await, 200, "{value}");
        carries_ours_alone(&scene, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_3_what_concerns_a_connection_stays_on_it() {
    let scene = Scene::set().await;
    let lines = [
        ("TE", "trailers"),
        ("Keep-Alive", "timeout=5"),
        ("Trailer", "Expires"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authenticate", "Basic"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ];
    for connection in [None, Some("keep-alive"), Some("TE, keep-alive, http2-settings")] {
        let mut wire = Wire::get("wiki.test", "/echo");
        for (name, value) in lines {
            wire = wire.line(name, value);
        }
        if let Some(value) = connection {
            wire = wire.line("Connection", value);
        }
        let wire = scene.by(Visitor::Alice, wire);
        assert_eq!(wire.send(&scene.gateway, Protocol::Http1).await, 200, "{connection:?}");
        let seen = scene.portal.take_seen();
        for name in lines.map(|(name, _)| name).into_iter().chain(["Connection"]) {
            assert!(seen[0].all(&name.to_lowercase()).is_empty(), "{connection:?} {name}");
        }
    }
    let wire = scene.by(Visitor::Alice, Wire::get("wiki.test", "/echo").line("te", "trailers"));
    assert_eq!(wire.send(&scene.gateway, Protocol::Http2).await, 200);
    assert!(scene.portal.take_seen()[0].all("te").is_empty());
}

/// Asserts that these `Cookie` lines are refused and reach nobody, whoever sends them.
async fn cookies_are_refused(scene: &Scene, lines: &[&[u8]]) {
    for target in ["/echo", "/public/echo", "/login", "/.mfa/"] {
        for protocol in BOTH {
            let mut wire = Wire::get("wiki.test", target);
            for line in lines {
                wire = wire.line("cookie", line);
            }
            let status = wire.send(&scene.gateway, protocol).await;
            let told: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
            assert_eq!(status, 400, "{protocol:?} {target} {told:?}");
        }
    }
    assert!(scene.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_a_protected_cookie_comes_once() {
    let scene = Scene::set().await;
    let jar = &scene.alice.browser.jar;
    let ours = format!("__Host-mfa={}", jar["__Host-mfa"]);
    let theirs = format!("portalsession={}", jar["portalsession"]);
    let (ours, theirs) = (ours.as_bytes(), theirs.as_bytes());
    let joined = |parts: &[&[u8]]| parts.join(&b"; "[..]);
    for twice in [&b"__Host-mfa=evil"[..], b"__Host-mfa=", ours] {
        cookies_are_refused(&scene, &[&joined(&[ours, theirs, twice])]).await;
        cookies_are_refused(&scene, &[&joined(&[twice, ours, theirs])]).await;
        cookies_are_refused(&scene, &[&joined(&[ours, theirs]), twice]).await;
        cookies_are_refused(&scene, &[ours, theirs, b"a=1", twice]).await;
    }
    for twice in [&b"portalsession=evil"[..], b"portalsession=", theirs] {
        cookies_are_refused(&scene, &[&joined(&[ours, theirs, twice])]).await;
        cookies_are_refused(&scene, &[&joined(&[twice, ours, theirs])]).await;
        cookies_are_refused(&scene, &[twice, b"a=1", &joined(&[ours, theirs])]).await;
    }
    scene.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_what_could_be_read_as_a_protected_cookie_is_refused() {
    let scene = Scene::set().await;
    let lines: [&[u8]; 17] = [
        b"__HOST-mfa=x",
        b"__host-mfa=x",
        b"__Host-MFA=x",
        b"__HOST-MFA-DEVICE=x",
        b"=__Host-mfa=x",
        b"=__Host-mfa",
        b"a=1; =__HOST-mfa=x",
        b"\"__Host-mfa\"=x",
        b"$__Host-mfa=x",
        b"__Host_mfa=x",
        b"\xe2\x80\x80__Host-mfa=x",
        b"\xc2\xa0__Host-mfa=x",
        b"a=1;\xe2\x80\x80portalsession=x",
        b"__Host-mfa\xe2\x80\x80=x",
        b"__Host-mfa =x; __Host-mfa=x",
        b"portalsession =x; portalsession=x",
        b"a=1;\t__Host-mfa=x;__Host-mfa=y",
    ];
    for line in lines {
        cookies_are_refused(&scene, &[line]).await;
    }
    scene.alice_is_still_in().await;
}

/// Portals that read RFC 2109 split at commas, and `$Version` makes some of them do so; PHP
/// and ASP.NET take other names for the session's too.
#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_a_session_that_only_the_portal_would_see_is_refused() {
    let scene = Scene::set().await;
    let lines: [&[u8]; 14] = [
        b"$Version=1; portalsession=x",
        b"$Version=\"1\"; a=1; $Path=\"/\"",
        b"a=1; $version=1",
        b"a=1; $Domain=wiki.test; $Port=443",
        b"a=1, portalsession=x",
        b"a=1,__Host-mfa=x",
        b"a=\"1\" portalsession=x",
        b"=portalsession=x",
        b"a=1; =portalsession=x",
        b"PORTALSESSION=x",
        b"PortalSession=x",
        b"portal%73ession=x",
        b"portalsession[0]=x",
        b"portalsession[=x",
    ];
    for line in lines {
        cookies_are_refused(&scene, &[line]).await;
        let own = scene.by(Visitor::Alice, Wire::get("wiki.test", "/")).lines.remove(0).1;
        cookies_are_refused(&scene, &[&own, line]).await;
        cookies_are_refused(&scene, &[line, &own]).await;
    }
    scene.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_crumbs_become_one_line() {
    let scene = Scene::set().await;
    let jar = &scene.alice.browser.jar;
    let session = format!("portalsession={}", jar["portalsession"]);
    for protocol in BOTH {
        let wire = Wire::get("wiki.test", "/echo")
            .line("cookie", "first=1")
            .line("cookie", format!("__Host-mfa={}", jar["__Host-mfa"]))
            .line("cookie", &session)
            .line("cookie", "theme=dark; lang=nl")
            .line("cookie", "last=\"q\"");
        assert_eq!(wire.send(&scene.gateway, protocol).await, 200, "{protocol:?}");
        let seen = scene.portal.take_seen();
        let expected = format!("first=1; {session}; theme=dark; lang=nl; last=\"q\"");
        assert_eq!(seen[0].all("cookie"), [expected.as_str()], "{protocol:?}");
    }
}

/// Sends a request that may hide another one, and asserts that neither reaches the portal.
async fn is_refused(scene: &Scene, head: &str, expected: &[u16]) {
    let cookies = Wire::get("wiki.test", "/").cookies_of(&scene.alice.browser).lines.remove(0).1;
    let cookies = String::from_utf8(cookies).unwrap();
    for line in [String::new(), format!("cookie: {cookies}\r\n")] {
        let (first, rest) = head.split_once("\r\n").unwrap();
        let text = format!("{first}\r\nhost: wiki.test\r\n{line}{rest}");
        let statuses = statuses(&scene.gateway, "wiki.test", text.as_bytes()).await;
        assert_eq!(statuses.len(), 1, "{head:?}: {statuses:?}");
        assert!(expected.contains(&statuses[0]), "{head:?}: {statuses:?}");
        let seen = scene.portal.take_seen();
        assert!(seen.is_empty(), "{head:?}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn smug_1_a_body_has_one_end() {
    let scene = Scene::set().await;
    let hidden = "0\r\n\r\nGET /public/hidden HTTP/1.1\r\nhost: wiki.test\r\n\r\n";
    let framings = [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5, 5",
        "content-length: 05",
        "content-length: +5",
        "content-length: -1",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length:",
        "content-length: 99999999999999999999999",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: \x0bchunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: x",
        "transfer-encoding : chunked",
        "transfer-encoding\t: chunked",
        "transfer_encoding: chunked\r\ncontent-length: 5",
        "content_length: 5",
        "x: y\r\n transfer-encoding: chunked",
        "x: y\r\n\tcontent-length: 5",
        "x: y\rtransfer-encoding: chunked",
        "x: \0y",
        ": nameless",
    ];
    for target in ["/public/echo", "/echo", "/login", "/.mfa/verify"] {
        for framing in framings {
            let head = format!("POST {target} HTTP/1.1\r\n{framing}\r\n\r\n{hidden}");
            is_refused(&scene, &head, &[400, 501]).await;
        }
    }
    scene.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn smug_1_a_method_is_what_it_seems() {
    let scene = Scene::set().await;
    for (line, expected) in [
        ("TRACE /public/echo HTTP/1.1", 405),
        ("CONNECT wiki.test:443 HTTP/1.1", 405),
        ("get /public/echo HTTP/1.1", 400),
        ("Get /public/echo HTTP/1.1", 400),
        ("G%T /public/echo HTTP/1.1", 400),
        ("GET\t/public/echo\tHTTP/1.1", 400),
        ("GET /public/echo HTTP/3.7", 400),
        ("GET /public/echo", 400),
    ] {
        is_refused(&scene, &format!("{line}\r\n\r\n"), &[expected]).await;
    }
    for (method, expected) in [("TRACE", 405), ("get", 400), ("G%T", 400)] {
        let wire = Wire::get("wiki.test", "/public/echo").method(method);
        let status = wire.send(&scene.gateway, Protocol::Http2).await;
        assert!([expected, CUT].contains(&status), "{method}: {status}");
    }
    assert!(scene.portal.take_seen().is_empty());
}
