//! Where people are told by mail, and who may enrol, each case with the exact lines.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use portcullis::config::{EnrolmentGuard, SmtpGuard};

use crate::cases::{Folder, check_one, edited};

const MAIL: &str =
    "notify:\n  smtp:\n    url: file:secrets/smtp.url\n    from: MFA <mfa@example.com>\nlimits:";
const PASSWORD: &str = "not-to-be-shown";

/// A folder in which the server's address is this one.
fn with_server(url: &str) -> Folder {
    let folder = Folder::new();
    let path = folder.put("secrets/smtp.url", url);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

#[test]
fn a_server_is_reached_as_its_address_says() {
    use SmtpGuard::{Plain, StartTls, Tls};
    let cases = [
        ("smtps://mfa:a%20b@mail.example.com\n", "mail.example.com", 465, Tls, true),
        ("smtps://mail.example.com:4650", "mail.example.com", 4650, Tls, false),
        ("smtp://mfa:x@mail.example.com:587?tls=required", "mail.example.com", 587, StartTls, true),
        ("smtp://mail.example.com", "mail.example.com", 587, StartTls, false),
        ("smtp://localhost:2525", "localhost", 2525, Plain, false),
        ("smtp://127.0.0.1", "127.0.0.1", 25, Plain, false),
        ("smtp://[::1]:25?tls=required", "::1", 25, StartTls, false),
    ];
    for (url, host, port, guard, has_login) in cases {
        let folder = with_server(url);
        assert_eq!(folder.warnings(&edited(&[("limits:", MAIL)])), [""; 0], "{url}");
        let smtp = folder.config(&edited(&[("limits:", MAIL)])).notify.smtp.unwrap();
        assert_eq!((smtp.host.as_str(), smtp.port, smtp.guard), (host, port, guard), "{url}");
        assert_eq!(smtp.login.is_some(), has_login, "{url}");
        assert_eq!(smtp.from.email.as_ref() as &str, "mfa@example.com");
    }
    let folder = with_server("smtps://mfa:a%20b%40@mail.example.com");
    let smtp = folder.config(&edited(&[("limits:", MAIL)])).notify.smtp.unwrap();
    let login = smtp.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.password.reveal()), ("mfa", &b"a b@"[..]));
}

#[test]
fn what_is_no_address_of_a_server_is_told_without_it() {
    let cases = [
        (String::new(), "is no address of a server"),
        (format!("mfa:{PASSWORD}@mail.example.com"), "is no address of a server"),
        (format!("https://mfa:{PASSWORD}@mail.example.com"), "is neither smtp:// nor smtps://"),
        (format!("smtp://mfa:{PASSWORD}@"), "is no address of a server"),
        (format!("smtp://mfa:{PASSWORD}@mail.example.com/x"), "has a path"),
        (format!("smtp://mfa:{PASSWORD}@mail.example.com?tls=maybe"), "has a query"),
        (format!("smtps://mfa:{PASSWORD}@mail.example.com?tls=none"), "has a query"),
        (format!("smtps://:{PASSWORD}@mail.example.com"), "has a name without a password"),
        ("smtps://mfa@mail.example.com".to_owned(), "has a name without a password"),
        (format!("smtps://mfa:{PASSWORD}%FF@mail.example.com"), "has a name or a password"),
    ];
    for (url, sentence) in cases {
        let lines = with_server(&url).faults(&edited(&[("limits:", MAIL)]));
        let start = format!("gateway.yaml:48:5: notify.smtp.url: {sentence}");
        assert!(lines.len() == 1 && lines[0].starts_with(&start), "{url}: {lines:?}");
        assert!(!lines[0].contains(PASSWORD), "{lines:?}");
    }
}

#[test]
fn an_open_way_to_another_machine_is_told() {
    let folder = with_server("smtp://mail.example.com?tls=none");
    let warning = "gateway.yaml:48:5: warning: notify.smtp.url: sends mails over an open way, so \
                   codes in them can be read; write smtps://, or ?tls=required";
    assert_eq!(folder.warnings(&edited(&[("limits:", MAIL)])), [warning]);
    let path = folder.put("secrets/smtp.url", "smtps://mail.example.com");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let lines = folder.warnings(&edited(&[("limits:", MAIL)]));
    assert!(lines[0].contains("is open to other users of this machine"), "{lines:?}");
}

