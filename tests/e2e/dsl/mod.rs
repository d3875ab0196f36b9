//! The language in which stories are told: a portal, a gateway in front of it, a browser, a
//! phone. Every server takes a free port and is gone when it is dropped; nobody sleeps.

// Each test binary uses its own part of the language.
#![allow(dead_code, unused_imports)]

pub mod balancer;
pub mod book;
pub mod broken;
pub mod browser;
pub mod client;
pub mod console;
pub mod dates;
pub mod desk;
pub mod endpoints;
pub mod fields;
pub mod gateway;
pub mod html;
pub mod line;
pub mod mailbox;
pub mod notes;
pub mod office;
pub mod own;
pub mod phone;
pub mod place;
pub mod portal;
pub mod probed;
pub mod scene;
pub mod secure;
pub mod shelf;
pub mod signed;
pub mod socket;
pub mod steps;
pub mod traces;
pub mod webhook;
pub mod wire;

use std::fs::File;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use balancer::Balancer;
pub use browser::Browser;
pub use client::{Answer, Call, Connection};
pub use gateway::Gateway;
pub use line::Line;
pub use office::Office;
pub use phone::Phone;
pub use portal::Portal;
pub use probed::{Probed, probe};
pub use scene::Scene;
pub use wire::Wire;

/// Two people whom every portal knows.
pub const ALICE: (&str, &str) = ("alice", "Correct-Horse-9");
pub const BOB: (&str, &str) = ("bob", "Battery-Staple-7");

/// The password of everybody whose name is a mail address; every portal knows them.
pub const ADDRESSED: &str = "Letter-Box-5";

/// One of many members, whom every portal knows too.
pub fn member(number: usize) -> (String, String) {
    (format!("member{number}"), format!("Of-The-Crowd-{number}"))
}

fn is_known(user: &str, password: &str) -> bool {
    let number = user.strip_prefix("member").and_then(|number| number.parse().ok());
    let in_crowd = number.is_some_and(|number| member(number).1 == password);
    let is_addressed = user.contains('@') && password == ADDRESSED;
    in_crowd || is_addressed || [ALICE, BOB].contains(&(user, password))
}

/// How many ports each process of the tests has, of those below the ones that the system hands out.
const PORTS: u16 = 2_000;

/// A port that nobody listens on, and that nobody is given by chance: those of other processes of
/// the tests lie elsewhere, and none is given twice in a long while.
pub fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let turn = CALLS.fetch_add(1, Ordering::Relaxed) % u32::from(PORTS);
        let port = first_port() + u16::try_from(turn).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where the ports of this process begin. Others run beside it, and some servers take long from the
/// choice of a port until they listen; so each process holds on to a lock.
fn first_port() -> u16 {
    static HELD: LazyLock<(u16, File)> = LazyLock::new(|| {
        let held = (0..8).find_map(|number| {
            let path = std::env::temp_dir().join(format!("portcullis-test-ports-{number}"));
            let lock = File::options().create(true).truncate(false).write(true).open(path).unwrap();
            let locked = fs2::FileExt::try_lock_exclusive(&lock).is_ok();
            locked.then_some((16_384 + number * PORTS, lock))
        });
        held.expect("more processes of tests than there are ports for")
    });
    HELD.0
}

/// Polls until `ready` gives something, by yielding to whatever it waits for.
pub async fn eventually<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(found) = ready().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
