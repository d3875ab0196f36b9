//! Logins, names and cookies that read well and do not fit together, each case with the
//! exact lines.

use crate::cases::{Folder, check, check_one, edited};

#[test]
fn a_login_says_what_it_is_and_what_success_is() {
    let login = "portals.wiki.identity.logins[0]";
    let success = "          success:\n            status: [302, 303]\n            location: { not: \"/login*\" }\n            set_cookie: \"DW*\"\n";
    check_one(
        success,
        "          success: {}\n",
        &format!("29:11: {login}.success"),
        "names no mark of an answer; name at least one of status, location, set_cookie and body",
    );
    check_one(
        success,
        "",
        &format!("22:11: {login}.success"),
        "is missing; say what the answer to a right password looks like, and to a wrong one does not",
    );
    check_one(
        "[302, 303]",
        "[]",
        &format!("30:13: {login}.success.status"),
        "is an empty list; write status codes, such as [302, 303]",
    );
    check_one(
        "[302, 303]",
        "[302, 99]",
        &format!("30:27: {login}.success.status[1]"),
        "is out of range; choose 200 to 599",
    );
    check_one(
        "{ not: \"/login*\" }",
        "{}",
        &format!("31:13: {login}.success.location.not"),
        "is missing; write a pattern, such as /login*",
    );
    check_one(
        "{ not: \"/login*\" }",
        "''",
        &format!("31:13: {login}.success.location"),
        "is empty; write a pattern, such as /login*",
    );
    check_one(
        "{ not: \"/login*\" }",
        "[a]",
        &format!("31:13: {login}.success.location"),
        "a list stands where a pattern such as /home*, or { not: /login* } belongs; write a pattern such as /home*, or { not: /login* }",
    );
    check_one(
        "{ contains: wrong }",
        "{ contains: '' }",
        &format!("34:21: {login}.failure.body.contains"),
        "is empty; write a text that such an answer holds",
    );
    check_one(
        "set_cookie: \"DW*\"",
        "set_cookie: a=b",
        &format!("32:13: {login}.success.set_cookie"),
        "is no name of a cookie; write the name alone, without '=' and value",
    );
    check_one(
        "            form: u",
        "            form: ''",
        &format!("28:13: {login}.username.form"),
        "is empty; name the form field",
    );
    check_one(
        "method: POST",
        "method: put",
        &format!("23:13: {login}.request.method"),
        "is no method that sends a form in its body; write PUT",
    );
    check_one(
        "method: POST",
        "method: GET",
        &format!("23:13: {login}.request.method"),
        "is no method that sends a form in its body; write POST",
    );
}

#[test]
fn all_marks_of_an_answer_are_looked_at() {
    check(
        &[
            ("[302, 303]", "[]"),
            ("{ not: \"/login*\" }", "''"),
            ("set_cookie: \"DW*\"", "set_cookie: ''"),
        ],
        &[
            "gateway.yaml:30:13: portals.wiki.identity.logins[0].success.status: is an empty list; write status codes, such as [302, 303]",
            "gateway.yaml:31:13: portals.wiki.identity.logins[0].success.location: is empty; write a pattern, such as /login*",
            "gateway.yaml:32:13: portals.wiki.identity.logins[0].success.set_cookie: is no name of a cookie; write the name alone, without '=' and value",
        ],
    );
}

#[test]
fn a_location_may_be_named_either_way() {
    let outcome = |location: &str| {
        let config = Folder::new().config(&edited(&[("{ not: \"/login*\" }", location)]));
        let success = &config.portals[0].identity.logins[0].success;
        let text = |glob: &Option<portcullis::net::glob::Glob>| {
            glob.as_ref().map(|glob| glob.as_str().to_owned())
        };
        (text(&success.location), text(&success.location_not))
    };
    assert_eq!(outcome("\"/home*\""), (Some("/home*".to_owned()), None));
    assert_eq!(outcome("{ not: \"/in*\" }"), (None, Some("/in*".to_owned())));
}

#[test]
fn session_cookies_are_the_portals_own() {
    let mend = "name the portal's session cookie more closely";
    for all in ["'*'", "'**'"] {
        check_one(
            "[DokuWiki, \"DW*\"]",
            &format!("[{all}]"),
            "35:25: portals.wiki.identity.session_cookies[0]",
            &format!("stands for every cookie, and any change would end a session; {mend}"),
        );
    }
    for (ours, name) in [
        ("__Host-mfa", "__Host-mfa"),
        ("__Host-*", "__Host-mfa"),
        ("'*device'", "__Host-mfa-device"),
    ] {
        check_one(
            "[DokuWiki, \"DW*\"]",
            &format!("[{ours}]"),
            "35:25: portals.wiki.identity.session_cookies[0]",
            &format!("'{}' fits {name}, a cookie of Portcullis; {mend}", ours.trim_matches('\'')),
        );
    }
    check_one(
        "[DokuWiki, \"DW*\"]",
        "[]",
        "35:7: portals.wiki.identity.session_cookies",
        "is an empty list; name the cookies by which the portal knows its session",
    );
    check_one(
        "      session_cookies: [DokuWiki, \"DW*\"]\n",
        "",
        "20:5: portals.wiki.identity.session_cookies",
        "is missing; name the cookies by which the portal knows its session",
    );
}

#[test]
fn a_name_fits_its_pattern_as_a_whole() {
    let at = "40:9: portals.wiki.identity.username.pattern";
    check_one(
        "[a-z0-9]+\"",
        "[a-z\"",
        at,
        "is not a regular expression: unclosed character class; mend it",
    );
    check_one("[a-z0-9]+\"", "a)|(b\"", at, "is not a regular expression: unopened group; mend it");
    check_one(
        "[a-z0-9]+\"",
        "[a-z]*\"",
        at,
        "takes an empty name, which every empty form would give; ask for one character at least, with '+' or {1,128}",
    );
    for pattern in ["[a-z]+", "^[a-z]+$", "alice|bob"] {
        let config = Folder::new().config(&edited(&[("[a-z0-9]+\"", &format!("{pattern}\""))]));
        let found = &config.portals[0].identity.username.pattern;
        assert!(found.is_match("alice"), "{pattern}");
        for wrong in ["alice\n", "xalice9", "Alice", " alice", "alice bob", "9bob"] {
            assert!(!found.is_match(wrong), "{pattern} takes {wrong:?}");
        }
    }
}
