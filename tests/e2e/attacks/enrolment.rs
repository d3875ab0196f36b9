//! C20: who has only the password can enrol once, if nobody has; whoever has enrolled is not
//! touched by it. ENR-1: where more than the password is asked for, it gives nothing.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, command};
use crate::dsl::steps::{enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Phone, gateway, html, portal};

const OURS: [&str; 5] =
    ["/.mfa/", "/.mfa/enrol", "/.mfa/verify", "/.mfa/recovery-codes", "/.mfa/authenticators"];

/// A first visit up to the offer, with the phone that scanned it.
async fn offered(gateway: &Gateway, who: (&str, &str), http2: bool) -> (Browser, Shown, Phone) {
    let mut browser = gateway.browser("wiki").over(http2);
    let page = sign_in_anew(&mut browser, who).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    (browser, page, phone)
}

fn leads_to(shown: &Shown, place: &str) -> bool {
    shown.status == 303 && shown.location().starts_with(place)
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_a_password_alone_changes_nothing_of_who_has_enrolled() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    // Two offers from before alice enrolled elsewhere, one over each version of HTTP.
    let mut attackers = Vec::new();
    for http2 in [false, true] {
        attackers.push(offered(&gateway, ALICE, http2).await);
    }
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for (mut browser, page, phone) in attackers {
        let old = page.form("code").fill("code", &phone.code(gateway.now()));
        let confirmed = browser.send(&page, &old).await;
        assert!(leads_to(&confirmed, "/.mfa/verify"), "{:?}", confirmed.answer);
        assert!(confirmed.all("set-cookie").is_empty());
        for path in OURS {
            let shown = browser.open(path).await;
            for kept in [alice.phone.secret(), phone.secret()].iter().chain(&[
                alice.codes[0].as_str(),
                "otpauth:",
                "<svg",
            ]) {
                assert!(!shown.body.contains(kept), "{path} shows {kept}");
            }
            for fields in [&old.pairs()[..], &[("action", "remove")], &[]] {
                let sent = browser.post(path, fields).await;
                let refused = leads_to(&sent, "/.mfa/verify")
                    || [401, 403, 404, 405].contains(&sent.status)
                    || (path == "/.mfa/recovery-codes" && leads_to(&sent, "/"));
                assert!(refused, "{path}: {:?}", sent.answer);
            }
        }
        // Sent to the page that takes codes, the code of the old offer is just a wrong one.
        let page = browser.open("/.mfa/verify").await;
        let wrong = give_code(&mut browser, &page, &phone.code(gateway.now())).await;
        assert_eq!(wrong.status, 401);
        assert!(leads_to(&browser.open("/home").await, "/.mfa/verify"));
    }
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303, "her phone still works");
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let recovered = give_code(&mut browser, &page, &alice.codes[9]).await;
    assert_eq!(recovered.status, 303, "her recovery codes still work");
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_of_two_enrolments_at_once_one_wins_and_the_other_is_worth_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, who) in [(false, ALICE), (true, BOB)] {
        let (mut one, page_one, phone_one) = offered(&gateway, who, http2).await;
        let (mut two, page_two, phone_two) = offered(&gateway, who, http2).await;
        assert_ne!(phone_one.secret(), phone_two.secret(), "one secret for two sessions");
        let now = gateway.now();
        let form_one = page_one.form("code").fill("code", &phone_one.code(now));
        let form_two = page_two.form("code").fill("code", &phone_two.code(now));
        let (told_one, told_two) =
            tokio::join!(one.send(&page_one, &form_one), two.send(&page_two, &form_two));
        let one_won = leads_to(&told_one, "/.mfa/recovery-codes");
        let two_won = leads_to(&told_two, "/.mfa/recovery-codes");
        assert!(one_won != two_won, "{told_one:?} and {told_two:?}");
        let (winner, winners, loser, losers, told) = match one_won {
            true => (one, phone_one, two, phone_two, told_two),
            false => (two, phone_two, one, phone_one, told_one),
        };
        assert!(leads_to(&told, "/.mfa/verify"), "{:?}", told.answer);
        assert!(told.all("set-cookie").is_empty());
        assert!(winner.clone().open("/home").await.body.contains("secret-page"));
        assert!(leads_to(&loser.clone().open("/home").await, "/.mfa/verify"));
        assert!(leads_to(&loser.clone().open("/.mfa/enrol").await, "/.mfa/verify"));
        gateway.next_code();
        let now = gateway.now();
        for (phone, status) in [(&losers, 401), (&winners, 303)] {
            let mut browser = loser.clone();
            let page = browser.open("/.mfa/verify?return_to=%2Fhome").await;
            assert_eq!(give_code(&mut browser, &page, &phone.code(now)).await.status, status);
        }
    }
    let enrolled = gateway.metric("portcullis_enrolments_total", &[("portal", "wiki")]);
    assert_eq!(enrolled.await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_an_offer_is_good_for_ten_minutes_and_for_its_session() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let (mut browser, page, phone) = offered(&gateway, ALICE, http2).await;
        let again = browser.open("/.mfa/enrol").await;
        assert!(again.body.contains(phone.secret()), "a page shown again fits what was scanned");
        let (mut other, other_page, other_phone) = offered(&gateway, ALICE, http2).await;
        let foreign = other_page.form("code").fill("code", &phone.code(gateway.now()));
        assert_eq!(other.send(&other_page, &foreign).await.status, 401);
        gateway.advance(Duration::from_secs(601));
        let late = page.form("code").fill("code", &phone.code(gateway.now()));
        let told = browser.send(&page, &late).await;
        assert_eq!(told.status, 401);
        let fresh = Phone::from_link(&html::link(&told.body, "otpauth"));
        assert!(fresh.secret() != phone.secret() && fresh.secret() != other_phone.secret());
        assert!(leads_to(&browser.open("/home").await, "/.mfa/enrol"));
        let late = told.form("code").fill("code", &phone.code(gateway.now()));
        assert_eq!(browser.send(&told, &late).await.status, 401, "the old secret is worth nothing");
    }
    assert!(leads_to(&gateway.browser("wiki").open("/.mfa/enrol").await, "/login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_a_form_of_another_session_enrols_nobody() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let (mut browser, page, phone) = offered(&gateway, ALICE, http2).await;
        let (_, same_user, _) = offered(&gateway, ALICE, http2).await;
        let (_, other_user, _) = offered(&gateway, BOB, http2).await;
        let form = page.form("code").fill("code", &phone.code(gateway.now()));
        let csrf = |page: &Shown| page.form("code").field("csrf").unwrap().to_owned();
        let twice = form.pairs().into_iter().chain([("csrf", "x")]).collect::<Vec<_>>();
        assert_eq!(browser.post("/.mfa/enrol", &twice).await.status, 403);
        for token in [csrf(&same_user), csrf(&other_user), String::new(), "x".repeat(64)] {
            let sent = browser.send(&page, &form.clone().fill("csrf", &token)).await;
            assert_eq!(sent.status, 403, "{token}");
        }
        assert_eq!(browser.send(&page, &form.clone().without("csrf")).await.status, 403);
        let mut nobody = gateway.browser("wiki").over(http2);
        assert!(leads_to(&nobody.post("/.mfa/enrol", &form.pairs()).await, "/login"));
        assert!(leads_to(&browser.open("/home").await, "/.mfa/enrol"));
    }
    let enrolled = gateway.metric("portcullis_enrolments_total", &[("portal", "wiki")]);
    assert_eq!(enrolled.await, 0.0);
}

