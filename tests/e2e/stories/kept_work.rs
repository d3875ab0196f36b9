//! Kept work: a form that was sent when the proof had run out reaches the portal once the code
//! was right; once, for its own user, and for nobody else.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

const SAVE: &str = "/notes/save?page=a%20b&draft=1";
const KEPT: &str = "Your form is kept and will be sent once your code is right.";
const TYPED: [(&str, &str); 2] = [("text", "typed for an hour & more"), ("then", "page")];

struct Desk {
    portal: Portal,
    gateway: Gateway,
    alice: Enrolled,
}

impl Desk {
    async fn set() -> Self {
        let portal = portal::form().run().await;
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        let alice = enrol(&gateway, "wiki", ALICE).await;
        Self { portal, gateway, alice }
    }

    /// A browser of alice's in which the code is missing, and the code.
    async fn named(&mut self, http2: bool) -> (Browser, String) {
        self.gateway.next_code();
        let mut browser = self.gateway.browser("wiki").over(http2);
        sign_in_again(&mut browser, ALICE).await;
        self.portal.take_seen();
        let code = self.alice.phone.code(self.gateway.now());
        (browser, code)
    }

    fn arrived(&self) -> usize {
        self.portal.seen_at("/notes/save").len()
    }
}

fn asks(shown: &Shown) {
    assert_eq!(shown.status, 401, "{:?}", shown.answer);
    assert_eq!(shown.line("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(shown.line("cache-control"), Some("no-store"));
    assert_eq!(
        shown.line("portcullis-challenge"),
        Some("mfa_required; url=\"/.mfa/verify\""),
        "{:?}",
        shown.answer
    );
}

fn is_kept(shown: &Shown) {
    asks(shown);
    assert!(shown.text().contains(KEPT), "{}", shown.text());
    let form = shown.form("code");
    assert!(form.field("kept").is_some_and(|kept| !kept.is_empty()), "{form:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_sent_on_as_it_was_once_the_code_is_right() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let mut call = browser.posting(SAVE, &TYPED);
        call = call.line("referer", "https://wiki.test/notes/edit");
        let sent = call.body.clone();
        let page = browser.visit(SAVE, call).await;
        is_kept(&page);
        assert!(!page.body.contains("typed"), "what was typed is readable in the page");
        assert_eq!(desk.arrived(), 0, "the form went on without a code");
        let saved = give_code(&mut browser, &page, &code).await;
        assert_eq!(saved.status, 200, "{:?}", saved.answer);
        assert!(saved.body.contains("saved for alice"), "{}", saved.body);
        let head = "<head><base href=\"/notes/save\"><title>Notes</title>";
        assert!(saved.body.contains(head) && saved.body.ends_with("</html>"), "{}", saved.body);
        let cookies = saved.all("set-cookie");
        assert!(cookies.contains(&"lastnote=7; Path=/notes"), "{cookies:?}");
        assert_eq!(cookies.iter().filter(|line| line.starts_with("__Host-mfa=")).count(), 1);
        assert_eq!(saved.line("cache-control"), Some("private"));
        let [seen] = desk.portal.seen_at("/notes/save").try_into().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", SAVE));
        assert_eq!(seen.body, sent);
        assert_eq!(seen.all("content-type"), ["application/x-www-form-urlencoded"]);
        assert_eq!(seen.all("origin"), ["https://wiki.test"]);
        assert_eq!(seen.all("referer"), ["https://wiki.test/notes/edit"]);
        assert_eq!(seen.all("x-forwarded-host"), ["wiki.test"]);
        let cookies = seen.all("cookie").concat();
        assert!(cookies.contains("portalsession=") && !cookies.contains("__Host-mfa"), "{cookies}");
        assert!(browser.open("/home").await.body.contains("for alice alone"));
    }
}

/// As a browser sends a form with a file in it.
fn with_a_file(browser: &Browser, content: &[u8]) -> Call {
    let head = "--b0und\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n";
    let body = [head.as_bytes(), content, b"\r\n--b0und--\r\n"].concat();
    let mut call = browser.posting(SAVE, &[]);
    call.lines.retain(|(name, _)| name != "content-type");
    call.line("content-type", "multipart/form-data; boundary=b0und").body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_along_byte_by_byte() {
    let mut desk = Desk::set().await;
    let content: Vec<u8> = (0..255 * 1024_u32).map(|number| (number % 251) as u8).collect();
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let call = with_a_file(&browser, &content);
        let sent = call.body.clone();
        let page = browser.visit(SAVE, call).await;
        is_kept(&page);
        let saved = give_code(&mut browser, &page, &code).await;
        assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
        let [seen] = desk.portal.seen_at("/notes/save").try_into().unwrap();
        assert!(seen.body == sent, "{} of {} bytes, or others", seen.body.len(), sent.len());
        assert_eq!(seen.all("content-type"), ["multipart/form-data; boundary=b0und"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_said_before_the_code() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let call = with_a_file(&browser, &vec![b'x'; 3 * 1024 * 1024]);
        let call = call.line("referer", "https://wiki.test/notes/edit?page=1");
        let page = browser.visit(SAVE, call).await;
        asks(&page);
        for _ in 0..2 {
            let wrong = give_code(&mut browser, &page, "000000").await;
            for page in [&page, &wrong] {
                let text = page.text();
                assert!(text.contains("too large to be kept") && !text.contains(KEPT), "{text}");
            }
        }
        let led = give_code(&mut browser, &page, &code).await;
        assert_eq!((led.status, led.location()), (303, "/notes/edit?page=1"));
        assert_eq!(desk.arrived(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_loses_nothing() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let page = browser.post(SAVE, &TYPED).await;
        let kept = page.form("code").field("kept").map(str::to_owned);
        let mut shown = page;
        for _ in 0..4 {
            shown = give_code(&mut browser, &shown, "000000").await;
            assert_eq!(shown.status, 401);
            assert!(shown.text().contains(KEPT), "{}", shown.text());
            assert_eq!(shown.form("code").field("kept").map(str::to_owned), kept);
        }
        // The fifth brings a wait; its page has a button in the place of the field.
        let locked = give_code(&mut browser, &shown, "000000").await;
        assert_eq!(locked.status, 429);
        assert!(locked.text().contains(KEPT), "{}", locked.text());
        let form = locked.form("kept");
        assert_eq!(form.field("kept").map(str::to_owned), kept);
        assert_eq!(browser.send(&locked, &form).await.form("kept").action, form.action);
        desk.gateway.advance(Duration::from_secs(60));
        let page = browser.send(&locked, &form).await;
        assert_eq!(page.status, 200);
        assert_eq!(desk.arrived(), 0);
        let code = if http2 { code } else { desk.alice.phone.code(desk.gateway.now()) };
        let code = if http2 { desk.alice.codes[0].clone() } else { code };
        let saved = give_code(&mut browser, &page, &code).await;
        assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
        assert_eq!(desk.arrived(), 1);
    }
}

/// The way to the other kind of code is a button of the form: a link would leave it behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_does_as_well() {
    let mut desk = Desk::set().await;
    let (mut browser, _) = desk.named(false).await;
    let page = browser.post(SAVE, &TYPED).await;
    let button = "formaction=\"/.mfa/verify?again=yes&amp;with=recovery\"";
    assert!(page.body.contains(button), "{}", page.body);
    let mut form = page.form("code");
    form.action = Some("/.mfa/verify?again=yes&with=recovery".to_owned());
    let page = browser.send(&page, &form).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(KEPT) && page.text().contains("Recovery code"));
    let saved = give_code(&mut browser, &page, &desk.alice.codes[0]).await;
    assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
    assert_eq!(desk.arrived(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_sent_on_is_not_sent_again() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let page = browser.post(SAVE, &TYPED).await;
        let form = page.form("code").fill("code", &code);
        let before = browser.clone();
        assert!(browser.send(&page, &form).await.body.contains("saved for alice"));
        for _ in 0..2 {
            let old = before.clone().send(&page, &form).await;
            assert_eq!(old.status, 401, "{:?}", old.answer);
            assert!(old.text().contains("Your form was not sent"), "{}", old.text());
            let new = browser.send(&page, &form).await;
            assert_eq!(new.status, 409, "{:?}", new.answer);
            assert!(new.text().contains("Your form was not sent"), "{}", new.text());
        }
        // Nor under a later proof: the form is sealed into the time before this one.
        desk.gateway.advance(Duration::from_secs(3600));
        let code = desk.alice.phone.code(desk.gateway.now());
        let later = browser.go("/home").await;
        let stolen = form.field("kept").unwrap();
        let form = later.form("code").fill("code", &code).fill("kept", stolen);
        assert_eq!(browser.send(&later, &form).await.status, 403);
        assert_eq!(desk.arrived(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_sent_on() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        let (mut browser, code) = desk.named(http2).await;
        let page = browser.post(SAVE, &TYPED).await;
        let recovery = desk.alice.codes.clone();
        let codes = [code.as_str(), code.as_str(), &recovery[0], &recovery[1], &recovery[2]];
        let mut sending = tokio::task::JoinSet::new();
        for code in codes {
            let (mut browser, page) = (browser.clone(), page.clone());
            let form = page.form("code").fill("code", code);
            sending.spawn(async move { browser.send(&page, &form).await });
        }
        let answers = sending.join_all().await;
        let saved = answers.iter().filter(|answer| answer.body.contains("saved for alice"));
        assert_eq!(saved.count(), 1, "{answers:?}");
        assert_eq!(desk.arrived(), 1);
        desk.gateway.advance(Duration::from_secs(3600));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_form_of_this_host_is_kept() {
    let mut desk = Desk::set().await;
    let (mut browser, _) = desk.named(false).await;
    let base = |lines: &[(&str, &str)], browser: &Browser| {
        let mut call = browser.posting(SAVE, &TYPED);
        call.lines.retain(|(name, _)| name != "origin" && name != "sec-fetch-site");
        lines.iter().fold(call, |call, (name, value)| call.line(name, value))
    };
    let kept: [&[(&str, &str)]; 5] = [
        &[],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://wiki.test")],
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://wiki.test")],
    ];
    for lines in kept {
        let call = base(lines, &browser);
        is_kept(&browser.visit(SAVE, call).await);
    }
    let refused: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.wiki.test")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://wiki.test")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
    ];
    for lines in refused {
        let call = base(lines, &browser);
        is_told(&browser.visit(SAVE, call).await);
    }
    let mut calls = vec![base(&[], &browser), base(&[], &browser), base(&[], &browser)];
    calls[0].method = "PUT".to_owned();
    calls[1].lines.retain(|(name, _)| name != "sec-fetch-mode");
    calls[1] = calls[1].clone().line("sec-fetch-mode", "cors");
    calls[2].lines.retain(|(name, _)| name != "content-type");
    calls[2] = calls[2].clone().line("content-type", "text/plain");
    for call in calls {
        is_told(&browser.visit(SAVE, call).await);
    }
    // What may hold a password, and what would sign the user out.
    for path in ["/login", "/logout"] {
        let call = browser.posting(path, &TYPED);
        let shown = browser.clone().visit(path, call).await;
        assert!(!shown.body.contains("name=\"kept\""), "{path}: {:?}", shown.answer);
    }
    assert_eq!(desk.arrived(), 0);
}

fn is_told(shown: &Shown) {
    assert_eq!(shown.status, 401, "{:?}", shown.answer);
    assert_eq!(shown.line("content-type"), Some("application/problem+json"));
    assert_eq!(shown.json()["type"], "urn:portcullis:mfa_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_form_is_worth_nothing_to_anybody_else() {
    let mut desk = Desk::set().await;
    let bob = enrol(&desk.gateway, "wiki", BOB).await;
    let (mut browser, _) = desk.named(false).await;
    let kept = browser.post(SAVE, &TYPED).await.form("code").field("kept").unwrap().to_owned();
    let mut other = desk.gateway.browser("wiki");
    let page = sign_in_again(&mut other, BOB).await;
    let code = bob.phone.code(desk.gateway.now());
    let form = page.form("code").fill("code", &code).fill("kept", &kept);
    let refused = other.send(&page, &form).await;
    assert_eq!(refused.status, 403, "{:?}", refused.answer);
    assert_eq!(desk.arrived(), 0);
    // His code was not spent on it.
    assert_eq!(other.send(&page, &form.without("kept")).await.status, 303);
    // Alice herself has another session in another browser.
    let (mut second, code) = desk.named(false).await;
    let page = second.open("/.mfa/verify").await;
    let form = page.form("code").fill("code", &code).fill("kept", &kept);
    assert_eq!(second.send(&page, &form).await.status, 403);
    assert_eq!(desk.arrived(), 0);
}

/// C27: answers do not come to the wrong user, however many are under way.
#[tokio::test(flavor = "multi_thread")]
async fn c27_each_gets_the_answer_to_their_own_form() {
    let mut desk = Desk::set().await;
    let bob = enrol(&desk.gateway, "wiki", BOB).await;
    desk.gateway.next_code();
    let mut sending = tokio::task::JoinSet::new();
    for (who, codes) in [(ALICE, &desk.alice.codes), (BOB, &bob.codes)] {
        let mut held = Vec::new();
        for code in codes.iter().take(4).cloned() {
            let mut browser = desk.gateway.browser("wiki");
            sign_in_again(&mut browser, who).await;
            let note = format!("{} with {code}", who.0);
            let page = browser.post(SAVE, &[("text", &note)]).await;
            is_kept(&page);
            held.push((browser, page, code));
        }
        // The codes of one user go one after the other, both users at once.
        sending.spawn(async move {
            let mut answers = Vec::new();
            for (mut browser, page, code) in held {
                let saved = give_code(&mut browser, &page, &code).await;
                let home = browser.open("/home").await;
                answers.push((who.0, browser.jar["portalsession"].clone(), saved, home));
            }
            answers
        });
    }
    let answers = sending.join_all().await.concat();
    let seen = desk.portal.seen_at("/notes/save");
    assert_eq!((answers.len(), seen.len()), (8, 8));
    for (user, session, saved, home) in answers {
        assert!(saved.body.contains(&format!("saved for {user}<")), "{}", saved.body);
        assert!(home.body.contains(&format!("for {user} alone")), "{}", home.body);
        let own = seen.iter().find(|seen| seen.all("cookie").concat().contains(&session));
        let body = String::from_utf8(own.unwrap().body.clone()).unwrap();
        assert!(body.starts_with(&format!("text={user}+with+")), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_an_idle_session_is_kept() {
    let mut desk = Desk::set().await;
    for http2 in [false, true] {
        desk.gateway.advance(Duration::from_secs(61 * 60));
        let mut browser = desk.alice.browser.clone().over(http2);
        let page = browser.post(SAVE, &TYPED).await;
        is_kept(&page);
        let code = desk.alice.phone.code(desk.gateway.now());
        let saved = give_code(&mut browser, &page, &code).await;
        assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
        assert_eq!(desk.arrived(), 1 + usize::from(http2));
        desk.alice.browser = browser;
    }
    desk.gateway.advance(Duration::from_secs(12 * 3600));
    let told = desk.alice.browser.post(SAVE, &TYPED).await;
    assert_eq!(told.json()["type"], "urn:portcullis:login_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_session_ended_meanwhile_the_page_says_so() {
    let mut desk = Desk::set().await;
    let large = "x".repeat(100_000);
    for text in ["short", large.as_str()] {
        let (mut browser, code) = desk.named(false).await;
        let page = browser.post(SAVE, &[("text", text)]).await;
        is_kept(&page);
        let form = page.form("code").fill("code", &code);
        let mut late = browser.clone();
        let logout = browser.open("/.mfa/logout").await;
        browser.send(&logout, &logout.form("csrf")).await;
        let told = late.send(&page, &form).await;
        assert_eq!(told.status, 401, "{:?}", told.answer);
        assert!(told.text().contains("Your session has ended"), "{}", told.text());
        assert!(told.text().contains("Your form was not sent"), "{}", told.text());
        assert_eq!(desk.arrived(), 0);
    }
}

/// What the portal says leads where it would have led without us.
#[tokio::test(flavor = "multi_thread")]
async fn the_portals_answer_means_what_it_meant() {
    let mut desk = Desk::set().await;
    for (then, status, leads) in [
        ("beside", 303, Some("/notes/saved?id=7")),
        ("elsewhere", 409, None),
        ("again", 422, None),
        ("file", 200, None),
    ] {
        let (mut browser, code) = desk.named(false).await;
        let page = browser.post(SAVE, &[("then", then)]).await;
        let answer = give_code(&mut browser, &page, &code).await;
        assert_eq!((answer.status, answer.line("location")), (status, leads), "{then}");
        let expected = match then {
            "elsewhere" => "Your form was not sent",
            "again" => "<head><base href=\"/notes/save\"><title>Notes",
            "file" => "<head>as is",
            _ => "",
        };
        assert!(answer.body.contains(expected), "{then}: {}", answer.body);
        assert!(browser.open("/home").await.body.contains("for alice alone"), "{then}");
        assert_eq!(desk.arrived(), 1);
    }
}

/// A session cookie for a folder alone does not come with the code, yet the portal needs it.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_form_carries_the_cookies_that_it_came_with() {
    let portal = portal::form().sets_a_cookie_for_a_folder().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    sign_in_again(&mut browser, ALICE).await;
    let page = browser.post("/private/save", &TYPED).await;
    is_kept(&page);
    let folder = browser.jar.remove("portalfolder").unwrap();
    let saved = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(saved.body.contains("for alice alone"), "{:?}", saved.answer);
    let [seen] = portal.seen_at("/private/save").try_into().unwrap();
    let cookies = seen.all("cookie").concat();
    assert!(cookies.contains(&format!("portalfolder={folder}")), "{cookies}");
}

/// Nobody knows whether the portal has the form; that the code was right is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_does_not_answer_costs_no_proof() {
    let mut desk = Desk::set().await;
    let (mut browser, code) = desk.named(false).await;
    let page = browser.post(SAVE, &TYPED).await;
    drop(std::mem::replace(&mut desk.portal, portal::form().run().await));
    let told = give_code(&mut browser, &page, &code).await;
    assert_eq!(told.status, 502, "{:?}", told.answer);
    assert!(told.text().contains("Look in the portal whether your form has arrived"));
    assert!(browser.open("/.mfa/").await.text().contains("password and a code"));
}

/// Only who gave the password may send a long form, and only with a code.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_form_may_be_long() {
    let mut desk = Desk::set().await;
    let (mut browser, _) = desk.named(false).await;
    let long = "x".repeat(5000);
    let longest = "x".repeat(400_000);
    let fields = [("csrf", "x"), ("kept", long.as_str())];
    assert_eq!(browser.post("/.mfa/verify", &fields).await.status, 403);
    assert_eq!(browser.post("/.mfa/logout", &fields).await.status, 413);
    let fields = [("csrf", "x"), ("kept", longest.as_str())];
    assert_eq!(browser.post("/.mfa/verify", &fields).await.status, 413);
    let fields = [("csrf", "x"), ("kept", long.as_str())];
    assert_eq!(desk.gateway.browser("wiki").post("/.mfa/verify", &fields).await.status, 401);
    assert_eq!(desk.alice.browser.post("/.mfa/verify", &fields).await.status, 409);
}
