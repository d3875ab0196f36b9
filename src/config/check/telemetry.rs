//! Logs: how they look, and where what happened is kept for good.

use std::path::{Path, PathBuf};

use super::host::parse_target;
use crate::config::fault::Findings;
use crate::config::file_telemetry::{LogLevel, TelemetryFile};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;
use crate::config::telemetry::{AuditLog, Syslog};
use crate::config::units::{Size, show_size};
use crate::config::{LogFormat, Portal, Telemetry};
use crate::policy::Mode;

const MIB: usize = 1 << 20;
/// The longest name of a gateway, in letters.
const LONGEST_NODE: usize = 64;
/// What a gateway is called on a machine without a name.
const UNNAMED: &str = "portcullis";

/// Checks the whole block.
pub(super) fn telemetry(
    written: Option<TelemetryFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Telemetry> {
    let written = written.unwrap_or_default();
    let level = match written.level.unwrap_or(LogLevel::Info) {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let (format, access_log) = (written.log, written.access_log);
    let node = node(written.node.as_deref(), &at.key("node"), findings);
    let audit = audit(written, at, around, findings)?;
    Some(Telemetry {
        node: node?,
        format: format.unwrap_or(LogFormat::Json),
        level,
        access_log: access_log.unwrap_or(true),
        audit,
    })
}

fn node(written: Option<&str>, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let Some(name) = written else { return Some(named_by_the_machine()) };
    if is_node_name(name) {
        return Some(name.to_owned());
    }
    let what = "is no name of a gateway";
    findings.fault(at, what, "write 1 to 64 letters, digits, '.', '-' or '_', such as gateway-1");
    None
}

fn is_node_name(name: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_');
    (1..=LONGEST_NODE).contains(&name.len()) && name.chars().all(is_sign)
}

/// The machine's host name, as far as it is one for a gateway.
fn named_by_the_machine() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    if is_node_name(&host) { host.into_owned() } else { UNNAMED.to_owned() }
}

/// The outer nothing is a fault, the inner one means that there is none.
fn audit(
    written: TelemetryFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Option<AuditLog>> {
    let place = at.key("audit_rotate");
    let rotate = written.audit_rotate.map_or(64 * MIB, |Size(bytes)| bytes);
    let rotate = findings.in_range(&place, rotate, MIB / 16..=1024 * MIB, show_size);
    let syslog = match &written.syslog {
        None => Some(None),
        Some(text) => syslog(text, &at.key("syslog"), findings).map(Some),
    };
    let Some(path) = written.audit else {
        let needless = [
            ("audit_rotate", written.audit_rotate.is_some()),
            ("syslog", written.syslog.is_some()),
        ];
        for (key, _) in needless.iter().filter(|(_, is_there)| *is_there) {
            findings.fault(&at.key(*key), "has no audit log", "add audit: data/audit.jsonl");
        }
        return needless.iter().all(|(_, is_there)| !is_there).then_some(None);
    };
    let path = file(&path, &at.key("audit"), around, findings)?;
    Some(Some(AuditLog { path, rotate: u64::try_from(rotate?).ok()?, syslog: syslog? }))
}

fn file(
    written: &Path,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let path = around.locate(written);
    around.leave_out(&path);
    if written.as_os_str().is_empty() || path.is_dir() || path.file_name().is_none() {
        findings.fault(at, "is no name of a file", "write data/audit.jsonl");
        return None;
    }
    Some(path)
}

fn syslog(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Syslog> {
    let read = match text.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Some(Syslog::Unix(path.into())),
        Some(("udp", there)) => target(there).map(|(host, port)| Syslog::Udp { host, port }),
        Some(("tcp", there)) => target(there).map(|(host, port)| Syslog::Tcp { host, port }),
        Some(_) | None => None,
    };
    if read.is_none() {
        let what = format!("'{text}' is no collector of logs");
        findings.fault(at, what, "write udp:HOST:PORT, tcp:HOST:PORT or unix:/dev/log");
    }
    read
}

fn target(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    parse_target(host).ok().map(|host| (host.to_owned(), port))
}

/// Where a second factor is asked for, what happened to it should be on record.
pub(super) fn is_told(
    portals: Option<&[Portal]>,
    telemetry: Option<&Telemetry>,
    findings: &mut Findings,
) {
    let (Some(portals), Some(Telemetry { audit: None, .. })) = (portals, telemetry) else { return };
    let asks = |portal: &Portal| match portal.enforcement.mode {
        Mode::Required | Mode::Optional => true,
        Mode::Report | Mode::Off => false,
    };
    if portals.iter().any(asks) {
        let what = "is not there, so nobody can say afterwards who did what";
        let at = KeyPath::root().key("telemetry").key("audit");
        findings.warn(&at, what, "write data/audit.jsonl");
    }
}
