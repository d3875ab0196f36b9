//! The real binary, in a folder of its own, with a clock that can be moved.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::{NamedTempFile, TempDir};

use super::client::{self, Answer, Call};
use super::place::Place;
use super::{Browser, console, desk, eventually, free_port};

/// Starts to describe a gateway.
pub fn new() -> Builder {
    Builder::default()
}

/// A gateway to be.
#[derive(Default)]
pub struct Builder {
    portals: Vec<(String, String)>,
    top: String,
    tokens: Vec<desk::Token>,
    people: Vec<console::Person>,
    authorities: Option<PathBuf>,
    proxy_protocol: bool,
    place: Place,
}

/// What can stand behind a gateway: it gives its entry below `portals`.
pub trait Fronted {
    fn entry(&self, host: &str) -> String;
}

impl Builder {
    /// Puts `portal` at `NAME.test`.
    pub fn portal(mut self, name: &str, portal: &impl Fronted) -> Self {
        self.portals.push((name.to_owned(), portal.entry(&format!("{name}.test"))));
        self
    }

    /// Adds to the top level of the configuration.
    pub fn yaml(mut self, yaml: &str) -> Self {
        self.top.push_str(yaml);
        self.top.push('\n');
        self
    }

    /// Lets whoever has this token into its admin API.
    pub fn token(mut self, token: desk::Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// Lets this person sign in at its console.
    pub fn person(mut self, person: console::Person) -> Self {
        self.people.push(person);
        self
    }

    /// Has each connection begin with a PROXY header.
    pub fn behind_balancer(mut self) -> Self {
        self.proxy_protocol = true;
        self
    }

    /// Lets it trust this certificate of a portal, and no other.
    pub fn trusting(mut self, certificate: PathBuf) -> Self {
        self.authorities = Some(certificate);
        self
    }

    /// Puts it where it has neighbours.
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Starts it, and waits until it takes requests.
    pub async fn run(self) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let ports = [free_port(), free_port(), free_port()];
        let hosts: Vec<String> =
            self.portals.iter().map(|(name, _)| format!("{name}.test")).collect();
        let trusted = client::certificate(folder.path(), &hosts);
        fs::write(folder.path().join("portcullis.yaml"), self.written(ports)).unwrap();
        let clock = self.place.clock.clone().unwrap_or_else(|| folder.path().join("clock"));
        if !clock.exists() {
            fs::write(&clock, "+0").unwrap();
        }
        for token in &self.tokens {
            token.put_into(folder.path());
        }
        for person in &self.people {
            person.put_into(folder.path());
        }
        let mut gateway = Gateway {
            folder,
            ports,
            child: None,
            reader: None,
            log: NamedTempFile::new().unwrap(),
            moved: 0,
            trusted,
            authorities: self.authorities,
            clock,
            place: self.place,
            expected: if self.top.contains("admin:") { 2 } else { 3 },
        };
        gateway.start().await;
        gateway
    }

    fn written(&self, [https, http, admin]: [u16; 3]) -> String {
        let header = self.proxy_protocol;
        let Place { address, store, master, .. } = &self.place;
        let mut yaml = format!(
            "listeners:\n  - address: {address}:{https}\n    proxy_protocol: {header}\n    tls:\n      certificates: [{{ certificate: tls.crt, key: tls.key }}]\n  - {{ address: {address}:{http}, proxy_protocol: {header} }}\nadmin: {{ address: {address}:{admin}, tokens: [{}]{} }}\nstore: {store}\nkeys: {{ master: file:{master} }}\n{}portals:\n",
            self.tokens.iter().map(desk::Token::entry).collect::<Vec<_>>().join(", "),
            console::Person::list(&self.people),
            self.top
        );
        for (name, entry) in &self.portals {
            yaml.push_str(&format!("  {name}:\n"));
            for line in entry.lines() {
                yaml.push_str(&format!("    {line}\n"));
            }
        }
        yaml
    }
}

/// A running gateway, or one that was stopped and can be started again.
pub struct Gateway {
    folder: TempDir,
    ports: [u16; 3],
    child: Option<Child>,
    reader: Option<JoinHandle<()>>,
    /// A file, so that what was written is there at once for who looks.
    log: NamedTempFile,
    /// How far the clock is ahead of the machine's, in seconds.
    moved: i64,
    trusted: Arc<rustls::ClientConfig>,
    authorities: Option<PathBuf>,
    clock: PathBuf,
    place: Place,
    expected: usize,
}

