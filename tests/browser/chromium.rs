//! Debian's Chromium under chromedriver: its start, its window, and its end. What is done in
//! it is in `webdriver.rs`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dsl::free_port;
use crate::webdriver::Browser;

/// How long a step may take before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The size of what a person looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 390 by 844 points, laid out as phones do.
    Phone,
    /// 1280 by 900 points.
    Desk,
    /// 1280 by 800 points, in pictures of that many dots.
    Console,
}

impl Window {
    pub fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Desk => "desk",
            Self::Console => "console",
        }
    }

    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desk => (1280, 900),
            Self::Console => (1280, 800),
        }
    }

    fn dots(self) -> f64 {
        match self {
            Self::Phone | Self::Desk => 2.0,
            Self::Console => 1.0,
        }
    }
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

impl Scripts {
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "scripts-on",
            Self::Off => "scripts-off",
        }
    }
}

/// A running chromedriver, and the browser it started once there is one. Both end with it.
pub struct Driver {
    child: Child,
    address: SocketAddr,
    session: Option<String>,
    // Kept so that chromedriver can go on writing; and so that the profile outlives it.
    _output: BufReader<ChildStdout>,
    profile: TempDir,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            // A port that it chooses itself may be free for IPv6 alone, and then it gives up.
            .arg(format!("--port={}", free_port()))
            .arg("--log-level=SEVERE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver does not start ({error}): apt-get install chromium-driver")
            });
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = port_from(&mut output);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let profile = tempfile::tempdir().unwrap();
        Self { child, address, session: None, _output: output, profile }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the browser by hand, since this also runs while a test panics: chromedriver
    /// answers only when the browser is gone.
    fn end_session(&self, session: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = self.address;
        write!(
            stream,
            "DELETE /session/{session} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        stream.read(&mut [0; 1]).map(|_| ())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = self.end_session(&session);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// chromedriver says on which free port it listens.
fn port_from(output: &mut impl BufRead) -> u16 {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let read = output.read_line(&mut line).unwrap();
        assert!(read > 0, "chromedriver ended before it listened: {seen}");
        seen.push_str(&line);
        let port = line.trim().strip_suffix('.').and_then(|line| {
            line.contains("started successfully").then(|| line.rsplit(' ').next())?
        });
        if let Some(port) = port {
            return port.parse().unwrap();
        }
    }
}

/// Opens a browser that finds every host ending in `.test` on this machine and takes any
/// certificate.
pub async fn open(window: Window, scripts: Scripts) -> Browser {
    let mut driver = Driver::start();
    let wanted = capabilities(window, scripts, &driver.profile);
    let mut browser = Browser::over(driver.address());
    let session = browser.begin(wanted).await;
    driver.session = Some(session);
    browser.own(driver);
    let millis = u64::try_from(PATIENCE.as_millis()).unwrap();
    let timeouts = json!({ "implicit": millis, "pageLoad": millis, "script": millis });
    browser.command("timeouts", timeouts).await;
    browser
}

fn capabilities(window: Window, scripts: Scripts, profile: &TempDir) -> Value {
    let profile = profile.path().display();
    let mut options = json!({
        "args": [
            "--headless=new",
            // The sandbox wants rights that a container has not.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            format!("--user-data-dir={profile}"),
        ],
        "prefs": {
            "profile.managed_default_content_settings.javascript":
                if scripts == Scripts::Off { 2 } else { 1 },
            "credentials_enable_service": false,
            "profile.password_manager_leak_detection": false,
        },
    });
    let (width, height) = window.size();
    options["mobileEmulation"] = json!({
        "deviceMetrics": {
            "width": width,
            "height": height,
            "pixelRatio": window.dots(),
            "mobile": window == Window::Phone,
            // With touch, chromedriver taps instead of clicking, and without scripts it
            // waits for the end of a tap until it gives up.
            "touch": false,
        },
    });
    json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    })
}
