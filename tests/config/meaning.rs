//! Addresses, numbers, portals and paths that read well and do not fit together, each case
//! with the exact lines.

use crate::cases::{Folder, check, check_one, edited};

#[test]
fn addresses_are_complete_and_taken_once() {
    check_one(
        "127.0.0.1:8080",
        "localhost:8080",
        "2:5: listeners[0].address",
        "'localhost:8080' is not an IP address and a port; write both, such as 127.0.0.1:8080 or [::1]:8080",
    );
    check_one(
        "127.0.0.1:9443",
        "127.0.0.1",
        "4:3: admin.address",
        "'127.0.0.1' is not an IP address and a port; write both, such as 127.0.0.1:8080 or [::1]:8080",
    );
    check_one(
        "127.0.0.1:9443",
        "127.0.0.1:8080",
        "4:3: admin.address",
        "127.0.0.1:8080 is taken already by listeners[0].address; choose another port, or remove one of them",
    );
    check_one(
        "  - address: 127.0.0.1:8080",
        "  - address: 127.0.0.1:8080\n  - address: 0.0.0.0:8080",
        "3:5: listeners[1].address",
        "0.0.0.0:8080 is taken already by listeners[0].address; choose another port, or remove one of them",
    );
    check(&[("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:9443", "127.0.0.1:0")], &[]);
    check_one(
        "listeners:\n  - address: 127.0.0.1:8080",
        "listeners: []",
        "1:1: listeners",
        "is an empty list; add one, such as - address: 0.0.0.0:443",
    );
}

#[test]
fn numbers_keep_to_their_range() {
    for lifetime in ["59s", "25h", "0s"] {
        check_one(
            "lifetime: 12h",
            &format!("lifetime: {lifetime}"),
            "10:3: session.lifetime",
            "is out of range; choose 1m to 24h",
        );
    }
    check_one("idle: 1h", "idle: 59s", "11:3: session.idle", "is out of range; choose 1m to 12h");
    check_one(
        "idle: 1h",
        "idle: 13h",
        "11:3: session.idle",
        "is longer than the lifetime; choose 1m to 12h",
    );
    let totp = [
        ("digits: 7", "13:3: totp.digits", "is 7; choose 6 or 8"),
        ("period: 14s", "13:3: totp.period", "is out of range; choose 15s to 60s"),
        ("period: 61s", "13:3: totp.period", "is out of range; choose 15s to 60s"),
        ("period: 30500ms", "13:3: totp.period", "is not whole seconds; choose 15s to 60s"),
        ("skew: 3", "13:3: totp.skew", "is out of range; choose 0 to 2"),
        ("issuer: 'A: B'", "13:3: totp.issuer", "has a colon; write a short name without ':'"),
        (
            "issuer: ''",
            "13:3: totp.issuer",
            "is empty, too long or not plain text; write a short name without ':'",
        ),
        (
            "algorithm: md5",
            "13:3: totp.algorithm",
            "is not a word that is known here; write sha1 or sha256 or sha512",
        ),
    ];
    for (line, at, sentence) in totp {
        check_one("issuer: Example Ltd", line, at, sentence);
    }
    let limits = [
        ("headers: 65KiB", "headers", "4KiB to 64KiB"),
        ("uri: 512B", "uri", "1KiB to 32KiB"),
        ("login_body: 65KiB", "login_body", "1KiB to 64KiB"),
        ("header_deadline: 500ms", "header_deadline", "1s to 1m"),
        ("connections_per_client: 0", "connections_per_client", "1 to 65536"),
    ];
    for (line, key, range) in limits {
        check_one(
            "headers: 32KiB",
            line,
            &format!("47:3: limits.{key}"),
            &format!("is out of range; choose {range}"),
        );
    }
    for count in [7, 21] {
        check_one(
            "limits:",
            &format!("recovery_codes: {{ count: {count} }}\nlimits:"),
            "46:19: recovery_codes.count",
            "is out of range; choose 8 to 20",
        );
    }
}

