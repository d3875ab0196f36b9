//! WordPress: cookies for one folder beside those for all, names that it reads in many ways,
//! and interfaces that take a password with every call.

use base64::Engine as _;

use crate::dsl::steps::give_code;
use crate::dsl::{ALICE, BOB, Call};
use crate::habits::WORDPRESS;
use crate::visits::{Place, whole_story};

/// Where its users' own pages are.
const PROFILE: &str = "/wp-admin/profile.php";

#[tokio::test(flavor = "multi_thread")]
async fn wordpress_gets_a_second_factor() {
    whole_story(&WORDPRESS).await;
}

/// The pages below /wp-admin/ get one cookie more than all others.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_for_one_folder_is_part_of_the_session() {
    let place = Place::open(&WORDPRESS).await;
    let mut alice = place.enrol(ALICE).await;
    let own = alice.browser.open(PROFILE).await;
    assert!(own.body.contains("value=\"alice\""), "{:?}", own.answer);
    let folder = alice.browser.jar.keys().find(|name| name.starts_with("wordpress_sec_"));
    let folder = folder.unwrap().clone();
    let mut bob = place.browser();
    WORDPRESS.sign_in(&mut bob, BOB).await;
    alice.browser.jar.insert(folder.clone(), bob.jar[&folder].clone());
    let mixed = alice.browser.open(PROFILE).await;
    assert!(!mixed.body.contains("value=\"bob\""), "{:?}", mixed.answer);
    assert_eq!(mixed.status, 303, "{:?}", mixed.answer);
}

/// All of these are alice to the site.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_wordpress_reads_as_another_is_offered_no_new_phone() {
    let place = Place::open(&WORDPRESS).await;
    place.enrol(ALICE).await;
    for name in ["ALICE", " alice ", "alice@example.com", "ALICE@example.com"] {
        let led = WORDPRESS.sign_in(&mut place.browser(), (name, ALICE.1)).await;
        assert!(led.location().starts_with("/.mfa/verify"), "{name:?}: {:?}", led.answer);
    }
    for name in ["\u{e1}lice", "\u{ff41}lice", "al<b></b>ice", "alice\0"] {
        let mut browser = place.browser();
        WORDPRESS.sign_in(&mut browser, (name, ALICE.1)).await;
        let page = browser.open(WORDPRESS.page).await;
        assert!(!WORDPRESS.shows(&page), "{name:?}: {:?}", page.answer);
        assert!(!page.location().starts_with("/.mfa/enrol"), "{name:?}: {}", page.location());
    }
}

/// XML-RPC takes the password with every call, the REST interface another by HTTP Basic.
#[tokio::test(flavor = "multi_thread")]
async fn no_interface_takes_a_password_before_the_code() {
    let place = Place::open(&WORDPRESS).await;
    let mut named = place.browser();
    WORDPRESS.sign_in(&mut named, ALICE).await;
    let values = ["1", ALICE.0, ALICE.1]
        .map(|value| format!("<param><value><string>{value}</string></value></param>"));
    let xml = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>wp.getPosts</methodName><params>{}</params></methodCall>",
        values.concat()
    );
    let basic =
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", ALICE.0, ALICE.1));
    let taken = crate::dsl::client::plain(
        place.portal.address(),
        Call::new("POST", "wordpress.test", "/xmlrpc.php").body(&xml),
    );
    assert!(taken.await.body.contains("post_content"), "the portal itself takes it");
    for visitor in [place.browser(), named] {
        for path in ["/xmlrpc.php", "/wp-json/wp/v2/posts", "/?rest_route=/wp/v2/users/me"] {
            for method in ["GET", "POST"] {
                let call = visitor.with_cookies(Call::new(method, &visitor.host, path));
                let call = call.line("authorization", format!("Basic {basic}"));
                let answer = visitor.clone().visit(path, call.body(&xml)).await;
                assert_eq!(answer.status, 401, "{method} {path}: {:?}", answer.answer);
                assert!(!answer.body.contains("wp"), "{method} {path}: {:?}", answer.answer);
            }
        }
    }
}

/// A browser that is remembered, and then a password that is changed in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_changes_the_cookies_and_a_code_is_asked_for_again() {
    let mut place = Place::open(&WORDPRESS).await;
    let mut alice = place.enrol(ALICE).await;
    place.gateway.next_code();
    alice.browser.jar.clear();
    let led = WORDPRESS.sign_in_to_stay(&mut alice.browser, ALICE).await;
    let page = alice.browser.follow(led).await;
    let code = alice.phone.code(place.gateway.now());
    give_code(&mut alice.browser, &page, &code).await;
    let page = alice.browser.open(PROFILE).await;
    let before = alice.browser.jar.clone();
    let form = page.form("pass1").fill("pass1", "Other-Horse-10").fill("pass2", "Other-Horse-10");
    let form = form.without("wp_http_referer").without("destroy-sessions").fill("pw_weak", "on");
    let done = alice.browser.send(&page, &form).await;
    assert_eq!(done.status, 302, "{:?}", done.answer);
    assert_ne!(alice.browser.jar, before);
    place.is_kept_out(&mut alice.browser, "/.mfa/verify").await;
    alice.browser.jar = before;
    let page = alice.browser.open(WORDPRESS.page).await;
    assert!(!WORDPRESS.shows(&page), "{:?}", page.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn wordpresss_own_sign_out_ends_the_session() {
    let place = Place::open(&WORDPRESS).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar.clone();
    let page = alice.browser.open(WORDPRESS.page).await;
    let link = page.body.split(['"', '\'']).find(|text| text.contains("action=logout")).unwrap();
    let link = link.replace("&amp;", "&").replace("&#038;", "&");
    let out = alice.browser.open(link.trim_start_matches("https://wordpress.test")).await;
    assert!(out.location().contains("loggedout=true"), "{:?}", out.answer);
    for jar in [alice.browser.jar.clone(), before] {
        alice.browser.jar = jar;
        place.is_kept_out(&mut alice.browser, WORDPRESS.login).await;
    }
}
