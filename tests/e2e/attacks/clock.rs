//! OTP-5: a code is good for its own step and one on either side, whatever the clock does, and
//! a clock that goes back opens nothing.

use std::time::Duration;

use super::guessing::send;
use crate::dsl::steps::{Enrolled, enrol, sign_in_again};
use crate::dsl::{ALICE, Browser, Gateway, Portal, gateway, portal};

const DAY: i64 = 24 * 3600;
/// What 32 bits of seconds hold, as signed numbers.
const END_OF_2038: i64 = 0x7fff_ffff;

async fn scene() -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

async fn named(gateway: &Gateway, http2: bool) -> Browser {
    let mut browser = gateway.browser("wiki").over(http2);
    sign_in_again(&mut browser, ALICE).await;
    browser
}

/// Moves the gateway's clock to the middle of a step that has not begun, so that the second
/// that a request takes changes no step. Gives that moment.
fn to_the_middle_of_a_step(gateway: &mut Gateway) -> u64 {
    let (now, ahead) = (gateway.now(), gateway.ahead());
    let middle = now / 30 * 30 + 120 + 10;
    gateway.set_clock(ahead + i64::try_from(middle - now).unwrap());
    middle
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_5_a_code_of_the_next_step_or_the_last_is_good_and_no_other() {
    let (_portal, mut gateway, alice) = scene().await;
    for http2 in [false, true] {
        for (off, good) in [(-90, false), (-60, false), (60, false), (90, false), (-30, true)] {
            let now = to_the_middle_of_a_step(&mut gateway);
            let code = alice.phone.code(now.saturating_add_signed(off));
            let mut browser = named(&gateway, http2).await;
            let told = send(&mut browser, &code).await;
            assert_eq!(told.status, if good { 303 } else { 401 }, "a phone {off} s off");
        }
        // A phone that is ahead: its code is good, and spends the steps before it too.
        let now = to_the_middle_of_a_step(&mut gateway);
        let (ahead, present) = (alice.phone.code(now + 30), alice.phone.code(now));
        let mut browser = named(&gateway, http2).await;
        assert_eq!(send(&mut browser, &ahead).await.status, 303);
        let mut browser = named(&gateway, http2).await;
        for spent in [present, ahead] {
            assert_eq!(send(&mut browser, &spent).await.status, 401, "a step went back");
        }
        let now = to_the_middle_of_a_step(&mut gateway);
        assert_eq!(send(&mut browser, &alice.phone.code(now)).await.status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_5_a_gateway_that_is_off_takes_the_codes_of_its_own_time() {
    let (_portal, mut gateway, alice) = scene().await;
    for ahead in [90, 3600, 10 * 365 * DAY] {
        gateway.set_clock(ahead);
        let now = to_the_middle_of_a_step(&mut gateway);
        let off = gateway.ahead();
        let mut browser = named(&gateway, true).await;
        let of_the_phone = alice.phone.code(now.saturating_add_signed(-off));
        assert_eq!(send(&mut browser, &of_the_phone).await.status, 401, "{off} s off");
        assert_eq!(send(&mut browser, &alice.phone.code(now)).await.status, 303, "{off} s off");
    }
}

/// RFC 6238 section 4.2: times beyond 32 bits are times like others.
#[tokio::test(flavor = "multi_thread")]
async fn otp_5_the_year_2038_comes_and_goes() {
    let (_portal, mut gateway, alice) = scene().await;
    let until_the_end = END_OF_2038 - i64::try_from(gateway.now()).unwrap();
    for before_or_after in [-60, 60, 366 * DAY] {
        gateway.set_clock(until_the_end + before_or_after);
        let mut browser = named(&gateway, before_or_after > 0).await;
        let code = alice.phone.code(gateway.now());
        assert_eq!(code.len(), 6);
        assert_eq!(send(&mut browser, &code).await.location(), "/", "{before_or_after}");
        assert!(browser.open("/home").await.body.contains("for alice alone"));
    }
}

async fn nothing_opens(gateway: &Gateway, visitors: &[&Browser], code: &str) {
    for http2 in [false, true] {
        for visitor in visitors {
            let mut browser = (*visitor).clone().over(http2);
            for path in ["/home", "/.mfa/verify", "/.mfa/", "/.mfa/enrol"] {
                let page = browser.open(path).await;
                assert_eq!(page.status, 503, "{path}: {:?}", page.answer);
                assert!(page.line("retry-after").is_some(), "{path}");
                assert!(!page.body.contains("alice alone"), "{path}");
            }
            let told = browser.post("/.mfa/verify", &[("csrf", "x"), ("code", code)]).await;
            assert_eq!(told.status, 503);
            assert!(told.all("set-cookie").is_empty());
        }
    }
    let failed = gateway.metric("portcullis_requests_total", &[("reason", "store")]).await;
    assert!(failed > 0.0, "no number tells of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_5_a_clock_that_went_back_an_hour_opens_nothing() {
    let (_portal, mut gateway, alice) = scene().await;
    gateway.advance(Duration::from_secs(2 * 3600));
    let named = named(&gateway, false).await;
    let ahead = gateway.ahead();
    gateway.set_clock(ahead - 3600);
    let nobody = gateway.browser("wiki");
    let code = alice.phone.code(gateway.now());
    nothing_opens(&gateway, &[&named, &alice.browser, &nobody], &code).await;
    // A new start does not make it right.
    gateway.kill();
    let (ended, said) = gateway.fails_to_start();
    assert_eq!(ended, 1, "{said}");
    let told = said.lines().last().unwrap();
    assert!(told.starts_with("portcullis: the clock stands at"), "{said}");
    gateway.set_clock(ahead);
    gateway.start().await;
    let mut browser = named.clone();
    gateway.next_code();
    let code = alice.phone.code(gateway.now());
    assert_eq!(send(&mut browser, &code).await.status, 303, "all is well once it is right");
}

/// What a wrong clock did is over when it is right again, as far as that is safe.
#[tokio::test(flavor = "multi_thread")]
async fn otp_5_a_clock_that_was_ten_years_ahead_opens_nothing_when_it_is_back() {
    let (_portal, mut gateway, alice) = scene().await;
    gateway.set_clock(10 * 365 * DAY);
    let later = named(&gateway, true).await;
    assert!(!alice.browser.clone().open("/home").await.body.contains("alice alone"), "too old");
    gateway.set_clock(0);
    let code = alice.phone.code(gateway.now());
    nothing_opens(&gateway, &[&later, &alice.browser], &code).await;
    gateway.set_clock(10 * 365 * DAY);
    let mut browser = later.clone();
    let code = alice.phone.code(gateway.now());
    assert_eq!(send(&mut browser, &code).await.status, 303, "it is where it was");
}
