//! Tests of the engine on etcd, on a cluster of three members from Debian's package: the suite of
//! all engines, and what can go wrong with a cluster.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::*;
use crate::config::{MasterKey, Secret};
use crate::store::conformance::{Engine, NOW, conformance, factor, key, put};
use crate::store::{Expect, place};

mod access;
mod copies;
mod faults;
mod news;
mod refusals;
mod single;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/etcd.sh");
const LATER: UnixMillis = UnixMillis::from_seconds(1_800_100_000);

/// Three members of one etcd.
struct Cluster {
    folder: TempDir,
    ports: [u16; 3],
}

impl Cluster {
    fn start() -> Self {
        Self::start_in(&std::env::temp_dir())
    }

    fn start_in(place: &Path) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let ports = free_ports();
        let cluster = Self { folder, ports };
        cluster.script("start", &ports.map(|port| port.to_string()));
        cluster
    }

    /// Runs a deed of the script, and gives what it says.
    fn script(&self, deed: &str, rest: &[String]) -> String {
        let mut command = Command::new(SCRIPT);
        let ran = command.arg(deed).arg(self.folder.path()).args(rest).output().unwrap();
        assert!(ran.status.success(), "{deed}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    fn address(&self, prefix: &str) -> EtcdConfig {
        let members = self.ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        EtcdConfig::parse(&format!("http://{members}/{prefix}")).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop", &[]);
    }
}

/// The one that all cases share which break nothing. It ends with this process, and its folder
/// after it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start_in(&place::quick());
        remove_after_us(cluster.folder.path());
        cluster
    })
}

// It outlives us: that is what it is for.
#[allow(clippy::zombie_processes)]
fn remove_after_us(folder: &Path) {
    let waiting =
        "tail --pid=$1 --follow /dev/null; until rm --recursive --force \"$2\"; do :; done";
    let (us, folder) = (std::process::id().to_string(), folder.as_os_str());
    let mut command = Command::new("setsid");
    let null = || std::process::Stdio::null();
    command.args(["bash", "-c", waiting, "remover", &us]).arg(folder);
    command.stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
}

// Members talk to each other at the same ports of another address.
fn free_ports() -> [u16; 3] {
    let mut held = Vec::new();
    while held.len() < 3 {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        if let Ok(other) = TcpListener::bind(("127.0.0.2", port)) {
            held.push((port, one, other));
        }
    }
    [held[0].0, held[1].0, held[2].0]
}

/// A prefix of its own in the shared cluster.
struct Home(EtcdConfig);

impl Home {
    fn new() -> Self {
        static HOMES: AtomicU32 = AtomicU32::new(0);
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        Self(cluster().address(&format!("home-{number}")))
    }
}

impl Engine for Home {
    type Store = EtcdStore;

    async fn open(&self) -> EtcdStore {
        EtcdStore::open(&self.0, &keyring(1), NOW).await.unwrap()
    }
}

/// A keyring whose master key is 32 times `byte`.
fn keyring(byte: u8) -> Keyring {
    Keyring::load(&MasterKey::Given(Secret::new(vec![byte; 32]))).unwrap()
}

/// The next event that is no beat; within ten seconds.
async fn news(events: &mut broadcast::Receiver<Event>) -> Event {
    let waiting = async {
        loop {
            match events.recv().await.unwrap() {
                Event::Beat { .. } => {}
                other => return other,
            }
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap()
}

conformance!(Home::new());
