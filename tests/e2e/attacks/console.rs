//! ADM-1, ENR-1, C13 and C26 at the desk's console: it is for who has a password and a code, in
//! a browser, and each way in opens nothing else.

use crate::dsl::console::{ADMIN, ANN, Console, VIC, join};
use crate::dsl::desk::{ORGANISATION, VIEWER, ask};
use crate::dsl::html::forms;
use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Call, Gateway, Portal, client, eventually, gateway, portal};

async fn office() -> (Portal, Gateway) {
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).token(ADMIN).token(VIEWER);
    let gateway = gateway.person(ANN).person(VIC.at("[wiki]")).run().await;
    (wiki, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let (_wiki, gateway) = office().await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("ann", "not her password"),
        ("nobody", "not her password"),
        ("nobody", ANN.password),
        ("ann", ""),
        ("ann", &"x".repeat(2000)),
        ("@desk", ANN.password),
    ] {
        let page = Console::at(&gateway).gives_password(name, password).await;
        assert_eq!(page.status, 401, "{name}");
        answers.push(page.body.replace(&format!("value=\"{name}\""), ""));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_wrong_passwords_are_slowed_down_for_a_person_and_for_a_client() {
    let (_wiki, gateway) = office().await;
    let mut console = Console::at(&gateway);
    for _ in 0..5 {
        console.gives_password("vic", "a wrong password").await;
    }
    assert_eq!(console.gives_password("vic", VIC.password).await.status, 401, "vic has to wait");
    let known = console.gives_password("ann", ANN.password).await;
    assert_eq!(known.status, 200, "others do not: {}", known.text());
    // Many at once, again and again, so that a slow machine has them in one minute too.
    let late = eventually("an answer to too many guesses", async || {
        let guesses = (0..40).map(|_| Console::at(&gateway)).map(|mut console| {
            tokio::spawn(async move { console.gives_password("nobody", "a guess").await })
        });
        let guesses: Vec<_> = guesses.collect();
        let mut last = None;
        for guess in guesses {
            last = Some(guess.await.unwrap()).filter(|shown| shown.status == 429).or(last);
        }
        last
    });
    assert!(late.await.line("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_a_cookie_of_the_console_opens_no_api_and_a_token_no_console() {
    let (_wiki, gateway) = office().await;
    let ann = join(&gateway, ANN).await;
    for path in ["/api/v1/portals", "/api/v1/people", "/api/v1/portals/wiki/users"] {
        let answer = ask(&gateway, ann.console.call("GET", path)).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.line("set-cookie"), None);
    }
    for path in ["/desk/", "/desk/users", "/desk/user?portal=wiki&user=alice"] {
        let call = Call::get("localhost", path);
        let call = call.line("authorization", format!("Bearer {}", ADMIN.secret));
        let answer = ask(&gateway, call).await;
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        assert!(answer.line("location").unwrap().starts_with("/desk/sign-in"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_a_form_from_elsewhere_or_of_another_session_does_nothing() {
    let (_wiki, gateway) = office().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let (mut ann, vic) = (join(&gateway, ANN).await.console, join(&gateway, VIC).await.console);
    let page = ann.looks_at("wiki", "alice").await;
    let form =
        forms(&page.body).into_iter().find(|form| form.field("action") == Some("end_sessions"));
    let form = form.unwrap();
    let of_vic = vic.clone().goes("/desk/").await;
    let csrf_of_vic = forms(&of_vic.body)[0].field("csrf").unwrap().to_owned();
    for (what, form) in [
        ("no token", form.clone().without("csrf")),
        ("a made-up token", form.clone().fill("csrf", "AAAA")),
        ("another session's token", form.clone().fill("csrf", &csrf_of_vic)),
    ] {
        assert_eq!(ann.posts(&page, &form).await.status, 403, "{what}");
    }
    let sent = |lines: &[(&str, &str)]| {
        let call = ann.form("/desk/user", &form.pairs());
        let mut call = Call { lines: call.lines, ..call };
        call.lines.retain(|(name, _)| name != "origin" && name != "sec-fetch-site");
        lines.iter().fold(call, |call, (name, value)| call.line(name, value))
    };
    for lines in [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ] {
        assert_eq!(client::plain(gateway.admin(), sent(lines)).await.status, 403, "{lines:?}");
    }
    let rebound = sent(&[("origin", "http://evil.example")]).host("evil.example");
    assert_eq!(client::plain(gateway.admin(), rebound).await.status, 421);
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let own = sent(&[("sec-fetch-site", "same-origin")]);
    assert_eq!(client::plain(gateway.admin(), own).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_sees_no_button_and_is_refused_when_pressing_one() {
    let (_wiki, gateway) = office().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut vic = join(&gateway, VIC).await.console;
    let page = vic.looks_at("wiki", "alice").await;
    assert!(page.text().contains("alice set up"), "{}", page.text());
    let shown = forms(&page.body);
    assert_eq!(shown.len(), 1, "only the one to sign out: {shown:?}");
    let csrf = shown[0].field("csrf").unwrap().to_owned();
    for action in ["unlock", "invite", "end_sessions", "end_devices"] {
        let fields =
            [("csrf", csrf.as_str()), ("portal", "wiki"), ("user", "alice"), ("action", action)];
        let call = vic.form("/desk/user", &fields);
        assert_eq!(vic.visit("/desk/user", call).await.status, 403, "{action}");
    }
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_nothing_that_somebody_typed_becomes_markup() {
    let (_wiki, gateway) = office().await;
    let mut console = join(&gateway, ANN).await.console;
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%7B%7B7777*7777%7D%7D";
    for path in [
        format!("/desk/users?q={evil}&portal={evil}&state={evil}"),
        format!("/desk/users?q={evil}&portal=wiki&after={evil}"),
        format!("/desk/user?portal=wiki&user={evil}"),
        format!("/desk/rollout?portal={evil}"),
        format!("/desk/{evil}"),
    ] {
        let page = console.open(&path).await;
        assert!(!page.body.contains("<script"), "{path}: {}", page.body);
        assert!(!page.body.contains("60481729"), "{path}: {}", page.body);
    }
    let typed = Console::at(&gateway).gives_password("\"><script>alert(1)</script>", "x").await;
    assert!(!typed.body.contains("<script"), "{}", typed.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_headers_of_a_page_that_nobody_keeps_or_frames() {
    let (_wiki, gateway) = office().await;
    let mut console = join(&gateway, ANN).await.console;
    for path in ["/desk/", "/desk/sign-in", "/desk/users", "/desk/style.css", "/desk/nowhere", "/"]
    {
        let page = console.open(path).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(page.line(name), Some(value), "{path}");
        }
        let policy = page.line("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!page.body.contains("style=\"") && !page.body.contains("onclick="), "{path}");
    }
    let api = ask(&gateway, Call::get("localhost", "/api/v1/portals")).await;
    let policy = api.line("content-security-policy");
    assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_people_there_is_no_console() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(ADMIN).run().await;
    for path in ["/", "/desk", "/desk/", "/desk/sign-in", "/desk/style.css"] {
        let answer = ask(&gateway, Call::get("localhost", path)).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"), "{path}");
    }
}
