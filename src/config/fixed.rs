//! What cannot change while the gateway runs: where it listens, what it keeps and with which
//! key. A configuration that is to take the place of one in force must agree with it there.

use std::net::SocketAddr;

use super::fault::Findings;
use super::key_path::KeyPath;
use super::telemetry::AuditLog;
use super::{Config, LogFormat, MasterKey, StoreConfig};

const CHANGED: &str = "is not as it was when this gateway started";
const MEND: &str = "put it back, or restart to change it";

/// What is fixed from start to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Where users arrive.
    pub listeners: Vec<FixedListener>,
    /// Where ops arrive.
    pub admin: Option<SocketAddr>,
    store: FixedStore,
    log: LogFormat,
    node: String,
    audit: Option<AuditLog>,
}

/// What of a listener is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedListener {
    /// Where it is bound.
    pub address: SocketAddr,
    /// Whether TLS is spoken there.
    pub speaks_tls: bool,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: bool,
}

/// What of a store is fixed. A password may be another one, from the next start on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FixedStore {
    engine: &'static str,
    /// The key that says where it is.
    key: &'static str,
    place: String,
    require_sync_replication: bool,
}

impl FixedStore {
    fn of(store: &StoreConfig) -> Self {
        let (key, place, require_sync_replication) = match store {
            StoreConfig::Sled { path } => ("path", path.display().to_string(), false),
            StoreConfig::Postgres(config) => {
                ("url", config.place.clone(), config.require_sync_replication)
            }
            #[cfg(feature = "etcd")]
            StoreConfig::Etcd(config) => ("url", config.place.clone(), false),
        };
        Self { engine: store.engine(), key, place, require_sync_replication }
    }

    fn compare(&self, now: &Self, findings: &mut Findings) {
        let at = KeyPath::root().key("store");
        if self.engine != now.engine {
            let what = format!("was {} when this gateway started", self.engine);
            findings.fault(&at.key("engine"), what, MEND);
        } else if self.place != now.place {
            let what = format!("was {} when this gateway started", self.place);
            findings.fault(&at.key(self.key), what, MEND);
        } else if self.require_sync_replication != now.require_sync_replication {
            findings.fault(&at.key("require_sync_replication"), CHANGED, MEND);
        }
    }
}

/// A gateway that runs, as far as another configuration has to agree with it.
#[derive(Clone, Copy)]
pub struct Running<'a> {
    /// What it was started with.
    pub fixed: &'a Fixed,
    /// Whether a master key is the one in use.
    pub holds: &'a dyn Fn(&MasterKey) -> bool,
}

impl Fixed {
    /// What of `config` is fixed once it runs.
    pub fn of(config: &Config) -> Self {
        let listeners = config.listeners.iter().map(|there| FixedListener {
            address: there.address,
            speaks_tls: there.tls.is_some(),
            proxy_protocol: there.proxy_protocol,
        });
        Self {
            listeners: listeners.collect(),
            admin: config.admin.as_ref().map(|admin| admin.address),
            store: FixedStore::of(&config.store),
            log: config.telemetry.format,
            node: config.telemetry.node.clone(),
            audit: config.telemetry.audit.clone(),
        }
    }

    fn compare_listeners(&self, now: &Self, findings: &mut Findings) {
        let at = KeyPath::root().key("listeners");
        if self.listeners.len() != now.listeners.len() {
            let (before, after) = (self.listeners.len(), now.listeners.len());
            findings.fault(&at, format!("has {after} listeners in place of {before}"), MEND);
            return;
        }
        for (index, (before, after)) in self.listeners.iter().zip(&now.listeners).enumerate() {
            let at = at.index(index);
            if before.address != after.address {
                let what = format!("was {} when this gateway started", before.address);
                findings.fault(&at.key("address"), what, MEND);
            }
            if before.proxy_protocol != after.proxy_protocol {
                let what = format!("was {} when this gateway started", before.proxy_protocol);
                findings.fault(&at.key("proxy_protocol"), what, MEND);
            }
            if before.speaks_tls != after.speaks_tls {
                let spoke = if before.speaks_tls { "TLS" } else { "plain HTTP" };
                let what = format!("spoke {spoke} when this gateway started");
                findings.fault(&at.key("tls"), what, MEND);
            }
        }
    }

    fn compare_audit(&self, now: &Self, findings: &mut Findings) {
        let at = KeyPath::root().key("telemetry");
        let path = |fixed: &Self| fixed.audit.as_ref().map(|audit| audit.path.clone());
        if path(self) != path(now) {
            let was = path(self).map_or("not there".to_owned(), |path| path.display().to_string());
            findings.fault(&at.key("audit"), format!("was {was} when this gateway started"), MEND);
        } else if self.audit.as_ref().map(|it| it.rotate) != now.audit.as_ref().map(|it| it.rotate)
        {
            findings.fault(&at.key("audit_rotate"), CHANGED, MEND);
        } else if self.audit != now.audit {
            findings.fault(&at.key("syslog"), CHANGED, MEND);
        }
    }
}

impl Running<'_> {
    /// Notes whatever differs from what runs.
    pub(super) fn compare(&self, config: &Config, findings: &mut Findings) {
        let (before, now, root) = (self.fixed, &Fixed::of(config), KeyPath::root());
        before.compare_listeners(now, findings);
        if before.admin != now.admin {
            let was = before.admin.map_or("not there".to_owned(), |address| address.to_string());
            let what = format!("was {was} when this gateway started");
            findings.fault(&root.key("admin").key("address"), what, MEND);
        }
        before.store.compare(&now.store, findings);
        if !(self.holds)(&config.master_key) {
            let what = "is not there or not the key that this gateway runs with";
            findings.fault(&root.key("keys").key("master"), what, MEND);
        }
        if before.log != now.log {
            let what = format!("was {} when this gateway started", before.log.as_str());
            findings.fault(&root.key("telemetry").key("log"), what, MEND);
        }
        if before.node != now.node {
            let what = format!("was {} when this gateway started", before.node);
            findings.fault(&root.key("telemetry").key("node"), what, MEND);
        }
        before.compare_audit(now, findings);
    }
}
