//! Another system that takes events, in a process of its own, which checks their signatures by
//! itself: it keeps what it gets, answers what it is told, and can be down for a while.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use super::free_port;

/// What events are signed with.
pub const KEY: &str = "whsec_a2V5IG9mIHRoZSBob29rIG9mIHRoZSB0ZXN0cw==";

/// Another system, up or down.
pub struct Webhook {
    folder: TempDir,
    port: u16,
    is_secure: bool,
    child: Option<Child>,
}

/// A request as it came.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// The body, as it travelled.
    pub body: String,
    /// Whether its signature is right.
    pub signed: bool,
    /// What was answered.
    pub answer: String,
}

impl Event {
    /// The one header of this name.
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = all.next().unwrap_or_else(|| panic!("no {name}: {:?}", self.headers));
        assert!(all.next().is_none(), "{name} is there twice");
        value
    }

    /// What it says.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Webhook {
    /// A system on the own machine. It is down.
    pub fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("events")).unwrap();
        let key = folder.path().join("key");
        fs::write(&key, KEY).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let webhook = Self { folder, port: free_port(), is_secure: false, child: None };
        webhook.answers("204");
        webhook
    }

    /// A system behind TLS. It is down.
    pub fn secure() -> Self {
        let mut webhook = Self::open();
        webhook.is_secure = true;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(webhook.certificate(), made.cert.pem()).unwrap();
        let key = webhook.folder.path().join("tls.key");
        fs::write(key, made.signing_key.serialize_pem()).unwrap();
        webhook
    }

    /// Where it takes events.
    pub fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://localhost:{}/mfa?of=tests", self.port)
    }

    /// What a gateway has to be told of it.
    pub fn yaml(&self) -> String {
        let key = self.folder.path().join("key");
        let url = self.url();
        format!("notify: {{ webhook: {{ url: \"{url}\", secret: \"file:{}\" }} }}", key.display())
    }

    /// Its certificate, for who vouches for it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    /// Says what it answers from now on.
    pub fn answers(&self, answer: &str) {
        let new = self.folder.path().join("answer.new");
        fs::write(&new, answer).unwrap();
        fs::rename(new, self.folder.path().join("answer")).unwrap();
    }

    /// Starts it, and waits until it takes events.
    pub fn up(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/dsl/webhook.py");
        let mut child = Command::new("/usr/bin/python3")
            .args([script, &self.port.to_string()])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        assert_eq!(line, "ready\n", "the other system did not start");
    }

    /// Takes it down.
    pub fn down(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// All that came, in order.
    pub fn events(&self) -> Vec<Event> {
        let entries = fs::read_dir(self.folder.path().join("events")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |file: &PathBuf| serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        files.iter().map(read).collect()
    }

    /// The first requests to come, once there are that many.
    pub async fn first(&self, count: usize) -> Vec<Event> {
        super::eventually(&format!("{count} events"), async || {
            let events = self.events();
            (events.len() >= count).then_some(events)
        })
        .await
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.down();
        }
    }
}
