//! HDR and SMUG: lines that speak for us, take lines away, or hide in cookies and framing.

use serde_json::Value;

use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Browser, Call, Gateway, Portal, client, gateway, portal};

async fn house() -> (Portal, Gateway) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    (portal, gateway)
}

/// The lines of that name, in any spelling, as the portal saw them.
fn seen(echo: &Value, name: &str) -> Vec<String> {
    let fold = |name: &str| -> String {
        let dashed = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' });
        dashed.collect::<String>().to_lowercase().trim_matches('-').to_owned()
    };
    let lines = echo["lines"].as_array().unwrap();
    let here = lines.iter().filter(|line| fold(line[0].as_str().unwrap()) == fold(name));
    here.map(|line| line[1].as_str().unwrap().to_owned()).collect()
}

async fn ask(browser: &mut Browser, path: &str, lines: &[(&str, &str)]) -> (u16, Option<Value>) {
    let call = browser.with_cookies(Call::get("wiki.test", path));
    let call = lines.iter().fold(call, |call, (name, value)| call.line(name, value));
    let shown = browser.visit(path, call).await;
    (shown.status, serde_json::from_str(&shown.body).ok().filter(|_| shown.status == 200))
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_a_client_names_nobody() {
    let (_portal, gateway) = house().await;
    let proven = enrol(&gateway, "wiki", ALICE).await.browser;
    let names = [
        "x-remote-user",
        "remote-user",
        "x-forwarded-user",
        "x-webauth-user",
        "x-auth-request-email",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-real-ip",
        "forwarded",
        "x-forwarded-prefix",
        "x-forwarded-uri",
        "true-client-ip",
        "cf-connecting-ip",
        "x-accel-redirect",
        "x-portal-user",
        "x-portcullis-assertion",
        "ssl-client-cert",
    ];
    for http2 in [false, true] {
        for (mut browser, path) in
            [(gateway.browser("wiki"), "/public/echo"), (proven.clone(), "/echo")]
        {
            browser.http2 = http2;
            for name in names {
                let lines = [(name, "evil"), (name, "evil, more"), (name, "")];
                let (status, echo) = ask(&mut browser, path, &lines).await;
                assert_eq!(status, 200, "{name}");
                assert!(
                    seen(&echo.unwrap(), name).is_empty(),
                    "{name} reached the portal at {path}"
                );
            }
            for name in [
                "x_remote_user",
                "x-remote_user",
                "x.remote.user",
                "x-remote-user-",
                "x_forwarded_for",
                "transfer_encoding",
                "content_length",
            ] {
                let (status, _) = ask(&mut browser, path, &[(name, "evil")]).await;
                assert_eq!(status, 400, "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_what_we_say_is_said_once_and_true() {
    let (_portal, gateway) = house().await;
    let mut browser = gateway.browser("wiki");
    let lines = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "::"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "1"),
    ];
    for http2 in [false, true] {
        browser.http2 = http2;
        let (_, echo) = ask(&mut browser, "/public/echo", &lines).await;
        let echo = echo.unwrap();
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "wiki.test"),
            ("x-forwarded-proto", "https"),
            ("host", "wiki.test"),
        ] {
            assert_eq!(seen(&echo, name), [value], "{name}");
        }
        assert!(seen(&echo, "x-forwarded-port").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_no_cookie_of_ours_reaches_a_portal() {
    let (portal, gateway) = house().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        alice.browser.http2 = http2;
        alice.browser.open("/home").await;
    }
    let cookies: Vec<String> = portal
        .seen()
        .iter()
        .flat_map(|seen| {
            seen.all("cookie").join("; ").chars().map(String::from).collect::<Vec<_>>()
        })
        .collect();
    assert!(!cookies.concat().contains("__Host-mfa"));
    assert!(portal.seen_at("/home").iter().all(|seen| seen.all("cookie").len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_3_no_line_is_taken_away() {
    let (portal, gateway) = house().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let before = portal.seen().len();
    for options in [
        "close, X-Remote-User",
        "Cookie",
        "Authorization",
        "Host",
        "x-forwarded-for",
        "keep-alive, cookie",
        "\"cookie\"",
        "close;cookie",
        "a,b,c,d,e,f,g,h,i,j,k,l",
    ] {
        let call = alice.with_cookies(Call::get("wiki.test", "/echo")).line("connection", options);
        assert_eq!(alice.visit("/echo", call).await.status, 400, "{options}");
    }
    assert_eq!(portal.seen().len(), before);
    for options in ["close", "Keep-Alive"] {
        let call = alice.with_cookies(Call::get("wiki.test", "/echo")).line("connection", options);
        assert_eq!(alice.visit("/echo", call).await.status, 200, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_cookies_that_two_read_in_two_ways_are_refused() {
    let (portal, gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let (token, session) = (alice.jar["__Host-mfa"].clone(), alice.jar["portalsession"].clone());
    let whole = format!("__Host-mfa={token}; portalsession={session}");
    let before = portal.seen().len();
    let mut given: Vec<Vec<Vec<u8>>> = Vec::new();
    for extra in [
        "__Host-mfa=x",
        "portalsession=x",
        "__HOST-mfa=x",
        "__host-MFA=x",
        "$__Host-mfa=x",
        "\"__Host-mfa\"=x",
        "=__Host-mfa=x",
        "=portalsession=x",
        "PORTALSESSION=x",
        "__Host-mfa-Device=x",
    ] {
        given.push(vec![format!("{whole}; {extra}").into_bytes()]);
        given.push(vec![whole.clone().into_bytes(), extra.as_bytes().to_vec()]);
        given.push(vec![extra.as_bytes().to_vec(), whole.clone().into_bytes()]);
    }
    given.push(vec![[whole.as_bytes(), b"; \xe2\x80\x80__Host-mfa=x"].concat()]);
    for http2 in [false, true] {
        for lines in &given {
            let mut call = Call::get("wiki.test", "/echo");
            call.http2 = http2;
            let call = lines.iter().fold(call, |call, line| call.line("cookie", line));
            let answer = gateway.send(call).await;
            assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(&lines.concat()));
        }
    }
    assert_eq!(portal.seen().len(), before, "one of them reached the portal");
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_4_crumbs_are_one_line_for_the_portal() {
    let (portal, gateway) = house().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    alice.http2 = true;
    alice.jar.insert("a".to_owned(), "1".to_owned());
    alice.jar.insert("z".to_owned(), "2".to_owned());
    assert_eq!(alice.open("/echo").await.status, 200);
    let session = alice.jar["portalsession"].clone();
    let seen = portal.seen_at("/echo");
    assert_eq!(seen.last().unwrap().all("cookie"), [format!("a=1; portalsession={session}; z=2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn smug_1_a_body_with_two_ends_is_refused() {
    let (portal, gateway) = house().await;
    let heads = [
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 5, 5\r\n\r\nhello",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 05\r\n\r\nhello",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: +5\r\n\r\nhello",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /public/echo HTTP/1.1\r\nHost: wiki.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET /public/echo HTTP/1.1\r\nHost: wiki.test\r\nX-A: b\r\n folded\r\n\r\n",
        "get /public/echo HTTP/1.1\r\nHost: wiki.test\r\n\r\n",
    ];
    for head in heads {
        let answer =
            client::raw(gateway.https(), gateway.trusted(), "wiki.test", head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?} gave {answer}");
    }
    for method in ["TRACE", "CONNECT"] {
        let head = format!("{method} /public/echo HTTP/1.1\r\nHost: wiki.test\r\n\r\n");
        let answer =
            client::raw(gateway.https(), gateway.trusted(), "wiki.test", head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{method} gave {answer}");
    }
    assert!(portal.seen().is_empty(), "{:?}", portal.seen());
}
