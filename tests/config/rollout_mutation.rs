//! A slip in the keys of a rollout never opens a portal: what still loads gets no request, from
//! nobody and at no time, further than before.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::clock::UnixMillis;
use portcullis::config::{Config, Portal};
use portcullis::net::path::RequestPath;
use portcullis::policy::rules::tokens::{Sent, hash};
use portcullis::policy::{Facts, PortalCookies, PortalSession, Standing, Verdict, Visitor, decide};
use portcullis::site::destination::{Origin, Target, purpose};

use crate::cases::{Folder, GOOD};

/// The keys of a rollout, each on a line of its own where that may be. Some changes are no slips
/// that could be seen, for they leave a whole file that says something else: a date, a number or
/// a network with other digits; an element of a list, or a group's pattern beside its users, gone
/// with its line. Nor are `guard`, `within` and `dormant` of `enrolment` here: lost, they ask
/// nothing beside the password of who enrols, as their default is, and no request gets further.
const ROLLOUT: &str = r#"    enforcement:
      mode: required
      from: 2026-12-01T00:00:00+01:00
      reminder: 2d
      groups:
        - users: [alice]
          from: 2026-11-01T00:00:00+01:00
        - pattern: "ict.*"
          from: 2026-11-15T00:00:00+01:00
    enrolment:
      invite: 3d
      email: "{user}@example.com"
    rules:
      - match: { path: /lib/secret/**, network: [192.0.2.0/24], method: [POST] }
        require: mfa
      - match: { path: /office/**, network: [10.1.0.0/16], method: [GET], host: [wiki.example.com] }
        require: none
      - match: { path: /metrics }
        require: service
        tokens:
          - name: scraper
            hash: "HASH"
      - match: { path: /admin/** }
        require: fresh
        within: 5m
      - match:
          path: /lib/setup/**
          network: [192.0.2.0/24]
          query:
            do: setup
        require: deny
    remember_device: { lifetime: 30d, networks: [10.1.0.0/16] }
    upstream_headers:
      user: X-Portal-User
      assertion: X-Portcullis-Assertion
"#;

const TOKEN: &str = "portcullis_x0Jk3vYt1mVw2n4b6c7x8z1a5wq8f3kd0s9vlm2n4b6";

/// Without `proxy_protocol` the header of a proxy is no request, and with it and without
/// `trusted_proxies` nothing loads: so clients are who they are.
fn whole() -> String {
    let hash = format!("sha256:{}", STANDARD.encode(hash(TOKEN)));
    GOOD.replace("127.0.0.1:8080\n", "127.0.0.1:8080\n    proxy_protocol: true\n")
        .replace("store:\n", "trusted_proxies: [10.9.0.5/32]\nstore:\n")
        .replace("    identity:\n", &format!("{ROLLOUT}    identity:\n"))
        .replace("HASH", &hash)
}

/// How far each of many requests gets, in one order.
fn reach(portal: &Portal) -> Vec<(String, u8)> {
    let mut all = Vec::new();
    for raw in [
        "/",
        "/lib/a",
        "/lib/secret/x",
        "/lib/setup/x",
        "/LIB/setup/x",
        "/office/x",
        "/office",
        "/metrics",
        "/admin/x",
        "/x/../admin/x",
        "/doku.php",
        "/robots.txt",
        "/.mfa/enrol",
    ] {
        for method in ["GET", "POST", "get"] {
            for client in [None, Some("10.1.2.3"), Some("192.0.2.7"), Some("203.0.113.1")] {
                for query in [None, Some("do=setup"), Some("do=setup&do=x")] {
                    for host in ["wiki.example.com", "other.example.com"] {
                        of_request(portal, (method, raw, query), (client, host), &mut all);
                    }
                }
            }
        }
    }
    all
}

fn of_request(
    portal: &Portal,
    (method, raw, query): (&str, &str, Option<&str>),
    (client, host): (Option<&str>, &str),
    all: &mut Vec<(String, u8)>,
) {
    let path = RequestPath::parse(raw).unwrap();
    let client: Option<IpAddr> = client.map(|client| client.parse().unwrap());
    let told = purpose(portal, Target { method, path: &path, query }, Origin { client, host });
    let sent = Sent { own: Some(TOKEN), ..Sent::default() };
    let named = told.judged.tokens().is_some_and(|tokens| tokens.names(sent).is_some());
    let device = portal.remember_device.as_ref().is_some_and(|it| it.counts_at(client));
    let proven = |minutes: u64| Visitor::Proven(Some(Duration::from_secs(60 * minutes)));
    let visitors = [
        (Visitor::Unknown, false),
        (Visitor::Unknown, named),
        (Visitor::Named(Standing::NotEnrolled), false),
        (Visitor::Named(Standing::Enrolled), false),
        (if device { Visitor::Proven(None) } else { Visitor::Unknown }, false),
        (proven(0), false),
        (proven(10), false),
    ];
    for at in ["2026-10-01", "2026-11-10", "2026-11-20", "2026-12-10"] {
        let now = UnixMillis::from_rfc3339(&format!("{at}T00:00:00Z")).unwrap();
        for user in [None, Some("alice"), Some("ict7"), Some("bob")] {
            for (place, (visitor, service)) in visitors.iter().enumerate() {
                let verdict = decide(&Facts {
                    destination: told.destination,
                    demand: told.judged.demand,
                    visitor: *visitor,
                    stage: portal.enforcement.stage(user, now),
                    notice_due: false,
                    service: *service,
                    portal_session: PortalSession::Other,
                });
                let who =
                    format!("{method} {raw} {query:?} {client:?} {host} {user:?} {place} {at}");
                all.push((who, openness(&verdict)));
            }
        }
    }
}

fn openness(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 0,
        Verdict::OwnPage | Verdict::Challenge(_) => 1,
        Verdict::Forward(permit) if permit.cookies() == PortalCookies::Keep => 3,
        Verdict::Forward(_) => 2,
    }
}

fn never_more_open(before: &[(String, u8)], changed: &Config, what: &str) {
    for portal in &changed.portals {
        for ((who, good), (_, now)) in before.iter().zip(reach(portal)) {
            assert!(now <= *good, "{what}: {who} gets from {good} to {now}");
        }
    }
    assert_eq!(changed.trusted_proxies.len(), 1, "{what}");
}

/// How many of the changed texts load, none of which opens more.
fn loaded(texts: impl Iterator<Item = (String, String)>) -> (usize, usize) {
    let before = reach(&Folder::new().config(&whole()).portals[0]);
    let (mut loaded, mut refused) = (0, 0);
    for (what, text) in texts {
        match Folder::new().load(&text) {
            Ok(outcome) => {
                loaded += 1;
                never_more_open(&before, &outcome.config, &what);
            }
            Err(_) => refused += 1,
        }
    }
    (loaded, refused)
}

/// The whole with one line put in the place of another, or of nothing.
fn with_line(number: usize, line: Option<&str>) -> String {
    let whole = whole();
    let lines = whole.lines().enumerate();
    let kept = lines.filter_map(|(at, old)| if at == number { line } else { Some(old) });
    kept.map(|line| format!("{line}\n")).collect()
}

/// The lines that a rollout adds, by their number.
fn lines() -> Vec<(usize, String)> {
    let whole = whole();
    let lines = whole.lines().enumerate().filter(|(_, line)| !GOOD.lines().any(|it| it == *line));
    lines.map(|(number, line)| (number, line.to_owned())).collect()
}

#[test]
fn the_table_has_every_degree_of_openness() {
    let table = reach(&Folder::new().config(&whole()).portals[0]);
    for degree in 0..=3 {
        let some = table.iter().filter(|(_, it)| *it == degree).count();
        assert!(some > 100, "{degree}: {some}");
    }
}

#[test]
fn the_table_sees_each_thing_that_opens() {
    let before = reach(&Folder::new().config(&whole()).portals[0]);
    for (from, to) in [
        ("require: deny", "require: mfa"),
        ("within: 5m", "within: 15m"),
        ("      from: 2026-12-01", "      from: 2027-01-01"),
        ("          from: 2026-11-01", "          from: 2026-12-01"),
        ("mode: required", "mode: optional"),
        (", method: [GET], host", ", host"),
        (", networks: [10.1.0.0/16]", ""),
        ("path: /admin/**", "path: /other/**"),
    ] {
        let text = whole().replace(from, to);
        assert_ne!(text, whole(), "{from}");
        let after = reach(&Folder::new().config(&text).portals[0]);
        let opens = before.iter().zip(&after).any(|((_, good), (_, now))| now > good);
        assert!(opens, "{to} is not seen to open more than {from}");
    }
}

#[test]
fn a_deleted_line_of_a_rollout_opens_nothing() {
    let texts = lines()
        .into_iter()
        .map(|(number, line)| (format!("without '{}'", line.trim()), with_line(number, None)));
    let (loaded, refused) = loaded(texts);
    assert!(loaded >= 10 && refused >= 10, "{loaded} loaded and {refused} were refused");
}

#[test]
fn a_mistyped_key_or_word_of_a_rollout_is_refused() {
    let words = ["required", "none", "service", "mfa", "fresh", "deny", "true"];
    let mut tried = 0;
    for (number, line) in lines() {
        let start = line.find(|sign: char| sign.is_ascii_lowercase()).unwrap();
        let (key, value) = line[start..].split_once(':').unwrap();
        for wrong in [format!("{key}x"), key[1..].to_owned(), key.to_uppercase()] {
            // The key of a query is the operator's own.
            if key == "do" {
                continue;
            }
            let text = format!("{}{wrong}:{value}", &line[..start]);
            assert!(Folder::new().load(&with_line(number, Some(&text))).is_err(), "{text}");
            tried += 1;
        }
        if words.contains(&value.trim()) {
            for wrong in [format!("{value}x"), value.trim()[1..].to_owned()] {
                let text = format!("{}{key}: {wrong}", &line[..start]);
                assert!(Folder::new().load(&with_line(number, Some(&text))).is_err(), "{text}");
                tried += 1;
            }
        }
    }
    assert!(tried > 90, "{tried}");
}

#[test]
fn swapped_signs_of_a_hash_open_nothing() {
    let (number, line) = lines().into_iter().find(|(_, line)| line.contains("sha256:")).unwrap();
    let first = line.find("sha256:").unwrap() + "sha256:".len();
    let texts = (first..line.len() - 2).map(|at| {
        let mut signs: Vec<char> = line.chars().collect();
        signs.swap(at, at + 1);
        let text: String = signs.into_iter().collect();
        (text.clone(), with_line(number, Some(&text)))
    });
    let (loaded, _) = loaded(texts);
    assert!(loaded > 30, "{loaded}");
}
