//! PATH: a rule that opens matches one spelling of a path and no other.

use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Call, client, gateway, portal};

/// Ways to write a protected path so that a rule for `/public/**` might take it.
const DISGUISES: &[&str] = &[
    "/public/../home",
    "/public/..;/home",
    "/public/%2e%2e/home",
    "/public/.%2e/home",
    "/public/%2E./home",
    "/public%2f..%2fhome",
    "/public/..%2fhome",
    "/public/..%5chome",
    "/public/..\\home",
    "/public\\..\\home",
    "/public//home",
    "//home",
    "///home",
    "//public/../home",
    "/%68ome",
    "/HOME",
    "/home/",
    "/home/.",
    "/home/..",
    "/home;x=1",
    "/;/home",
    "/public;/../home",
    "/home%20",
    "/home.css",
    "/home/x.css",
    "/home?x=/public/",
    "/public?/../home",
    "/public/%252e%252e/home",
    "/home%c0%af",
    "/%e2%80%aehome",
    "/public/%u002e/home",
    "/./home",
    "/public/x/../../home",
    "/public/./../home",
    "/public/%2e/home/..",
    "/PUBLIC/x",
    "/Public/x",
    "/public",
    "/publicx/home",
    "/public%00/x",
    "/%70ublic/x",
    "/publi%63/x",
    "/public/%61",
    "/public/a%2fb",
    "/public/a;b",
    "/public/a%3bb",
    "/public/%25",
    "/public/%",
    "/public/%zz",
    "/.mfa/../home",
    "/.mfa/..%2fhome",
    "//.mfa/",
    "/.MFA/",
    "/%2emfa/",
    "/.mfa;/home",
    "/.mfa%2f..%2fhome",
    "/public/..",
    "/public/.",
    "/public/..%00/home",
];

#[tokio::test(flavor = "multi_thread")]
async fn path_1_no_disguise_reaches_the_portal() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    assert!(DISGUISES.len() >= 55);
    for http2 in [false, true] {
        for path in DISGUISES {
            let mut call = Call::get("wiki.test", path).page();
            call.http2 = http2;
            let answer = client::send(gateway.https(), gateway.trusted(), call).await;
            let own = path.starts_with("/.mfa");
            let held = matches!(answer.status, 303 | 400) || (own && answer.status == 404);
            assert!(held, "{path} gave {}", answer.status);
        }
    }
    assert!(portal.seen().is_empty(), "{:?}", portal.seen());
    for path in
        ["/public/x", "/public/a/b.css", "/public/a%20b", "/public/", "/public/x?a=/../home"]
    {
        let answer = gateway.send(Call::get("wiki.test", path)).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_what_no_portal_should_see_is_refused() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let cookies: Vec<String> =
        alice.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let before = portal.seen().len();
    let targets: [&[u8]; 12] = [
        b"/home%00.css",
        b"/home\x01",
        b"/home\x7f",
        b"/home\t",
        b"/home%0a",
        b"/home%0d%0aX: y",
        b"/home#/public/x",
        b"/public/x#/home",
        b"home",
        b"*",
        b"/caf\xc3\xa9",
        b"/home%1f",
    ];
    for target in targets {
        let head = [
            b"GET ",
            target,
            b" HTTP/1.1\r\nHost: wiki.test\r\nCookie: ",
            cookies.join("; ").as_bytes(),
            b"\r\n\r\n",
        ]
        .concat();
        let answer = client::raw(gateway.https(), gateway.trusted(), "wiki.test", &head).await;
        assert!(
            answer.starts_with("HTTP/1.1 400"),
            "{:?} gave {answer}",
            String::from_utf8_lossy(target)
        );
    }
    assert_eq!(portal.seen().len(), before);
    let long = format!("/public/{}", "a".repeat(8192));
    assert_eq!(gateway.send(Call::get("wiki.test", &long)).await.status, 414);
    let fat = Call::get("wiki.test", "/public/x").line("x-fat", "a".repeat(33 * 1024));
    assert_eq!(gateway.send(fat).await.status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn path_1_an_odd_path_goes_as_it_came_once_the_visitor_is_proven() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for path in [
        "/echo/a//b",
        "/echo/../x",
        "/echo/%2e%2e/y;z=1",
        "/echo/a%2fb?c=d%20e",
        "/echo/%61",
        "//echo",
    ] {
        let mut browser = alice.clone();
        let answer = browser.open(path).await;
        assert_ne!(answer.status, 303, "{path}");
        assert_eq!(portal.seen().last().unwrap().target, path);
    }
}
