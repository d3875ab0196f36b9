//! Configurations that run, and are weaker than they could be.

use crate::cases::{Folder, edited};

fn check(edits: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(Folder::new().warnings(&edited(edits)), expected, "{edits:?}");
}

#[test]
fn plain_http_from_elsewhere_is_told() {
    let warning = "gateway.yaml:2:5: warning: listeners[0].address: takes plain HTTP from other \
                   machines, so passwords and codes can be read on the way; add tls, or bind to \
                   127.0.0.1 behind a proxy that speaks TLS";
    check(&[("127.0.0.1:8080", "0.0.0.0:8080")], &[warning]);
    check(&[("127.0.0.1:8080", "\"[::1]:8080\"")], &[]);
}

#[test]
fn an_admin_address_that_others_reach_is_told() {
    let warning = "gateway.yaml:4:3: warning: admin.address: can be reached from other machines, \
                   and asks nobody who they are; bind to 127.0.0.1, or keep others out by a firewall";
    check(&[("127.0.0.1:9443", "10.0.0.1:9443")], &[warning]);
}

#[test]
fn a_portal_of_which_nobody_keeps_a_record_is_told() {
    let warning = "gateway.yaml:48:3: warning: telemetry.audit: is not there, so nobody can say \
                   afterwards who did what; write data/audit.jsonl";
    let without = Folder::new().warnings(&edited(&[("  audit: data/audit.jsonl\n", "")]));
    assert_eq!(without.len(), 1);
    let (_, expected) = warning.split_once(": ").unwrap();
    assert!(without[0].ends_with(expected), "{without:?}");
    let report = "    enforcement: { mode: report }\n    prefix: /.mfa";
    let edits = [("  audit: data/audit.jsonl\n", ""), ("    prefix: /.mfa", report)];
    let warnings = Folder::new().warnings(&edited(&edits));
    assert!(!warnings.iter().any(|line| line.contains("telemetry.audit")), "{warnings:?}");
}

#[test]
fn an_upstream_that_may_lead_back_is_told() {
    let warning = "gateway.yaml:17:5: warning: portals.wiki.upstreams: is one of the portal's \
                   hosts, so requests may come back here; name the portal's own address";
    check(&[("http://127.0.0.1:8000", "https://wiki.example.com")], &[warning]);
}

#[test]
fn a_public_pattern_for_everything_is_told() {
    for all in ["/**", "/*/**"] {
        let warning = format!(
            "gateway.yaml:18:14: warning: portals.wiki.public[0]: '{all}' opens the whole portal; \
             name only what needs no sign-in, such as /assets/**"
        );
        check(&[("/lib/**", all)], &[&warning]);
    }
}

#[test]
fn weaker_sessions_and_codes_are_told() {
    check(
        &[
            ("  idle: 1h", "  idle: 2h"),
            ("  issuer: Example Ltd", "  digits: 8\n  period: 60s\n  algorithm: sha256"),
            ("rotation: reverify", "rotation: follow"),
        ],
        &[
            "gateway.yaml:11:3: warning: session.idle: leaves a forgotten browser signed in for \
             more than an hour; choose 1h or less (NIST SP 800-63B-4 section 2.2.3)",
            "gateway.yaml:13:3: warning: totp.digits: is not heeded by several authenticator apps, \
             whose codes are wrong then; choose 6, or name the app to use",
            "gateway.yaml:14:3: warning: totp.period: is not heeded by several authenticator apps, \
             whose codes are wrong then; choose 30s, or name the app to use",
            "gateway.yaml:15:3: warning: totp.algorithm: is not heeded by several authenticator \
             apps, whose codes are wrong then; choose sha1, or name the app to use",
            "gateway.yaml:38:7: warning: portals.wiki.identity.rotation: keeps a proof when the \
             portal changes its session cookie, whoever it is for then; add whoami, or choose \
             reverify",
        ],
    );
}

#[test]
fn a_success_that_a_wrong_password_may_meet_is_told() {
    let failure = "          failure:\n            body: { contains: wrong }\n";
    let location = "            location: { not: \"/login*\" }\n";
    let warning = "gateway.yaml:29:11: warning: portals.wiki.identity.logins[0].success: may also \
                   be met by the answer to a wrong password; add location, body or json, or describe the \
                   failure";
    check(&[(failure, ""), (location, ""), ("[302, 303]", "[200]")], &[warning]);
    check(&[(failure, ""), (location, ""), ("            status: [302, 303]\n", "")], &[warning]);
    check(&[(failure, ""), (location, "")], &[]);
    check(&[(failure, ""), ("[302, 303]", "[200]")], &[]);
    check(&[(location, ""), ("[302, 303]", "[200]")], &[]);
}

#[test]
fn a_login_on_the_path_of_other_forms_is_told() {
    let warning = "gateway.yaml:22:11: warning: portals.wiki.identity.logins[0].request: lets every \
                   POST to /doku.php through as a login; add form with a field that only the login \
                   form has";
    check(&[("            form:\n              do: login\n", "")], &[warning]);
}
