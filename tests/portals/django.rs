//! Django's admin: a token in the form, a session that changes with the password, and names
//! and paths that it reads in more ways than one.

use crate::dsl::steps::give_code;
use crate::dsl::{ALICE, BOB};
use crate::habits::DJANGO;
use crate::visits::{Place, Visited, whole_story};

#[tokio::test(flavor = "multi_thread")]
async fn djangos_admin_gets_a_second_factor() {
    whole_story(&DJANGO).await;
}

/// A login that the gateway does not look into, inside somebody's proven session.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_at_another_spelling_of_the_path_opens_nobody_elses_pages() {
    let mut place = Place::open(&DJANGO).await;
    place.enrol(ALICE).await;
    let mut bob = place.enrol(BOB).await;
    let mut shown = Vec::new();
    for path in ["/admin/%6Cogin/", "//admin/login/"] {
        place.gateway.next_code();
        let code = bob.phone.code(place.gateway.now());
        (bob.browser, _) = place.come_again(BOB, &code).await;
        let page = bob.browser.open("/admin/password_change/").await;
        let token = page.form("old_password").field("csrfmiddlewaretoken").unwrap().to_owned();
        let fields = [("csrfmiddlewaretoken", token.as_str()), ("next", DJANGO.page)];
        let fields = [&fields[..], &[("username", ALICE.0), ("password", ALICE.1)]].concat();
        let login = bob.browser.post(path, &fields).await;
        assert!(login.status < 500, "{:?}", login.answer);
        let mut page = bob.browser.go(DJANGO.page).await;
        if page.path.starts_with("/.mfa/verify") {
            place.gateway.next_code();
            let code = bob.phone.code(place.gateway.now());
            give_code(&mut bob.browser, &page, &code).await;
            page = bob.browser.go(DJANGO.page).await;
        }
        if page.text().contains("Welcome, alice") {
            shown.push(path);
        }
    }
    assert!(shown.is_empty(), "alice's pages are shown to bob: {shown:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_django_reads_as_another_is_offered_no_new_phone() {
    let place = Place::open(&DJANGO).await;
    place.enrol(ALICE).await;
    let mut browser = place.browser();
    let led = DJANGO.sign_in(&mut browser, (" alice ", ALICE.1)).await;
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    for name in ["\u{ff41}lice", "\u{ff21}lice", "alice\u{a0}", "alice\0", "ALICE"] {
        let mut browser = place.browser();
        DJANGO.sign_in(&mut browser, (name, ALICE.1)).await;
        let page = browser.open(DJANGO.page).await;
        assert!(!DJANGO.shows(&page), "{name:?}: {:?}", page.answer);
        assert!(!page.location().starts_with("/.mfa/enrol"), "{name:?}: {}", page.location());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_changes_the_session_and_a_code_is_asked_for_again() {
    let mut place = Place::open(&DJANGO).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar["sessionid"].clone();
    let page = alice.browser.open("/admin/password_change/").await;
    let form = page.form("old_password").fill("old_password", ALICE.1);
    let form = form.fill("new_password1", "Other-Horse-10").fill("new_password2", "Other-Horse-10");
    let done = alice.browser.send(&page, &form).await;
    assert_eq!(done.location(), "/admin/password_change/done/", "{:?}", done.answer);
    assert_ne!(alice.browser.jar["sessionid"], before);
    place.is_kept_out(&mut alice.browser, "/.mfa/verify").await;
    place.gateway.next_code();
    let page = alice.browser.go(DJANGO.page).await;
    let code = alice.phone.code(place.gateway.now());
    let page = give_code(&mut alice.browser, &page, &code).await;
    assert!(DJANGO.shows(&*alice.browser.follow(page).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn djangos_own_sign_out_ends_the_session() {
    let place = Place::open(&DJANGO).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar.clone();
    let page = alice.browser.open(DJANGO.page).await;
    let token = page.form("csrfmiddlewaretoken").field("csrfmiddlewaretoken").unwrap().to_owned();
    let out =
        alice.browser.post("/admin/logout/", &[("csrfmiddlewaretoken", token.as_str())]).await;
    assert_eq!(out.status, 200, "{:?}", out.answer);
    assert!(!alice.browser.jar.contains_key("sessionid"));
    for jar in [alice.browser.jar.clone(), before] {
        alice.browser.jar = jar;
        place.is_kept_out(&mut alice.browser, DJANGO.login).await;
    }
}
