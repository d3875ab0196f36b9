//! The example that is shipped shows every key, and its defaults are the true ones.

use std::fs;
use std::time::Duration;

use portcullis::config::{Config, schema};
use portcullis::password::PasswordHash;
use serde_json::Value;

use crate::cases::{Folder, GOOD};

fn example() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.yaml")).unwrap()
}

#[test]
fn the_example_loads_without_a_warning() {
    let folder = Folder::new();
    assert_eq!(folder.warnings(&example()), [""; 0]);
    let config = folder.config(&example());
    assert_eq!(config.portals.len(), 1);
    assert_eq!(config.portals[0].identity.logins[0].form, [("do".to_owned(), "login".to_owned())]);
}

/// What is the same whether it is left out or written as the example has it.
fn defaults(config: &Config) -> String {
    let Config { session, recovery_codes, limits, telemetry, .. } = config;
    let totp = (config.totp.digits, config.totp.period, config.totp.algorithm, config.totp.skew);
    let telemetry = (telemetry.format, telemetry.level, telemetry.access_log);
    let portal = &config.portals[0];
    let identity = &portal.identity;
    let names = (portal.prefix.as_str(), portal.spa, identity.rotation, &identity.username);
    let enrolment = &portal.enrolment;
    format!(
        "{session:?} {totp:?} {recovery_codes} {limits:?} {telemetry:?} {names:?} {enrolment:?}"
    )
}

/// The least that can be written.
fn bare() -> String {
    let cut = [
        "session:",
        "totp:",
        "limits:",
        "telemetry:",
        "    prefix:",
        "      rotation:",
        "      username:",
    ];
    let mut kept = String::new();
    let mut depth_cut = None;
    for line in GOOD.lines() {
        let depth = line.len() - line.trim_start().len();
        if depth_cut.is_some_and(|cut| depth > cut) {
            continue;
        }
        depth_cut = cut.iter().any(|start| line.starts_with(start)).then_some(depth);
        if depth_cut.is_none() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn the_example_writes_the_defaults() {
    let folder = Folder::new();
    let unset = folder.config(&bare());
    assert_eq!(defaults(&folder.config(&example())), defaults(&unset));
    assert_eq!(unset.session.lifetime, Duration::from_secs(12 * 3_600));
    assert_eq!(unset.limits.login_body, 65_000);
    assert_eq!(unset.totp.issuer, "Portcullis");
    assert!(unset.portals[0].identity.username.fold_case);
    assert!(!unset.portals[0].identity.username.pattern.is_match("Alice"));
}

/// Every key in the schema, as a path with a star for the names that operators choose.
fn schema_keys(root: &Value, at: &Value, path: &str, keys: &mut Vec<String>) {
    if let Some(reference) = at.get("$ref").and_then(Value::as_str) {
        let definition = root.pointer(reference.trim_start_matches('#')).unwrap();
        return schema_keys(root, definition, path, keys);
    }
    for (key, value) in at.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{key}");
        keys.push(path.clone());
        schema_keys(root, value, &path, keys);
    }
    if let Some(below) = at.get("items") {
        schema_keys(root, below, path, keys);
    }
    if let Some(below) = at.get("additionalProperties").filter(|value| value.is_object()) {
        schema_keys(root, below, &format!("{path}.*"), keys);
    }
    for option in at.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        schema_keys(root, option, path, keys);
    }
}

/// Every key of a value, likewise; `names` are the mappings whose keys operators choose.
fn written_keys(at: &serde_yaml::Value, path: &str, keys: &mut Vec<String>) {
    const NAMES: [&str; 6] = [
        ".portals",
        ".request.form",
        ".logout.query",
        ".success.header",
        ".success.json",
        ".match.query",
    ];
    if let Some(list) = at.as_sequence() {
        for element in list {
            written_keys(element, path, keys);
        }
    }
    for (key, value) in at.as_mapping().into_iter().flatten() {
        let is_name = NAMES.iter().any(|names| path.ends_with(names));
        let key = if is_name { "*" } else { key.as_str().unwrap() };
        let path = format!("{path}.{key}");
        if !is_name {
            keys.push(path.clone());
        }
        written_keys(value, &path, keys);
    }
}

#[test]
fn the_example_has_every_key_of_the_schema_and_no_other() {
    let root = schema();
    let mut known = Vec::new();
    schema_keys(&root, &root, "", &mut known);
    let mut written = Vec::new();
    written_keys(&serde_yaml::from_str(&with_comments()).unwrap(), "", &mut written);
    assert_eq!(sorted(written), sorted(known));
}

/// A failure has the same keys as a success, which shows them for both; and of the places of
/// a name one is shown for all.
fn sorted(keys: Vec<String>) -> Vec<String> {
    let same = |key: String| {
        let key = key.replace(".failure.", ".success.");
        let others = [
            (".whoami.username.header", ".whoami.username.json"),
            (".whoami.username.pattern", ".whoami.username.json"),
            (".jwt.bearer", ".jwt.cookie"),
            (".jwt.keys.jwks", ".jwt.keys.secret"),
            (".jwt.keys.pem", ".jwt.keys.secret"),
        ];
        let other = others.iter().find(|(other, _)| key.ends_with(other));
        other.map_or_else(|| key.clone(), |(other, shown)| key.replace(other, shown))
    };
    let mut keys: Vec<_> = keys.into_iter().map(same).collect();
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn what_the_example_has_in_comments_loads_too() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["wiki.example.com".to_owned()]).unwrap();
    folder.put("tls/wiki.crt", made.cert.pem());
    folder.put("tls/wiki.key", made.signing_key.serialize_pem());
    folder.put("secrets/smtp.url", "smtps://mfa:secret@mail.example.com");
    folder.put("branding/templates/verify.html", "");
    folder.put("secrets/token.key", "a secret of forty letters, at the least.");
    folder.put("secrets/desk.token", "kWmXU3Qd0nX6o1yR2b4v5aZpT8sLhJcE");
    folder.put("secrets/webhook.key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let hash = PasswordHash::made(b"ann has a long one", [7; 16]).unwrap();
    folder.put("secrets/ann.argon2id", hash);
    folder.put("secrets/postgres.url", "postgres://portcullis:secret@db/portcullis");
    // A store is in a folder or in a database, never in both.
    let written = with_comments().replacen("engine: sled ", "engine: postgres ", 1);
    let config = folder.config(&written.replacen("  path: data/store\n", "", 1));
    assert_eq!(config.store.engine(), "postgres");
    assert!(config.listeners[1].tls.is_some());
    assert!(config.branding.templates.is_some());
    let success = &config.portals[0].identity.logins[0].success;
    assert_eq!(success.body_contains.as_deref(), Some("<p>Logged in as"));
}

/// The example with what it has in comments: those that hold a key or start a list.
fn with_comments() -> String {
    example().lines().map(|line| format!("{}\n", opened(line))).collect()
}

fn opened(line: &str) -> String {
    let (indent, comment) = match line.find("# ") {
        Some(at) if line[..at].trim().is_empty() => (&line[..at], &line[at + 2..]),
        _ => return line.to_owned(),
    };
    let word = comment.trim_start().trim_start_matches("- ");
    let is_key = word.split_once(':').is_some_and(|(key, value)| {
        let is_name = key.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_');
        is_name && (value.is_empty() || value.starts_with(' '))
    });
    if is_key { format!("{indent}{comment}") } else { line.to_owned() }
}
