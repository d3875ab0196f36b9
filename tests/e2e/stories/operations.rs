//! What those who run it see: numbers, logs, signals, exit codes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use tokio::net::TcpStream;

use crate::dsl::broken::Broken;
use crate::dsl::steps::{enrol, give_code, sign_in_again};
use crate::dsl::traces::holds_word;
use crate::dsl::{ALICE, BOB, Call, Gateway, client, eventually, gateway, portal};

const NAMES: [&str; 16] = [
    "portcullis_requests_total",
    "portcullis_decision_seconds",
    "portcullis_request_seconds",
    "portcullis_logins_observed_total",
    "portcullis_verifications_total",
    "portcullis_enrolments_total",
    "portcullis_enrolled_users",
    "portcullis_throttled_total",
    "portcullis_sessions_active",
    "portcullis_store_seconds",
    "portcullis_store_errors_total",
    "portcullis_upstream_errors_total",
    "portcullis_config_reload_success",
    "portcullis_build_info",
    "portcullis_mails_total",
    "portcullis_mails_waiting",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_number_has_its_name_from_the_start() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    gateway.browser("wiki").open("/home").await;
    let metrics = asked(&gateway, "localhost", "/metrics").await.body;
    for name in NAMES {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is missing");
    }
    let version = format!("portcullis_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(metrics.contains(&version), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_move() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    give_code(&mut browser, &page, "000000").await;
    give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    browser.open("/home").await;
    gateway.browser("wiki").open("/home").await;
    for (name, labels, least) in [
        ("requests_total", &[("verdict", "forward"), ("reason", "proven")][..], 1.0),
        ("requests_total", &[("verdict", "login"), ("reason", "unknown")], 1.0),
        ("decision_seconds_count", &[], 10.0),
        ("request_seconds_count", &[], 10.0),
        ("logins_observed_total", &[("outcome", "success")], 2.0),
        ("verifications_total", &[("factor", "totp"), ("outcome", "accepted")], 1.0),
        ("verifications_total", &[("factor", "totp"), ("outcome", "wrong")], 1.0),
        ("enrolments_total", &[("factor", "totp")], 1.0),
        ("enrolled_users", &[], 1.0),
        ("sessions_active", &[], 2.0),
    ] {
        let labels = [labels, &[("portal", "wiki")]].concat();
        let name = format!("portcullis_{name}");
        eventually(&format!("{name} {labels:?}"), async || {
            (gateway.metric(&name, &labels).await >= least).then_some(())
        })
        .await;
    }
    assert!(gateway.metric("portcullis_store_seconds_count", &[("engine", "sled")]).await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_portal_from_answering_is_told_apart() {
    for (kind, portal) in [
        ("connect", Broken::that_is_gone()),
        ("connect", Broken::without_an_address()),
        ("closed", Broken::that_says("").await),
        ("invalid", Broken::that_says("good morning\r\n\r\n").await),
    ] {
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        let mut browser = gateway.browser("wiki");
        let page = browser.open("/public/page").await;
        let login = browser.post("/login", &[("user", "alice"), ("password", "x")]).await;
        assert_eq!((page.status, login.status), (502, 502), "{kind}");
        for counted in ["connect", "tls", "timeout", "closed", "invalid"] {
            let labels = [("portal", "wiki"), ("kind", counted)];
            let count = gateway.metric("portcullis_upstream_errors_total", &labels).await;
            assert_eq!(count, if counted == kind { 2.0 } else { 0.0 }, "{counted} of {kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everybody_is_counted_and_who_comes_is_counted_on() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(gateway.stop(), 0);
    gateway.start().await;
    enrol(&gateway, "wiki", BOB).await;
    for name in ["portcullis_enrolled_users", "portcullis_seen_users"] {
        eventually(name, async || (gateway.metric(name, &[]).await == 2.0).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_who_asks_by_address() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        for host in ["localhost", "127.0.0.1:9443"] {
            assert_eq!(asked(&gateway, host, path).await.status, 200, "{path} of {host}");
        }
        for host in ["wiki.test", "localhost.evil.test", "admin"] {
            let refused = asked(&gateway, host, path).await;
            assert_eq!(refused.status, 421, "{path} of {host}");
            assert!(!refused.body.contains("portcullis_"));
        }
    }
    let answer = gateway.send(Call::get("wiki.test", "/metrics")).await;
    assert_eq!(answer.status, 401, "the public listener has numbers of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_leaves_one_line_and_no_secret() {
    let portal = portal::form().run().await;
    let log = "telemetry: { log: json, level: debug, access_log: true }";
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(log).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut secrets: Vec<String> = alice.codes.clone();
    secrets.extend(alice.browser.jar.values().cloned());
    secrets.extend([ALICE.1, alice.phone.secret(), "typed-by-hand"].map(str::to_owned));
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    secrets.extend(browser.jar.values().cloned());
    give_code(&mut browser, &page, "typed-by-hand").await;
    let code = alice.phone.code(gateway.now());
    give_code(&mut browser, &page, &code).await;
    secrets.extend(browser.jar.values().cloned());
    for token in page.form("code").field("csrf").iter().chain(&[code.as_str()]) {
        secrets.push((*token).to_owned());
    }
    assert_eq!(browser.open("/home/page?reset=typed-by-hand").await.status, 200);
    let recovery = alice.codes[0].as_str();
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    assert_eq!(give_code(&mut other, &page, recovery).await.status, 303);
    other.call("GET", "/home/last").await;
    let lines = eventually("one line for each request", async || {
        let requests = gateway.metric("portcullis_request_seconds_count", &[]).await;
        let lines = access_lines(&gateway);
        let last = lines.iter().any(|line| line["path"] == "/home/last");
        (last && lines.len() as f64 == requests).then_some(lines)
    })
    .await;
    let ids: BTreeSet<_> = lines.iter().map(|line| line["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len(), "two requests share a name");
    let opened = lines.iter().find(|line| line["path"] == "/home/page").unwrap();
    assert_eq!((&opened["method"], &opened["status"]), (&"GET".into(), &200.into()));
    assert_eq!((&opened["verdict"], &opened["reason"]), (&"forward".into(), &"proven".into()));
    assert_eq!((&opened["portal"], &opened["client"]), (&"wiki".into(), &"127.0.0.1".into()));
    let log = gateway.log();
    for secret in secrets {
        assert!(!holds_word(&log, &secret), "{secret} is in the log");
    }
    assert!(!log.contains("alice"), "the log names a user");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_well_when_it_is_told_to_stop() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = enrol(&gateway, "wiki", ALICE).await.browser;
    for http2 in [false, true] {
        browser.http2 = http2;
        let mut waiting = browser.clone();
        let seen = portal.seen_at("/held").len();
        let held = tokio::spawn(async move { waiting.open("/held").await });
        eventually("the request", async || (portal.seen_at("/held").len() > seen).then_some(()))
            .await;
        gateway.terminate();
        for address in [gateway.https(), gateway.http(), gateway.admin()] {
            eventually("closed doors", async || TcpStream::connect(address).await.err()).await;
        }
        portal.release();
        let answer = held.await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("held"));
        assert_eq!(gateway.wait(), 0);
        gateway.start().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_who_is_to_blame() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let good = gateway.folder().join("portcullis.yaml");
    assert_eq!(gateway.stop(), 0);
    let checked = portcullis(&["check", "--config"], Some(&good));
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    let bad = gateway.folder().join("bad.yaml");
    let written = std::fs::read_to_string(&good).unwrap();
    std::fs::write(&bad, written.replace("login_url:", "login_uri:") + "limts: {}\n").unwrap();
    for (command, code) in [("check", 1), ("serve", 3)] {
        for file in [&bad, &gateway.folder().join("absent.yaml")] {
            let output = portcullis(&[command, "--config"], Some(file));
            assert_eq!(output.status.code(), Some(code), "{command}: {}", said(&output));
            assert!(output.stdout.is_empty());
        }
        let faults = said(&portcullis(&[command, "--config"], Some(&bad)));
        for key in ["login_uri", "limts"] {
            let line = faults.lines().find(|line| line.contains(key));
            let line = line.unwrap_or_else(|| panic!("{key} is not told: {faults}"));
            let place = line.split_once("bad.yaml:").unwrap().1;
            let numbers: Vec<_> = place.split(':').take(2).map(str::parse::<u32>).collect();
            assert!(numbers.iter().all(Result::is_ok), "{line}");
        }
    }
    for usage in [&[][..], &["nonsense"], &["serve"], &["check", "--confg", "x"], &["schema", "x"]]
    {
        assert_eq!(portcullis(usage, None).status.code(), Some(2), "{usage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_start_says_why_in_one_line() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let (code, said) = gateway.fails_to_start();
    assert_eq!(code, 1, "{said}");
    let plain: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(plain.len(), 1, "{said}");
    assert!(plain[0].starts_with("portcullis: "), "{said}");
}

#[test]
fn a_number_of_workers_that_is_none_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.arg("demo").env("TOKIO_WORKER_THREADS", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    let plain: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    let wanted =
        "portcullis: TOKIO_WORKER_THREADS is 'many', and has to be a number from 1 to 1024";
    assert_eq!(plain, [wanted]);
}

#[test]
fn the_schema_is_json_that_names_every_section() {
    let output = portcullis(&["schema"], None);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for section in ["listeners", "admin", "store", "keys", "session", "portals", "limits"] {
        assert!(schema["properties"][section].is_object(), "{section} is missing");
    }
}

async fn asked(gateway: &Gateway, host: &str, path: &str) -> crate::dsl::Answer {
    client::plain(gateway.admin(), Call::get(host, path)).await
}

fn access_lines(gateway: &Gateway) -> Vec<serde_json::Value> {
    let log = gateway.log();
    let lines = log.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|_| panic!("no JSON: {line}"))
    });
    lines.filter(|line| line["target"] == "access").collect()
}

fn portcullis(arguments: &[&str], file: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).args(file).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
