//! NET-1 behind a balancer that passes bytes on: the PROXY header names the client, and counts
//! from a trusted proxy alone, once, at the start, where it is expected.

use crate::dsl::balancer::{binary, exchange, version_1, version_2};
use crate::dsl::client::Call;
use crate::dsl::steps::enrol_with;
use crate::dsl::{ALICE, Balancer, Browser, Gateway, Portal, eventually, gateway, office, portal};

/// The balancer is at 3; anybody else at 2.
const BALANCER: u8 = 3;
const ANYBODY: u8 = 2;
const TRUSTED: &str = "trusted_proxies: [127.0.0.3/32, 10.9.0.0/16]";
const GET: &[u8] = b"GET /public/echo HTTP/1.1\r\nHost: wiki.test\r\nConnection: close\r\n\r\n";
const REFUSED: &str = "portcullis_connections_refused_total";

async fn balanced() -> (Portal, Gateway) {
    let portal = portal::form().run().await;
    let gateway =
        gateway::new().yaml(TRUSTED).behind_balancer().portal("wiki", &portal).run().await;
    (portal, gateway)
}

fn through(balancer: &Balancer, gateway: &Gateway) -> Browser {
    Browser::new(balancer.address, gateway.trusted(), "wiki.test")
}

/// The client of the one request that the portal has seen since the last time.
fn seen(portal: &Portal) -> Vec<String> {
    let mut seen = portal.take_seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0).all("x-forwarded-for").into_iter().map(str::to_owned).collect()
}

