//! Where a store on PostgreSQL is, as its url says. It is taken apart here, so that a url with a
//! fault is told before anything starts; its password is shown nowhere.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// A server that does not take a connection in this time is left for the next.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection on which nothing is acknowledged for this long is gone.
const SILENCE: Duration = Duration::from_secs(5);
const PORT: u16 = 5432;

/// A store on PostgreSQL.
#[derive(Clone)]
pub struct PostgresConfig {
    /// The servers, of which one takes writes, in the order of the url.
    pub servers: Vec<PostgresServer>,
    /// Whether the way there is sealed.
    pub tls: PostgresTls,
    /// Whether the store is only used where a second server has each write before it counts.
    pub require_sync_replication: bool,
    /// All of it in words, without the password.
    pub place: String,
}

/// One server.
#[derive(Clone)]
pub struct PostgresServer {
    /// Its name and port.
    pub name: String,
    /// How it is connected to; the password is in here.
    pub settings: tokio_postgres::Config,
}

/// Whether the way to a server is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// In plain text.
    Off,
    /// By TLS; chain and name are verified.
    Verified {
        /// The certificates that count as roots, in PEM; the system's unless set.
        roots: Option<PathBuf>,
    },
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PostgresConfig")
            .field("place", &self.place)
            .field("tls", &self.tls)
            .field("require_sync_replication", &self.require_sync_replication)
            .finish()
    }
}

/// What is wrong with a url, and what to write.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PostgresUrlError {
    /// It is none.
    #[error("is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Malformed,
    /// A part is missing.
    #[error("names no {0}")]
    Missing(&'static str),
    /// A setting behind the question mark.
    #[error("has the setting {0:?}, which is not taken")]
    Setting(String),
    /// A word for `sslmode`.
    #[error("has sslmode={0:?}; take disable, require or verify-full")]
    SslMode(String),
    /// TLS is off on a network, and nothing says that it is meant.
    #[error("names an sslrootcert, but sslmode=disable")]
    RootsInVain,
}

impl PostgresConfig {
    /// Takes `url` apart. Several servers stand behind each other with commas.
    ///
    /// # Errors
    /// When it is no url, lacks a host, user or database, or has a setting that is not taken.
    pub fn parse(url: &str, require_sync_replication: bool) -> Result<Self, PostgresUrlError> {
        let (base, settings) = url.split_once('?').unwrap_or((url, ""));
        if !["postgres://", "postgresql://"].iter().any(|scheme| base.starts_with(scheme)) {
            return Err(PostgresUrlError::Malformed);
        }
        let settings = Settings::read(settings)?;
        let written: tokio_postgres::Config =
            base.parse().map_err(|_| PostgresUrlError::Malformed)?;
        let user = written.get_user().ok_or(PostgresUrlError::Missing("user"))?;
        let database = written.get_dbname().ok_or(PostgresUrlError::Missing("database"))?;
        let hosts = written.get_hosts();
        if hosts.is_empty() {
            return Err(PostgresUrlError::Missing("host"));
        }
        let tls = settings.tls(hosts)?;
        let ports = written.get_ports();
        let servers: Vec<_> = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(PORT);
                server(&written, host, port, &tls)
            })
            .collect();
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        let place = format!("postgres://{user}@{}/{database}", names.join(","));
        Ok(Self { servers, tls, require_sync_replication, place })
    }
}

/// What stands behind the question mark.
#[derive(Default)]
struct Settings {
    mode: Option<String>,
    roots: Option<PathBuf>,
}

impl Settings {
    fn read(written: &str) -> Result<Self, PostgresUrlError> {
        let mut settings = Self::default();
        for (name, value) in form_urlencoded::parse(written.as_bytes()) {
            match (&*name, &*value) {
                ("sslmode", mode) => settings.mode = Some(mode.to_owned()),
                ("sslrootcert", path) => settings.roots = Some(PathBuf::from(path)),
                // It is asked of each server anyway.
                ("target_session_attrs", "read-write") => {}
                (name, _) => return Err(PostgresUrlError::Setting(name.to_owned())),
            }
        }
        Ok(settings)
    }

    fn tls(self, hosts: &[Host]) -> Result<PostgresTls, PostgresUrlError> {
        let is_off = match self.mode.as_deref() {
            None => self.roots.is_none() && hosts.iter().all(is_here),
            Some("disable") => true,
            Some("require" | "verify-full") => false,
            Some(other) => return Err(PostgresUrlError::SslMode(other.to_owned())),
        };
        match (is_off, self.roots) {
            (true, Some(_)) => Err(PostgresUrlError::RootsInVain),
            (true, None) => Ok(PostgresTls::Off),
            (false, roots) => Ok(PostgresTls::Verified { roots }),
        }
    }
}

