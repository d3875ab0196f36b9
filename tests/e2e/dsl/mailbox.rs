//! A real server of mails, in a process of its own: it keeps what it takes, and can be down
//! for a while. And one that takes calls and says nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::free_port;

/// What the server wants to hear before it takes a mail from somebody. The signs have to be
/// encoded in a URL.
pub const PASSWORD: &str = "pass/of@the:post";

/// A server of mails, up or down.
pub struct Mailbox {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

/// A mail as the server took it.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    pub sender: String,
    pub recipients: Vec<String>,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Whether its sender had given the password.
    pub authenticated: bool,
    pub headers: Vec<(String, String)>,
    /// The text, decoded.
    pub text: String,
    /// All of it, as it travelled.
    pub raw: String,
}

impl Received {
    /// The one header of this name.
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = all.next().unwrap_or_else(|| panic!("no {name}: {:?}", self.headers));
        assert!(all.next().is_none(), "{name} is there twice");
        value
    }
}

impl Mailbox {
    /// A server that takes mails from everybody, as there are on the own machine. It is down.
    pub fn open() -> Self {
        let mailbox = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), child: None };
        fs::create_dir(mailbox.folder.path().join("mails")).unwrap();
        mailbox.reached_by(&format!("smtp://127.0.0.1:{}", mailbox.port));
        mailbox
    }

    /// A server that takes mails over STARTTLS from who gives the password. It is down.
    pub fn guarded() -> Self {
        let mailbox = Self::open();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = mailbox.folder.path();
        fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
        fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        let password: String = form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect();
        let address = format!("localhost:{}?tls=required", mailbox.port);
        mailbox.reached_by(&format!("smtp://mfa:{password}@{address}\n"));
        mailbox
    }

    fn reached_by(&self, url: &str) {
        let path = self.folder.path().join("smtp.url");
        fs::write(&path, url).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// What a gateway has to be told of it.
    pub fn yaml(&self) -> String {
        let url = self.folder.path().join("smtp.url");
        let from = "Example MFA <mfa@example.com>";
        format!("notify: {{ smtp: {{ url: \"file:{}\", from: \"{from}\" }} }}", url.display())
    }

    /// Its certificate, for who vouches for it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    /// Starts it, and waits until it takes mails.
    pub fn up(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/dsl/mailbox.py");
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
        let missing = "the server of mails did not start: apt-get install python3-aiosmtpd";
        assert_eq!(line, "ready\n", "{missing}");
    }

    /// Takes it down.
    pub fn down(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// All mails that it took, in order.
    pub fn mails(&self) -> Vec<Received> {
        let entries = fs::read_dir(self.folder.path().join("mails")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |file: &PathBuf| serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        files.iter().map(read).collect()
    }

    /// The first mails to come, once there are that many.
    pub async fn first(&self, count: usize) -> Vec<Received> {
        super::eventually(&format!("{count} mails"), async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.down();
        }
    }
}

/// A server that takes calls and says nothing at all.
pub struct Silent {
    folder: TempDir,
    listener: TcpListener,
}

impl Silent {
    pub async fn server() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), listener }
    }

    /// What a gateway has to be told of it.
    pub fn yaml(&self) -> String {
        let url = self.folder.path().join("smtp.url");
        fs::write(&url, format!("smtp://{}", self.listener.local_addr().unwrap())).unwrap();
        format!("notify: {{ smtp: {{ url: \"file:{}\", from: a@example.com }} }}", url.display())
    }

    /// Takes the next call, to leave it unanswered.
    pub async fn call(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}