/// Headers, and the address that counts then.
fn headers() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (version_1("192.0.2.9:5000"), "192.0.2.9"),
        (version_1("[2001:db8::9]:5000"), "2001:db8::9"),
        (version_2("192.0.2.9:5000"), "192.0.2.9"),
        (version_2("[2001:db8::9]:5000"), "2001:db8::9"),
        (version_2("[::ffff:192.0.2.9]:5000"), "192.0.2.9"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.3"),
        (binary(0x20, 0, &[]), "127.0.0.3"),
        (binary(0x21, 0, &[3, 0, 0]), "127.0.0.3"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_the_header_names_the_client() {
    let (portal, gateway) = balanced().await;
    for (header, expected) in headers() {
        let balancer = Balancer::to(gateway.https(), BALANCER, &header).await;
        for http2 in [false, true] {
            let mut browser = through(&balancer, &gateway).over(http2);
            // A balancer writes nothing into a request: what is there is the client's own word.
            let said = browser.clone().with_line("x-forwarded-for", "203.0.113.7");
            let mut said = said.with_line("x-forwarded-proto", "http");
            assert_eq!(said.open("/public/echo").await.status, 200);
            let lines = portal.take_seen().remove(0);
            assert_eq!(lines.all("x-forwarded-for"), [expected], "{header:?}");
            assert_eq!(lines.all("x-forwarded-proto"), ["https"], "{header:?}");
            assert_eq!(browser.open("/public/echo").await.status, 200);
            assert_eq!(seen(&portal), [expected], "{header:?}");
        }
        for pace in [usize::MAX, 1] {
            let sent = [&header[..], GET].concat();
            let answer = exchange(gateway.http(), BALANCER, &sent, pace).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{header:?}: {answer}");
            assert_eq!(seen(&portal), [expected], "{header:?}");
        }
        gateway.has_logged(&format!("\"client\":\"{expected}\"")).await;
    }
    assert_eq!(gateway.metric(REFUSED, &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_a_named_proxy_is_one_whose_hops_are_read() {
    let (portal, gateway) = balanced().await;
    for header in [version_1("10.9.0.7:5000"), version_2("10.9.0.7:5000")] {
        let balancer = Balancer::to(gateway.https(), BALANCER, &header).await;
        for http2 in [false, true] {
            let browser = through(&balancer, &gateway).over(http2);
            let browser = browser.with_line("x-forwarded-for", "203.0.113.7, 192.0.2.9");
            let mut browser = browser.with_line("x-forwarded-proto", "http");
            assert_eq!(browser.open("/public/echo").await.status, 200);
            let lines = portal.take_seen().remove(0);
            assert_eq!(lines.all("x-forwarded-for"), ["192.0.2.9"]);
            assert_eq!(lines.all("x-forwarded-proto"), ["http"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_a_visit_through_the_balancer_is_like_any_other() {
    let (portal, gateway) = balanced().await;
    let balancer = Balancer::to(gateway.https(), BALANCER, &version_2("192.0.2.9:5000")).await;
    let mut alice = enrol_with(&gateway, through(&balancer, &gateway), ALICE).await.browser;
    portal.take_seen();
    for http2 in [false, true] {
        let mut browser = alice.over(http2);
        let page = browser.open("/home").await;
        assert!(page.body.contains("for alice alone"), "{page:?}");
        assert_eq!(seen(&portal), ["192.0.2.9"]);
        alice = browser;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_nobody_else_may_send_a_header() {
    let (portal, gateway) = balanced().await;
    let mut refused = 0.0;
    for (header, _) in headers() {
        for address in [gateway.http(), gateway.https()] {
            let answer = exchange(address, ANYBODY, &[&header[..], GET].concat(), usize::MAX).await;
            assert_eq!(answer, "", "{header:?}");
            refused += 1.0;
        }
    }
    // Without a header nobody is let in, whoever it is.
    for (last, bytes) in [
        (ANYBODY, GET.to_vec()),
        (BALANCER, GET.to_vec()),
        (BALANCER, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello".to_vec()),
        (BALANCER, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ] {
        for address in [gateway.http(), gateway.https()] {
            assert_eq!(exchange(address, last, &bytes, usize::MAX).await, "");
            refused += 1.0;
        }
    }
    // A header that is not as it should be is none.
    for odd in [
        b"PROXY TCP4 192.0.2.9 127.0.0.1 5000\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.9 127.0.0.1 5000 443\n".to_vec(),
        b"PROXY TCP4 2001:db8::9 ::1 5000 443\r\n".to_vec(),
        format!("PROXY UNKNOWN {}\r\n", "x".repeat(200)).into_bytes(),
        binary(0x21, 0x12, &[9; 12]),
        binary(0x21, 0x11, &[9; 11]),
        binary(0x31, 0x11, &[9; 12]),
        binary(0x20, 0x00, &[0; 2_000]),
    ] {
        let answer =
            exchange(gateway.http(), BALANCER, &[&odd[..], GET].concat(), usize::MAX).await;
        assert_eq!(answer, "", "{odd:?}");
        refused += 1.0;
    }
    assert_eq!(gateway.metric(REFUSED, &[]).await, refused);
    assert!(portal.take_seen().is_empty());
    // A balancer that only looks whether somebody listens is no offender.
    drop(crate::dsl::balancer::connect(gateway.https(), BALANCER).await);
    let cut = exchange_cut(&gateway).await;
    assert_eq!(cut, "");
    assert_eq!(gateway.metric(REFUSED, &[]).await, refused);
}

/// Half a header, and then the end.
async fn exchange_cut(gateway: &Gateway) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = crate::dsl::balancer::connect(gateway.https(), BALANCER).await;
    stream.write_all(b"PROXY TCP4 192.0").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _reset_counts_as_closed = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_a_header_counts_once_at_the_start_and_where_it_is_expected() {
    let (portal, gateway) = balanced().await;
    for (first, second) in [
        (version_1("192.0.2.9:1"), version_1("192.0.2.10:1")),
        (version_2("192.0.2.9:1"), version_1("192.0.2.10:1")),
        (version_2("192.0.2.9:1"), version_2("192.0.2.10:1")),
    ] {
        let sent = [&first[..], &second, GET].concat();
        let answer = exchange(gateway.http(), BALANCER, &sent, usize::MAX).await;
        assert!(!answer.contains("200 OK"), "{answer}");
        // After a request it is none either.
        let open = b"GET /public/echo HTTP/1.1\r\nHost: wiki.test\r\n\r\n";
        let sent = [&first[..], open, &second, GET].concat();
        exchange(gateway.http(), BALANCER, &sent, usize::MAX).await;
        for seen in portal.take_seen() {
            assert_eq!(seen.all("x-forwarded-for"), ["192.0.2.9"]);
        }
    }
    let portal = portal::form().run().await;
    let gateway = gateway::new().yaml(TRUSTED).portal("wiki", &portal).run().await;
    for (header, _) in headers() {
        for last in [ANYBODY, BALANCER] {
            let sent = [&header[..], GET].concat();
            exchange(gateway.http(), last, &sent, usize::MAX).await;
            exchange(gateway.https(), last, &sent, usize::MAX).await;
            for seen in portal.take_seen() {
                assert_eq!(seen.all("x-forwarded-for"), [format!("127.0.0.{last}")]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_each_client_behind_the_balancer_has_its_own_connections() {
    let portal = portal::form().run().await;
    let gateway = gateway::new()
        .yaml(TRUSTED)
        .yaml("limits: { connections_per_client: 2 }")
        .behind_balancer()
        .portal("wiki", &portal)
        .run()
        .await;
    let mut held = Vec::new();
    for client in ["192.0.2.9:1", "192.0.2.10:1", "[2001:db8::9]:1"] {
        let balancer = Balancer::to(gateway.https(), BALANCER, &version_2(client)).await;
        for count in 0..3 {
            let mut connection = through(&balancer, &gateway).connect().await;
            let answer = connection.send(Call::get("wiki.test", "/public/a")).await;
            assert_eq!(answer.is_ok(), count < 2, "{client}, connection {count}");
            held.push(connection);
        }
    }
    // The balancer's own health checks are nobody's.
    let own = Balancer::to(gateway.https(), BALANCER, &binary(0x20, 0, &[])).await;
    for _ in 0..4 {
        let mut connection = through(&own, &gateway).connect().await;
        assert_eq!(connection.send(Call::get("wiki.test", "/public/a")).await.unwrap().status, 200);
        held.push(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_1_who_sends_no_header_is_not_waited_for() {
    let (_portal, gateway) = balanced().await;
    let silent = tokio::spawn(exchange(gateway.https(), BALANCER, b"PROXY TCP4 ", 1));
    let answer = silent.await.unwrap();
    assert_eq!(answer, "");
    eventually("the count", async || (gateway.metric(REFUSED, &[]).await == 1.0).then_some(()))
        .await;
}

/// A balancer writes no request, so it names no user; whoever it names may.
#[tokio::test(flavor = "multi_thread")]
async fn hdr_2_a_balancer_itself_names_no_user() {
    let rule = "header: { name: X-Remote-User, from: [127.0.0.3/32, 192.0.2.9/32] }\n";
    let office = office::run(rule).await;
    let gateway =
        gateway::new().yaml(TRUSTED).behind_balancer().portal("office", &office).run().await;
    for (header, named) in [
        (version_1("192.0.2.9:1"), true),
        (version_2("192.0.2.9:1"), true),
        (version_1("192.0.2.10:1"), false),
        (version_2("10.9.0.7:1"), false),
        (b"PROXY UNKNOWN\r\n".to_vec(), false),
        (binary(0x20, 0, &[]), false),
        (binary(0x21, 0, &[]), false),
    ] {
        let balancer = Balancer::to(gateway.https(), BALANCER, &header).await;
        for http2 in [false, true] {
            let browser = Browser::new(balancer.address, gateway.trusted(), "office.test");
            let browser = browser.over(http2).with_line("x-forwarded-for", "192.0.2.9");
            let shown = browser.with_line("x-remote-user", "alice").open("/home").await;
            let expected = if named { 303 } else { 401 };
            assert_eq!(shown.status, expected, "{header:?}: {:?}", shown.answer);
        }
    }
}