/// Whether nothing leaves this machine on the way there.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn server(
    written: &tokio_postgres::Config,
    host: &Host,
    port: u16,
    tls: &PostgresTls,
) -> PostgresServer {
    let mut settings = tokio_postgres::Config::new();
    settings
        .user(written.get_user().unwrap_or_default())
        .dbname(written.get_dbname().unwrap_or_default())
        .port(port)
        .application_name("portcullis")
        .connect_timeout(CONNECT)
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(SILENCE)
        .keepalives_interval(CONNECT)
        .keepalives_retries(2)
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .ssl_mode(match tls {
            PostgresTls::Off => SslMode::Disable,
            PostgresTls::Verified { .. } => SslMode::Require,
        });
    if let Some(password) = written.get_password() {
        settings.password(password);
    }
    let name = match host {
        Host::Tcp(name) => {
            settings.host(name);
            format!("{name}:{port}")
        }
        Host::Unix(path) => {
            settings.host_path(path);
            format!("{}:{port}", path.display())
        }
    };
    PostgresServer { name, settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresConfig, PostgresUrlError> {
        PostgresConfig::parse(url, true)
    }

    #[test]
    fn each_server_of_a_url_is_connected_to_by_itself() {
        let config =
            parse("postgres://gate:s%40cret@one:5433,two/portal?target_session_attrs=read-write")
                .unwrap();
        assert_eq!(config.place, "postgres://gate@one:5433,two:5432/portal");
        for (server, port) in config.servers.iter().zip([5433, 5432]) {
            assert_eq!(server.settings.get_hosts().len(), 1);
            assert_eq!(server.settings.get_ports(), [port]);
            assert_eq!(server.settings.get_password(), Some(&b"s@cret"[..]));
            assert_eq!(server.settings.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
    }

    #[test]
    fn a_way_that_leaves_the_machine_is_sealed_unless_the_url_says_otherwise() {
        let verified = |roots: Option<&str>| PostgresTls::Verified { roots: roots.map(Into::into) };
        for (url, tls) in [
            ("postgres://u@127.0.0.1/d", PostgresTls::Off),
            ("postgres://u@localhost/d", PostgresTls::Off),
            ("postgres://u@%2Frun%2Fpostgresql/d", PostgresTls::Off),
            ("postgres://u@localhost/d?sslmode=require", verified(None)),
            ("postgres://u@db/d", verified(None)),
            ("postgres://u@localhost,db/d", verified(None)),
            (
                "postgres://u@db/d?sslmode=verify-full&sslrootcert=/ca.pem",
                verified(Some("/ca.pem")),
            ),
            ("postgres://u@db/d?sslrootcert=/ca.pem", verified(Some("/ca.pem"))),
            ("postgres://u@db/d?sslmode=disable", PostgresTls::Off),
        ] {
            let config = parse(url).unwrap();
            let expected = match tls {
                PostgresTls::Off => SslMode::Disable,
                PostgresTls::Verified { .. } => SslMode::Require,
            };
            assert!(
                config.servers.iter().all(|it| it.settings.get_ssl_mode() == expected),
                "{url}"
            );
            assert_eq!(config.tls, tls, "{url}");
        }
    }

    #[test]
    fn a_url_with_a_fault_is_refused() {
        use PostgresUrlError as Fault;
        for (url, fault) in [
            ("host=db user=u dbname=d", Fault::Malformed),
            ("mysql://u@db/d", Fault::Malformed),
            ("postgres://u@db:port/d", Fault::Malformed),
            ("postgres://db/d", Fault::Missing("user")),
            ("postgres://u@db", Fault::Missing("database")),
            ("postgres://u@/d", Fault::Missing("host")),
            ("postgres://u@db/d?sslmode=prefer", Fault::SslMode("prefer".to_owned())),
            ("postgres://u@db/d?options=-c", Fault::Setting("options".to_owned())),
            ("postgres://u@db/d?target_session_attrs=any", {
                Fault::Setting("target_session_attrs".to_owned())
            }),
            ("postgres://u@db/d?sslmode=disable&sslrootcert=/ca.pem", Fault::RootsInVain),
        ] {
            assert_eq!(parse(url).unwrap_err(), fault, "{url}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let config = parse("postgres://gate:s3cret@db/portal").unwrap();
        assert!(!format!("{config:?} {}", config.place).contains("s3cret"));
    }
}
