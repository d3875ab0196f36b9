//! ENR-2 to ENR-4: an offered secret is seen once and by one; who has not enrolled gets no
//! further than that; an exception is for the name that it names.

use crate::dsl::browser::Shown;
use crate::dsl::dates::enforcement;
use crate::dsl::socket::{handshake, refusal};
use crate::dsl::steps::{confirm, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Phone, gateway, html, member, portal};

/// Every way to ask for the page that offers a secret, by whoever this is.
async fn all_that_is_told(browser: &Browser, forms: &[&[(&str, &str)]]) -> Vec<Shown> {
    let mut told = Vec::new();
    for http2 in [false, true] {
        let browser = browser.clone().over(http2);
        for path in ["/.mfa/enrol", "/.mfa/enrol?return_to=%2Fhome", "/.mfa/", "/.mfa/verify"] {
            told.push(browser.clone().open(path).await);
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                told.push(browser.clone().call(method, path).await);
            }
            for form in forms {
                told.push(browser.clone().post(path, form).await);
            }
        }
    }
    told
}

fn nobody_was_told(told: &[Shown], phone: &Phone) {
    for shown in told {
        let all = format!("{:?}{}", shown.lines, shown.body).replace(char::is_whitespace, "");
        let bare = html::plain(&shown.body).replace(' ', "");
        let holds = all.contains(phone.secret()) || bare.contains(phone.secret());
        assert!(!holds, "{}: {}", shown.path, shown.body);
    }
}

/// ENR-2: what was offered is told to its own session, until it is confirmed, and never again.
#[tokio::test(flavor = "multi_thread")]
async fn enr_2_a_secret_is_seen_by_its_own_session_until_it_is_confirmed() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    // Somebody with the same password, somebody else, and nobody.
    let mut second = gateway.browser("wiki");
    let seconds = sign_in_anew(&mut second, ALICE).await;
    let other = Phone::from_link(&html::link(&seconds.body, "otpauth"));
    assert_ne!(other.secret(), phone.secret());
    let mut bob = gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    let csrf = page.form("code").field("csrf").unwrap().to_owned();
    let forms: [&[(&str, &str)]; 3] =
        [&[], &[("csrf", &csrf), ("code", "000000")], &[("csrf", &csrf), ("action", "mail")]];
    for stranger in [&second, &bob, &gateway.browser("wiki")] {
        nobody_was_told(&all_that_is_told(stranger, &forms).await, &phone);
    }
    let before = alice.clone();
    let (_, _, _) = confirm(&gateway, &mut alice, &page, &phone).await;
    gateway.next_code();
    let mut again = gateway.browser("wiki");
    sign_in_again(&mut again, ALICE).await;
    // Nor to who has the password, nor by going back, nor with the cookie of then.
    for whoever in [&alice, &before, &second, &bob, &again] {
        nobody_was_told(&all_that_is_told(whoever, &forms).await, &phone);
    }
    let late = seconds.form("code").fill("code", &other.code(gateway.now()));
    let led = second.send(&seconds, &late).await;
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    nobody_was_told(&all_that_is_told(&again, &forms).await, &other);
}

/// ENR-3: the password alone leads to enrolment and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn enr_3_who_has_not_enrolled_reaches_nothing_of_the_portal() {
    let portal = portal::form().yaml("spa: true").run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut bob = gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    portal.take_seen();
    let paths = [
        "/",
        "/home",
        "/home/",
        "//home",
        "/./home",
        "/%68ome",
        "/home;x=1",
        "/mine",
        "/ws",
        "/echo",
        "/public/../home",
        "/public/..%2fhome",
        "/notes/save",
        "/events",
        "/.mfa/../home",
        "/big",
    ];
    for http2 in [false, true] {
        for path in paths {
            let mut bob = bob.clone().over(http2);
            for shown in [
                bob.open(path).await,
                bob.call("GET", path).await,
                bob.call("POST", path).await,
                bob.call("OPTIONS", path).await,
                bob.post(path, &[("text", "x")]).await,
            ] {
                assert!(!shown.body.contains("bob alone"), "{path}: {:?}", shown.answer);
                assert_ne!(shown.status, 200, "{path}: {:?}", shown.answer);
            }
        }
    }
    let (status, _) = refusal(&gateway, &bob, &handshake(&bob, "/ws")).await;
    assert_eq!(status, 401);
    assert!(portal.seen().is_empty(), "{:?}", portal.seen());
    let public = bob.open("/public/page").await;
    assert!(public.body.contains("open to all"));
    let brought = portal.seen_at("/public/page")[0].all("cookie").concat();
    assert!(!brought.contains("portalsession"), "the session went along: {brought}");
}

async fn is_let_through(gateway: &Gateway, typed: &str, password: &str) -> bool {
    let mut browser = gateway.browser("wiki");
    sign_in(&mut browser, (typed, password)).await;
    // Whoever has time left is told of it once.
    browser.go("/home").await;
    browser.open("/home").await.body.contains("secret-page")
}

/// ENR-4: whom ops give more time is named whole; nobody else gets it by a name like that.
#[tokio::test(flavor = "multi_thread")]
async fn enr_4_more_time_is_for_the_very_name_that_has_it() {
    let group =
        ", groups: [ { users: [member1], pattern: 'member2', from: 2099-01-01T00:00:00Z } ]";
    let portal = portal::form().yaml(&enforcement("required", -1, group)).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for number in [1, 2] {
        let (user, password) = member(number);
        for typed in [user.clone(), user.to_uppercase(), format!(" {user} ")] {
            assert!(is_let_through(&gateway, &typed, &password).await, "{typed:?} is that user");
        }
    }
    for number in [0, 10, 11, 12, 20, 21, 22, 111] {
        let (user, password) = member(number);
        for typed in [user.clone(), user.to_uppercase(), format!("{user}\t")] {
            assert!(!is_let_through(&gateway, &typed, &password).await, "{typed:?} is not");
        }
    }
    let (_, password) = member(1);
    for typed in ["member1\0", "member1,member10", "ｍember1", "member1@example.com", "xmember1"] {
        assert!(!is_let_through(&gateway, typed, &password).await, "{typed:?} is not");
    }
    let counted = [("verdict", "forward"), ("reason", "grace")];
    let counted = gateway.metric("portcullis_requests_total", &counted).await;
    assert!(counted >= 6.0, "those who went on without a factor are not counted: {counted}");
}