/// Whether anything that makes a second factor is in an answer.
fn holds_a_secret(shown: &Shown) -> bool {
    let marks = ["<svg", "otpauth", "id=\"secret\"", "recovery-code"];
    marks
        .iter()
        .any(|mark| shown.body.contains(mark) || shown.all("location").join("").contains(mark))
}

/// ENR-1: whoever has only the password of an account that nobody used gets no secret, by no
/// address, method or order of steps.
#[tokio::test(flavor = "multi_thread")]
async fn enr_1_a_password_alone_enrols_nobody_at_a_dormant_account() {
    let portal = portal::form().yaml("enrolment: { dormant: 90d }").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    // An offer from the days when the account was in use, kept until now.
    let (_, old_page, old_phone) = offered(&gateway, ALICE, false).await;
    gateway.advance(Duration::from_secs(90 * 24 * 3600));
    for http2 in [false, true] {
        let mut thief = gateway.browser("wiki").over(http2);
        let page = sign_in_anew(&mut thief, ALICE).await;
        let csrf = page.form("invite").field("csrf").unwrap().to_owned();
        let now = gateway.now();
        let old = old_phone.code(now);
        let steps: Vec<Vec<(&str, &str)>> = vec![
            vec![],
            vec![("code", &old)],
            vec![("code", &old), ("label", "mine")],
            vec![("code", "")],
            vec![("invite", "")],
            vec![("invite", &old)],
            vec![("invite", "0000-0000"), ("code", &old)],
            vec![("invite", "x"), ("invite", "y"), ("code", &old)],
            vec![("action", "mail")],
            vec![("action", "mail"), ("code", &old)],
            vec![("action", "enrol")],
            vec![("action", "later")],
            vec![("acknowledged", "yes")],
        ];
        let paths = ["/.mfa/enrol", "/.mfa/verify", "/.mfa/notice", "/.mfa/recovery-codes"];
        // Twice, the second time in the other order, since steps might depend on others.
        let mut all: Vec<(&str, &Vec<(&str, &str)>)> =
            paths.iter().flat_map(|path| steps.iter().map(move |step| (*path, step))).collect();
        for _ in 0..2 {
            for (path, step) in &all {
                let fields = [&step[..], &[("csrf", csrf.as_str())]].concat();
                let sent = thief.post(path, &fields).await;
                assert!(!holds_a_secret(&sent), "POST {path} {step:?}: {}", sent.text());
                assert!(!leads_to(&sent, "/.mfa/recovery-codes"), "{path} {step:?}");
                let query: Vec<String> =
                    step.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let shown = thief.open(&format!("{path}?{}", query.join("&"))).await;
                assert!(!holds_a_secret(&shown), "GET {path} {step:?}: {}", shown.text());
            }
            all.reverse();
        }
        for path in ["/.mfa/enrol/", "/.mfa//enrol", "/.mfa/ENROL", "/.mfa/%65nrol", "/.mfa/invite"]
        {
            for method in ["GET", "POST", "PUT", "HEAD", "OPTIONS"] {
                let told = thief.call(method, path).await;
                assert!(!holds_a_secret(&told), "{method} {path}");
            }
        }
        // A form of the days before, with the right code of the secret of then.
        let late = old_page.form("code").fill("code", &old).fill("csrf", &csrf);
        let told = thief.send(&old_page, &late).await;
        assert!(!holds_a_secret(&told) && [401, 429].contains(&told.status), "{:?}", told.answer);
        assert!(leads_to(&thief.open("/home").await, "/.mfa/enrol"));
        assert_eq!(thief.call("GET", "/home").await.status, 401);
        // The guesses of before have to be waited for.
        gateway.advance(Duration::from_secs(3600));
    }
    let enrolled = gateway.metric("portcullis_enrolments_total", &[("portal", "wiki")]);
    assert_eq!(enrolled.await, 0.0);
}

