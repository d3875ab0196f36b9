//! A million people at three portals in PostgreSQL with a synchronous standby: how long it takes
//! to bring them there, how soon a gateway is ready, how many sign in each second through two
//! gateways, how long one of them waits, and what a gateway needs of memory. All are real
//! processes on this machine; `CROWD_PEOPLE`, `CROWD_SECONDS` and `CROWD_AT_ONCE` scale it.

// A bench may panic and print: that is how it fails, and what it is for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    dead_code
)]

#[path = "../tests/e2e/dsl/mod.rs"]
mod dsl;
#[path = "../tests/portals/real.rs"]
mod real;

#[path = "../tests/cluster/cluster.rs"]
mod cluster;
#[path = "../tests/cluster/engine.rs"]
mod engine;
#[path = "../tests/cluster/fence.rs"]
mod fence;
#[path = "../tests/cluster/lane.rs"]
mod lane;
#[path = "../tests/cluster/tab.rs"]
mod tab;

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portcullis::account::PortalTag;
use portcullis::clock::UnixMillis;
use portcullis::session::Binder;
use portcullis::store::backup::{ExportKey, Writer};
use portcullis::store::keyring::Keyring;
use portcullis::store::{Copied, Key, Leaf, Sort, Space};
use portcullis::user::UserName;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::cluster::Cluster;
use crate::dsl::gateway::{self, Fronted as _};
use crate::dsl::{Call, Gateway, Portal, client, member, portal};
use crate::engine::{Engine, Kind};
use crate::tab::Tab;

const PORTALS: [&str; 3] = ["wiki", "shop", "desk"];

#[tokio::main]
async fn main() {
    let people = number("CROWD_PEOPLE", 1_000_000);
    let engine = Engine::start(Kind::Postgres);
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    cluster::make_key(&key);
    let portals =
        [portal::form().run().await, portal::form().run().await, portal::form().run().await];
    let store = engine.new_store();
    fill(&engine, &store, folder.path(), &portals, people);
    say(
        "size of the database",
        engine
            .does("sql", &[&store, "SELECT pg_size_pretty(pg_database_size(current_database()))"]),
    );
    let equip = |_, builder: gateway::Builder| {
        let each = PORTALS.iter().zip(&portals);
        each.fold(builder, |builder, (name, portal)| builder.portal(name, portal))
    };
    let plan = cluster::of(2, &engine).on(&store, &key).in_real_time();
    let mut cluster = plan.run(equip).await;
    is_ready(&mut cluster).await;
    let before = memory(&cluster.gateways[0]);
    sign_in(&cluster, people).await;
    say(
        "memory of a gateway, before and after",
        format!("{before}, {}", memory(&cluster.gateways[0])),
    );
}

