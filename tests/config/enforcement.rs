//! From when on whom a second factor is asked of, as operators write it.

use std::time::Duration;

use portcullis::clock::UnixMillis;
use portcullis::policy::{Mode, Stage};

use crate::cases::{Folder, edited};

/// The good configuration with this `enforcement`, on line 19.
fn with(enforcement: &str) -> String {
    edited(&[(
        "    prefix: /.mfa\n",
        &format!("    enforcement: {enforcement}\n    prefix: /.mfa\n"),
    )])
}

fn faults(enforcement: &str, expected: &[&str]) {
    let found = Folder::new().faults(&with(enforcement));
    let expected: Vec<String> =
        expected.iter().map(|line| format!("gateway.yaml:{line}")).collect();
    assert_eq!(found, expected, "{enforcement}");
}

#[test]
fn what_is_written_is_what_is_asked() {
    let config = Folder::new().config(&with(
        "{ from: 2026-12-01T01:00:00+01:00, reminder: 7d, groups: [{ users: [Alice], from: 2026-11-01T00:00:00Z }] }",
    ));
    let enforcement = &config.portals[0].enforcement;
    assert_eq!(enforcement.mode, Mode::Required);
    assert_eq!(enforcement.reminder, Duration::from_secs(7 * 24 * 3600));
    let midnight = UnixMillis::from_seconds(1_796_083_200);
    assert_eq!(enforcement.stage(Some("bob"), midnight), Stage::Required);
    let before = midnight.minus(Duration::from_millis(1));
    assert_eq!(enforcement.stage(Some("bob"), before), Stage::Announced(Some(midnight)));
    assert_eq!(enforcement.stage(Some("alice"), before), Stage::Required);
}

#[test]
fn without_it_everybody_needs_one_since_ever() {
    for text in [edited(&[]), with("{}")] {
        let config = Folder::new().config(&text);
        let stage = config.portals[0].enforcement.stage(None, UnixMillis(0));
        assert_eq!(stage, Stage::Required);
    }
}

#[test]
fn a_date_is_one_moment() {
    for date in ["2026-12-01", "2026-12-01T00:00:00", "tomorrow", "1796079600"] {
        faults(
            &format!("{{ from: \"{date}\" }}"),
            &[&format!(
                "19:20: portals.wiki.enforcement.from: '{date}' is no moment; write date, time and zone, such as 2026-12-01T00:00:00+01:00"
            )],
        );
    }
}

#[test]
fn a_group_names_somebody_who_can_be() {
    faults(
        "{ groups: [{ from: 2026-11-01T00:00:00Z }] }",
        &[
            "19:29: portals.wiki.enforcement.groups[0]: names nobody; list users, or give a pattern for their names",
        ],
    );
    faults(
        "{ groups: [{ users: [\"a b\"], from: 2026-11-01T00:00:00Z }] }",
        &[
            "19:39: portals.wiki.enforcement.groups[0].users[0]: 'a b' does not fit identity.username, so nobody has this name; write a name as users type it",
        ],
    );
    faults(
        "{ groups: [{ users: [bob] }] }",
        &[
            "19:29: portals.wiki.enforcement.groups[0].from: is missing; write a date with its zone, such as 2026-12-01T00:00:00+01:00",
        ],
    );
}

#[test]
fn what_holds_nobody_is_a_warning() {
    for (mode, line) in [
        ("optional", "lets everybody in who has not enrolled"),
        ("report", "holds nobody: whoever would be held is counted alone"),
        ("off", "asks nobody for a second factor"),
    ] {
        let warnings = Folder::new().warnings(&with(&format!("{{ mode: {mode} }}")));
        let expected = format!(
            "gateway.yaml:19:20: warning: portals.wiki.enforcement.mode: {line}; set required when everybody is ready"
        );
        assert_eq!(warnings, [expected]);
    }
    let late = "{ mode: report, from: 2026-11-01T00:00:00Z }";
    assert_eq!(Folder::new().warnings(&with(late)).len(), 2, "a date that does nothing");
}
