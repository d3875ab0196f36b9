//! What `portcullis demo` needs besides the gateway: the portal in [`portal`], and a folder
//! with a certificate, a configuration and, later, the store. It changes nothing outside it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use time::OffsetDateTime;

use crate::clock::{Clock, UnixMillis};

mod accounts;
pub mod portal;

/// The port that the demo is opened at.
pub const HTTPS_PORT: u16 = 8443;
/// Where metrics and health are, unless something else is there already.
const ADMIN_PORT: u16 = 9443;

const TEMPLATE: &str = include_str!("../../config/demo.yaml");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something else listens where the demo would.
    #[error("port {port} is taken: {source}; stop what listens there and try again")]
    PortTaken {
        /// The port.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing is free for the metrics.
    #[error("no port is free: {0}")]
    NoFreePort(io::Error),
    /// The certificate could not be made.
    #[error("the demo's certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The folder does not take its files.
    #[error("{} could not be written: {source}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A demo that is ready to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// The configuration to serve.
    pub config: PathBuf,
    /// Where the gateway is opened.
    pub https_port: u16,
    /// Where metrics and health are.
    pub admin: SocketAddr,
}

impl Demo {
    /// Writes a certificate for localhost and the gateway's configuration into `folder`, for
    /// the portal at `portal`.
    pub fn prepare(
        clock: &dyn Clock,
        https_port: u16,
        portal: SocketAddr,
        folder: &Path,
    ) -> Result<Self, DemoError> {
        let taken = |source| DemoError::PortTaken { port: https_port, source };
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, https_port)).map_err(taken)?);
        let ipv6 = if TcpListener::bind((Ipv6Addr::LOCALHOST, https_port)).is_ok() {
            Ipv6::Present
        } else {
            Ipv6::Absent
        };
        let admin = free_address(ADMIN_PORT).map_err(DemoError::NoFreePort)?;
        let (certificate, key) = certificate(clock.now())?;
        write(&folder.join("localhost.crt"), &certificate)?;
        write(&folder.join("localhost.key"), &key)?;
        let config = folder.join("portcullis.yaml");
        write(&config, &filled(https_port, admin, portal, ipv6))?;
        Ok(Self { config, https_port, admin })
    }
}

/// What is printed once the gateway takes requests.
impl fmt::Display for Demo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nOpen https://localhost:{}\n", self.https_port)?;
        writeln!(
            out,
            "The browser warns once: the certificate is the demo's own. Go on all the same."
        )?;
        writeln!(out, "Sign in to the intranet as one of")?;
        for account in accounts::ACCOUNTS {
            writeln!(out, "    {:<6} {}", account.user, account.password)?;
        }
        writeln!(out, "and scan the picture with the authenticator app of your phone.\n")?;
        writeln!(out, "No phone? The page shows the secret below the picture. A code from it:")?;
        writeln!(out, "    oathtool --totp -b 'SECRET'\n")?;
        let port = self.https_port;
        writeln!(out, "Your second factor: https://localhost:{port}/.mfa/")?;
        writeln!(out, "Metrics: http://{}/metrics", self.admin)?;
        writeln!(out, "Ctrl-C ends the demo; all that it keeps is then gone.")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ipv6 {
    Present,
    Absent,
}

/// The usual port on the loopback, or any free one: the demo must not fail over its metrics.
fn free_address(usual: u16) -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?
        .local_addr()
}

fn filled(https_port: u16, admin: SocketAddr, portal: SocketAddr, ipv6: Ipv6) -> String {
    let mut yaml = String::with_capacity(TEMPLATE.len());
    for line in TEMPLATE.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_suffix(" # ipv6"), ipv6) {
            (Some(_), Ipv6::Absent) => continue,
            (Some(line), Ipv6::Present) => yaml.push_str(line),
            (None, _) => yaml.push_str(line),
        }
        yaml.push('\n');
    }
    yaml.replace("@https_port@", &https_port.to_string())
        .replace("@admin@", &admin.to_string())
        .replace("@portal@", &portal.to_string())
}

/// A certificate for localhost and its key, in PEM, that is good for a month.
fn certificate(now: UnixMillis) -> Result<(String, String), DemoError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.not_before = date(now.minus(DAY));
    params.not_after = date(now.plus(DAY * 30));
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn date(moment: UnixMillis) -> OffsetDateTime {
    let seconds = i64::try_from(moment.seconds()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Writes a file that others cannot read: one of them is a private key.
fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| DemoError::Folder { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
