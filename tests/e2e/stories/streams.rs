//! What takes its time: sockets, long bodies, slow clients.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::Response;
use hyper::body::{Frame, Incoming};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::dsl::client;
use crate::dsl::socket::{Socket, handshake, refusal};
use crate::dsl::steps::{enrol, sign_in_again, sign_out};
use crate::dsl::{ALICE, Browser, Call, Gateway, gateway, portal};

const CHUNK: usize = 64 * 1024;
/// How many of them make a gibibyte.
const GIBIBYTE_PARTS: usize = 1024 * 1024 * 1024 / CHUNK;
/// How soon a stream ends after its session.
const A_SECOND: Duration = Duration::from_secs(1);
/// What the gateway may hold of a body, and whatever else it allocates meanwhile, in KiB.
const ROOM: u64 = 12 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_a_proven_visitor_reaches_the_portal() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    for text in ["one", "two", &"long ".repeat(50_000)] {
        socket.say(text).await;
        assert_eq!(socket.next().await.as_deref(), Some(text));
    }
    let seen = portal.seen_at("/ws");
    assert!(!seen[0].all("cookie").join(";").contains("__Host-mfa"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_without_a_proof() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let mut named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    for browser in [gateway.browser("wiki"), named] {
        let head = format!("{}Origin: https://wiki.test\r\n", handshake(&browser, "/ws"));
        let (status, answer) = refusal(&gateway, &browser, &head).await;
        assert_eq!(status, 401, "{answer}");
    }
    assert!(portal.seen_at("/ws").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_session() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let bob = enrol(&gateway, "wiki", crate::dsl::BOB).await;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    let mut bobs = Socket::open(&gateway, &bob.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    assert_eq!(bobs.next().await.as_deref(), Some("hello bob"));
    sign_out(&mut alice.browser.clone()).await;
    assert_eq!(soon(socket.next()).await, None, "the socket is still open");
    bobs.say("still here").await;
    assert_eq!(bobs.next().await.as_deref(), Some("still here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_when_its_session_is_too_old() {
    let portal = portal::form().run().await;
    let limits = "session: { lifetime: 2h, idle: 30m }";
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(limits).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    gateway.advance(Duration::from_secs(2 * 3600));
    assert_eq!(soon(socket.next()).await, None, "the socket is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_ends_with_its_session() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, who) in [(false, ALICE), (true, crate::dsl::BOB)] {
        let mut browser = enrol(&gateway, "wiki", who).await.browser;
        browser.http2 = http2;
        let mut answer = download(&gateway, &browser, "/drip").await;
        assert_eq!(next_part(&mut answer).await.unwrap(), "first");
        sign_out(&mut browser.clone()).await;
        let rest = soon(next_part(&mut answer)).await;
        assert!(rest.is_err(), "{rest:?} came after the session had ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_ends_alone_on_its_connection() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser.over(true);
    let bob = enrol(&gateway, "wiki", crate::dsl::BOB).await.browser.over(true);
    let mut shared = alice.connect().await;
    let drip = |browser: &Browser| browser.with_cookies(Call::get(&browser.host, "/drip"));
    let mut hers = shared.begin(&drip(&alice)).await;
    let mut his = shared.begin(&drip(&bob)).await;
    assert_eq!(next_part(&mut hers).await.unwrap(), "first");
    assert_eq!(next_part(&mut his).await.unwrap(), "first");
    sign_out(&mut alice.clone()).await;
    let signed_out = Instant::now();
    assert!(soon(next_part(&mut hers)).await.is_err());
    assert!(signed_out.elapsed() < A_SECOND, "{:?}", signed_out.elapsed());
    // One word for him, and one in case the portal has not noticed yet that she is gone.
    portal.release();
    portal.release();
    assert_eq!(soon(next_part(&mut his)).await.unwrap(), "last");
    assert!(his.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_portal_has_written_arrives_before_it_has_written_all() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = enrol(&gateway, "wiki", ALICE).await.browser;
    for http2 in [false, true] {
        browser.http2 = http2;
        let mut answer = download(&gateway, &browser, "/drip").await;
        assert_eq!(soon(next_part(&mut answer)).await.unwrap(), "first");
        portal.release();
        assert_eq!(soon(next_part(&mut answer)).await.unwrap(), "last");
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_download_arrives_whole_and_is_not_held() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = enrol(&gateway, "wiki", ALICE).await.browser;
    for http2 in [false, true] {
        browser.http2 = http2;
        gateway.forget_peak();
        let before = gateway.peak();
        let mut answer = download(&gateway, &browser, "/big").await;
        let body = answer.body_mut().collect().await.unwrap().to_bytes();
        let sent = (0..320).map(part).collect::<Vec<_>>().concat();
        assert!(body == sent, "{} bytes came", body.len());
        assert!(gateway.peak() < before + ROOM, "{} KiB, then {}", before, gateway.peak());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_arrives_whole_and_is_not_held() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = enrol(&gateway, "wiki", ALICE).await.browser;
    let chunks = 50 * 1024 * 1024 / CHUNK;
    let sent: Vec<u8> = (0..chunks).map(part).collect::<Vec<_>>().concat();
    for (http2, declared) in [(false, true), (false, false), (true, true), (true, false)] {
        browser.http2 = http2;
        gateway.forget_peak();
        let before = gateway.peak();
        let parts = (0..chunks).map(|number| Ok::<_, Infallible>(Frame::data(part(number))));
        let mut call = browser.with_cookies(Call::new("POST", &browser.host, "/upload"));
        call = call.line("content-type", "application/octet-stream");
        if declared {
            call = call.line("content-length", sent.len().to_string());
        }
        let body = StreamBody::new(stream::iter(parts));
        let answer = client::begin(gateway.https(), gateway.trusted(), &call, body).await;
        let answer = client::read(answer.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(portal.uploaded() == sent, "{}", answer.body);
        assert!(gateway.peak() < before + ROOM, "{} KiB, then {}", before, gateway.peak());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_goes_each_way_within_64_mebibytes_of_memory() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = enrol(&gateway, "wiki", ALICE).await.browser;
    gateway.forget_peak();
    let before = gateway.peak();
    for http2 in [false, true] {
        browser.http2 = http2;
        let mut answer = download(&gateway, &browser, &format!("/flood?{GIBIBYTE_PARTS}")).await;
        let mut came = 0;
        while let Some(frame) = answer.body_mut().frame().await {
            came += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(came, GIBIBYTE_PARTS * CHUNK, "HTTP/2: {http2}");
        let part = part(7);
        let parts = std::iter::repeat_n(part, GIBIBYTE_PARTS);
        let body = StreamBody::new(stream::iter(parts.map(Frame::data).map(Ok::<_, Infallible>)));
        let call = browser.with_cookies(Call::new("POST", &browser.host, "/sink"));
        let call = call.line("content-type", "application/octet-stream");
        let answer = client::begin(gateway.https(), gateway.trusted(), &call, body).await;
        let answer = client::read(answer.unwrap()).await.unwrap();
        let counted = format!("{} bytes", GIBIBYTE_PARTS * CHUNK);
        assert!(answer.body.contains(&counted), "HTTP/2: {http2}: {}", answer.body);
        // The kernel counts pages of each thread by themselves, and may say less than before.
        let grown = gateway.peak().saturating_sub(before);
        assert!(grown < 64 * 1024, "the gateway grew by {grown} KiB, HTTP/2: {http2}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_are_judged_one_by_one() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let bob = enrol(&gateway, "wiki", crate::dsl::BOB).await.browser;
    let nobody = gateway.browser("wiki");
    let mut kept = client::connect(gateway.https(), gateway.trusted(), "wiki.test", false).await;
    for _ in 0..3 {
        for (browser, name) in [(&alice, "alice"), (&nobody, ""), (&bob, "bob")] {
            let call = browser.with_cookies(Call::get(&browser.host, "/home"));
            let answer = kept.send(call).await.unwrap();
            let expected = if name.is_empty() { 401 } else { 200 };
            assert_eq!(answer.status, expected);
            let shown = answer.body.contains(&format!("for {name} alone"));
            assert_eq!(shown, !name.is_empty(), "{}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_byte_by_byte_is_cut_off() {
    let portal = portal::form().run().await;
    let limits = "limits: { header_deadline: 1s }";
    let gateway = gateway::new().portal("wiki", &portal).yaml(limits).run().await;
    let mut stream = client::tls(gateway.https(), gateway.trusted(), "wiki.test", false).await;
    let slowly = async {
        let head = b"GET /public/page HTTP/1.1\r\nhost: wiki.test\r\nx-slow: ";
        for byte in head.iter().chain(std::iter::repeat(&b'a')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            let next = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
            match next {
                Err(_still_open) => {}
                Ok(Err(_)) => return,
                Ok(Ok(answered)) => panic!("answered with {answered}"),
            }
        }
    };
    soon(slowly).await;
    assert!(portal.seen().is_empty());
}

/// What has to happen within a second or so, with room for a busy machine.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(6);
    tokio::time::timeout(patience, happens).await.expect("it did not happen in time")
}

async fn download(gateway: &Gateway, browser: &Browser, path: &str) -> Response<Incoming> {
    let call = browser.with_cookies(Call::get(&browser.host, path));
    let body = Empty::<Bytes>::new();
    let answer = client::begin(gateway.https(), gateway.trusted(), &call, body).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

async fn next_part(answer: &mut Response<Incoming>) -> Result<Bytes, String> {
    let frame = answer.body_mut().frame().await.ok_or("the end")?;
    let frame = frame.map_err(|error| error.to_string())?;
    frame.into_data().map_err(|_| "no data".to_owned())
}

fn part(number: usize) -> Bytes {
    Bytes::from(vec![number as u8; CHUNK])
}
