//! The desk: its tokens, its commands, and its API by hand.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::Gateway;
use super::client::{self, Answer, Call};

/// A key to the admin API.
#[derive(Clone, Copy)]
pub struct Token {
    pub name: &'static str,
    pub role: &'static str,
    pub secret: &'static str,
    /// As the YAML has them; empty for all.
    pub portals: &'static str,
}

pub const VIEWER: Token = token("eyes", "viewer", "vU3xTq8LbYw2ZkPfS6nRgHdJ");
pub const DESK: Token = token("desk", "desk", "kWmXU3Qd0nX6o1yR2b4v5aZpT8sLhJcE");
pub const MANAGER: Token = token("manager", "account_manager", "m9QeRtYu7IoPaSdFgHjKl3Zx");
pub const ADMIN: Token = token("ops", "admin", "oP5tHeWhOlEhOuSeZxCvBnMqWe");

/// Whose word counts at the portals of these stories.
pub const ORGANISATION: &str =
    "organisation: { domains: [example.com], managers: [am@vendor.example] }";

const fn token(name: &'static str, role: &'static str, secret: &'static str) -> Token {
    Token { name, role, secret, portals: "" }
}

impl Token {
    /// The same for some portals alone.
    pub const fn at(self, portals: &'static str) -> Self {
        Self { portals, ..self }
    }

    pub(super) fn put_into(&self, folder: &Path) {
        let file = folder.join(format!("{}.token", self.name));
        fs::write(&file, format!("{}\n", self.secret)).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn entry(&self) -> String {
        let Self { name, role, portals, .. } = self;
        let portals = match portals.is_empty() {
            true => String::new(),
            false => format!(", portals: {portals}"),
        };
        format!("{{ name: {name}, role: {role}, secret: \"file:{name}.token\"{portals} }}")
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub complaint: String,
}

/// Runs a command of the desk with this token.
pub fn command(gateway: &Gateway, token: Token, words: &[&str]) -> Said {
    let admin = format!("http://{}", gateway.admin());
    said(&[words, &["--admin", &admin]].concat(), Some(token.secret))
}

/// Runs a command of the desk with this token before somebody's eyes; gives all that a terminal
/// was sent.
pub fn watched(gateway: &Gateway, token: Token, words: &[&str]) -> String {
    let words = words.join(" ");
    let line =
        format!("{} {words} --admin http://{}", env!("CARGO_BIN_EXE_portcullis"), gateway.admin());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("PORTCULLIS_ADMIN_TOKEN", token.secret);
    let output = script.output().expect("script is missing: apt-get install bsdutils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command as it is, with or without a token.
pub fn said(words: &[&str], token: Option<&str>) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(words).env_remove("PORTCULLIS_ADMIN_TOKEN");
    if let Some(token) = token {
        command.env("PORTCULLIS_ADMIN_TOKEN", token);
    }
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        complaint: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A request to the API with this token.
pub fn call(token: Token, method: &str, path: &str) -> Call {
    let call = Call::new(method, "localhost", path);
    call.line("authorization", format!("Bearer {}", token.secret))
}

/// A request with a body.
pub fn call_with(token: Token, method: &str, path: &str, body: &str) -> Call {
    call(token, method, path).line("content-type", "application/json").body(body)
}

/// Sends a request to the admin listener.
pub async fn ask(gateway: &Gateway, call: Call) -> Answer {
    client::plain(gateway.admin(), call).await
}