#[test]
fn a_sender_is_one_address() {
    let folder = with_server("smtps://mail.example.com");
    for from in ["\"\"", "MFA", "a@b", "\"a@example.com, b@example.com\"", "\"a@b.c\\nX: y\""] {
        let mail = MAIL.replace("MFA <mfa@example.com>", from);
        let lines = folder.faults(&edited(&[("limits:", &mail)]));
        let start = "gateway.yaml:49:5: notify.smtp.from: is no address, nor a name with one; ";
        assert!(lines.len() == 1 && lines[0].starts_with(start), "{from}: {lines:?}");
    }
    let missing = folder.faults(&edited(&[("limits:", "notify: { smtp: {} }\nlimits:")]));
    assert_eq!(missing.len(), 2, "{missing:?}");
}

#[test]
fn enrolment_is_open_unless_set() {
    let config = Folder::new().config(&edited(&[]));
    let enrolment = &config.portals[0].enrolment;
    assert_eq!((enrolment.guard, enrolment.within), (EnrolmentGuard::None, None));
    assert_eq!((enrolment.dormant, &enrolment.email), (None, &None));
    assert_eq!(enrolment.invite, Duration::from_secs(7 * 24 * 3_600));
    let line = "    enrolment: { guard: invite, within: 30d, dormant: 90d, invite: 10m, email: \
                \"{user}@example.com\" }\n    prefix:";
    let config = Folder::new().config(&edited(&[("    prefix:", line)]));
    let enrolment = &config.portals[0].enrolment;
    assert_eq!(enrolment.guard, EnrolmentGuard::Invite);
    assert_eq!(enrolment.within, Some(Duration::from_secs(30 * 24 * 3_600)));
    assert_eq!(enrolment.dormant, Some(Duration::from_secs(90 * 24 * 3_600)));
    assert_eq!(enrolment.invite, Duration::from_secs(600));
    let email = enrolment.email.as_ref().unwrap();
    assert_eq!(email.address("alice").unwrap().as_str(), "alice@example.com");
}

#[test]
fn enrolment_keeps_to_its_ranges() {
    let days = "is out of range; choose 24h to 3650d";
    let cases = [
        ("within: 23h", "within", days),
        ("within: 3651d", "within", days),
        ("dormant: 0s", "dormant", days),
        ("invite: 9m", "invite", "is out of range; choose 10m to 30d"),
        ("invite: 31d", "invite", "is out of range; choose 10m to 30d"),
        (
            "email: user@example.com",
            "email",
            "is no address with {user} once before the '@'; write one such as \
             \"{user}@example.com\"",
        ),
    ];
    for (written, key, sentence) in cases {
        let line = format!("    enrolment: {{ {written} }}\n    prefix:");
        let at = format!("19:18: portals.wiki.enrolment.{key}");
        check_one("    prefix:", &line, &at, sentence);
    }
}

#[test]
fn a_code_by_mail_needs_mail() {
    let guarded = "    enrolment: { guard: email, email: \"{user}@example.com\" }\n    prefix:";
    check_one(
        "    prefix:",
        guarded,
        "19:18: portals.wiki.enrolment.guard",
        "needs a server that takes mails; add notify: { smtp: { url: file:PATH, from: ADDRESS } }, \
         or choose invite",
    );
    let folder = with_server("smtps://mail.example.com");
    assert_eq!(folder.warnings(&edited(&[("limits:", MAIL), ("    prefix:", guarded)])), [""; 0]);
    let without = "    enrolment: { guard: email }\n    prefix:";
    let lines = folder.warnings(&edited(&[("limits:", MAIL), ("    prefix:", without)]));
    let warning = "gateway.yaml:19:18: warning: portals.wiki.enrolment.guard: lets nobody enrol \
                   without an invitation whose name is no mail address; say where the others get mail: email: \
                   \"{user}@example.com\"";
    assert_eq!(lines, [warning]);
}

#[test]
fn an_invitation_for_longer_than_nist_allows_is_a_warning() {
    let warnings = |written: &str| {
        let line = format!("    enrolment: {{ {written} }}\n    prefix:");
        Folder::new().warnings(&edited(&[("    prefix:", &line)]))
    };
    let warning = "portals.wiki.enrolment.invite: lets an invitation hold for longer than the 10 \
                   minutes that NIST SP 800-63B-4 section 4.1.2.2 allows; set invite: 10m if you \
                   have to keep to it; letters by post need days";
    for written in
        ["guard: invite", "within: 30d, invite: 11m", "dormant: 90d", "invite: 30d, guard: invite"]
    {
        let said = warnings(written);
        assert!(said.len() == 1 && said[0].ends_with(warning), "{written}: {said:?}");
    }
    for written in
        ["guard: invite, invite: 10m", "guard: none, invite: 30d", "invite: 10m, within: 30d"]
    {
        assert_eq!(warnings(written), [""; 0], "{written}");
    }
}
