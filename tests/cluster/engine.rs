//! The engines that several gateways share, started by the scripts in `tests/engines/`. One of
//! each serves all stories, with a store of its own for every one; a fault has its own engine.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dsl::free_port;

#[path = "../engines/place.rs"]
mod place;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The embedded one, of one gateway alone.
    Sled,
    /// A primary with a synchronous standby.
    Postgres,
    /// Three members.
    #[cfg(feature = "etcd")]
    Etcd,
}

/// A running engine. It ends with this process.
pub struct Engine {
    pub kind: Kind,
    folder: PathBuf,
    ports: Vec<u16>,
}

impl Engine {
    /// Starts one for a test that is going to harm it, on the disk, which is measured too.
    pub fn start(kind: Kind) -> Self {
        Self::start_in(kind, &std::env::temp_dir())
    }

    fn start_in(kind: Kind, place: &Path) -> Self {
        let count = match kind {
            Kind::Sled => return Self { kind, folder: PathBuf::new(), ports: Vec::new() },
            Kind::Postgres => 2,
            #[cfg(feature = "etcd")]
            Kind::Etcd => 3,
        };
        let folder = tempfile::Builder::new().prefix("engine").tempdir_in(place).unwrap().keep();
        // Who sees to its end removes what is marked so.
        fs::write(folder.join("temporary"), "").unwrap();
        let engine = Self { kind, folder, ports: (0..count).map(|_| free_port()).collect() };
        let ports: Vec<String> = engine.ports.iter().map(u16::to_string).collect();
        engine.does("start", &ports.iter().map(String::as_str).collect::<Vec<_>>());
        engine
    }

    /// The one that all stories share.
    pub fn of_all(kind: Kind) -> &'static Self {
        static ALL: [OnceLock<Engine>; 3] = [const { OnceLock::new() }; 3];
        ALL[kind as usize].get_or_init(|| Self::start_in(kind, &place::quick()))
    }

    /// What each of its servers said last.
    pub fn logs(folder: &Path) -> String {
        let Ok(files) = fs::read_dir(folder) else { return String::new() };
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|it| it == "log"));
        paths.sort();
        let last = |path: &PathBuf| {
            let text = fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(20);
            format!("{}:\n{}\n", path.display(), lines[from..].join("\n"))
        };
        paths.iter().map(last).collect()
    }

    /// Where its servers keep what they have, and say what they do.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Has its script do something; gives what that said.
    pub fn does(&self, deed: &str, words: &[&str]) -> String {
        let script = match self.kind {
            Kind::Sled => panic!("the embedded engine has no script"),
            Kind::Postgres => "postgres.sh",
            #[cfg(feature = "etcd")]
            Kind::Etcd => "etcd.sh",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines").join(script);
        let said = Command::new(path).arg(deed).arg(&self.folder).args(words).output().unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{script} {deed} {words:?}: {complaint}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    /// Where its servers take connections.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let here = |port: &u16| SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        self.ports.iter().map(here).collect()
    }

    /// The name of a new store in it, which nobody has.
    pub fn new_store(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store{}", COUNT.fetch_add(1, Ordering::Relaxed));
        if self.kind == Kind::Postgres {
            self.does("database", &[&name]);
        }
        name
    }

    /// What follows `store:` in the configuration of a gateway that reaches the servers at
    /// these addresses. The URL is kept in `folder`.
    pub fn entry(&self, store: &str, servers: &[SocketAddr], folder: &Path) -> String {
        let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
        let servers = servers.join(",");
        let (engine, url) = match self.kind {
            Kind::Sled => return "{ engine: sled, path: data/store }".to_owned(),
            Kind::Postgres => {
                let login = "portcullis:role-of-tests";
                ("postgres", format!("postgres://{login}@{servers}/{store}?sslmode=disable"))
            }
            #[cfg(feature = "etcd")]
            Kind::Etcd => ("etcd", format!("http://{servers}/{store}?tls=off")),
        };
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let file = folder.join(format!("store{}.url", COUNT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&file, url).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!("{{ engine: {engine}, url: \"file:{}\" }}", file.display())
    }
}
