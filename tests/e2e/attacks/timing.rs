//! C26: what an attacker may not learn, no answer tells by its words, its length or its time.
//!
//! Only pairs count that somebody else can compare. Whoever does not know the password never
//! comes to the second factor, so a wrong password may not tell how its user stands. Whoever
//! does know it may not learn, while there is a wait, whether a guess was right.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::guessing::{csrf, send};
use crate::dsl::desk::VIEWER;
use crate::dsl::steps::{enrol, enrol_by_link, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Answer, BOB, Call, Connection, Gateway, gateway, html, member, portal};

/// Timings of each kind.
const SAMPLES: usize = 1000;
/// So many connections from as many addresses, half of them over HTTP/2: one address alone
/// would be slowed down as a whole.
const CONNECTIONS: u8 = 8;
/// What two lower quartiles may differ by, whatever else is said of them.
const EFFECT: Duration = Duration::from_millis(1);
/// Beyond this a difference is no chance: p < 0.01 on both sides.
const NOT_BY_CHANCE: f64 = 2.576;

/// Requests of one kind, one for each connection.
struct Kind {
    name: &'static str,
    calls: Vec<Call>,
}

/// Sends each kind in turn, over the same connection in each round, so that whatever else the
/// machine does meets all of them alike.
async fn timed(gateway: &Gateway, kinds: &[Kind], check: impl Fn(&Kind, &Answer)) {
    let mut connections: Vec<Connection> = Vec::new();
    for number in 0..CONNECTIONS {
        let browser = gateway.browser("wiki").from(number + 1).over(number % 2 == 1);
        connections.push(browser.connect().await);
    }
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for round in 0..SAMPLES {
        let place = round % connections.len();
        for turn in 0..kinds.len() {
            let kind = &kinds[(turn + round) % kinds.len()];
            let started = Instant::now();
            let answer = connections[place].send(kind.calls[place].clone()).await.unwrap();
            times.entry(kind.name).or_default().push(started.elapsed());
            check(kind, &answer);
        }
    }
    let names: Vec<&&str> = times.keys().collect();
    for (place, one) in names.iter().enumerate() {
        for other in &names[place + 1..] {
            tells_nothing((one, &times[**one]), (other, &times[**other]));
        }
    }
}

fn tells_nothing((one, times): (&str, &[Duration]), (other, others): (&str, &[Duration])) {
    assert_eq!((times.len(), others.len()), (SAMPLES, SAMPLES));
    // Of what is quick, since what a busy machine adds is never less than nothing.
    let effect = quartile(times).abs_diff(quartile(others));
    let score = standard_score(times, others);
    let told = format!("{one} and {other} differ by {effect:?}, at a score of {score:.1}");
    assert!(effect < EFFECT || score.abs() < NOT_BY_CHANCE, "{told}");
}

fn quartile(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 4]
}

/// The rank sum of Mann and Whitney, which for so many samples is distributed normally.
fn standard_score(times: &[Duration], others: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> = times.iter().map(|time| (*time, true)).collect();
    all.extend(others.iter().map(|time| (*time, false)));
    all.sort_unstable();
    let ranks = all.iter().enumerate().filter(|(_, (_, is_ours))| *is_ours);
    let sum: f64 = ranks.map(|(place, _)| place as f64 + 1.0).sum();
    let (ours, theirs) = (times.len() as f64, others.len() as f64);
    let expected = ours * (ours + theirs + 1.0) / 2.0;
    (sum - expected) / (ours * theirs * (ours + theirs + 1.0) / 12.0).sqrt()
}

/// An answer without what is new in each: numbers, and the request's own name at the end.
fn words(answer: &Answer) -> String {
    let text = html::plain(&answer.body);
    let text = text.rsplit_once("Request ").map_or(&*text, |(text, _)| text);
    text.chars().filter(|sign| !sign.is_ascii_digit()).collect()
}

/// The names of its lines, but for the one that HTTP/2 does not have.
fn lines(answer: &Answer) -> Vec<&str> {
    let names = answer.lines.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = names.filter(|name| *name != "connection").collect();
    names.sort_unstable();
    names
}

/// What all answers have to be alike in.
fn like(answer: &Answer) -> (u16, Vec<String>, String) {
    (answer.status, lines(answer).iter().map(ToString::to_string).collect(), words(answer))
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_a_wrong_password_does_not_tell_how_its_user_stands() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    sign_in_anew(&mut gateway.browser("wiki"), BOB).await;
    let (locked, password) = member(1);
    enrol_by_link(&gateway, gateway.browser("wiki"), (&locked, &password)).await;
    let mut browser = gateway.browser("wiki");
    sign_in_again(&mut browser, (&locked, &password)).await;
    for number in 1..=5 {
        let told = send(&mut browser, "000000").await;
        assert_eq!(told.status, if number < 5 { 401 } else { 429 });
    }
    let names = [
        ("an enrolled user", ALICE.0),
        ("one who has not enrolled", BOB.0),
        ("one who has to wait", locked.as_str()),
        ("nobody", "nobody"),
    ];
    let mut kinds = Vec::new();
    for (kind, user) in names {
        let mut calls = Vec::new();
        for number in 0..CONNECTIONS {
            let mut browser = gateway.browser("wiki").over(number % 2 == 1);
            let page = browser.go("/login").await;
            let form = page.form("password").fill("user", user).fill("password", "guessed");
            calls.push(browser.sending(&page, &form));
        }
        kinds.push(Kind { name: kind, calls });
    }
    let user_of = |name: &str| names.iter().find(|(kind, _)| *kind == name).unwrap().1;
    let first = std::sync::OnceLock::new();
    timed(&gateway, &kinds, |kind, answer| {
        let (status, lines, words) = like(answer);
        // The portal repeats the name.
        let user: String = user_of(kind.name).chars().filter(|sign| !sign.is_numeric()).collect();
        let told = (status, lines, words.replace(&user, "…"));
        assert_eq!(first.get_or_init(|| told.clone()), &told, "{}", kind.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_while_there_is_a_wait_a_right_code_is_like_a_wrong_one() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    sign_in_again(&mut browser, ALICE).await;
    // An hour is longer than the test.
    for _ in 0..12 {
        send(&mut browser, "000000").await;
        gateway.advance(Duration::from_secs(1920));
    }
    assert_eq!(send(&mut browser, "000000").await.status, 429);
    let codes = [
        ("a right code", alice.phone.code(gateway.now())),
        ("a wrong code", "000000".to_owned()),
        ("a right recovery code", alice.codes[0].clone()),
        ("a wrong recovery code", "AAAA-BBBB-CCCC-DDDD".to_owned()),
    ];
    let mut pages = Vec::new();
    for number in 0..CONNECTIONS {
        let mut browser = gateway.browser("wiki").over(number % 2 == 1);
        sign_in_again(&mut browser, ALICE).await;
        let csrf = csrf(&mut browser).await;
        pages.push((browser, csrf));
    }
    let kinds = codes.map(|(name, code)| {
        let call = |(browser, csrf): &(crate::dsl::Browser, String)| {
            browser.posting("/.mfa/verify", &[("csrf", csrf), ("code", &code)])
        };
        Kind { name, calls: pages.iter().map(call).collect() }
    });
    let first = std::sync::OnceLock::new();
    timed(&gateway, &kinds, |kind, answer| {
        assert_eq!(answer.status, 429, "{}", kind.name);
        let told = (like(answer), answer.body.len());
        assert_eq!(first.get_or_init(|| told.clone()), &told, "{}", kind.name);
    })
    .await;
}