#[test]
fn a_colon_in_the_name_is_told_where_the_issuer_would_take_it() {
    check(
        &[
            ("  issuer: Example Ltd", "  digits: 6"),
            ("limits:", "branding: { name: 'A: B' }\nlimits:"),
        ],
        &[
            "gateway.yaml:12:1: totp.issuer: is branding.name, which has a colon; write a short name without ':'",
        ],
    );
    check_one(
        "limits:",
        "branding: { name: ' ' }\nlimits:",
        "46:13: branding.name",
        "is empty, too long or not plain text; write 1 to 64 characters",
    );
}

#[test]
fn portals_have_plain_names_and_hosts_of_their_own() {
    for name in ["Wiki", "wi_ki", "'wi ki'", "''", "abcdefghijklmnopqrstuvwxyz0123456"] {
        let lines = Folder::new().faults(&edited(&[("  wiki:", &format!("  {name}:"))]));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("is no name for a portal; use 1 to 32 of a-z, 0-9 and '-'"),
            "{lines:?}"
        );
    }
    let hosts = [
        ("Wiki.example.com", "'Wiki.example.com' has capitals; write 'wiki.example.com'"),
        (
            "wiki.example.com:443",
            "'wiki.example.com:443' has a port; write 'wiki.example.com', for every port is the same",
        ),
        ("wiki.example.com.", "'wiki.example.com.' ends with a dot; write 'wiki.example.com'"),
        ("'*.example.com'", "'*.example.com' has a star; write out each host name"),
        ("'::1'", "'::1' is an IPv6 address without brackets; write '[::1]'"),
        (
            "wi_ki",
            "'wi_ki' is not a host name; write labels of a-z, 0-9 and '-' with dots between, and others in punycode (xn--)",
        ),
    ];
    for (host, sentence) in hosts {
        check_one(
            "[wiki.example.com]",
            &format!("[{host}]"),
            "16:13: portals.wiki.hosts[0]",
            sentence,
        );
    }
    check_one(
        "[wiki.example.com]",
        "[a.example, a.example]",
        "16:24: portals.wiki.hosts[1]",
        "'a.example' is a host of portals.wiki already; remove one",
    );
    let first = "portals:\n  first: { hosts: [wiki.example.com], upstreams: ['http://a'], identity: { logins: [{ request: { method: POST, path: /l }, username: { form: u }, success: { status: [302] } }], session_cookies: [s], login_url: /l } }\n";
    check_one(
        "portals:\n",
        first,
        "17:13: portals.wiki.hosts[0]",
        "'wiki.example.com' is a host of portals.first already; remove one",
    );
}

#[test]
fn no_portal_at_all_is_a_fault() {
    let (before, _) = crate::cases::GOOD.split_once("portals:").unwrap();
    let lines = Folder::new().faults(&format!("{before}portals: {{}}\n"));
    assert_eq!(lines, ["gateway.yaml:14:1: portals: has no portal; add the first portal"]);
}

#[test]
fn an_upstream_is_a_scheme_a_host_and_a_port() {
    let wrong = [
        ("127.0.0.1:8000", "is neither http:// nor https://; write http://HOST:PORT"),
        ("ftp://a", "is neither http:// nor https://; write http://HOST:PORT"),
        (
            "http://a/",
            "has more than host and port; end it after host and port: requests keep their own path",
        ),
        (
            "http://a?x",
            "has more than host and port; end it after host and port: requests keep their own path",
        ),
        ("http://u:p@a", "has a user name; leave it out, the portal's own login asks for it"),
        ("http://a:0", "has no valid port; choose 1 to 65535"),
        ("http://a:65536", "has no valid port; choose 1 to 65535"),
        ("http://a:+80", "has no valid port; choose 1 to 65535"),
        ("http://", "has no host name that could be looked up; write http://HOST:PORT"),
        ("http://:80", "has no host name that could be looked up; write http://HOST:PORT"),
        ("http://::1", "has no host name that could be looked up; write http://HOST:PORT"),
        (
            "http://127.0.0.1:8080",
            "is an address of Portcullis itself, so requests would go round in circles; name the address of the portal",
        ),
        (
            "http://localhost:9443",
            "is an address of Portcullis itself, so requests would go round in circles; name the address of the portal",
        ),
    ];
    for (upstream, sentence) in wrong {
        check_one("http://127.0.0.1:8000", upstream, "17:17: portals.wiki.upstreams[0]", sentence);
    }
    let right = [
        ("http://a", "a", 80, false),
        ("https://a", "a", 443, true),
        ("https://my_app:8443", "my_app", 8443, true),
        ("http://[::1]", "::1", 80, false),
        ("http://[::1]:81", "::1", 81, false),
    ];
    for (upstream, host, port, tls) in right {
        let config = Folder::new().config(&edited(&[("http://127.0.0.1:8000", upstream)]));
        let found = &config.portals[0].upstream;
        assert_eq!((found.host.as_str(), found.port, found.tls), (host, port, tls));
    }
}

