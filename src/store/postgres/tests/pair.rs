//! A primary and its synchronous standby for one test process, and a database for each case.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::config::PostgresConfig;
use crate::store::place;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/postgres.sh");

/// Two servers. They end with the process that started them.
pub(super) struct Pair {
    folder: PathBuf,
    ports: [u16; 2],
}

impl Pair {
    /// The pair of this process, for what does it no harm.
    pub(super) fn shared() -> &'static Self {
        static PAIR: OnceLock<Pair> = OnceLock::new();
        PAIR.get_or_init(|| Self::start_in(&place::quick()))
    }

    /// A pair of its own.
    pub(super) fn start() -> Self {
        Self::start_in(&std::env::temp_dir())
    }

    fn start_in(place: &Path) -> Self {
        let named = tempfile::Builder::new().prefix("portcullis-pg").tempdir_in(place);
        let folder = named.unwrap().keep();
        // Whoever starts the servers takes the folder away when they have ended.
        std::fs::write(folder.join("temporary"), "").unwrap();
        let pair = Self { folder, ports: free_ports() };
        let [primary, standby] = pair.ports.map(|port| port.to_string());
        pair.run("start", &[&primary, &standby]);
        pair
    }

    /// Lets the script do something.
    pub(super) fn run(&self, deed: &str, more: &[&str]) -> Output {
        let output =
            Command::new("bash").arg(SCRIPT).arg(deed).arg(&self.folder).args(more).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "postgres.sh {deed}: {said}");
        output
    }
}

fn free_ports() -> [u16; 2] {
    let held = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|it| it.local_addr().unwrap().port())
}

/// A database of its own on the shared pair.
pub(super) struct Database {
    pub(super) pair: &'static Pair,
    pub(super) name: String,
}

impl Database {
    pub(super) fn new() -> Self {
        Self::on(Pair::shared())
    }

    pub(super) fn on(pair: &'static Pair) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("case{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        pair.run("database", &[&name]);
        Self { pair, name }
    }

    pub(super) fn url(&self) -> String {
        let [primary, standby] = self.pair.ports;
        let name = &self.name;
        format!(
            "postgres://portcullis:role-of-tests@127.0.0.1:{primary},127.0.0.1:{standby}/{name}"
        )
    }

    /// What its server shows of itself over TLS, for 127.0.0.1.
    pub(super) fn certificate(&self) -> PathBuf {
        self.pair.folder.join("server.crt")
    }

    pub(super) fn config(&self) -> PostgresConfig {
        PostgresConfig::parse(&self.url(), true).unwrap()
    }

    /// Asks as superuser, and gives what is answered.
    pub(super) fn sql(&self, statement: &str) -> String {
        let output = self.pair.run("sql", &[&self.name, statement]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
