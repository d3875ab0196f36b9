//! What the probe writes of a portal that it has never seen, and the gateway that runs on it.

use std::fs;
use std::process::Command;

use crate::dsl::portal::{self, Portal};
use crate::dsl::steps::{enrol, enrol_at, name_first, sign_in};
use crate::dsl::{ALICE, BOB, Probed, gateway, probe};

fn probed(portal: &Portal) -> Probed {
    Probed::new(&format!("http://{}/login", portal.address), "wiki", ALICE, &[])
}

/// Runs a gateway on what was probed: only the right password leads anywhere.
async fn holds(portal: &Portal) -> Probed {
    let probed = probed(portal);
    let gateway = gateway::new().portal("wiki", &probed).run().await;
    let mut browser = gateway.browser("wiki");
    let answer = sign_in(&mut browser, ("alice", "wrong")).await;
    assert!(answer.line("location").is_none(), "{:?}", answer.answer);
    assert_eq!(browser.open("/home").await.location(), "/login");
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    assert!(alice.browser.open("/home").await.body.contains("for alice alone"));
    enrol(&gateway, "wiki", BOB).await;
    probed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_found_tried_and_written_down() {
    let portal = portal::form().run().await;
    let text = holds(&portal).await.text;
    for line in [
        "- request: { method: POST, path: /login }",
        "username: { form: user }",
        "status: [302]   # a wrong password gets 200",
        "- portalsession   # without it the portal knows nobody",
        "case: fold   # the portal took the name in the other case",
        "trim: true   # the portal took the name with spaces around it",
        "login_url: /login   # the page with the form",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_differs_in_its_text_alone_is_told_by_the_form_that_comes_again() {
    let portal = portal::form().judged_by_body().run().await;
    let text = holds(&portal).await.text;
    assert!(text.contains("failure:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_keeps_its_name_at_the_login_is_found_too() {
    let portal = portal::form().keeps_session_at_login().run().await;
    let text = holds(&portal).await.text;
    assert!(text.contains("- portalsession   # without it"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_two_steps_is_followed_to_its_end() {
    let portal = portal::form().in_two_steps().run().await;
    let probed = probed(&portal);
    for line in ["step: name", "username: { remembered: true }", "- /public/password"] {
        assert!(probed.text.contains(line), "{line}\n{}", probed.text);
    }
    let gateway = gateway::new().portal("wiki", &probed).run().await;
    let mut browser = gateway.browser("wiki");
    let page = name_first(&mut browser, ALICE.0).await;
    let form = page.form("password").fill("password", "wrong");
    assert!(!browser.send(&page, &form).await.location().starts_with("/.mfa/"));
    let page = name_first(&mut browser, ALICE.0).await;
    let form = page.form("password").fill("password", ALICE.1);
    let led = browser.send(&page, &form).await;
    assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
    let page = browser.follow(led).await;
    enrol_at(&gateway, browser, page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_token_or_session_is_printed() {
    let portal = portal::form().run().await;
    let url = format!("http://{}/login", portal.address);
    for output in ["yaml", "json"] {
        let text = Probed::new(&url, "wiki", ALICE, &["--output", output]).text;
        for secret in [ALICE.1, "token0", "token1", "session0x", "session1x", "Wrong-"] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_file_passes_check_as_it_is() {
    let portal = portal::form().run().await;
    let url = format!("http://{}/home", portal.address);
    let probed = Probed::new(&url, "wiki", ALICE, &["--complete"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    fs::write(&file, &probed.text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let checked = command.arg("check").arg("--config").arg(&file).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert_eq!((checked.status.code(), said.as_str()), (Some(0), ""), "{}", probed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_nothing_is_tried_and_guesses_are_called_so() {
    let portal = portal::form().run().await;
    let output = probe(&[&format!("http://{}/login", portal.address)], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("status: [302]   # a guess: not tried"), "{text}");
    assert!(portal.seen().iter().all(|seen| seen.method == "GET"), "{:?}", portal.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_probed_is_said_in_one_line() {
    let portal = portal::form().run().await;
    let at = |path: &str| format!("http://{}{path}", portal.address);
    let account = ["--user", "alice", "--password-stdin"];
    let check = |url: &str, password: &str, code: i32, says: &str| {
        let output = probe(&[&[url], &account[..]].concat(), password);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(output.stdout.is_empty());
    };
    check(&at("/login"), "wrong", 1, "the same answer as a wrong one");
    check(&at("/login"), "", 1, "holds no password");
    check(&at("/public/x"), ALICE.1, 1, "no form with a password");
    check("http://127.0.0.1:1/", ALICE.1, 1, "cannot be reached");
    check("file:///etc/passwd", ALICE.1, 1, "is no address of a portal");
    check("nonsense", ALICE.1, 2, "invalid value");
}
