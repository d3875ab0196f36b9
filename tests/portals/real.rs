//! Third-party portals as their makers wrote them: each is started by its `start.sh` and
//! known from its `.yaml` alone.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// A user of each of these portals.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub name: &'static str,
    pub password: &'static str,
}

pub const ALICE: Account = Account { name: "alice", password: "Correct-Horse-9" };
pub const BOB: Account = Account { name: "bob", password: "Battery-Staple-7" };

/// A portal that runs until it is dropped, with users and pages of its own.
pub struct RealPortal {
    name: &'static str,
    port: u16,
    child: Child,
    folder: TempDir,
}

impl RealPortal {
    /// Starts the portal of that name and waits until it listens. The first start on a
    /// machine installs it.
    pub fn start(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let (output, input) = std::io::pipe().unwrap();
        let child = Command::new(home().join(name).join("start.sh"))
            .arg(port.to_string())
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(input.try_clone().unwrap())
            .stderr(input)
            .spawn()
            .unwrap();
        let portal = Self { name, port, child, folder };
        portal.wait_until_it_listens(BufReader::new(output));
        portal
    }

    /// Where it is without the gateway.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What stands below the portal's name in the gateway's configuration.
    pub fn profile(&self, host: &str) -> String {
        let written = fs::read_to_string(home().join(format!("{}.yaml", self.name))).unwrap();
        let filled = written.replace("PORT", &self.port.to_string()).replace("HOST", host);
        filled.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    /// Makes a portal that runs on PHP forget whom it knows, as its clean-up does in time.
    pub fn forget_sessions(&self) {
        for entry in fs::read_dir(self.folder.path().join("sessions")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Both portals say where they listen once they do.
    fn wait_until_it_listens(&self, mut output: BufReader<PipeReader>) {
        let mark = format!("http://127.0.0.1:{}", self.port);
        let mut said = String::new();
        while !said.contains(&mark) {
            let read = output.read_line(&mut said).unwrap();
            assert!(read > 0, "{} does not start:\n{said}", self.name);
        }
        // A portal whose output nobody takes would stand still in time.
        thread::spawn(move || output.lines().for_each(drop));
    }
}

impl Drop for RealPortal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/portals")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
