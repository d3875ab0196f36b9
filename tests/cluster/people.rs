//! What people do in front of several gateways, each request at another: enrol, sign in, step up,
//! be remembered, use a recovery code, look after their own factor.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::{self, Cluster, ends_everywhere};
use crate::dsl::gateway::Builder;
use crate::dsl::own::{APPS, CODES, ids, press};
use crate::dsl::steps::{
    Enrolled, enrol, enrol_at, give_code, name_first, sign_in_again, sign_out,
};
use crate::dsl::{ALICE, BOB, Browser, Phone, Portal, html, portal};
use crate::engine::Engine;

const DEVICE: &str = "__Host-mfa-device";
/// Longer than a code counts as given a moment ago.
const A_WHILE: Duration = Duration::from_secs(301);

on_each_engine!(
    everybody_enrols_and_comes_back_whichever_gateway_answers,
    a_code_counts_once_wherever_it_is_given,
    a_step_up_keeps_the_form_that_needed_it,
    a_remembered_device_is_exchanged_at_any_gateway,
    a_recovery_code_leads_to_a_new_phone,
    users_look_after_their_own_apps_and_codes,
    a_login_in_two_steps_is_one_login,
    who_signs_out_is_out_everywhere,
    a_renamed_portal_session_takes_its_proof_along,
);

/// A portal with these keys behind so many gateways.
async fn house(engine: &Engine, count: usize, yaml: &str) -> (Portal, Cluster) {
    let portal = portal::form().yaml(yaml).run().await;
    let equip = |_, builder: Builder| builder.portal("wiki", &portal);
    let cluster = cluster::of(count, engine).run(equip).await;
    (portal, cluster)
}

/// Opens a page so often that every gateway has answered; gives which did.
async fn answered(cluster: &Cluster, browser: &mut Browser) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for _ in 0..cluster.gateways.len() * 2 {
        let page = browser.open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
        names.insert(page.line("x-served-by").unwrap().to_owned());
    }
    names
}

/// Signs in with a new code of the phone.
async fn comes_again(cluster: &mut Cluster, browser: &mut Browser, alice: &Enrolled) {
    cluster.next_code();
    let page = sign_in_again(browser, ALICE).await;
    let told = give_code(browser, &page, &alice.phone.code(cluster.any().now())).await;
    assert_eq!((told.status, told.location()), (303, "/home"), "{:?}", told.answer);
}

async fn everybody_enrols_and_comes_back_whichever_gateway_answers(engine: &Engine) {
    for count in [2, 3] {
        let (_portal, mut cluster) = house(engine, count, "").await;
        let mut alice = enrol(cluster.any(), "wiki", ALICE).await;
        enrol(cluster.any(), "wiki", BOB).await;
        let all: BTreeSet<String> = (0..count).map(cluster::name).collect();
        assert_eq!(answered(&cluster, &mut alice.browser).await, all);
        for http2 in [false, true] {
            let mut browser = cluster.any().browser("wiki").over(http2);
            comes_again(&mut cluster, &mut browser, &alice).await;
            answered(&cluster, &mut browser).await;
        }
        // Half way through a sign-in nothing opens, at none of them.
        let mut browser = cluster.any().browser("wiki");
        sign_in_again(&mut browser, ALICE).await;
        for _ in 0..count * 2 {
            assert_eq!(browser.call("GET", "/home").await.status, 401);
        }
    }
}

async fn a_code_counts_once_wherever_it_is_given(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 3, "").await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    for _ in 0..5 {
        cluster.next_code();
        let code = alice.phone.code(cluster.any().now());
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut browser = cluster.any().browser("wiki");
            let page = sign_in_again(&mut browser, ALICE).await;
            waiting.push((browser, page));
        }
        let giving = waiting.iter_mut().map(|(browser, page)| give_code(browser, page, &code));
        let told = futures_util::future::join_all(giving).await;
        let accepted = told.iter().filter(|told| told.status == 303).count();
        let refused = told.iter().filter(|told| told.status == 401).count();
        assert_eq!((accepted, refused), (1, 2), "{told:?}");
    }
}

async fn a_step_up_keeps_the_form_that_needed_it(engine: &Engine) {
    let rule = "rules: [ { match: { path: /notes/** }, require: fresh, within: 5m } ]";
    let (portal, mut cluster) = house(engine, 3, rule).await;
    let mut alice = enrol(cluster.any(), "wiki", ALICE).await;
    cluster.advance(A_WHILE);
    let page = alice.browser.post("/notes/save?page=7", &[("text", "typed for an hour")]).await;
    assert_eq!(page.status, 401, "{:?}", page.answer);
    assert!(page.text().contains("Your form is kept"), "{}", page.text());
    let wrong = give_code(&mut alice.browser, &page, "000000").await;
    assert!(portal.seen_at("/notes/save").is_empty(), "the form went on without a code");
    let code = alice.phone.code(cluster.any().now());
    let saved = give_code(&mut alice.browser, &wrong, &code).await;
    assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
    assert_eq!(portal.seen_at("/notes/save").len(), 1);
    // The proof is as fresh at the others, and the cookie of before is worth nothing there.
    for _ in 0..3 {
        assert_eq!(alice.browser.open("/notes/list").await.status, 200);
    }
}

