//! What happened can be read afterwards, and nobody changes it unseen.

use std::collections::HashMap;
use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;

use crate::dsl::book::{self, AUDIT, TinyDisk};
use crate::dsl::desk::{DESK, ORGANISATION, Said, Token, VIEWER, ask, call, command, said};
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again, sign_in_anew, sign_out};
use crate::dsl::{ALICE, BOB, Call, Gateway, Portal, client, eventually, gateway, portal};

const ROOT: Token =
    Token { name: "root", role: "admin", secret: "r00tQwErTyUiOpAsDfGhJkLz", portals: "" };

const CLOSED: &str = "rules:\n  - { match: { path: /closed/** }, require: deny }";

async fn house() -> (Portal, Gateway) {
    let wiki = portal::form().yaml(&format!("{ORGANISATION}\n{CLOSED}")).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).yaml(AUDIT);
    (wiki, gateway.token(VIEWER).token(DESK).token(ROOT).run().await)
}

fn reset(gateway: &Gateway, by: &str) -> Said {
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    command(gateway, DESK, &[&words[..], &["--requested-by", by, "--ticket", "T-17"]].concat())
}

fn verify(gateway: &Gateway) -> Said {
    command(gateway, ROOT, &["audit", "verify"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_leaves_exactly_the_lines_that_it_should() {
    let (_wiki, mut gateway) = house().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;

    // Another visit: a wrong password, a name that nobody knows, a wrong code, the right one.
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    sign_in(&mut browser, (ALICE.0, "a-wrong-password")).await;
    sign_in(&mut browser, ("my-pass-word-by-mistake", "x")).await;
    let page = sign_in_again(&mut browser, ALICE).await;
    let page = give_code(&mut browser, &page, "000000").await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
    assert_eq!(browser.open("/closed/x?secret=1").await.status, 403);
    // The same code again, then a recovery code.
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    let page = give_code(&mut other, &page, &code).await;
    assert_eq!(give_code(&mut other, &page, &alice.codes[0]).await.status, 303);
    sign_out(&mut other).await;
    // Five wrong ones, and one that is not looked at.
    let page = sign_in_again(&mut other, ALICE).await;
    for _ in 0..5 {
        give_code(&mut other, &page, "000000").await;
    }
    give_code(&mut other, &page, "000000").await;

    // The desk.
    command(&gateway, VIEWER, &["user", "show", "alice", "--portal", "wiki"]);
    command(&gateway, VIEWER, &["session", "revoke", "alice", "--portal", "wiki"]);
    let list =
        ["user", "list", "--portal", "wiki", "--admin", &format!("http://{}", gateway.admin())];
    assert_eq!(said(&list, Some("no-token-that-anybody-has")).code, 1);
    command(&gateway, DESK, &["user", "unlock", "alice", "--portal", "wiki"]);
    let made = command(&gateway, ROOT, &["token", "make", "--name", "night", "--role", "viewer"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(command(&gateway, ROOT, &["token", "end", "night"]).code, 0);
    assert_eq!(reset(&gateway, "alice@example.com").code, 1);
    assert_eq!(reset(&gateway, "bob@example.com").code, 0);
    assert_eq!(alice.browser.open("/home").await.location(), "/login");

    // She is offered a secret again, and gives a wrong code for it.
    let page = sign_in_anew(&mut gateway.browser("wiki"), ALICE).await;
    assert!(page.body.contains("otpauth"), "{}", page.body);

    // Ops.
    gateway.take(&gateway.yaml().replace("/closed/**", "/shut/**")).await;
    let good = gateway.yaml();
    gateway.refuse(&good.replace("store:", "shop:"), "is not a known key").await;
    gateway.write_yaml(&good);
    assert_eq!(gateway.stop(), 0);

    let day = [
        "started gateway version=0.1.0",
        "login_succeeded user alice",
        "enrolment_started user alice",
        "enrolled user alice factor=totp label=Authenticator app",
        "recovery_codes_made user alice count=10",
        "login_failed nobody alice refusal=failure",
        "login_failed nobody refusal=failure",
        "login_succeeded user alice",
        "code_wrong user alice",
        "code_accepted user alice factor=totp",
        "access_denied user alice target=GET /closed/x",
        "login_succeeded user alice",
        "code_reused user alice",
        "code_accepted user alice factor=recovery_code",
        "signed_out user alice",
        "login_succeeded user alice",
        "code_wrong user alice",
        "code_wrong user alice",
        "code_wrong user alice",
        "code_wrong user alice",
        "code_wrong user alice",
        "code_held_back user alice",
        "desk_read token:eyes alice target=GET /api/v1/portals/wiki/users/alice",
        "desk_refused token:eyes refusal=role target=DELETE /api/v1/portals/wiki/users/alice/sessions",
        "desk_refused nobody refusal=wrong_token target=GET /api/v1/portals/wiki/users",
        "unlocked token:desk alice",
        "token_made token:root name=night role=viewer",
        "token_ended token:root name=night",
        "reset_refused token:desk alice channel=colleague reason=lost phone refusal=oneself requested_by=alice@example.com ticket=T-17",
        "reset_requested token:desk alice channel=colleague name=desk reason=lost phone requested_by=bob@example.com ticket=T-17",
        "reset_approved token:desk alice channel=colleague name=desk reason=lost phone requested_by=bob@example.com ticket=T-17",
        "reset_done token:desk alice channel=colleague name=desk reason=lost phone requested_by=bob@example.com ticket=T-17",
        "login_succeeded user alice",
        "enrolment_started user alice",
        "configuration_loaded gateway reason=SIGHUP",
    ];
    let lines = book::lines(&gateway);
    // A request is named by chance.
    let is_said = |word: &&str| !word.starts_with("reset_request=");
    let without = |line: String| line.split(' ').filter(is_said).collect::<Vec<_>>().join(" ");
    let told: Vec<String> = lines.iter().map(book::short).map(without).collect();
    assert_eq!(told[..day.len()], day, "{told:#?}");
    let rest = &told[day.len()..];
    assert!(
        rest[0].starts_with("configuration_refused gateway reason=SIGHUP refusal="),
        "{rest:?}"
    );
    assert_eq!(rest.last().map(String::as_str), Some("stopped gateway"));
    requests_are_those_of_the_access_log(&gateway, &lines);

    let text = book::text(&gateway);
    let secrets = [ALICE.1, "a-wrong-password", "my-pass-word", &code, &alice.codes[0], "secret=1"];
    for secret in secrets.into_iter().chain([DESK.secret, VIEWER.secret, "no-token-that"]) {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
    let place = book::place(&gateway);
    let alone = said(&["audit", "verify", place.to_str().unwrap()], None);
    let whole = format!("the audit log is whole: {0} lines, 1 to {0}\n", lines.len());
    assert_eq!((alone.code, alone.out), (0, whole));
}

/// Each line of a request has its name, its client and its portal.
fn requests_are_those_of_the_access_log(gateway: &Gateway, lines: &[Value]) {
    let log = gateway.log();
    let log = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let access: HashMap<String, Value> =
        log.filter_map(|line| Some((line["request_id"].as_str()?.to_owned(), line))).collect();
    let of_visitors = lines.iter().filter(|line| line["request"].is_string());
    let mut count = 0;
    for line in of_visitors {
        let asked = access.get(line["request"].as_str().unwrap());
        let asked = asked.unwrap_or_else(|| panic!("no request of {line}"));
        assert_eq!((&line["client"], &line["portal"]), (&asked["client"], &asked["portal"]));
        assert_eq!(line["portal"], "wiki");
        count += 1;
    }
    assert_eq!(count, 23);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_reads_the_log_and_finds_what_was_changed() {
    let (_wiki, mut gateway) = house().await;
    enrol(&gateway, "wiki", ALICE).await;
    enrol(&gateway, "wiki", BOB).await;
    book::wait_for(&gateway, "recovery_codes_made", 2).await;
    let tail = command(&gateway, ROOT, &["audit", "tail", "--lines", "3"]);
    let rows: Vec<&str> = tail.out.lines().collect();
    assert!(rows[0].starts_with("LINE  AT "), "{}", tail.out);
    assert_eq!(rows.len(), 4, "{}", tail.out);
    assert!(rows[3].contains("recovery_codes_made  user  wiki    bob   127.0.0.1"), "{}", tail.out);
    let json = command(&gateway, ROOT, &["audit", "tail", "--output", "json"]).out;
    assert_eq!(json.lines().count(), book::lines(&gateway).len());
    for (token, status) in [(VIEWER, 403), (DESK, 403), (ROOT, 200)] {
        for path in ["/api/v1/audit", "/api/v1/audit/verify"] {
            assert_eq!(ask(&gateway, call(token, "GET", path)).await.status, status, "{path}");
        }
    }
    // What comes over the API are the very bytes of the file.
    let first = ask(&gateway, call(ROOT, "GET", "/api/v1/audit?after=1")).await.body;
    assert!(first.contains(book::text(&gateway).lines().nth(1).unwrap()), "{first}");
    for wrong in ["after=-1", "after=x", "before=1", "after=1&after=2"] {
        let path = format!("/api/v1/audit?{wrong}");
        assert_eq!(ask(&gateway, call(ROOT, "GET", &path)).await.status, 400, "{wrong}");
    }

    let whole = verify(&gateway);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.out.starts_with("the audit log is whole: "), "{}", whole.out);
    let written = book::text(&gateway);
    fs::write(book::place(&gateway), written.replacen("alice", "carol", 1)).unwrap();
    let changed = verify(&gateway);
    assert_eq!(changed.code, 1);
    assert!(changed.complaint.contains("audit.jsonl:2: the line was changed"), "{changed:?}");
    let json = command(&gateway, ROOT, &["audit", "verify", "--output", "json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["whole"], &json["broken"]["what"]), (&false.into(), &"changed".into()));
    // Put right again, and then cut off while the gateway is away.
    fs::write(book::place(&gateway), &written).unwrap();
    assert_eq!(verify(&gateway).code, 0);
    assert_eq!(gateway.stop(), 0);
    let cut: String = written.lines().take(5).map(|line| format!("{line}\n")).collect();
    fs::write(book::place(&gateway), &cut).unwrap();
    gateway.start().await;
    let broken = book::wait_for(&gateway, "chain_broken", 1).await;
    assert_eq!(
        book::short(&broken[0]),
        "chain_broken gateway count=6 name=audit.jsonl refusal=cut_off"
    );
    assert!(gateway.log().contains("the audit log is not what was written"), "{}", gateway.log());
    assert_eq!(gateway.metric("portcullis_audit_broken_total", &[]).await, 1.0);
    let put_away = gateway.folder().join("data/audit.jsonl.000000000001");
    assert_eq!(fs::read_to_string(put_away).unwrap(), cut);
    assert_eq!(verify(&gateway).code, 1);
    let known = broken[0]["seq"].to_string();
    assert_eq!(command(&gateway, ROOT, &["audit", "verify", "--after", &known]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_full_nobody_proves_anything_and_whoever_has_goes_on() {
    let disk = TinyDisk::new();
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let audit = format!("telemetry: {{ audit: {}/audit.jsonl }}", disk.path().display());
    let gateway = gateway::new().portal("wiki", &wiki).yaml(&audit).token(DESK).token(ROOT);
    let mut gateway = gateway.run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    disk.fill();
    let code = alice.phone.code(gateway.now());
    let refused = give_code(&mut browser, &page, &code).await;
    assert_eq!(refused.status, 503, "{:?}", refused.answer);
    assert!(refused.text().contains("not your fault"), "{}", refused.text());
    let readyz = client::plain(gateway.admin(), Call::get("localhost", "/readyz")).await;
    assert_eq!(readyz.status, 503);
    assert!(readyz.body.contains("the audit log cannot be written"), "{}", readyz.body);
    assert!(!browser.open("/home").await.body.contains("secret-page"));
    let unlock = command(&gateway, DESK, &["user", "unlock", "alice", "--portal", "wiki"]);
    assert!(unlock.complaint.contains("the audit log cannot be written"), "{unlock:?}");
    assert_eq!(reset(&gateway, "bob@example.com").code, 1);
    let enrolling = sign_in(&mut gateway.browser("wiki"), BOB).await;
    assert!(enrolling.location().starts_with("/.mfa/enrol"), "{:?}", enrolling.answer);
    // Whoever has proven goes on.
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    assert!(gateway.metric("portcullis_audit_failures_total", &[]).await >= 1.0);

    disk.clear();
    eventually("the gateway to be ready", async || {
        let readyz = client::plain(gateway.admin(), Call::get("localhost", "/readyz")).await;
        (readyz.status == 200).then_some(())
    })
    .await;
    gateway.advance(Duration::from_secs(120));
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(told.status, 303, "{:?}", told.answer);
    assert_eq!(verify(&gateway).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_files_are_put_away_and_stay_one_chain() {
    let wiki = portal::form().yaml(CLOSED).run().await;
    let audit = "telemetry: { audit: data/audit.jsonl, audit_rotate: 64KiB }";
    let gateway = gateway::new().portal("wiki", &wiki).yaml(audit).token(ROOT);
    let mut gateway = gateway.run().await;
    let mut visitor = gateway.browser("wiki");
    for _ in 0..400 {
        assert_eq!(visitor.open("/closed/for/all").await.status, 403);
    }
    let first = gateway.folder().join("data/audit.jsonl.000000000001");
    eventually("a file that was put away", async || first.exists().then_some(())).await;
    let whole = verify(&gateway);
    assert!(whole.out.ends_with("1 to 401\n") || whole.code == 0, "{whole:?}");
    assert_eq!(gateway.stop(), 0);
    let place = book::place(&gateway);
    let files = [place.to_str().unwrap(), first.to_str().unwrap()];
    let alone = said(&[&["audit", "verify"], &files[..]].concat(), None);
    assert_eq!(alone.out, "the audit log is whole: 402 lines, 1 to 402\n", "{alone:?}");
    gateway.start().await;
    assert_eq!(verify(&gateway).code, 0);
    assert_eq!(gateway.metric("portcullis_audit_broken_total", &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_same_lines() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let wiki = portal::form().run().await;
    let to = collector.local_addr().unwrap();
    let audit = format!("telemetry: {{ audit: data/audit.jsonl, syslog: \"udp:{to}\" }}");
    let gateway = gateway::new().portal("wiki", &wiki).yaml(&audit).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    book::wait_for(&gateway, "recovery_codes_made", 1).await;
    for line in book::text(&gateway).lines() {
        let mut message = vec![0; 8192];
        let length = collector.recv(&mut message).unwrap();
        let message = String::from_utf8(message[..length].to_vec()).unwrap();
        let read: Value = serde_json::from_str(line).unwrap();
        let (at, event) = (read["at"].as_str().unwrap(), read["event"].as_str().unwrap());
        let pid = gateway.pid();
        assert_eq!(message, format!("<86>1 {at} - portcullis {pid} {event} - {line}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_audit_log_takes_a_restart() {
    let (_wiki, gateway) = house().await;
    let good = gateway.yaml();
    let fault = "telemetry.audit: was ";
    gateway.refuse(&good.replace("data/audit.jsonl", "data/other.jsonl"), fault).await;
    let fault = "telemetry.syslog: is not as it was when this gateway started";
    let other = good.replace("data/audit.jsonl", "data/audit.jsonl, syslog: unix:/dev/log");
    gateway.refuse(&other, fault).await;
}
