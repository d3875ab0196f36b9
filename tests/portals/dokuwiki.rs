//! DokuWiki: it takes a name and a password with any request, reads names in many spellings,
//! and gives its session cookie a new value now and then.

use crate::dsl::browser::Shown;
use crate::dsl::steps::{Enrolled, give_code};
use crate::dsl::{ALICE, BOB, Browser, Call};
use crate::habits::DOKUWIKI;
use crate::visits::{Place, Visited, whole_story};

/// What the wiki writes for who is signed in as alice.
const AS_ALICE: &str = "(<bdi>alice</bdi>)";

#[tokio::test(flavor = "multi_thread")]
async fn dokuwiki_gets_a_second_factor() {
    whole_story(&DOKUWIKI).await;
}

/// PHP takes the last of two fields, and a list for a field of that name.
#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_login_shows_a_page_before_the_code() {
    let place = Place::open(&DOKUWIKI).await;
    let password = "do=login&u=alice&p=Correct-Horse-9&id=secret";
    let form = "application/x-www-form-urlencoded";
    let parts = "multipart/form-data; boundary=x";
    let multipart = ["do", "export_raw", "u", "alice", "p", "Correct-Horse-9", "id", "secret"]
        .chunks(2)
        .map(|field| {
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                field[0], field[1]
            )
        })
        .collect::<String>()
        + "--x--\r\n";
    let query = "/doku.php?id=secret&u=alice&p=Correct-Horse-9&do=export_raw";
    let tries = [
        ("/doku.php", form, format!("{password}&do[export_raw]=1")),
        ("/doku.php", form, format!("do[show]=1&{password}&do[show]=1")),
        ("/doku.php", form, format!("{password}&+do=export_raw")),
        ("/doku.php", form, format!("{password}&do%00=export_raw")),
        ("/doku.php?do=export_raw", form, password.to_owned()),
        ("/doku.php?id=secret", form, "do=login&u=0&p=x&do[show]=1".to_owned()),
        ("/doku.php?id=secret", form, "do=login&u=!!&p=x&do[show]=1".to_owned()),
        ("/doku.php", parts, multipart.clone()),
        ("/doku.php?do=login", parts, multipart),
        (query, "text/plain", "do=login".to_owned()),
        (query, form, "do=login".to_owned()),
        ("/doku.php?id=secret&do=login", "text/plain", String::new()),
    ];
    let mut named = place.browser();
    DOKUWIKI.sign_in(&mut named, ALICE).await;
    let mut shown = Vec::new();
    for (who, visitor) in [("nobody", place.browser()), ("alice", named)] {
        for (path, kind, body) in &tries {
            let answer = send(&mut visitor.clone(), path, kind, body).await;
            if DOKUWIKI.shows(&answer) {
                shown.push(format!("{who}: POST {path} {kind} {body}"));
            }
        }
        for path in [query, DOKUWIKI.form, "/doku.php?id=secret&do=login&do=show"] {
            let answer = visitor.clone().open(path).await;
            if DOKUWIKI.shows(&answer) {
                shown.push(format!("{who}: GET {path}"));
            }
        }
    }
    assert!(shown.is_empty(), "shown without a code: {shown:#?}");
}

/// Who has a phone of his own and somebody else's password.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_given_inside_a_proven_session_opens_nobody_elses_pages() {
    let mut place = Place::open(&DOKUWIKI).await;
    place.enrol(ALICE).await;
    let bob = place.enrol(BOB).await;
    let mut shown = Vec::new();
    let form = "application/x-www-form-urlencoded";
    let alice = "u=alice&p=Correct-Horse-9";
    let parts = "multipart/form-data; boundary=x";
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\nalice\r\n--x\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\nCorrect-Horse-9\r\n--x--\r\n";
    for (path, kind, body) in [
        ("/doku.php?id=start", form, alice),
        ("/doku.php?id=start", parts, multipart),
        ("/lib/exe/ajax.php", form, alice),
        ("/lib/exe/ajax.php", parts, multipart),
        ("/feed.php?u=alice&p=Correct-Horse-9", "text/plain", "x"),
        ("/doku.php", form, "do=login&u=bob&+u=alice&p=Correct-Horse-9"),
        ("/doku.php", form, "do=login&u=bob&u%00=alice&p=Correct-Horse-9"),
        ("/doku.php", form, "do=login&u=alice&p=Correct-Horse-9&u=alice"),
    ] {
        place.gateway.next_code();
        let code = bob.phone.code(place.gateway.now());
        let (mut browser, _) = place.come_again(BOB, &code).await;
        let answer = send(&mut browser, path, kind, body).await;
        if let Some(place) = shows_alices(&mut place, &bob, &mut browser, &answer).await {
            shown.push(format!("{place}: POST {path} {kind} {body}"));
        }
    }
    for path in
        ["/doku.php?id=start&u=alice&p=Correct-Horse-9", "/feed.php?u=alice&p=Correct-Horse-9"]
    {
        place.gateway.next_code();
        let code = bob.phone.code(place.gateway.now());
        let (mut browser, _) = place.come_again(BOB, &code).await;
        let answer = browser.open(path).await;
        if let Some(place) = shows_alices(&mut place, &bob, &mut browser, &answer).await {
            shown.push(format!("{place}: GET {path}"));
        }
    }
    assert!(shown.is_empty(), "alice's pages are shown to bob: {shown:#?}");
}

