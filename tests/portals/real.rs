//! Third-party portals as their makers wrote them: each is started by its `start.sh` and
//! known from its profile in `config/profiles/` alone.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::dsl::free_port;
use crate::dsl::gateway::Fronted;

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
        Self::start_at(free_port(), name, &[])
    }

    /// The same at this port, with more arguments for its `start.sh`.
    pub fn start_at(port: u16, name: &'static str, arguments: &[&Path]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (output, input) = std::io::pipe().unwrap();
        let child = Command::new(home().join(name).join("start.sh"))
            .arg(port.to_string())
            .arg(folder.path())
            .args(arguments)
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

    /// Makes a portal that runs on PHP forget whom it knows, as its clean-up does in time.
    pub fn forget_sessions(&self) {
        for entry in fs::read_dir(self.folder.path().join("sessions")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Every portal says where it listens once it does.
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

impl Fronted for RealPortal {
    fn entry(&self, host: &str) -> String {
        let (name, port) = (self.name, self.port);
        format!(
            "hosts: [{host}]\nupstreams: [\"http://127.0.0.1:{port}\"]\nidentity: {{ profile: {name} }}\n"
        )
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
