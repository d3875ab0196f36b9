//! OTP-4: a try counts before its answer, so nobody gets one for nothing by not waiting for
//! it, be it the sender who leaves or the gateway that dies.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::guessing::{seen, send};
use crate::dsl::desk::VIEWER;
use crate::dsl::steps::{Enrolled, enrol, sign_in_again};
use crate::dsl::{ALICE, Browser, Call, Gateway, Portal, client, eventually, gateway, portal};

const WRONG: &str = "000000";
/// How many tries leave without their answer until it is looked what came of them. One that was gone
/// before the gateway had read it is none, and on a busy machine most are.
const TRIES: usize = 200;

async fn scene() -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

/// Somebody who gave the password, and the request that gives a code.
async fn named(gateway: &Gateway, http2: bool, code: &str) -> (Browser, Call) {
    let mut browser = gateway.browser("wiki").over(http2);
    let page = sign_in_again(&mut browser, ALICE).await;
    let call = browser.sending(&page, &page.form("code").fill("code", code));
    (browser, call)
}

/// The bytes of a request over HTTP/1.1.
fn bytes_of(call: &Call) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", call.method, call.target).into_bytes();
    for (name, value) in &call.lines {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", call.body.len()).bytes());
    bytes.extend(&call.body);
    bytes
}

fn five_are_counted(gateway: &Gateway) -> Option<()> {
    (seen(gateway, "wiki")["wrong_codes"] == 5).then_some(())
}

async fn is_kept_waiting(gateway: &Gateway, alice: &Enrolled) {
    let mut browser = gateway.browser("wiki");
    sign_in_again(&mut browser, ALICE).await;
    let right = alice.phone.code(gateway.now());
    assert_eq!(send(&mut browser, &right).await.status, 429, "the tries cost nothing");
    assert_eq!(seen(gateway, "wiki")["wrong_codes"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_4_who_resets_the_connection_after_a_try_has_tried() {
    let (_portal, mut gateway, alice) = scene().await;
    gateway.next_code();
    let (browser, call) = named(&gateway, false, WRONG).await;
    let bytes = bytes_of(&call);
    eventually("the tries to be counted", async || {
        for _ in 0..TRIES {
            let stream = client::tls(gateway.https(), gateway.trusted(), &browser.host, false);
            let mut stream = stream.await;
            stream.write_all(&bytes).await.unwrap();
            // With this the end of the connection is a reset, at once.
            stream.get_ref().0.set_zero_linger().unwrap();
        }
        five_are_counted(&gateway)
    })
    .await;
    is_kept_waiting(&gateway, &alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_4_who_cancels_the_stream_after_a_try_has_tried() {
    let (_portal, mut gateway, alice) = scene().await;
    gateway.next_code();
    let (browser, call) = named(&gateway, true, WRONG).await;
    let connection = browser.connect().await;
    eventually("the tries to be counted", async || {
        for _ in 0..TRIES {
            let mut stream = connection.share();
            let sent = stream.send(call.clone());
            // Long enough to be sent, hardly for an answer; what is dropped then is cancelled.
            let answer = tokio::time::timeout(Duration::from_millis(1), sent).await;
            assert!(answer.is_err() || !matches!(answer, Ok(Ok(ref told)) if told.status == 303));
        }
        five_are_counted(&gateway)
    })
    .await;
    is_kept_waiting(&gateway, &alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_4_a_try_counts_although_the_power_is_cut_after_each() {
    let (_portal, mut gateway, alice) = scene().await;
    gateway.next_code();
    for number in 1..=5 {
        let (mut browser, _) = named(&gateway, number % 2 == 0, WRONG).await;
        let told = send(&mut browser, WRONG).await;
        assert_eq!(told.status, if number < 5 { 401 } else { 429 });
        gateway.kill();
        gateway.start().await;
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], number, "a try was forgotten");
    }
    is_kept_waiting(&gateway, &alice).await;
}
