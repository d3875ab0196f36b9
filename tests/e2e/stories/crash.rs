//! The power is cut, a disk is put back as it was weeks ago, a key is gone: what was told to
//! a user stays true, and where nobody can say whether it does, the gateway does not start.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Gateway, Phone, gateway, html, member, portal};

const ROUNDS: usize = 20;
const AT_ONCE: usize = 4;

/// Somebody whose enrolment was under way when the power was cut.
struct Newcomer {
    who: (String, String),
    phone: Phone,
    code: String,
    told: bool,
}

/// Enrols several people at once and kills the gateway on the way: after some answers, or
/// when a while has passed.
async fn enrol_until_killed(gateway: &mut Gateway, round: usize) -> Vec<Newcomer> {
    let (mut newcomers, mut sending) = (BTreeMap::new(), JoinSet::new());
    for number in round * AT_ONCE..(round + 1) * AT_ONCE {
        let who = member(number);
        let mut browser = gateway.browser("wiki").over(number % 2 == 0);
        let page = sign_in_anew(&mut browser, (&who.0, &who.1)).await;
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let code = phone.code(gateway.now());
        let call = browser.sending(&page, &page.form("code").fill("code", &code));
        newcomers.insert(number, Newcomer { who, phone, code, told: false });
        let mut connection = browser.connect().await;
        sending.spawn(async move { (number, connection.send(call).await) });
    }
    let mut note = |number: usize, answer: Result<crate::dsl::Answer, hyper::Error>| {
        let led = answer.ok().and_then(|answer| answer.line("location").map(str::to_owned));
        let told = led.is_some_and(|led| led.starts_with("/.mfa/recovery-codes"));
        newcomers.get_mut(&number).unwrap().told |= told;
    };
    // However slow the machine is, somebody is answered in every other round.
    let patience = match round % 2 {
        0 => Duration::from_secs(60),
        _ => Duration::from_millis(u64::try_from(round * 137 % 1000).unwrap()),
    };
    let deadline = tokio::time::Instant::now() + patience;
    for _ in 0..=round % AT_ONCE {
        match tokio::time::timeout_at(deadline, sending.join_next()).await {
            Ok(Some(answered)) => {
                let (number, answer) = answered.unwrap();
                note(number, answer);
            }
            Ok(None) | Err(_) => break,
        }
    }
    gateway.kill();
    // An answer that was on its way counts as told.
    while let Some(answered) = sending.join_next().await {
        let (number, answer) = answered.unwrap();
        note(number, answer);
    }
    newcomers.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_told_enrolled_is_enrolled_after_a_power_cut() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let (mut told, mut lost) = (0, 0);
    for round in 0..ROUNDS {
        let newcomers = enrol_until_killed(&mut gateway, round).await;
        gateway.start().await;
        let mut waiting = Vec::new();
        for newcomer in newcomers {
            let mut browser = gateway.browser("wiki");
            let who = (newcomer.who.0.as_str(), newcomer.who.1.as_str());
            let led = sign_in(&mut browser, who).await;
            let is_enrolled = led.location().starts_with("/.mfa/verify");
            assert!(is_enrolled || !newcomer.told, "{} was told, and is not enrolled", who.0);
            let page = browser.follow(led).await;
            assert_eq!(page.status, 200);
            match is_enrolled {
                true => {
                    let again = give_code(&mut browser, &page, &newcomer.code).await;
                    assert_eq!(again.status, 401, "a code was accepted again");
                    waiting.push((browser, newcomer.phone));
                }
                false => lost += 1,
            }
            told += usize::from(newcomer.told);
        }
        gateway.next_code();
        for (mut browser, phone) in waiting {
            let page = browser.open("/.mfa/verify?return_to=%2Fhome").await;
            let code = phone.code(gateway.now());
            let passed = give_code(&mut browser, &page, &code).await;
            assert_eq!((passed.status, passed.location()), (303, "/home"), "half enrolled");
        }
    }
    assert!(told > 0 && lost > 0, "the power was never cut on the way: {told} told, {lost} lost");
}

/// Nobody gets in, and ops are told in one line what is wrong and what to do.
fn refuses_to_start(gateway: &Gateway, words: &[&str]) {
    let (code, said) = gateway.fails_to_start();
    assert_eq!(code, 1, "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("portcullis: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    for word in words {
        assert!(lines[0].contains(word), "no word of {word:?}: {}", lines[0]);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_emptied_or_old_lets_nobody_enrol_anew() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(gateway.stop(), 0);
    let data = gateway.folder().join("data");
    let (store, old, newest) = (data.join("store"), data.join("old"), data.join("newest"));
    copy(&store, &old);
    gateway.start().await;
    enrol(&gateway, "wiki", BOB).await;
    assert_eq!(gateway.stop(), 0);
    fs::rename(&store, &newest).unwrap();

    refuses_to_start(&gateway, &["missing or empty", "put the folder back"]);
    fs::create_dir(&store).unwrap();
    refuses_to_start(&gateway, &["missing or empty", "put the folder back"]);
    fs::remove_dir_all(&store).unwrap();
    copy(&old, &store);
    refuses_to_start(&gateway, &["older than it should be", "put the newest folder back"]);
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&newest, &store).unwrap();
    let head = data.join("store.head");
    fs::rename(&head, data.join("aside")).unwrap();
    refuses_to_start(&gateway, &["store.head is missing", "put the file back"]);
    fs::rename(data.join("aside"), &head).unwrap();

    // Nothing was harmed on the way, and everybody is who they were.
    gateway.start().await;
    for who in [ALICE, BOB] {
        sign_in_again(&mut gateway.browser("wiki"), who).await;
    }
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_or_none_opens_no_store() {
    use base64::Engine as _;
    use std::os::unix::fs::PermissionsExt as _;
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(gateway.stop(), 0);
    let key = gateway.folder().join("secrets/master.key");
    let right = fs::read(&key).unwrap();
    let other = base64::prelude::BASE64_STANDARD.encode([7; 32]);
    fs::write(&key, other).unwrap();
    refuses_to_start(&gateway, &["another master key", "put that key back"]);
    // Without any, a new one is made; it opens the old store no more than another would.
    fs::remove_file(&key).unwrap();
    refuses_to_start(&gateway, &["another master key", "put that key back"]);
    fs::write(&key, right).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    gateway.start().await;
    sign_in_again(&mut gateway.browser("wiki"), ALICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_one_store_does_not_start() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    refuses_to_start(&gateway, &["in use by another process", "a store of its own"]);
    assert!(alice.browser.clone().open("/home").await.body.contains("secret-page"));
}
