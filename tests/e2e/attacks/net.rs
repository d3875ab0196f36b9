//! C03, NET-1, HDR-2: where a client says to be from. From anybody it is a word like any other;
//! from a trusted proxy the right-most hop that is none counts, and names no user.

use crate::dsl::client::{Answer, Call};
use crate::dsl::steps::{enrol_here, sign_in};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Portal, eventually, gateway, html, office, portal};

/// Trusted are 127.0.0.3 and .4, and what lies behind them; anybody else is at 2.
const TRUSTED: &str =
    "trusted_proxies: [127.0.0.3, 127.0.0.4/32, 10.9.0.0/16, \"2001:db8:9::/48\"]";
const PROXY: u8 = 3;
const ANYBODY: u8 = 2;

/// Lines by which somebody in front says where a request comes from and what it was.
const FORMS: &[&str] = &[
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "Forwarded",
    "X-Original-URI",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-HTTP-Method-Override",
];

fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "a",
        "",
        "::",
        "127.0.0.3",
        "192.0.2.99",
        "192.0.2.99, 127.0.0.3",
        "192.0.2.99:80",
        "for=192.0.2.99;proto=http;host=evil.test",
        "http",
        "/public/echo",
        "evil.test",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("1".repeat(5_000));
    values
}

async fn trusting() -> (Portal, Gateway) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().yaml(TRUSTED).portal("wiki", &portal).run().await;
    (portal, gateway)
}

/// What of an answer says what was decided: status, where it leads, and cookies without values.
fn decided(answer: &Answer) -> (u16, Option<String>, Vec<String>) {
    let scope = |line: &&str| {
        let (name, rest) = line.split_once('=').unwrap();
        format!("{name} {}", rest.split_once(';').unwrap().1)
    };
    let cookies = answer.all("set-cookie").iter().map(scope).collect();
    (answer.status, answer.line("location").map(str::to_owned), cookies)
}

