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

#[path = "shared/figures.rs"]
mod figures;
#[path = "shared/people.rs"]
mod people;

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

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::dsl::gateway::{self, Fronted as _};
use crate::dsl::{Call, Portal, client, member, portal};
use crate::engine::{Engine, Kind};
use crate::figures::{Memory, number, percentiles, say};
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
    let opened = figures::now();
    is_ready(&mut cluster).await;
    // A store that was filled from a copy takes no code of a moment before it was first opened.
    while figures::now() / 30 * 30 <= opened + 30 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    say("memory of a gateway", Memory::of(cluster.gateways[0].pid()));
    sign_in(&cluster, people).await;
    say("memory of a gateway after that", Memory::of(cluster.gateways[0].pid()));
}

/// Has everybody imported.
fn fill(engine: &Engine, store: &str, folder: &Path, portals: &[Portal; 3], people: usize) {
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
    people::fill(&yaml, &folder.join("master.key"), &PORTALS, people);
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
    for worker in 0..number("CROWD_AT_ONCE", 32) {
        // One address may sign in a few times a second only.
        let address = 10 + u8::try_from(worker % 200).unwrap();
        let browsers = PORTALS.map(|portal| cluster.any().browser(portal).from(address));
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
    let form = page.form("code").fill("code", &people::code(portal, number, figures::now()));
    let told = tab.send(&page, &form).await.expect("nobody answers");
    let took = asked.elapsed();
    assert_eq!(told.status, 303, "{:?}", told.answer);
    let page = tab.follow(told).await.expect("nobody answers");
    assert!(page.body.contains("secret-page"), "{:?}", page.answer);
    (begun.elapsed(), took)
}