impl Gateway {
    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where browsers go over TLS: its own listener, or the balancer in front of it.
    pub fn https(&self) -> SocketAddr {
        self.place.front.as_ref().map_or_else(|| self.own_https(), |front| front.address)
    }

    /// Its own TLS listener.
    pub fn own_https(&self) -> SocketAddr {
        SocketAddr::from((self.place.address, self.ports[0]))
    }

    /// Its plain listener.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::from((self.place.address, self.ports[1]))
    }

    /// Its admin listener.
    pub fn admin(&self) -> SocketAddr {
        SocketAddr::from((self.place.address, self.ports[2]))
    }

    /// Whom a client of it trusts, or of the balancer in front of it.
    pub fn trusted(&self) -> Arc<rustls::ClientConfig> {
        let front = self.place.front.as_ref();
        front.map_or_else(|| self.own_trusted(), |front| Arc::clone(&front.trusted))
    }

    /// Whom a client of its own listener trusts.
    pub fn own_trusted(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.trusted)
    }

    /// A browser without cookies at `NAME.test`.
    pub fn browser(&self, name: &str) -> Browser {
        Browser::new(self.https(), self.trusted(), &format!("{name}.test"))
    }

    /// Sends one request over TLS and HTTP/1.1.
    pub async fn send(&self, call: Call) -> Answer {
        client::send(self.https(), self.trusted(), call).await
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Takes what it holds in memory now for the most that it ever held.
    pub fn forget_peak(&self) {
        // Since it lets nobody look into its memory, the system takes this from root alone; for
        // anybody else the most that it ever held is what counts.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.pid()), "5");
    }

    /// The most that it held in memory at one time, in KiB.
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        let mut written = fs::read(self.log.path()).unwrap();
        // A line is there when it is there whole.
        let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        written.truncate(whole);
        String::from_utf8(written).unwrap()
    }

    /// Waits until its log says this.
    pub async fn has_logged(&self, told: &str) {
        eventually(told, async || self.log().contains(told).then_some(())).await;
    }

    /// The time as the gateway sees it, in seconds.
    pub fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        real.as_secs().saturating_add_signed(self.moved)
    }

    /// Moves the gateway's clock on.
    pub fn advance(&mut self, by: Duration) {
        self.set_clock(self.moved + i64::try_from(by.as_secs()).unwrap());
    }

    /// Sets the gateway's clock so many seconds ahead of the machine's, or behind it.
    pub fn set_clock(&mut self, ahead: i64) {
        self.moved = ahead;
        let file = self.folder.path().join("clock.new");
        fs::write(&file, format!("{ahead:+}")).unwrap();
        fs::rename(&file, &self.clock).unwrap();
    }

    /// How far its clock is ahead of the machine's, in seconds.
    pub fn ahead(&self) -> i64 {
        self.moved
    }

    /// Moves the clock to the next time step, so that a spent code is followed by a new one.
    pub fn next_code(&mut self) {
        self.advance(Duration::from_secs(60));
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        end(self.child.take().unwrap());
        self.end_reader();
    }

    /// Brings it down as a fault would, and gives how it ended.
    pub fn abort(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        signal(&child, "ABRT");
        let status = child.wait().unwrap();
        self.end_reader();
        status
    }

    /// Asks it to stop and waits until it has; gives its exit code.
    pub fn stop(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        signal(&child, "TERM");
        let status = child.wait().unwrap();
        self.end_reader();
        status.code().unwrap()
    }

    /// Asks it to stop; it may still have requests to end.
    pub fn terminate(&self) {
        signal(self.child.as_ref().unwrap(), "TERM");
    }

    /// Its configuration, as it stands in the file.
    pub fn yaml(&self) -> String {
        fs::read_to_string(self.folder.path().join("portcullis.yaml")).unwrap()
    }

    /// Puts another configuration in the place of its file, and says nothing.
    pub fn write_yaml(&self, yaml: &str) {
        let file = self.folder.path().join("portcullis.new");
        fs::write(&file, yaml).unwrap();
        fs::rename(&file, self.folder.path().join("portcullis.yaml")).unwrap();
    }

    /// Asks it to read its configuration once more.
    pub fn hang_up(&self) {
        signal(self.child.as_ref().unwrap(), "HUP");
    }

    /// Gives it another configuration and waits until that is in force.
    pub async fn take(&self, yaml: &str) {
        self.offer(yaml, "was read again and is in force").await;
    }

    /// Gives it a configuration that it must refuse, and waits until its log says this.
    pub async fn refuse(&self, yaml: &str, fault: &str) {
        self.offer(yaml, fault).await;
    }

    /// It may see the changed file before the signal comes, and reads it twice then: what the
    /// signal was answered with is waited for, so that no reading is left over.
    async fn offer(&self, yaml: &str, told: &str) {
        let is_answer = |line: &&str| line.contains("SIGHUP") && line.contains(told);
        let count = || self.log().lines().filter(is_answer).count();
        let before = count();
        self.write_yaml(yaml);
        self.hang_up();
        eventually(told, async || (count() > before).then_some(())).await;
    }

    /// The configuration as Prometheus sees it: whether the last one offered is in force.
    pub async fn is_up_to_date(&self) -> bool {
        self.metric("portcullis_config_reload_success", &[]).await == 1.0
    }

    /// Waits for a gateway that was asked to stop.
    pub fn wait(&mut self) -> i32 {
        let status = self.child.take().unwrap().wait().unwrap();
        self.end_reader();
        status.code().unwrap()
    }

    /// Starts it in the same folder, at the same addresses.
    pub async fn start(&mut self) {
        let (output, ready) = tokio::sync::oneshot::channel();
        let log = fs::File::options().append(true).open(self.log.path()).unwrap();
        let mut child = self.command().stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let expected = self.expected;
        self.reader = Some(std::thread::spawn(move || {
            let mut output = Some(output);
            for (count, line) in stdout.lines().map_while(Result::ok).enumerate() {
                let ready_line = line.starts_with("listening on") || line.starts_with("admin on");
                assert!(ready_line, "unexpected output: {line}");
                if count + 1 == expected {
                    output.take().unwrap().send(()).unwrap();
                }
            }
        }));
        self.child = Some(child);
        if ready.await.is_err() {
            self.kill();
            panic!("the gateway did not start:\n{}", self.log());
        }
    }

    /// Starts it in vain: gives its exit code and what it said.
    pub fn fails_to_start(&self) -> (i32, String) {
        let output = self.command().output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// A number off `/metrics`: the sum over all series that carry these labels.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let answer = client::plain(self.admin(), Call::get("localhost", "/metrics")).await;
        assert_eq!(answer.status, 200);
        let series = answer.body.lines().filter(|line| {
            let (series, _) = line.split_once(' ').unwrap_or_default();
            let named = series == name || series.starts_with(&format!("{name}{{"));
            named && labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\"")))
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Runs a command on its configuration, by its clock, whether or not it runs itself.
    pub fn offline(&self, words: &[&str]) -> desk::Said {
        let output = self.command_of(words).output().unwrap();
        desk::Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn command(&self) -> Command {
        self.command_of(&["serve"])
    }

    fn command_of(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(env!("CARGO_BIN_EXE_portcullis"));
        command
            .args(words)
            .arg("--config")
            .arg(self.folder.path().join("portcullis.yaml"))
            .stdin(Stdio::null());
        if !self.place.real_time {
            command
                .env("LD_PRELOAD", faketime())
                .env("FAKETIME_TIMESTAMP_FILE", &self.clock)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        if let Some(authorities) = &self.authorities {
            command.env("SSL_CERT_FILE", authorities);
        }
        command
    }

    fn end_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

// A test that fails says what the gateway said.
#[allow(clippy::print_stderr)]
impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

/// Kills it. What its time of day was kept in is named after the process, and would be in the way
/// of the next one of that number.
fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
    for kept in ["faketime_shm_", "sem.faketime_sem_"] {
        let _ = fs::remove_file(format!("/dev/shm/{kept}{}", child.id()));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// libfaketime of the Debian package `faketime`: moves the time of day, not the timers.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let found = folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    found.expect("libfaketime is missing: apt-get install faketime")
}