/// The client that the access log names for the one request for this path.
async fn logged(gateway: &Gateway, path: &str) -> String {
    eventually("its line in the log", async || {
        let log = gateway.log();
        let mut lines = log.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["path"] == path).then(|| line["client"].as_str().unwrap().to_owned())
        });
        lines.next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn c03_what_an_outsider_says_of_itself_changes_nothing() {
    let (portal, gateway) = trusting().await;
    for http2 in [false, true] {
        let anybody = || gateway.browser("wiki").from(ANYBODY).over(http2);
        let mut bob = anybody();
        sign_in(&mut bob, BOB).await;
        let mut connection = bob.connect().await;
        let page = |path: &str| Call { http2, ..Call::get("wiki.test", path) }.page();
        let enrol = bob.with_cookies(Call::get("wiki.test", "/.mfa/enrol")).page();
        let open = decided(&connection.send(page("/home")).await.unwrap());
        assert_eq!((open.0, open.1.as_deref()), (303, Some("/login")));
        let offered = html::link(&connection.send(enrol.clone()).await.unwrap().body, "otpauth");
        let account = |link: &str| link.split("secret=").next().unwrap().to_owned();
        for (count, (name, value)) in FORMS
            .iter()
            .flat_map(|name| values().into_iter().map(move |value| (name, value)))
            .enumerate()
        {
            let trial = format!("{name}: {value:.40}");
            let with = |call: Call| call.line(name, &value);
            let answer = connection.send(with(page("/home"))).await.unwrap();
            assert_eq!(decided(&answer), open, "{trial}");
            let answer = connection.send(with(enrol.clone())).await.unwrap();
            assert_eq!(answer.status, 200, "{trial}");
            assert_eq!(account(&html::link(&answer.body, "otpauth")), account(&offered), "{trial}");
            portal.take_seen();
            let path = format!("/public/echo/{}/{count}", u8::from(http2));
            assert_eq!(connection.send(with(page(&path))).await.unwrap().status, 200, "{trial}");
            let seen = portal.take_seen().remove(0);
            assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.2"], "{trial}");
            assert_eq!(seen.all("x-forwarded-proto"), ["https"], "{trial}");
            assert_eq!(seen.all("x-forwarded-host"), ["wiki.test"], "{trial}");
            assert_eq!(seen.target, path, "{trial}");
        }
    }
    let log = gateway.log();
    let clients: Vec<&str> = log.split("\"client\":\"").skip(1).collect();
    let elsewhere: Vec<_> =
        clients.iter().filter(|rest| !rest.starts_with("127.0.0.2\"")).collect();
    assert!(clients.len() > 1_000, "{}", clients.len());
    assert_eq!(elsewhere, [&""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c03_a_login_is_answered_the_same_whatever_was_said() {
    let (_portal, gateway) = trusting().await;
    for last in [ANYBODY, PROXY] {
        for http2 in [false, true] {
            let fresh = || gateway.browser("wiki").from(last).over(http2);
            let expected = decided(&sign_in(&mut fresh(), ALICE).await.answer);
            assert_eq!(
                (expected.0, expected.1.as_deref()),
                (303, Some("/.mfa/enrol?return_to=%2Fhome"))
            );
            for value in ["192.0.2.99", "http", "evil.test", "/public/echo", ""] {
                let mut browser =
                    FORMS.iter().fold(fresh(), |browser, name| browser.with_line(name, value));
                let answer = sign_in(&mut browser, ALICE).await.answer;
                assert_eq!(decided(&answer), expected, "{last} {value}");
                assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_behind_a_trusted_proxy_the_right_most_hop_counts() {
    let (portal, gateway) = trusting().await;
    let (long, many) = ("1".repeat(5_000), format!("192.0.2.9{}", ",10.9.0.1".repeat(1_000)));
    let trials: &[(&[&str], &str)] = &[
        (&[], "127.0.0.3"),
        (&["192.0.2.9"], "192.0.2.9"),
        (&["203.0.113.7, 192.0.2.9"], "192.0.2.9"),
        (&["203.0.113.7", "192.0.2.9"], "192.0.2.9"),
        (&["a, 192.0.2.9"], "192.0.2.9"),
        (&["203.0.113.7, 192.0.2.9, 10.9.0.1", "127.0.0.4, 2001:db8:9::1"], "192.0.2.9"),
        (&["10.9.0.7, 10.9.0.1"], "10.9.0.7"),
        (&["192.0.2.9:567"], "192.0.2.9"),
        (&["[2001:db8::9]:5"], "2001:db8::9"),
        (&["::ffff:192.0.2.9"], "192.0.2.9"),
        (&["192.0.2.9, ::ffff:10.9.0.1"], "192.0.2.9"),
        // What is no address is the word of the proxy that wrote it.
        (&["a"], "127.0.0.3"),
        (&[""], "127.0.0.3"),
        (&["192.0.2.9, a"], "127.0.0.3"),
        (&["192.0.2.9,"], "127.0.0.3"),
        (&["192.0.2.9", ""], "127.0.0.3"),
        (&["192.0.2.9, a, 10.9.0.1"], "10.9.0.1"),
        (&["for=192.0.2.9"], "127.0.0.3"),
        (&[&long], "127.0.0.3"),
        (&[&many], "10.9.0.1"),
    ];
    for http2 in [false, true] {
        let mut connection = gateway.browser("wiki").from(PROXY).over(http2).connect().await;
        for (count, (lines, expected)) in trials.iter().enumerate() {
            let path = format!("/public/echo/{}/{count}", u8::from(http2));
            let call = Call { http2, ..Call::get("wiki.test", &path) };
            let call = lines.iter().fold(call, |call, line| call.line("X-Forwarded-For", line));
            portal.take_seen();
            assert_eq!(connection.send(call).await.unwrap().status, 200, "{lines:?}");
            let seen = portal.take_seen().remove(0);
            assert_eq!(seen.all("x-forwarded-for"), [*expected], "{lines:?}");
            assert_eq!(logged(&gateway, &path).await, *expected, "{lines:?}");
        }
        // A request that is refused has its line all the same.
        let path = format!("/refused/{}", u8::from(http2));
        let call = Call { http2, ..Call::new("TRACE", "wiki.test", &path) };
        let answer = connection.send(call.line("X-Forwarded-For", "192.0.2.77")).await.unwrap();
        assert_eq!(answer.status, 405);
        assert_eq!(logged(&gateway, &path).await, "192.0.2.77");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_a_trusted_proxy_says_whether_it_was_tls_and_nothing_else() {
    let (portal, gateway) = trusting().await;
    for http2 in [false, true] {
        let proxy = || gateway.browser("wiki").from(PROXY).over(http2);
        for (words, expected) in [
            (&[][..], "https"),
            (&["http"], "http"),
            (&["https"], "https"),
            (&["https, http"], "http"),
            (&["http", "https"], "https"),
            (&["http,"], "https"),
            (&["ws"], "https"),
        ] {
            let browser = words
                .iter()
                .fold(proxy(), |browser, word| browser.with_line("X-Forwarded-Proto", word));
            portal.take_seen();
            assert_eq!(browser.clone().open("/public/echo").await.status, 200);
            let seen = portal.take_seen().remove(0);
            assert_eq!(seen.all("x-forwarded-proto"), [expected], "{words:?}");
        }
        for name in
            FORMS.iter().filter(|name| !["X-Forwarded-For", "X-Forwarded-Proto"].contains(*name))
        {
            for value in
                ["192.0.2.99", "evil.test", "http", "for=192.0.2.99;host=evil.test;proto=http"]
            {
                portal.take_seen();
                let shown = proxy().with_line(name, value).open("/public/echo").await;
                assert_eq!(shown.status, 200, "{name}: {value}");
                let seen = portal.take_seen().remove(0);
                assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.3"], "{name}: {value}");
                assert_eq!(seen.all("x-forwarded-proto"), ["https"], "{name}: {value}");
                for host in ["host", "x-forwarded-host"] {
                    assert_eq!(seen.all(host), ["wiki.test"], "{name}: {value}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_who_asks_too_much_is_found_by_the_address_that_counts() {
    let (_portal, gateway) = trusting().await;
    let post = || Call::post("wiki.test", "/.mfa/verify", &[("code", "123456")]);
    let flood = async |last: u8, hop: &dyn Fn(u32) -> String| {
        let mut connection = gateway.browser("wiki").from(last).connect().await;
        // An allowance of 1200 for each minute, of which two may be touched.
        for count in 0..3_000_u32 {
            let call = post().line("X-Forwarded-For", hop(count));
            if connection.send(call).await.unwrap().status == 429 {
                return true;
            }
        }
        false
    };
    let asks = async |last: u8, hop: &str| {
        let browser = gateway.browser("wiki").from(last);
        let call = post().line("X-Forwarded-For", hop);
        browser.connect().await.send(call).await.unwrap().status == 429
    };
    let another = |count: u32| format!("198.51.{}.{}", count / 250, count % 250);
    assert!(flood(ANYBODY, &another).await, "an outsider got a new allowance with each word");
    // Behind the proxy another client goes on, and this one is who it was.
    assert!(!asks(PROXY, "203.0.113.8").await);
    let spoofed = |count: u32| format!("{}, 203.0.113.9", another(count));
    assert!(flood(PROXY, &spoofed).await, "a client got a new allowance with each word");
    assert!(!asks(PROXY, "203.0.113.10").await);
    assert!(!asks(PROXY, "203.0.113.9, 203.0.113.10").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_the_clients_behind_a_proxy_do_not_share_its_connections() {
    let portal = portal::form().run().await;
    let gateway = gateway::new()
        .yaml(TRUSTED)
        .yaml("limits: { connections_per_client: 2 }")
        .portal("wiki", &portal)
        .run()
        .await;
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut connection = gateway.browser("wiki").from(PROXY).connect().await;
        assert_eq!(connection.send(Call::get("wiki.test", "/public/a")).await.unwrap().status, 200);
        held.push(connection);
    }
    for _ in 0..2 {
        let mut connection = gateway.browser("wiki").from(ANYBODY).connect().await;
        assert_eq!(connection.send(Call::get("wiki.test", "/public/a")).await.unwrap().status, 200);
        held.push(connection);
    }
    let mut third = gateway.browser("wiki").from(ANYBODY).connect().await;
    let call = Call::get("wiki.test", "/public/a").line("X-Forwarded-For", "192.0.2.9");
    assert!(third.send(call).await.is_err(), "an outsider has as many connections as it likes");
}

/// Whom a proxy speaks for cannot name users, even if it is where the naming proxy would be.
#[tokio::test(flavor = "multi_thread")]
async fn hdr_2_only_the_peer_that_speaks_to_us_names_users() {
    const NAMING: u8 = 5;
    let rule = "header: { name: X-Remote-User, from: [127.0.0.5/32] }\n";
    // The naming proxy may be a trusted one too, or not.
    for trusted in ["trusted_proxies: [127.0.0.3]", "trusted_proxies: [127.0.0.3, 127.0.0.5]"] {
        let office = office::run(rule).await;
        let gateway = gateway::new().yaml(trusted).portal("office", &office).run().await;
        let named = |last: u8, client: &str| {
            let browser = gateway.browser("office").from(last);
            browser.with_line("x-remote-user", "alice").with_line("x-forwarded-for", client)
        };
        let alice = enrol_here(&gateway, named(NAMING, "192.0.2.9")).await.browser;
        for http2 in [false, true] {
            for (last, client) in [
                (PROXY, "127.0.0.5"),
                (PROXY, "127.0.0.5, 127.0.0.5"),
                (PROXY, "192.0.2.9"),
                (ANYBODY, "127.0.0.5"),
                (ANYBODY, "127.0.0.3, 127.0.0.5"),
            ] {
                let mut browser = named(last, client).over(http2);
                assert_eq!(browser.open("/home").await.status, 401, "{last} {client}");
                browser.jar = alice.jar.clone();
                assert_eq!(browser.open("/home").await.status, 401, "{last} {client}");
            }
            for client in ["192.0.2.9", "127.0.0.2", "a", "127.0.0.3"] {
                let mut browser = named(NAMING, client).over(http2);
                let led = browser.open("/home").await;
                assert!(led.location().starts_with("/.mfa/verify"), "{client}: {led:?}");
                browser.jar = alice.jar.clone();
                let shown: Browser = browser;
                let page = shown.clone().open("/home").await;
                assert!(page.body.contains("for alice alone"), "{client}: {page:?}");
            }
        }
    }
}