/// ENR-1: two browsers race with one invitation; exactly one wins, and what the other was
/// offered is worth nothing.
#[tokio::test(flavor = "multi_thread")]
async fn enr_1_an_invitation_enrols_one_browser_of_two() {
    let portal = portal::form().yaml("enrolment: { guard: invite }").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(DESK).run().await;
    for (who, http2) in [(ALICE, false), (BOB, true)] {
        let words = ["user", "invite", who.0, "--portal", "wiki", "--output", "json"];
        let told: serde_json::Value =
            serde_json::from_str(&command(&gateway, DESK, &words).out).unwrap();
        let code = told["invitations"][0]["code"].as_str().unwrap();
        let mut racers = Vec::new();
        for _ in 0..2 {
            let mut browser = gateway.browser("wiki").over(http2);
            let page = sign_in_anew(&mut browser, who).await;
            assert!(!holds_a_secret(&page));
            let led = browser.send(&page, &page.form("invite").fill("invite", code)).await;
            let page = browser.follow(led).await;
            let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
            racers.push((browser, page, phone));
        }
        let (mut two, page_two, phone_two) = racers.pop().unwrap();
        let (mut one, page_one, phone_one) = racers.pop().unwrap();
        assert_ne!(phone_one.secret(), phone_two.secret());
        let now = gateway.now();
        let form_one = page_one.form("code").fill("code", &phone_one.code(now));
        let form_two = page_two.form("code").fill("code", &phone_two.code(now));
        let (told_one, told_two) =
            tokio::join!(one.send(&page_one, &form_one), two.send(&page_two, &form_two));
        let won = [&told_one, &told_two].map(|told| leads_to(told, "/.mfa/recovery-codes"));
        assert!(won[0] != won[1], "{told_one:?} and {told_two:?}");
        let (mut loser, told) = if won[0] { (two, told_two) } else { (one, told_one) };
        assert!(leads_to(&told, "/.mfa/verify"), "{:?}", told.answer);
        assert!(leads_to(&loser.open("/.mfa/enrol").await, "/.mfa/verify"));
        gateway.next_code();
    }
}