/// Writes everybody into an export, and has it imported.
fn fill(engine: &Engine, store: &str, folder: &Path, portals: &[Portal; 3], people: usize) {
    let export = folder.join("crowd.export");
    let begun = Instant::now();
    write_export(&folder.join("master.key"), &export, people);
    say("written as an export", format!("{} in {:.0?}", size(&export), begun.elapsed()));
    let yaml = folder.join("portcullis.yaml");
    let entry = engine.entry(store, &engine.addresses(), folder);
    let mut text = format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nstore: {entry}\nkeys: {{ master: file:master.key }}\nportals:\n"
    );
    for (name, portal) in PORTALS.iter().zip(portals) {
        let entry = portal.entry(&format!("{name}.test")).replace('\n', "\n    ");
        text.push_str(&format!("  {name}:\n    {entry}\n"));
    }
    fs::write(&yaml, text).unwrap();
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["store", "import", "--config", yaml.to_str().unwrap()])
        .args(["--from", export.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(done.success());
    let records = people * PORTALS.len();
    let pace = records as f64 / begun.elapsed().as_secs_f64();
    say("imported", format!("{records} in {:.0?}, {pace:.0} a second", begun.elapsed()));
    fs::remove_file(export).unwrap();
}

fn write_export(key: &Path, to: &Path, people: usize) {
    let source = portcullis::config::MasterKey::File(key.to_owned());
    let keyring = Keyring::existing(&source).unwrap();
    let key = ExportKey::new(&keyring);
    let mut out = BufWriter::new(File::create(to).unwrap());
    let now = UnixMillis::from_seconds(now());
    let (mut writer, head) = Writer::begin(&key, now).unwrap();
    out.write_all(&head).unwrap();
    for portal in PORTALS {
        let binder = Binder::new(portal, &keyring.derive("portal binding"));
        let mut tag = [0; 8];
        tag.copy_from_slice(&keyring.id(&[b"portal", portal.as_bytes()])[..8]);
        for number in 0..people {
            let step = record(&binder, PortalTag(tag), portal, number, now);
            out.write_all(&writer.step(&step).unwrap()).unwrap();
        }
    }
    out.write_all(&writer.end().unwrap().0).unwrap();
    out.flush().unwrap();
}

/// The second factor of one of them at one portal.
fn record(binder: &Binder, tag: PortalTag, portal: &str, number: usize, now: UnixMillis) -> Copied {
    let name = member(number).0;
    let user: UserName = serde_json::from_value(json!(name)).unwrap();
    let id = [&tag.0[..], &binder.subject(&user).0[..]].concat();
    let secret = secret(portal, number);
    let key = json!({ "secret": secret, "algorithm": "sha1", "digits": 6, "period": 30 });
    let one = json!({
        "id": portcullis::user::Opaque([7; 16]),
        "label": "Authenticator app",
        "added": now,
        "key": key
    });
    let text = json!({ "user": name, "authenticators": [one] }).to_string();
    let payload = Zeroizing::new(text.into_bytes());
    Copied::New(Key::new(Space::Factor, id), Leaf { sort: Sort::Value, payload, expires_at: None })
}

fn secret(portal: &str, number: usize) -> Vec<u8> {
    Sha256::digest(format!("{portal} {number}"))[..20].to_vec()
}

/// Starts one gateway anew, and waits until it is ready.
async fn is_ready(cluster: &mut Cluster) {
    let gateway = &mut cluster.gateways[0];
    assert_eq!(gateway.stop(), 0);
    let begun = Instant::now();
    gateway.start().await;
    while client::plain(gateway.admin(), Call::get("localhost", "/readyz")).await.status != 200 {
        tokio::task::yield_now().await;
    }
    say("from start to ready", format!("{:.1?}", begun.elapsed()));
}

/// People sign in as fast as they can, each once at one portal.
async fn sign_in(cluster: &Cluster, people: usize) {
    let length = Duration::from_secs(number("CROWD_SECONDS", 60) as u64);
    let next = Arc::new(AtomicUsize::new(0));
    let mut working = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..number("CROWD_AT_ONCE", 32) {
        let browsers = PORTALS.map(|portal| cluster.any().browser(portal));
        let (next, plain) = (Arc::clone(&next), cluster.plain);
        working.spawn(async move {
            let mut took = Vec::new();
            while begun.elapsed() < length {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                // All over the crowd, and nobody twice.
                let number = turn.wrapping_mul(7_919) % people;
                let which = turn % PORTALS.len();
                let tab = Tab::of(browsers[which].clone(), plain);
                took.push(one(tab, PORTALS[which], number).await);
            }
            took
        });
    }
    let took: Vec<(Duration, Duration)> = working.join_all().await.into_iter().flatten().collect();
    let pace = took.len() as f64 / begun.elapsed().as_secs_f64();
    say("sign-ins", format!("{} in {:.0?}, {pace:.1} a second", took.len(), begun.elapsed()));
    say("one sign-in, p50 and p99", percentiles(took.iter().map(|(all, _)| *all)));
    say("its code alone, p50 and p99", percentiles(took.iter().map(|(_, code)| *code)));
}

/// One sign-in, from the portal's form to the portal's page; how long it took, and its code.
async fn one(mut tab: Tab, portal: &str, number: usize) -> (Duration, Duration) {
    let (user, password) = member(number);
    let begun = Instant::now();
    let page = tab.go("/login").await.expect("nobody answers");
    let form = page.form("password").fill("user", &user).fill("password", &password);
    let led = tab.send(&page, &form).await.expect("nobody answers");
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    let page = tab.follow(led).await.expect("nobody answers");
    let asked = Instant::now();
    let form = page.form("code").fill("code", &code(portal, number));
    let told = tab.send(&page, &form).await.expect("nobody answers");
    let took = asked.elapsed();
    assert_eq!(told.status, 303, "{:?}", told.answer);
    let page = tab.follow(told).await.expect("nobody answers");
    assert!(page.body.contains("secret-page"), "{:?}", page.answer);
    (begun.elapsed(), took)
}

fn code(portal: &str, number: usize) -> String {
    let secret = secret(portal, number);
    let totp: Totp = Builder::new()
        .with_secret(secret)
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .build()
        .unwrap();
    totp.generate(now()).to_string()
}

fn percentiles(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("{:.0?} and {:.0?}", at(50), at(99))
}

fn memory(gateway: &Gateway) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    format!("{} MiB", kib / 1024)
}

fn size(file: &Path) -> String {
    format!("{} MiB", fs::metadata(file).unwrap().len() / 1024 / 1024)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

fn say(what: &str, how: impl std::fmt::Display) {
    println!("{what:<40} {how}");
}
