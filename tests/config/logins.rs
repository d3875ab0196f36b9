//! Logins, names and cookies that read well and do not fit together, each case with the
//! exact lines.

use portcullis::config::login_rule::{HeaderMark, JsonMark, Step, UsernameSource};
use portcullis::net::glob::Glob;

use crate::cases::{Folder, check, check_one, edited};

#[test]
fn a_login_says_what_it_is_and_what_success_is() {
    let login = "portals.wiki.identity.logins[0]";
    let success = "          success:\n            status: [302, 303]\n            location: { not: \"/login*\" }\n            set_cookie: \"DW*\"\n";
    check_one(
        success,
        "          success: {}\n",
        &format!("29:11: {login}.success"),
        "names no mark of an answer; name at least one of status, location, set_cookie, header, body and json",
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
        let text = |glob: &Option<Glob>| glob.as_ref().map(|glob| glob.as_str().to_owned());
        (text(&success.location), text(&success.location_not))
    };
    assert_eq!(outcome("\"/home*\""), (Some("/home*".to_owned()), None));
    assert_eq!(outcome("{ not: \"/in*\" }"), (None, Some("/in*".to_owned())));
}

const NAME: &str = "          username:\n            form: u\n";
const AT: &str = "portals.wiki.identity.logins[0].username";

/// [`NAME`] in other words, and the one fault of that below it.
fn check_name(written: &str, at: &str, sentence: &str) {
    let to = format!("          username: {written}\n");
    check(&[(NAME, &to)], &[&format!("gateway.yaml:27:{at}: {sentence}")]);
}

#[test]
fn a_name_stands_in_one_place() {
    let place =
        "name the form field, { form: username }, or the place in a JSON body, { json: /user }";
    check(&[(NAME, "")], &[&format!("gateway.yaml:22:11: {AT}: is missing; {place}")]);
    check_name("{}", &format!("11: {AT}"), &format!("names no place; {place}"));
    check_name(
        "{ form: u, multipart: u }",
        &format!("11: {AT}"),
        "names the user in more than one place; keep one; a path that takes bodies of two kinds has a login for each",
    );
    check_name(
        "{ multipart: '' }",
        &format!("23: {AT}.multipart"),
        "is empty; name the form field",
    );
    for wrong in ["user", "''", "/us~er", "/a~"] {
        check_name(
            &format!("{{ json: {wrong} }}"),
            &format!("23: {AT}.json"),
            "is no JSON pointer (RFC 6901); write the keys on the way, each after a slash: /user/name",
        );
    }
    for wrong in ["Everyone", "every one", "''"] {
        check_name(
            &format!("{{ fixed: {wrong} }}"),
            &format!("23: {AT}.fixed"),
            "is no canonical name at this portal; choose another, or change username.case or username.pattern",
        );
    }
    check_name(
        "{ remembered: true }",
        &format!("23: {AT}.remembered"),
        "remembers what nobody said; add the login that names the user before, with step: name",
    );
    check_name(
        "{ remembered: false }",
        &format!("23: {AT}.remembered"),
        "says no more than nothing would; name the field of this request that holds the name",
    );
}

/// Another login in front of the good one.
fn with_login(login: &str) -> Vec<(&'static str, String)> {
    let logins = "      logins:\n";
    vec![(logins, format!("{logins}        - {}\n", login.replace('\n', "\n          ")))]
}

fn check_login(login: &str, expected: &[&str]) {
    let edits = with_login(login);
    let edits: Vec<(&str, &str)> = edits.iter().map(|(from, to)| (*from, to.as_str())).collect();
    check(&edits, expected);
}

