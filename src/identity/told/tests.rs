//! Names in answers, and how long an answer counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue};
use regex::Regex;

use super::*;
use crate::config::Rotation;
use crate::config::identity::UsernameRule;

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const AGE: Duration = Duration::from_secs(30);
const SESSION: Opaque = Opaque([7; 16]);

fn identity() -> Identity {
    Identity {
        logins: Vec::new(),
        session_cookies: Vec::new(),
        session_bearer: None,
        rotation: Rotation::Follow,
        whoami: None,
        header: None,
        basic: None,
        jwt: None,
        announce: None,
        username: UsernameRule {
            fold_case: true,
            trim: true,
            pattern: Regex::new("^(?:[a-z0-9]{1,32})$").unwrap(),
        },
        login_url: None,
        logout: None,
    }
}

fn user(name: &str) -> UserName {
    UserName::canonical(name.to_owned())
}

fn says(name: &NameInAnswer, status: u16, body: Option<&str>) -> Result<Option<String>, AskFault> {
    let mut headers = HeaderMap::new();
    headers.append("x-user", HeaderValue::from_static("Alice"));
    let status = StatusCode::from_u16(status).unwrap();
    let told = Told { status, headers: &headers, body: body.map(str::as_bytes) };
    user_of(&identity(), name, &told).map(|user| user.map(|user| user.as_str().to_owned()))
}

#[test]
fn the_name_is_found_where_the_rule_looks() {
    let alice = Ok(Some("alice".to_owned()));
    let json = NameInAnswer::Json("/user/login".to_owned());
    assert_eq!(says(&json, 200, Some(r#"{"user":{"login":" ALICE "}}"#)), alice);
    assert_eq!(says(&json, 200, Some(r#"{"user":{"login":42}}"#)), Ok(Some("42".to_owned())));
    assert_eq!(says(&NameInAnswer::Header("x-user".parse().unwrap()), 200, None), alice);
    let pattern = regex::bytes::Regex::new(r#"id="me">([^<]*)<"#).unwrap();
    let pattern = NameInAnswer::Pattern(pattern);
    assert_eq!(says(&pattern, 200, Some(r#"<b id="me">Alice</b>"#)), alice);
    let twice = r#"<b id="me">alice</b><i id="me">alice</i>"#;
    assert_eq!(says(&pattern, 200, Some(twice)), alice);
    let two = r#"<b id="me">alice</b><i id="me">bob</i>"#;
    assert_eq!(says(&pattern, 200, Some(two)), Ok(None));
}

#[test]
fn an_answer_without_a_name_is_nobodys() {
    let json = NameInAnswer::Json("/login".to_owned());
    for (status, body) in [
        (200, r#"{"login":null}"#),
        (200, r#"{"login":""}"#),
        (200, r#"{"login":["alice"]}"#),
        (200, r#"{"login":"not a name"}"#),
        (200, r#"{"login":-1}"#),
        (200, r#"{"other":"alice"}"#),
        (200, "<html>Please sign in</html>"),
        (302, r#"{"login":"alice"}"#),
        (401, r#"{"login":"alice"}"#),
        (403, ""),
        (404, ""),
    ] {
        assert_eq!(says(&json, status, Some(body)), Ok(None), "{status} {body}");
    }
}

#[test]
fn an_answer_that_says_neither_is_a_fault() {
    let json = NameInAnswer::Json("/login".to_owned());
    assert_eq!(says(&json, 500, Some("{}")), Err(AskFault::Status(500)));
    assert_eq!(says(&json, 429, Some("{}")), Err(AskFault::Status(429)));
    assert_eq!(says(&json, 200, None), Err(AskFault::TooLong));
    let mut headers = HeaderMap::new();
    headers.append("content-encoding", HeaderValue::from_static("gzip"));
    let told = Told { status: StatusCode::OK, headers: &headers, body: Some(b"x") };
    assert_eq!(user_of(&identity(), &json, &told), Err(AskFault::Compressed));
}

#[test]
fn a_token_becomes_a_line_only_if_it_is_plain() {
    let body = br#"{"a":{"token":"x.y.z"},"b":"two words","c":"","d":null}"#;
    assert_eq!(bearer_of(body, "/a/token").as_deref(), Some("Bearer x.y.z"));
    for pointer in ["/b", "/c", "/d", "/a", "/e"] {
        assert_eq!(bearer_of(body, pointer), None, "{pointer}");
    }
}

#[tokio::test]
async fn an_answer_counts_for_its_time_and_until_it_is_doubted() {
    let answers = Answers::default();
    let asked = AtomicUsize::new(0);
    let ask = |at: UnixMillis, name: &'static str| {
        let asking = async {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(Some(user(name)))
        };
        answers.ask(at, AGE, SESSION, asking)
    };
    assert_eq!(ask(NOW, "alice").await, Ok(Some(user("alice"))));
    let late = NOW.plus(AGE).minus(Duration::from_millis(1));
    assert_eq!(ask(late, "bob").await, Ok(Some(user("alice"))));
    assert_eq!(ask(NOW.plus(AGE), "bob").await, Ok(Some(user("bob"))));
    answers.forget(SESSION);
    assert_eq!(ask(NOW.plus(AGE), "carol").await, Ok(Some(user("carol"))));
    assert_eq!(ask(NOW, "dave").await, Ok(Some(user("dave"))), "the clock went back");
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn whoever_asks_at_the_same_moment_shares_the_answer() {
    let answers = Arc::new(Answers::default());
    let asked = Arc::new(AtomicUsize::new(0));
    let (go, _) = tokio::sync::broadcast::channel::<()>(1);
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let (answers, asked, mut go) = (Arc::clone(&answers), Arc::clone(&asked), go.subscribe());
        waiting.push(tokio::spawn(async move {
            let asking = async {
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = go.recv().await;
                Ok(Some(user("alice")))
            };
            answers.ask(NOW, AGE, SESSION, asking).await
        }));
    }
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), Ok(Some(user("alice"))));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fault_is_not_kept() {
    let answers = Answers::default();
    let fault = answers.ask(NOW, AGE, SESSION, async { Err(AskFault::TooSlow) }).await;
    assert_eq!(fault, Err(AskFault::TooSlow));
    assert_eq!(answers.kept(NOW, AGE, SESSION), None);
    let nobody = answers.ask(NOW, AGE, SESSION, async { Ok(None) }).await;
    assert_eq!(nobody, Ok(None));
    assert_eq!(answers.kept(NOW, AGE, SESSION), Some(None));
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let answers = Answers::default();
    for number in 0..=MOST_KEPT as u128 {
        answers.keep(NOW, AGE, Opaque(number.to_le_bytes()), None);
    }
    assert!(answers.kept.pin().len() <= MOST_KEPT);
}

/// The portal may be asked in another way from one moment to the next.
#[tokio::test]
async fn nothing_that_was_said_before_counts_when_all_is_forgotten() {
    let answers = Answers::default();
    answers.ask(NOW, AGE, SESSION, async { Ok(Some(user("alice"))) }).await.unwrap();
    answers.forget_all();
    assert_eq!(answers.kept(NOW, AGE, SESSION), None);
    let meanwhile = async {
        answers.forget_all();
        Ok(Some(user("alice")))
    };
    let word = answers.ask(NOW, AGE, SESSION, meanwhile).await;
    assert_eq!(word, Ok(Some(user("alice"))), "whoever asked before is told all the same");
    assert_eq!(answers.kept(NOW, AGE, SESSION), None, "it was asked for in the old way");
}
