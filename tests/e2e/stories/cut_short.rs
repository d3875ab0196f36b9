//! Bodies that nobody wants and clients that do not stay: the answer arrives all the same,
//! no byte goes too far, and nobody else notices.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::dsl::steps::{enrol, sign_in};
use crate::dsl::{ALICE, Browser, Call, Gateway, Line, client, gateway, portal};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_proof_reaches_the_portal_with_no_byte() {
    let portal = portal::form().run().await;
    let line = Line::to(&portal).await;
    let gateway = gateway::new().portal("wiki", &line).run().await;
    let stranger = gateway.browser("wiki");
    let mut named = gateway.browser("wiki");
    sign_in(&mut named, ALICE).await;
    for (mut browser, told) in [(stranger, "login_required"), (named, "enrolment_required")] {
        for http2 in [false, true] {
            browser.http2 = http2;
            let before = line.up();
            let call = Call::new("POST", &browser.host, "/upload").body(vec![b'x'; MIB]);
            let answer = gateway.send(browser.with_cookies(call)).await;
            assert_eq!(answer.status, 401, "{told}, HTTP/2: {http2}");
            assert!(answer.line("portcullis-challenge").unwrap().starts_with(told));
            assert_eq!(line.up(), before, "{told}, HTTP/2: {http2}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_the_body_is_not_lost() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let browser = gateway.browser("wiki");
    let length = 8 * MIB;
    let mut stream = begin(&gateway, &browser, "POST", "/upload", length).await;
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    // A connection that is simply closed is reset by the next byte, and a client that is still
    // sending then sees a broken connection instead of the answer. No buffer holds all this.
    stream.write_all(&vec![b'x'; length]).await.expect("the connection was reset");
    stream.flush().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.windows(5).any(|window| window == b"HTTP/"), "there was a second answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_the_middle_harms_nobody() {
    let portal = portal::form().run().await;
    let line = Line::to(&portal).await;
    let gateway = gateway::new().portal("wiki", &line).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let before = line.up();
    let mut upload = begin(&gateway, &alice, "POST", "/upload", 2 * MIB).await;
    upload.write_all(&vec![b'x'; MIB]).await.unwrap();
    upload.flush().await.unwrap();
    // The rest of it will never come.
    line.carried_up(before + MIB as u64).await;
    drop(upload);
    line.hold_after(4 * MIB as u64);
    let mut download = begin(&gateway, &alice, "GET", "/big", 0).await;
    let mut begun = vec![0; 2 * MIB];
    download.read_exact(&mut begun).await.unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200"));
    drop(download);
    line.let_go();
    assert!(alice.open("/home").await.body.contains("for alice alone"));
}

/// Sends the head of a request over a connection of its own.
async fn begin(
    gateway: &Gateway,
    browser: &Browser,
    method: &str,
    path: &str,
    length: usize,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", browser.host);
    let cookies: Vec<String> =
        browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !cookies.is_empty() {
        head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
    }
    head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
    let (address, trusted) = (gateway.https(), gateway.trusted());
    let mut stream = client::tls(address, trusted, &browser.host, false).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}
