//! Where people are told by mail, and who may enrol, each case with the exact lines.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use portcullis::config::{EnrolmentGuard, SmtpGuard};
use portcullis::net::language::Language;

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

const HOOK: &str = "notify:\n  webhook:\n    url: https://hooks.example.com/mfa?of=us\n    \
                    secret: file:secrets/webhook.key\nlimits:";
/// 32 bytes.
const KEY: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";

/// A folder in which the key of the webhook is this one.
fn with_key(key: &str) -> Folder {
    let folder = Folder::new();
    let path = folder.put("secrets/webhook.key", key);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

#[test]
fn a_webhook_has_an_address_and_a_key() {
    for key in [KEY.to_owned(), format!("{KEY}\n"), format!("whsec_{KEY}\n")] {
        let folder = with_key(&key);
        assert_eq!(folder.warnings(&edited(&[("limits:", HOOK)])), [""; 0]);
        let webhook = folder.config(&edited(&[("limits:", HOOK)])).notify.webhook.unwrap();
        assert_eq!(webhook.key.reveal(), b"12345678901234567890123456789012");
        assert_eq!(webhook.url.as_str(), "https://hooks.example.com/mfa?of=us");
        assert_eq!(format!("{webhook:?}"), "Webhook(https://hooks.example.com)");
    }
    for url in ["http://localhost:8080/x", "http://127.0.0.1:1", "http://[::1]:1/x"] {
        let hook = HOOK.replace("https://hooks.example.com/mfa?of=us", url);
        assert_eq!(with_key(KEY).warnings(&edited(&[("limits:", &hook)])), [""; 0], "{url}");
    }
    assert!(Folder::new().config(&edited(&[])).notify.webhook.is_none());
}

#[test]
fn a_webhook_that_is_none_is_told() {
    let cases = [
        ("hooks.example.com", "is no address; write https://HOST/PATH"),
        ("http://hooks.example.com", "goes over an open way to another machine; write https"),
        ("http://localhost.example.com", "goes over an open way to another machine; write https"),
        ("ftp://hooks.example.com", "is neither https:// nor http://; write https://HOST/PATH"),
        ("https://us:pass@hooks.example.com", "has a name or a password; events are signed, le"),
        ("https://hooks.example.com/#x", "has a fragment, which no server sees; leave it out"),
    ];
    for (url, sentence) in cases {
        let hook = HOOK.replace("https://hooks.example.com/mfa?of=us", &format!("'{url}'"));
        let lines = with_key(KEY).faults(&edited(&[("limits:", &hook)]));
        let start = format!("gateway.yaml:48:5: notify.webhook.url: {sentence}");
        assert!(lines.len() == 1 && lines[0].starts_with(&start), "{url}: {lines:?}");
    }
    for key in ["", "whsec_", PASSWORD, "c2hvcnQ=", &KEY.repeat(3)] {
        let lines = with_key(key).faults(&edited(&[("limits:", HOOK)]));
        let fault = "gateway.yaml:49:5: notify.webhook.secret: is not 24 to 64 bytes in base64; \
                     make one with: openssl rand -base64 32";
        assert_eq!(lines, [fault], "{key}");
    }
    let missing = Folder::new().faults(&edited(&[("limits:", "notify: { webhook: {} }\nlimits:")]));
    assert_eq!(missing.len(), 2, "{missing:?}");
}

#[test]
fn languages_are_of_those_that_we_speak() {
    let spoken = |list: &str| {
        let yaml = edited(&[("limits:", &format!("branding: {{ languages: {list} }}\nlimits:"))]);
        let languages = Folder::new().config(&yaml).branding.languages;
        languages.iter().map(Language::tag).collect::<Vec<_>>()
    };
    assert_eq!(spoken("[nl, en]"), ["nl", "en"]);
    assert_eq!(spoken("[en, nl, de, fr]"), ["en", "nl", "de", "fr"]);
    let config = Folder::new().config(&edited(&[]));
    assert_eq!(config.branding.languages.iter().collect::<Vec<_>>(), [Language::En]);
    for (list, words) in [
        ("[]", "is an empty list; name one language at least, the default first"),
        ("[nl, en, nl]", "is there twice; name each language once"),
        ("[en, es]", "branding.languages[1]: is not a word that is known here; did you mean 'en'?"),
        ("[EN]", "branding.languages[0]: is not a word that is known here; write en or nl or"),
    ] {
        let yaml = edited(&[("limits:", &format!("branding: {{ languages: {list} }}\nlimits:"))]);
        let lines = Folder::new().faults(&yaml);
        assert!(lines.len() == 1 && lines[0].contains(words), "{list}: {lines:?}");
        assert!(lines[0].contains("branding.languages"), "{list}: {lines:?}");
    }
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