#[test]
fn a_step_only_names_the_user() {
    let step = "request: { method: POST, path: /name }\nstep: name\n";
    check_login(
        &format!("{step}username: {{ remembered: true }}"),
        &[
            "gateway.yaml:24:23: portals.wiki.identity.logins[0].username.remembered: stands where the step itself names the user; name the field of this request that holds the name",
        ],
    );
    check_login(
        &format!("{step}username: {{ form: u }}\nsuccess: {{}}"),
        &[
            "gateway.yaml:25:11: portals.wiki.identity.logins[0].success: names no mark of an answer; name at least one of status, location, set_cookie, header, body and json",
        ],
    );
    check_login(
        "request: { method: POST, path: /name }\nstep: nmae\nusername: { form: u }\nsuccess: { status: [302] }",
        &[
            "gateway.yaml:23:11: portals.wiki.identity.logins[0].step: is not a word that is known here; did you mean 'name'?",
        ],
    );
    let edits = with_login(&format!("{step}username: {{ form: u }}"));
    let (from, to) = (edits[0].0, edits[0].1.as_str());
    let alone = Folder::new().warnings(&edited(&[(from, to)]));
    assert_eq!(
        alone,
        [
            "gateway.yaml:23:11: warning: portals.wiki.identity.logins[0].step: names a user whom no login remembers; add the login with the password, with username: { remembered: true }"
        ]
    );
    let both = edited(&[(from, to), (NAME, "          username: { remembered: true }\n")]);
    assert_eq!(Folder::new().warnings(&both), [""; 0]);
    let logins = Folder::new().config(&both).portals.remove(0).identity.logins;
    assert_eq!(logins[0].step, Step::Name);
    assert!(logins[0].success.is_empty());
    assert!(matches!(logins[1].username, UsernameSource::Remembered));
}

#[test]
fn a_json_login_asks_for_no_form() {
    check(
        &[(NAME, "          username: { json: /user }\n")],
        &[
            "gateway.yaml:25:13: portals.wiki.identity.logins[0].request.form: asks for a form, while the user is named in a JSON body; remove form, or name the user by { form: FIELD }",
        ],
    );
}

#[test]
fn marks_of_header_and_json_are_read() {
    let json = "{ /ok: true, /code: 0, /user/name: present, /error: absent, /state: done }";
    let header = "{ X-User: present, X-Error: absent, X-State: \"in*\" }";
    let marks =
        format!("set_cookie: \"DW*\"\n            json: {json}\n            header: {header}");
    let config = Folder::new().config(&edited(&[("set_cookie: \"DW*\"", &marks)]));
    let success = &config.portals[0].identity.logins[0].success;
    let json: Vec<_> = success.json.iter().map(|(place, mark)| (place.to_string(), mark)).collect();
    assert_eq!(
        json,
        [
            ("/ok".to_owned(), &JsonMark::Bool(true)),
            ("/code".to_owned(), &JsonMark::Number(0.into())),
            ("/user/name".to_owned(), &JsonMark::Present),
            ("/error".to_owned(), &JsonMark::Absent),
            ("/state".to_owned(), &JsonMark::Text("done".to_owned())),
        ]
    );
    let header: Vec<_> = success.headers.iter().map(|(name, mark)| (name.as_str(), mark)).collect();
    assert_eq!(
        header,
        [
            ("x-user", &HeaderMark::Present),
            ("x-error", &HeaderMark::Absent),
            ("x-state", &HeaderMark::Like(Glob::new("in*"))),
        ]
    );
    for (wrong, at, sentence) in [
        ("header: {}", "header", "is empty; name a header line: { X-User: present }"),
        ("json: {}", "json", "is empty; name a place in the answer: { /ok: true }"),
        (
            "header: { 'X User': present }",
            "header.X User",
            "is no name of a header line; name a header line: { X-User: present }",
        ),
        ("header: { X-User: '' }", "header.X-User", "is empty; write present, absent or a pattern"),
        (
            "json: { ok: true }",
            "json.ok",
            "is no JSON pointer (RFC 6901); write the keys on the way, each after a slash: /user/name",
        ),
        (
            "json: { /ok: [1] }",
            "json./ok",
            "a list stands where a text, a number, true or false belongs; write a text, a number, true or false",
        ),
    ] {
        let lines = Folder::new().faults(&edited(&[("set_cookie: \"DW*\"", wrong)]));
        let expected = format!("portals.wiki.identity.logins[0].success.{at}: {sentence}");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].ends_with(&expected), "{lines:?}");
    }
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
