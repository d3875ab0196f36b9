//! ST-1 and ST-2: the store is copied while people sign in, and put back in a fresh place, where
//! they go on with their phones and nothing old counts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::dsl::desk::{ADMIN, DESK, Said, command, watched};
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Gateway, Phone, Portal, eventually, gateway, html, member, portal};

const NEWCOMERS: usize = 12;

async fn house() -> (Portal, Gateway) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(ADMIN).token(DESK).run().await;
    (portal, gateway)
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn export(gateway: &Gateway, name: &str) -> PathBuf {
    let file = gateway.folder().join(name);
    let done = command(gateway, ADMIN, &["store", "export", "--to", path(&file)]);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    assert!(done.out.contains("it opens under the master key alone"), "{}", done.out);
    file
}

fn import(gateway: &Gateway, file: &Path, more: &[&str]) -> Said {
    gateway.offline(&[&["store", "import", "--from", path(file)], more].concat())
}

/// Puts the store of a gateway that does not run out of the way.
fn lose_the_store(gateway: &Gateway) {
    let data = gateway.folder().join("data");
    fs::rename(&data, gateway.folder().join("lost")).unwrap();
    fs::create_dir(data).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn st_2_who_has_enrolled_signs_in_at_a_fresh_place_and_nothing_old_counts() {
    let (_portal, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    gateway.next_code();
    let mut clumsy = gateway.browser("wiki");
    let mut page = sign_in_again(&mut clumsy, BOB).await;
    for _ in 0..3 {
        page = give_code(&mut clumsy, &page, "000000").await;
    }
    let file = export(&gateway, "export");
    assert_eq!(gateway.stop(), 0);
    lose_the_store(&gateway);
    let done = import(&gateway, &file, &[]);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    assert!(done.out.contains("2  users with a second factor"), "{}", done.out);
    assert!(done.out.contains("1  counts of wrong codes"), "{}", done.out);
    gateway.start().await;
    // No cookie from before opens anything; nobody is led to enrol anew.
    for old in [&alice.browser, &bob.browser, &clumsy] {
        let shown = old.clone().open("/home").await;
        assert!(!shown.body.contains("secret-page"), "{:?}", shown.answer);
    }
    // No code of a moment before the start counts, spent or not.
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    for old in [alice.phone.code(alice.spent), alice.phone.code(gateway.now())] {
        assert_eq!(give_code(&mut browser, &page, &old).await.status, 401, "an old code counts");
    }
    let shown = command(&gateway, DESK, &["user", "show", "bob", "--portal", "wiki"]).out;
    assert!(shown.contains("wrong codes          3"), "{shown}");
    gateway.advance(Duration::from_secs(90));
    for (who, person) in [(ALICE, &alice), (BOB, &bob)] {
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, who).await;
        let led = give_code(&mut browser, &page, &person.phone.code(gateway.now())).await;
        assert!(browser.follow(led).await.body.contains("secret-page"));
    }
    let log = gateway.log();
    assert_eq!(log.matches("the store was imported").count(), 1, "{log}");
    assert_eq!(gateway.stop(), 0);
    gateway.start().await;
    assert_eq!(gateway.log().matches("the store was imported").count(), 1, "it was told again");
}

/// Enrols one of the crowd; gives the phone once the gateway has said that it is done.
async fn newcomer(browser: crate::dsl::Browser, number: usize, now: u64) -> (usize, Phone) {
    let (mut browser, who) = (browser, member(number));
    let page = sign_in_anew(&mut browser, (&who.0, &who.1)).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    let told = give_code(&mut browser, &page, &phone.code(now)).await;
    assert!(told.location().starts_with("/.mfa/recovery-codes"), "{:?}", told.answer);
    (number, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn st_2_an_export_that_is_made_while_people_enrol_holds_each_of_them_whole_or_not_at_all() {
    let (_portal, mut gateway) = house().await;
    let mut enrolling = JoinSet::new();
    for number in 0..NEWCOMERS {
        enrolling.spawn(newcomer(gateway.browser("wiki"), number, gateway.now()));
    }
    let (mut before, mut exports) = (Vec::new(), Vec::new());
    while let Some(enrolled) = enrolling.join_next().await {
        before.push(enrolled.unwrap());
        exports.push((before.len(), export(&gateway, &format!("export{}", before.len()))));
    }
    let (least, file) = &exports[NEWCOMERS / 2];
    assert_eq!(gateway.stop(), 0);
    lose_the_store(&gateway);
    assert_eq!(import(&gateway, file, &[]).code, 0);
    gateway.start().await;
    gateway.advance(Duration::from_secs(180));
    for (told, (number, phone)) in before.iter().enumerate() {
        let who = member(*number);
        let mut browser = gateway.browser("wiki");
        let led = sign_in(&mut browser, (&who.0, &who.1)).await;
        if led.location().starts_with("/.mfa/enrol") {
            assert!(told >= *least, "{} was told before the export, and is not in it", who.0);
            continue;
        }
        let page = browser.follow(led).await;
        let passed = give_code(&mut browser, &page, &phone.code(gateway.now())).await;
        assert_eq!(passed.status, 303, "{} is half in it", who.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_1_an_export_tells_nothing_to_whoever_has_no_master_key() {
    let (_portal, mut gateway) = house().await;
    let Enrolled { phone, codes, .. } = enrol(&gateway, "wiki", ALICE).await;
    let file = export(&gateway, "export");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let strings = Command::new("strings").args(["-n", "3", path(&file)]).output();
    let strings = strings.expect("strings is missing: apt-get install binutils");
    let readable = String::from_utf8(strings.stdout).unwrap();
    assert!(readable.starts_with("{\"format\":\"portcullis export\""), "{readable}");
    for secret in ["alice", "wiki", "example", phone.secret(), &codes[0], "signing", "seed"] {
        assert!(!readable.contains(secret), "{secret} can be read");
    }
    // Another key opens nothing of it, and none is made for the purpose.
    assert_eq!(gateway.stop(), 0);
    lose_the_store(&gateway);
    let key = gateway.folder().join("secrets/master.key");
    let right = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let refused = import(&gateway, &file, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.complaint.contains("the master key of the export is needed"), "{refused:?}");
    assert!(!key.exists(), "a key was made");
    fs::write(&key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = import(&gateway, &file, &[]);
    assert!(refused.complaint.contains("under another master key"), "{refused:?}");
    fs::write(&key, right).unwrap();
    let checked = import(&gateway, &file, &["--check"]);
    assert!(checked.out.ends_with("nothing was imported\n"), "{checked:?}");
    assert_eq!(fs::read_dir(gateway.folder().join("data")).unwrap().count(), 0);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    let refused = import(&gateway, &file, &[]);
    assert!(refused.complaint.contains("before it is complete"), "{refused:?}");
    assert_eq!(fs::read_dir(gateway.folder().join("data")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_put_back_only_where_none_is_and_no_gateway_runs() {
    let (_portal, gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let file = export(&gateway, "export");
    let refused = import(&gateway, &file, &["--output", "json"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.complaint.contains("stop the gateway, move"), "{refused:?}");
    assert_eq!(refused.complaint.lines().count(), 1);
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    // Nor is a file written over.
    let before = fs::read(&file).unwrap();
    let again = command(&gateway, ADMIN, &["store", "export", "--to", path(&file)]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let nowhere = gateway.folder().join("no/such/folder");
    let nowhere = command(&gateway, ADMIN, &["store", "export", "--to", path(&nowhere)]);
    assert!(nowhere.code == 1 && nowhere.complaint.contains("cannot be written"), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_see_how_the_store_stands() {
    let (_portal, gateway) = house().await;
    enrol(&gateway, "wiki", ALICE).await;
    let status = |more: &[&str]| command(&gateway, ADMIN, &[&["store", "status"], more].concat());
    let table = status(&[]).out;
    for line in ["engine", "takes writes", "last export"] {
        assert!(table.lines().any(|found| found.starts_with(line)), "{table}");
    }
    let of = |table: &str, name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line[name.len()..].trim().to_owned()
    };
    assert_eq!(of(&table, "users with a second factor"), "1");
    assert_eq!(of(&table, "last export"), "none yet");
    export(&gateway, "export");
    let json = eventually("the export to be noted", async || {
        let json: serde_json::Value =
            serde_json::from_str(&status(&["--output", "json"]).out).unwrap();
        json["last_export"].is_string().then_some(json)
    })
    .await;
    assert_eq!((&json["engine"], &json["writable"]), (&"sled".into(), &true.into()));
    assert!(json["path"].as_str().unwrap().ends_with("data/store"), "{json}");
    for words in [&["store", "status"][..], &["store", "export", "--to", "/tmp/never-written"]] {
        let refused = command(&gateway, DESK, words);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.complaint.contains("this needs admin"), "{}", refused.complaint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_shows_how_far_it_is_to_whoever_watches_and_to_nobody_else() {
    let portal = portal::form().yaml("enrolment: { guard: invite }").run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(ADMIN).run().await;
    let (first, second) = (gateway.folder().join("first"), gateway.folder().join("second"));
    let export = ["store", "export", "--to", path(&first)];
    assert!(watched(&gateway, ADMIN, &export).contains("exporting  0.0 MiB"));
    let invite = ["user", "invite", "--portal", "wiki", "alice", "bob"];
    let shown = watched(&gateway, ADMIN, &invite);
    assert!(shown.contains("inviting  [") && shown.contains(" 50 %"), "{shown}");
    let silent = [&invite[..], &["--output", "json"]].concat();
    assert!(!watched(&gateway, ADMIN, &silent).contains("inviting"));
    for words in [&invite[..], &["store", "export", "--to", path(&second)]] {
        let done = command(&gateway, ADMIN, words);
        assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    }
}
