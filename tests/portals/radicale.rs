//! Radicale: HTTP Basic in one spelling alone; who spells it otherwise is nobody to it, and
//! much is shown to nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::dsl::{ALICE, BOB};
use crate::lines::{Keyed, Place, Way, basic, whole_story};

pub const RADICALE: Keyed = Keyed {
    name: "radicale",
    way: Way::Basic,
    page: "/alice/diary/",
    inside: "What alice meets about",
};

#[tokio::test(flavor = "multi_thread")]
async fn radicale_gets_a_second_factor() {
    whole_story(&RADICALE).await;
}

/// The portal shows the page that we ask it for to nobody, so that a wrong password must not
/// be read as none.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_in_another_spelling_of_the_line_is_no_login() {
    let place = Place::open(&RADICALE).await;
    let pair = |text: &str| STANDARD.encode(text);
    let wrong = pair("alice:wrong");
    for line in [
        format!("basic {wrong}"),
        format!("BASIC {wrong}"),
        format!("bAsIc  {wrong} "),
        format!("Basic{wrong}"),
        format!("Basic\t{wrong}"),
        format!("Bearer {wrong}"),
        format!("Basic {}", pair("alice")),
        format!("Basic {}", pair(":Correct-Horse-9")),
        format!("Basic {}!", wrong),
        format!("Basic {} {}", wrong, pair("alice:Correct-Horse-9")),
        "Basic".to_owned(),
        "basic".to_owned(),
    ] {
        let mut browser = place.browser();
        browser.authorization = Some(line.clone());
        for path in [RADICALE.page, "/", "/.web/"] {
            let answer = browser.call("GET", path).await;
            assert_eq!(answer.status, 401, "{line:?} at {path}: {:?}", answer.answer);
            assert_eq!(answer.json()["type"], "urn:portcullis:login_required", "{line:?}");
        }
        assert!(browser.jar.is_empty(), "{line:?} makes somebody known: {:?}", browser.jar);
    }
}

/// The scheme of the line has no case (RFC 9110 section 11.1).
#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_is_one_in_any_case_of_the_scheme() {
    let place = Place::open(&RADICALE).await;
    let mut browser = place.browser();
    browser.authorization = Some(basic(ALICE).replace("Basic", "basic"));
    place.is_kept_out(&mut browser, "enrolment_required").await;
}

/// Every method of calendars waits for the second factor, and goes through after it.
#[tokio::test(flavor = "multi_thread")]
async fn methods_that_no_browser_knows_are_held_and_let_through_alike() {
    let place = Place::open(&RADICALE).await;
    let mut bob = place.browser();
    RADICALE.sign_in(&mut bob, BOB).await;
    let methods = ["PROPFIND", "REPORT", "PUT", "DELETE", "MKCALENDAR", "OPTIONS"];
    for method in methods {
        let answer = bob.call(method, "/bob/diary/").await;
        assert_eq!(answer.status, 401, "{method}: {:?}", answer.answer);
    }
    let alice = place.enrol(ALICE).await;
    let mut alice = alice.browser;
    assert_eq!(alice.call("PROPFIND", RADICALE.page).await.status, 207);
    assert_eq!(alice.call("MKCALENDAR", "/alice/other/").await.status, 201);
    assert_eq!(alice.call("DELETE", "/alice/other/").await.status, 200);
    // What she may not do is the portal's to say.
    assert_eq!(alice.call("MKCALENDAR", "/bob/other/").await.status, 403);
    assert_eq!(alice.call("DELETE", "/bob/diary/").await.status, 403);
    place.is_kept_out(&mut bob, "enrolment_required").await;
}
