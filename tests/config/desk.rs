//! Who may work at the desk, and on whose word, each case with the exact lines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use portcullis::config::desk::{Approval, ResetTerms, Role, TokenHash};

use crate::cases::{Folder, edited};

const TOKEN: &str = "kWmXU3Qd0nX6o1yR2b4v5aZpT8sLhJcE";
const ADDRESS: &str = "  address: 127.0.0.1:9443";

/// The good file with these tokens, each on a line of its own from line 6 on.
fn with_tokens(tokens: &[&str]) -> String {
    let lines: String = tokens.iter().map(|token| format!("\n    - {{ {token} }}")).collect();
    edited(&[(ADDRESS, &format!("{ADDRESS}\n  tokens:{lines}"))])
}

fn folder() -> Folder {
    let folder = Folder::new();
    let file = folder.put("desk.token", format!("{TOKEN}\n"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    folder.put("other.token", "zX9cV8bN7mA6sD5fG4hJ3kL2");
    folder.put("hex.token", "0123456789abcdef0123456789");
    folder.put("short.token", "kWmXU3Qd0nX6o1yR2b4v5");
    folder.put("dull.token", "ababababababababababababababab");
    folder.put("torn.token", "kWmXU3Qd0nX6o1yR 2b4v5aZpT8sLhJcE");
    folder
}

fn refused(tokens: &[&str], expected: &[&str]) {
    let expected: Vec<String> =
        expected.iter().map(|fault| format!("gateway.yaml:{fault}")).collect();
    assert_eq!(folder().faults(&with_tokens(tokens)), expected, "{tokens:?}");
}

#[test]
fn a_token_is_kept_as_its_hash_alone() {
    let config = folder().config(&with_tokens(&[
        "name: desk, role: desk, secret: file:desk.token, portals: [wiki]",
        "name: boss_1, role: account_manager, secret: file:other.token",
    ]));
    let shown = format!("{config:?}");
    let tokens = config.admin.unwrap().tokens;
    assert_eq!((tokens[0].staff.name.as_str(), tokens[0].staff.role), ("desk", Role::Desk));
    assert_eq!(tokens[0].staff.portals.as_deref(), Some(&["wiki".to_owned()][..]));
    assert!(bool::from(tokens[0].hash.is(&TokenHash::of(TOKEN.as_bytes()))));
    assert_eq!((tokens[1].staff.role, &tokens[1].staff.portals), (Role::AccountManager, &None));
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn roles_grow() {
    assert!(Role::Viewer < Role::Desk && Role::Desk < Role::AccountManager);
    assert!(Role::AccountManager < Role::Admin);
}

#[test]
fn a_token_that_could_be_guessed_is_refused() {
    let at = "6:33: admin.tokens[0].secret:";
    let short = format!(
        "{at} is too short to be safe from guessing: a token has 128 bits or more; make one: \
         openssl rand -base64 32"
    );
    for weak in ["short", "hex", "dull"] {
        let token = format!("name: desk, role: desk, secret: file:{weak}.token");
        refused(&[&token], &[&short]);
    }
    refused(
        &["name: desk, role: desk, secret: file:torn.token"],
        &[&format!("{at} holds what a header cannot carry; make one: openssl rand -base64 32")],
    );
}

#[test]
fn tokens_are_whole_and_each_its_own() {
    refused(
        &["name: desk, role: boss, secret: file:desk.token"],
        &[
            "6:21: admin.tokens[0].role: is not a word that is known here; write viewer or desk or account_manager or admin",
        ],
    );
    refused(
        &["role: desk"],
        &[
            "6:7: admin.tokens[0].name: is missing; say who holds the token",
            "6:7: admin.tokens[0].secret: is missing; write file:PATH",
        ],
    );
    refused(
        &["name: The Desk, role: desk, secret: file:desk.token"],
        &[
            "6:9: admin.tokens[0].name: is no name for a token; use 1 to 32 of a-z, 0-9, '-' and '_'",
        ],
    );
    refused(
        &["name: desk, role: desk, secret: file:desk.token, portals: [shop]"],
        &[
            "6:68: admin.tokens[0].portals[0]: 'shop' is no portal of this file; name one of portals",
        ],
    );
    refused(
        &["name: desk, role: desk, secret: file:desk.token, portals: []"],
        &[
            "6:58: admin.tokens[0].portals: is an empty list; name the portals, or leave the key out for all",
        ],
    );
    refused(
        &[
            "name: desk, role: desk, secret: file:desk.token",
            "name: desk, role: viewer, secret: file:desk.token",
        ],
        &[
            "7:9: admin.tokens[1].name: is the name of admin.tokens[0] already; give each its own",
            "7:35: admin.tokens[1].secret: is the secret of admin.tokens[0] too; make one: openssl rand -base64 32",
        ],
    );
}

#[test]
fn tokens_that_travel_without_tls_are_told() {
    let yaml = with_tokens(&["name: desk, role: desk, secret: file:desk.token"]);
    let folder = folder();
    assert_eq!(folder.warnings(&yaml), [""; 0]);
    let warnings = folder.warnings(&yaml.replace("127.0.0.1:9443", "10.0.0.1:9443"));
    assert!(warnings.iter().any(|warning| warning.contains("sent without TLS")), "{warnings:?}");
}

#[test]
fn an_organisation_has_mail_of_its_own() {
    let with = |organisation: &str| {
        edited(&[("    prefix:", &format!("    organisation: {organisation}\n    prefix:"))])
    };
    let good = "{ domains: [example.com, example.org], managers: [AM@Vendor.example] }";
    let config = Folder::new().config(&with(good));
    let organisation = config.portals[0].organisation.as_ref().unwrap();
    assert_eq!(organisation.domains, ["example.com", "example.org"]);
    assert_eq!(organisation.managers[0].mailbox(), "am");
    for (organisation, at, sentence) in [
        ("{}", "19:5: portals.wiki.organisation", "names nobody; write domains, managers or both"),
        (
            "{ domains: [Example.com] }",
            "19:31: portals.wiki.organisation.domains[0]",
            "'Example.com' is no domain of mail; write it in lower case, such as example.com",
        ),
        (
            "{ domains: [gmail.com] }",
            "19:31: portals.wiki.organisation.domains[0]",
            "'gmail.com' is a public mail provider, where anybody gets an address; name a domain of the organisation's own",
        ),
        (
            "{ managers: ['A. M. <am@vendor.example>'] }",
            "19:32: portals.wiki.organisation.managers[0]",
            "is no plain address; write one such as am@vendor.example",
        ),
        (
            "{ managers: [am@gmx.net] }",
            "19:32: portals.wiki.organisation.managers[0]",
            "'gmx.net' is a public mail provider, where anybody gets an address; name a domain of the organisation's own",
        ),
    ] {
        let faults = Folder::new().faults(&with(organisation));
        assert_eq!(faults, [format!("gateway.yaml:{at}: {sentence}")]);
    }
}

#[test]
fn a_token_may_ask_so_often() {
    let with =
        |pace: &str| edited(&[(ADDRESS, &format!("{ADDRESS}\n  requests_per_minute: {pace}"))]);
    let pace = |yaml: &str| Folder::new().config(yaml).admin.unwrap().requests_per_minute;
    assert_eq!(pace(&edited(&[])), 600);
    for (written, meant) in [("60", 60), ("60000", 60_000)] {
        assert_eq!(pace(&with(written)), meant);
    }
    for wrong in ["0", "59", "60001"] {
        let faults = Folder::new().faults(&with(wrong));
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.contains(": admin.requests_per_minute: is "), "{fault}");
    }
}

#[test]
fn a_reset_is_approved_by_one_at_once_unless_set() {
    let with =
        |reset: &str| edited(&[("    prefix:", &format!("    reset: {reset}\n    prefix:"))]);
    let terms = |yaml: &str| Folder::new().config(yaml).portals[0].reset;
    assert_eq!(terms(&edited(&[])), ResetTerms::default());
    assert_eq!(terms(&with("{}")), ResetTerms::default());
    let wait = Duration::from_secs(7 * 24 * 3600);
    let strict = ResetTerms { approval: Approval::Two, wait };
    assert_eq!(terms(&with("{ approval: two, wait: 7d }")), strict);
    for (reset, fault) in [
        ("{ approval: three }", "19:14: portals.wiki.reset.approval: is not a word"),
        ("{ wait: 8d }", "19:14: portals.wiki.reset.wait: "),
        ("{ wait: soon }", "19:14: portals.wiki.reset.wait: "),
        ("{ approvals: two }", "19:14: portals.wiki.reset.approvals: "),
    ] {
        let faults = Folder::new().faults(&with(reset));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&format!("gateway.yaml:{fault}")), "{faults:?}");
    }
}
