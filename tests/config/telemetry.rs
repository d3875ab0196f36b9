//! The audit log: where it is, how long its files are, who gets the same lines.

use portcullis::config::telemetry::Syslog;

use crate::cases::{Folder, check_one, edited};

const AUDIT: &str = "  audit: data/audit.jsonl";

fn syslog(text: &str) -> Syslog {
    let with = format!("{AUDIT}\n  syslog: \"{text}\"");
    let config = Folder::new().config(&edited(&[(AUDIT, &with)]));
    config.telemetry.audit.unwrap().syslog.unwrap()
}

#[test]
fn the_audit_log_is_beside_the_file_and_turns_at_64_mib() {
    let folder = Folder::new();
    let audit = folder.config(&edited(&[])).telemetry.audit.unwrap();
    assert!(audit.path.ends_with("data/audit.jsonl") && audit.path.is_absolute(), "{audit:?}");
    assert_eq!((audit.rotate, audit.syslog), (64 << 20, None));
    let rotate = format!("{AUDIT}\n  audit_rotate: 1MiB");
    let audit = folder.config(&edited(&[(AUDIT, &rotate)])).telemetry.audit.unwrap();
    assert_eq!(audit.rotate, 1 << 20);
    assert!(folder.config(&edited(&[(AUDIT, "")])).telemetry.audit.is_none());
}

#[test]
fn a_gateway_is_called_as_its_machine_unless_it_has_a_name() {
    let telemetry =
        |key: &str| Folder::new().config(&edited(&[(AUDIT, &format!("{AUDIT}\n{key}"))])).telemetry;
    let host = std::process::Command::new("uname").arg("-n").output().unwrap().stdout;
    assert_eq!(telemetry("").node, String::from_utf8(host).unwrap().trim());
    assert_eq!(telemetry("  node: Gateway_1.test-2").node, "Gateway_1.test-2");
    for wrong in ["", "gateway 1", "gateway/1", "gät", &"x".repeat(65)] {
        let sentence = "telemetry.node: is no name of a gateway; write 1 to 64 letters, digits, \
                        '.', '-' or '_', such as gateway-1";
        check_one(AUDIT, &format!("{AUDIT}\n  node: \"{wrong}\""), "51:3", sentence);
    }
}

#[test]
fn a_collector_is_named_by_how_it_is_reached() {
    let (host, port) = ("logs.example.com".to_owned(), 514);
    assert_eq!(syslog("udp:logs.example.com:514"), Syslog::Udp { host: host.clone(), port });
    assert_eq!(syslog("tcp:logs.example.com:514"), Syslog::Tcp { host, port });
    let host = "::1".to_owned();
    assert_eq!(syslog("udp:[::1]:514"), Syslog::Udp { host, port });
    assert_eq!(syslog("unix:/dev/log"), Syslog::Unix("/dev/log".into()));
}

#[test]
fn what_is_no_collector_is_told() {
    for wrong in ["", "logs:514", "udp:logs", "udp:logs:0", "udp::514", "tls:logs:6514", "unix:log"]
    {
        let with = format!("{AUDIT}\n  syslog: \"{wrong}\"");
        let sentence = format!(
            "telemetry.syslog: '{wrong}' is no collector of logs; write udp:HOST:PORT, \
             tcp:HOST:PORT or unix:/dev/log"
        );
        check_one(AUDIT, &with, "51:3", &sentence);
    }
}

#[test]
fn what_needs_an_audit_log_is_told() {
    for (key, value) in [("syslog", "unix:/dev/log"), ("audit_rotate", "1MiB")] {
        let sentence = format!("telemetry.{key}: has no audit log; add audit: data/audit.jsonl");
        check_one(AUDIT, &format!("  {key}: {value}"), "50:3", &sentence);
    }
    let sentence = "telemetry.audit_rotate: is out of range; choose 64KiB to 1024MiB";
    check_one(AUDIT, &format!("{AUDIT}\n  audit_rotate: 1KiB"), "51:3", sentence);
    let sentence = "telemetry.audit: is no name of a file; write data/audit.jsonl";
    check_one(AUDIT, "  audit: \"\"", "50:3", sentence);
}