async fn a_remembered_device_is_exchanged_at_any_gateway(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 2, "remember_device: {}").await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    let mut browser = cluster.any().browser("wiki");
    comes_again(&mut cluster, &mut browser, &alice).await;
    let first = browser.jar[DEVICE].clone();
    for _ in 0..4 {
        cluster.advance(Duration::from_secs(3_600));
        browser.jar.retain(|name, _| name == DEVICE);
        let page = sign_in_again(&mut browser, ALICE).await;
        assert!(page.body.contains("for alice alone"), "{} {}", page.path, page.text());
    }
    // An older secret is a copy, at whichever gateway it comes up: it ends the device.
    let mut thief = cluster.any().browser("wiki");
    thief.jar.insert(DEVICE.to_owned(), first);
    let page = sign_in_again(&mut thief, ALICE).await;
    assert!(page.path.starts_with("/.mfa/verify"), "{}", page.path);
    browser.jar.retain(|name, _| name == DEVICE);
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(page.path.starts_with("/.mfa/verify"), "{}", page.path);
}

async fn a_recovery_code_leads_to_a_new_phone(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 3, "").await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    let mut browser = cluster.any().browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, &alice.codes[0]).await;
    assert_eq!(told.status, 303, "{:?}", told.answer);
    let page = browser.go("/.mfa/authenticators/move").await;
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let told = give_code(&mut browser, &page, &phone.code(cluster.any().now())).await;
    assert_eq!(told.location(), "/.mfa/authenticators?done=moved", "{:?}", told.answer);
    ends_everywhere(&cluster, &alice.browser).await;
    cluster.next_code();
    let now = cluster.any().now();
    let tried =
        [(alice.phone.code(now), 401), (alice.codes[0].clone(), 401), (phone.code(now), 303)];
    let mut other = cluster.any().browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    for (code, expected) in tried {
        assert_eq!(give_code(&mut other, &page, &code).await.status, expected);
    }
}

async fn users_look_after_their_own_apps_and_codes(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 2, "").await;
    let mut alice = enrol(cluster.any(), "wiki", ALICE).await;
    let browser = &mut alice.browser;
    let list = browser.open(APPS).await;
    let page = press(browser, &list, "add", 0).await;
    let tablet = Phone::scan(html::svg(&page.body).unwrap());
    let form = page.form("code").fill("code", &tablet.code(cluster.any().now()));
    let told = browser.send(&page, &form.fill("label", "Tablet")).await;
    assert_eq!(told.location(), "/.mfa/authenticators?done=added", "{:?}", told.answer);
    let list = browser.follow(told).await;
    assert_eq!(ids(&list).len(), 2);
    let list = browser.open(APPS).await;
    let removed = press(browser, &list, "remove", 0).await;
    assert!(removed.text().contains("The app was removed."), "{}", removed.text());
    for _ in 0..2 {
        assert_eq!(ids(&browser.open(APPS).await).len(), 1);
    }
    let page = browser.open(CODES).await;
    let page = press(browser, &page, "new", 0).await;
    let new = html::texts_of(&page.body, "recovery-code\"");
    assert_eq!(new.len(), 10, "{}", page.text());
    cluster.next_code();
    let now = cluster.any().now();
    let tried = [
        (alice.phone.code(now), 401),
        (alice.codes[1].clone(), 401),
        (tablet.code(now), 303),
        (new[0].clone(), 303),
    ];
    for (code, expected) in tried {
        let mut other = cluster.any().browser("wiki");
        let page = sign_in_again(&mut other, ALICE).await;
        assert_eq!(give_code(&mut other, &page, &code).await.status, expected);
    }
}

async fn a_login_in_two_steps_is_one_login(engine: &Engine) {
    let portal = portal::form().in_two_steps().run().await;
    let equip = |_, builder: Builder| builder.portal("wiki", &portal);
    let cluster = cluster::of(3, engine).run(equip).await;
    for (user, password) in [ALICE, BOB] {
        let mut browser = cluster.any().browser("wiki");
        let page = name_first(&mut browser, user).await;
        let form = page.form("password").fill("password", password);
        assert_eq!(browser.send(&page, &form).await.status, 303);
        let led = browser.open("/home").await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        let page = browser.follow(led).await;
        let mut enrolled = enrol_at(cluster.any(), browser, page).await;
        for _ in 0..3 {
            let home = enrolled.browser.open("/home").await;
            assert!(home.body.contains(&format!("for {user} alone")), "{:?}", home.answer);
        }
    }
}

async fn who_signs_out_is_out_everywhere(engine: &Engine) {
    let (_portal, cluster) = house(engine, 3, "").await;
    let mut alice = enrol(cluster.any(), "wiki", ALICE).await;
    answered(&cluster, &mut alice.browser).await;
    let kept = alice.browser.clone();
    sign_out(&mut alice.browser).await;
    let told = tokio::time::Instant::now();
    // From a second on; what is seen before that may be either.
    tokio::time::sleep_until(told + Duration::from_secs(1)).await;
    for _ in 0..6 {
        let shown = kept.clone().open("/home").await;
        assert_eq!((shown.status, shown.location()), (303, "/login"), "{:?}", shown.answer);
    }
}

async fn a_renamed_portal_session_takes_its_proof_along(engine: &Engine) {
    let portal = portal::form().rotation("follow").run().await;
    let equip = |_, builder: Builder| builder.portal("wiki", &portal);
    let cluster = cluster::of(3, engine).run(equip).await;
    let mut alice = enrol(cluster.any(), "wiki", ALICE).await;
    for _ in 0..4 {
        let before = alice.browser.jar["portalsession"].clone();
        assert_eq!(alice.browser.open("/rotate").await.status, 200);
        assert_ne!(alice.browser.jar["portalsession"], before);
        answered(&cluster, &mut alice.browser).await;
    }
}