#[test]
fn paths_are_canonical_and_our_own_pages_hide_none() {
    check_one(
        "path: /doku.php\n            form",
        "path: doku.php\n            form",
        "24:13: portals.wiki.identity.logins[0].request.path",
        "'doku.php' does not start with a slash; write the path from the root, such as /login",
    );
    check_one(
        "path: /doku.php\n            form",
        "path: /doku.php?do=login\n            form",
        "24:13: portals.wiki.identity.logins[0].request.path",
        "'/doku.php?do=login' has a query; write the path alone",
    );
    check_one(
        "path: /doku.php\n            form",
        "path: /a/../b\n            form",
        "24:13: portals.wiki.identity.logins[0].request.path",
        "'/a/../b' is not canonical, so no request would match it; leave out '//', '.', '..', ';', backslashes and escaped characters that need none",
    );
    check_one(
        "path: /doku.php\n            form",
        "path: /login/*\n            form",
        "24:13: portals.wiki.identity.logins[0].request.path",
        "'/login/*' has a star, and is compared letter by letter; write out the path",
    );
    let hidden = "is hidden by the pages under /.mfa; set the portal's prefix to a path that it does not use";
    check_one(
        "path: /doku.php\n            form",
        "path: /.mfa/login\n            form",
        "24:13: portals.wiki.identity.logins[0].request.path",
        &format!("'/.mfa/login' {hidden}"),
    );
    check_one(
        "login_url: /doku.php?do=login",
        "login_url: /.mfa?x",
        "41:7: portals.wiki.identity.login_url",
        &format!("'/.mfa?x' {hidden}"),
    );
    check_one(
        "path: /doku.php\n        query",
        "path: /.mfa/logout\n        query",
        "43:9: portals.wiki.identity.logout.path",
        &format!("'/.mfa/logout' {hidden}"),
    );
    check(&[("login_url: /doku.php?do=login", "login_url: /.mfaction")], &[]);
    check_one(
        "login_url: /doku.php?do=login",
        "login_url: https://a/login",
        "41:7: portals.wiki.identity.login_url",
        "'https://a/login' has a host; write the path alone: the login page is on the portal itself",
    );
    check_one(
        "login_url: /doku.php?do=login",
        "login_url: //a/login",
        "41:7: portals.wiki.identity.login_url",
        "'//a/login' is not canonical, so no request would match it; leave out '//', '.', '..', ';', backslashes and escaped characters that need none",
    );
    check_one(
        "login_url: /doku.php?do=login",
        "login_url: '/a?b c'",
        "41:7: portals.wiki.identity.login_url",
        "'/a?b c' has a query that no address may hold; escape it as a browser does",
    );
    check_one(
        "prefix: /.mfa",
        "prefix: /",
        "19:5: portals.wiki.prefix",
        "is the whole portal; choose a path below it, such as /.mfa",
    );
    check_one(
        "prefix: /.mfa",
        "prefix: /mfa/",
        "19:5: portals.wiki.prefix",
        "'/mfa/' ends with a slash; write '/mfa'",
    );
    check_one(
        "prefix: /.mfa",
        "prefix: /a/./b",
        "19:5: portals.wiki.prefix",
        "'/a/./b' is not canonical, so no request would match it; leave out '//', '.', '..', ';', backslashes and escaped characters that need none",
    );
    check_one(
        "/robots.txt",
        "/robots.txt?x",
        "18:23: portals.wiki.public[1]",
        "'/robots.txt?x' has a query; write the path alone",
    );
    check_one(
        "/robots.txt",
        "robots.txt",
        "18:23: portals.wiki.public[1]",
        "'robots.txt' does not start with a slash; write '/robots.txt'",
    );
}