/// Where alice's pages are shown to bob: in the answer to his request, on a page after it, or
/// on one after his own code.
async fn shows_alices(
    place: &mut Place,
    bob: &Enrolled,
    browser: &mut Browser,
    answer: &Shown,
) -> Option<&'static str> {
    if answer.body.contains(AS_ALICE) {
        return Some("in the answer");
    }
    let page = browser.go(DOKUWIKI.page).await;
    if page.body.contains(AS_ALICE) {
        return Some("on the next page");
    }
    if !page.path.starts_with("/.mfa/verify") {
        return None;
    }
    place.gateway.next_code();
    let code = bob.phone.code(place.gateway.now());
    give_code(browser, &page, &code).await;
    let page = browser.go(DOKUWIKI.page).await;
    page.body.contains(AS_ALICE).then_some("after his own code")
}

/// All of these are alice to the wiki; a second user to the gateway would be offered a phone
/// of her own.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_wiki_reads_as_another_is_offered_no_new_phone() {
    let place = Place::open(&DOKUWIKI).await;
    place.enrol(ALICE).await;
    for name in ["ALICE", " alice "] {
        let led = DOKUWIKI.sign_in(&mut place.browser(), (name, ALICE.1)).await;
        assert!(led.location().starts_with("/.mfa/verify"), "{name:?}: {:?}", led.answer);
    }
    for name in [
        "alice.",
        "_alice",
        "alice-",
        "alice@",
        "alice!",
        "\u{c1}lice",
        ":alice",
        "__alice",
        "al\0ice",
    ] {
        let mut browser = place.browser();
        DOKUWIKI.sign_in(&mut browser, (name, ALICE.1)).await;
        place.is_kept_out(&mut browser, DOKUWIKI.login).await;
    }
}

/// The wiki checks the password again when PHP has forgotten the session, and sets its
/// cookie anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_cookie_of_the_wiki_asks_for_a_code_again() {
    let mut place = Place::open(&DOKUWIKI).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar.clone();
    place.portal.forget_sessions();
    let page = alice.browser.open(DOKUWIKI.page).await;
    assert!(DOKUWIKI.shows(&page), "{:?}", page.answer);
    assert_ne!(alice.browser.jar, before, "the wiki set no cookie anew");
    place.is_kept_out(&mut alice.browser, "/.mfa/verify").await;
    place.gateway.next_code();
    let page = alice.browser.go(DOKUWIKI.page).await;
    let code = alice.phone.code(place.gateway.now());
    let page = give_code(&mut alice.browser, &page, &code).await;
    assert!(DOKUWIKI.shows(&*alice.browser.follow(page).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wikis_own_sign_out_ends_the_session() {
    let place = Place::open(&DOKUWIKI).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar.clone();
    let page = alice.browser.open(DOKUWIKI.page).await;
    let link = page.body.split('"').find(|text| text.contains("do=logout")).unwrap();
    alice.browser.open(&link.replace("&amp;", "&")).await;
    for jar in [alice.browser.jar.clone(), before] {
        alice.browser.jar = jar;
        place.is_kept_out(&mut alice.browser, DOKUWIKI.login).await;
    }
}

/// Sends a body of any kind as a browser does that navigates.
async fn send(browser: &mut Browser, path: &str, kind: &str, body: &str) -> Shown {
    let call = browser.with_cookies(Call::new("POST", &browser.host, path));
    let call = call.page().line("origin", format!("https://{}", browser.host));
    browser.visit(path, call.line("content-type", kind).body(body)).await
}
