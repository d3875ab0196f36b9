//! The desk's console, and a browser of somebody who works there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::browser::Shown;
use super::client::{self, Call};
use super::desk::{self, Token};
use super::html::{self, Form};
use super::{Gateway, Phone};

/// Somebody who signs in at the console.
#[derive(Clone, Copy)]
pub struct Person {
    pub name: &'static str,
    pub role: &'static str,
    pub password: &'static str,
    /// As the YAML has them; empty for all.
    pub portals: &'static str,
}

pub const ANN: Person = person("ann", "desk", "ann-has-a-long-one");
pub const VIC: Person = person("vic", "viewer", "vic-only-looks-around");
pub const ADA: Person = person("ada", "admin", "ada-may-do-everything");

const fn person(name: &'static str, role: &'static str, password: &'static str) -> Person {
    Person { name, role, password, portals: "" }
}

/// A token that may invite people of the desk.
pub const ADMIN: Token =
    Token { name: "root", role: "admin", secret: "aDm1nQwErTyUiOpAsDfGhJkLz9", portals: "" };

impl Person {
    /// The same for some portals alone.
    pub const fn at(self, portals: &'static str) -> Self {
        Self { portals, ..self }
    }

    pub(super) fn put_into(&self, folder: &Path) {
        // Gateways that share a store have the same file: a session is of one hash.
        static HASHES: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
        let mut hashes = HASHES.lock().unwrap();
        let hash = hashes.entry(self.password).or_insert_with(|| hash_of(self.password));
        let file = folder.join(format!("{}.argon2id", self.name));
        fs::write(&file, hash).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn entry(&self) -> String {
        let Self { name, role, portals, .. } = self;
        let portals = match portals.is_empty() {
            true => String::new(),
            false => format!(", portals: {portals}"),
        };
        format!("{{ name: {name}, role: {role}, password: \"file:{name}.argon2id\"{portals} }}")
    }

    pub(super) fn list(people: &[Self]) -> String {
        match people.is_empty() {
            true => String::new(),
            false => {
                let entries: Vec<String> = people.iter().map(Self::entry).collect();
                format!(", people: [{}]", entries.join(", "))
            }
        }
    }
}

/// What the command makes of a password.
pub fn hash_of(password: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("desk-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(command.stdin.take().unwrap(), "{password}").unwrap();
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A browser at the console, which keeps its cookie and says from where a form comes.
#[derive(Clone)]
pub struct Console {
    address: SocketAddr,
    pub jar: BTreeMap<String, String>,
}

/// Somebody who has signed in, with a phone.
pub struct AtWork {
    pub console: Console,
    pub phone: Phone,
    pub codes: Vec<String>,
}

/// Signs a person in for the first time, with an invitation.
pub async fn join(gateway: &Gateway, person: Person) -> AtWork {
    let mut console = Console::at(gateway);
    let page = console.gives_password(person.name, person.password).await;
    let form = page.form("invite").fill("invite", &invite(gateway, person));
    let page = console.sends(&page, &form).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    let form = page.form("code").fill("code", &phone.code(gateway.now()));
    let page = console.sends(&page, &form).await;
    let codes = html::texts_of(&page.body, "class=\"recovery-code\"");
    assert_eq!(codes.len(), 10, "{}", page.body);
    AtWork { console, phone, codes }
}

/// The code of a new invitation for this person.
pub fn invite(gateway: &Gateway, person: Person) -> String {
    let words = ["person", "invite", person.name, "--output", "json"];
    let said = desk::command(gateway, ADMIN, &words);
    let said: serde_json::Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    said["code"].as_str().unwrap().to_owned()
}

impl Console {
    pub fn at(gateway: &Gateway) -> Self {
        Self { address: gateway.admin(), jar: BTreeMap::new() }
    }

    /// Shows what is at a path, a redirect as a redirect.
    pub async fn open(&mut self, path: &str) -> Shown {
        let call = self.call("GET", path);
        self.visit(path, call).await
    }

    /// Opens a path and goes wherever it leads.
    pub async fn goes(&mut self, path: &str) -> Shown {
        let shown = self.open(path).await;
        self.follows(shown).await
    }

    /// Sends a form, and goes wherever that leads.
    pub async fn sends(&mut self, page: &Shown, form: &Form) -> Shown {
        let shown = self.posts(page, form).await;
        self.follows(shown).await
    }

    /// Sends a form; shows what comes.
    pub async fn posts(&mut self, page: &Shown, form: &Form) -> Shown {
        let path = form.action.clone().unwrap_or_else(|| page.path.clone());
        let call = self.form(&path, &form.pairs());
        self.visit(&path, call).await
    }

    /// The first step of a sign-in.
    pub async fn gives_password(&mut self, name: &str, password: &str) -> Shown {
        let page = self.goes("/desk/sign-in").await;
        let form = page.form("password").fill("name", name).fill("password", password);
        self.sends(&page, &form).await
    }

    /// A whole sign-in of somebody who has a phone.
    pub async fn signs_in(&mut self, person: Person, code: &str) -> Shown {
        let page = self.gives_password(person.name, person.password).await;
        self.sends(&page, &page.form("code").fill("code", code)).await
    }

    /// The page about a user.
    pub async fn looks_at(&mut self, portal: &str, user: &str) -> Shown {
        self.open(&format!("/desk/user?portal={portal}&user={user}")).await
    }

    /// Presses the button of a user's page that does this.
    pub async fn presses(&mut self, page: &Shown, action: &str) -> Shown {
        let form =
            html::forms(&page.body).into_iter().find(|form| form.field("action") == Some(action));
        let form = form.unwrap_or_else(|| panic!("no button for {action}: {}", page.body));
        self.posts(page, &form).await
    }

    /// A request as its browser would send it.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let call = Call::new(method, &self.host(), path).page();
        match self.jar.is_empty() {
            true => call,
            false => {
                let pairs = self.jar.iter().map(|(name, value)| format!("{name}={value}"));
                call.line("cookie", pairs.collect::<Vec<_>>().join("; "))
            }
        }
    }

    /// A form as its browser would send it.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.call("POST", path)
            .line("origin", format!("http://{}", self.host()))
            .line("sec-fetch-site", "same-origin")
            .line("content-type", "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Sends it, and keeps the cookies of the answer.
    pub async fn visit(&mut self, path: &str, call: Call) -> Shown {
        let answer = client::plain(self.address, call).await;
        for line in answer.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        Shown { path: path.to_owned(), answer }
    }

    async fn follows(&mut self, mut shown: Shown) -> Shown {
        for _ in 0..10 {
            if !(300..400).contains(&shown.status) {
                return shown;
            }
            let path = shown.location().to_owned();
            shown = self.open(&path).await;
        }
        panic!("too many redirects, last to {}", shown.location());
    }
}
