//! What is wrong in the text itself, each case with the exact lines that an operator reads.

use crate::cases::{Folder, GOOD, check, edited};

fn check_text(yaml: &str, expected: &[&str]) {
    assert_eq!(Folder::new().faults(yaml), expected, "{yaml}");
}

#[test]
fn the_good_configuration_has_neither_fault_nor_warning() {
    check(&[], &[]);
    assert_eq!(Folder::new().warnings(GOOD), [""; 0]);
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let folder = Folder::new();
    let fault = portcullis::config::load(&folder.path().join("none.yaml")).unwrap_err().to_string();
    assert!(fault.contains("none.yaml:1:1: cannot be read: No such file"), "{fault}");
}

#[test]
fn an_empty_file_tells_all_that_has_to_be_there() {
    let missing = [
        "gateway.yaml:1:1: listeners: is missing; add one, such as - address: 0.0.0.0:443",
        "gateway.yaml:1:1: store: is missing; add store: { path: data/store }",
        "gateway.yaml:1:1: keys: is missing; add keys: { master: file:secrets/master.key }",
        "gateway.yaml:1:1: portals: is missing; add the first portal",
    ];
    for yaml in ["", "\n", "# nothing yet\n", "{}", "---\n"] {
        check_text(yaml, &missing);
    }
}

#[test]
fn what_is_no_mapping_is_one_fault() {
    let fault = |found| {
        format!(
            "gateway.yaml:1:1: {found} stands where a mapping belongs; write its keys below it, \
             indented"
        )
    };
    check_text("- listeners\n", &[&fault("a list")]);
    check_text("listeners\n", &[&fault("a text")]);
    check_text("12\n", &[&fault("a number")]);
}

#[test]
fn broken_yaml_has_its_line() {
    let unclosed = "gateway.yaml:3:5: is not YAML: illegal placement of ':' indicator; mend this \
                    line";
    check_text("store:\n  path: [a\nkeys: 1\n", &[unclosed]);
    let lines = Folder::new().faults("store:\n\tpath: x\n");
    assert!(lines[0].starts_with("gateway.yaml:2:"), "{lines:?}");
}

#[test]
fn two_documents_are_refused() {
    let lines = Folder::new().faults(&format!("{GOOD}---\n{GOOD}"));
    assert!(!lines.is_empty());
}

#[test]
fn a_typo_is_told_with_the_key_that_was_meant() {
    check(
        &[("    hosts:", "    host:")],
        &[
            "gateway.yaml:15:3: portals.wiki.hosts: is missing; name the hosts of the portal, such \
             as [wiki.example.com]",
            "gateway.yaml:16:5: portals.wiki.host: is not a known key; did you mean 'hosts'?",
        ],
    );
    check(
        &[("  idle: 1h", "  idel: 1h")],
        &["gateway.yaml:11:3: session.idel: is not a known key; did you mean 'idle'?"],
    );
    check(
        &[("{ not: \"/login*\" }", "{ nto: x }")],
        &[
            "gateway.yaml:31:13: portals.wiki.identity.logins[0].success.location.not: is missing; \
             write a pattern, such as /login*",
            "gateway.yaml:31:25: portals.wiki.identity.logins[0].success.location.nto: is not a \
             known key; did you mean 'not'?",
        ],
    );
}

#[test]
fn a_key_that_resembles_nothing_is_told_with_what_there_is() {
    check(
        &[("  idle: 1h", "  banana: 1h")],
        &["gateway.yaml:11:3: session.banana: is not a known key; remove it, or use one of \
           lifetime, idle"],
    );
}

#[test]
fn keys_of_later_versions_are_told_apart_from_typos() {
    let later = "is not known yet in this version; remove it";
    let lines = Folder::new().faults("branding:\n  logo: x\n");
    let fault = format!("gateway.yaml:2:3: branding.logo: {later}");
    assert!(lines.contains(&fault), "{lines:?}");
}

#[test]
fn values_of_later_versions_are_told_apart_too() {
    check(
        &[("[\"http://127.0.0.1:8000\"]", "[\"http://a:1\", \"http://b:1\"]")],
        &[
            "gateway.yaml:17:5: portals.wiki.upstreams: several upstreams are not known yet in this \
           version; keep one",
        ],
    );
}

#[test]
fn a_slip_in_a_later_key_is_not_mended_into_another_fault() {
    check(
        &[("limits:", "branding: { logoo: x }\nlimits:")],
        &["gateway.yaml:46:13: branding.logoo: is not a known key, and 'logo' is not known yet \
           in this version; remove it"],
    );
}

#[test]
fn every_value_of_the_wrong_kind_is_told_in_one_run() {
    check(
        &[
            ("  lifetime: 12h", "  lifetime: 12"),
            ("  idle: 1h", "  idle: soon"),
            ("hosts: [wiki.example.com]", "hosts: wiki.example.com"),
            ("[/lib/**, /robots.txt]", "[/lib/**, 1, {a: b}]"),
            ("[302, 303]", "[302, x, -1, 1.5]"),
            ("{ contains: wrong }", "{ contains: 12 }"),
            ("rotation: reverify", "rotation: {a: 1}"),
            ("case: fold", "case: flod"),
            ("trim: true", "trim: 1"),
            ("  headers: 32KiB", "  headers: 32KB"),
        ],
        &[
            "gateway.yaml:10:3: session.lifetime: a number stands where a duration such as 30s, \
             15m or 12h belongs; give it a unit",
            "gateway.yaml:11:3: session.idle: is not a duration; write a whole number and ms, s, \
             m, h or d, such as 30s",
            "gateway.yaml:16:5: portals.wiki.hosts: a text stands where a list belongs; write it \
             in [ ]",
            "gateway.yaml:18:23: portals.wiki.public[1]: a number stands where a text belongs; put \
             it in quotes",
            "gateway.yaml:18:26: portals.wiki.public[2]: a mapping stands where a text belongs; \
             write one text",
            "gateway.yaml:30:27: portals.wiki.identity.logins[0].success.status[1]: a text stands \
             where a whole number belongs; write digits alone",
            "gateway.yaml:30:30: portals.wiki.identity.logins[0].success.status[2]: a number \
             stands where a whole number belongs; write digits alone",
            "gateway.yaml:30:34: portals.wiki.identity.logins[0].success.status[3]: a number \
             stands where a whole number belongs; write digits alone",
            "gateway.yaml:34:21: portals.wiki.identity.logins[0].failure.body.contains: a number \
             stands where a text belongs; put it in quotes",
            "gateway.yaml:36:7: portals.wiki.identity.rotation: a mapping stands where a word \
             belongs; write one word",
            "gateway.yaml:38:9: portals.wiki.identity.username.case: is not a word that is known \
             here; did you mean 'fold'?",
            "gateway.yaml:39:9: portals.wiki.identity.username.trim: a number stands where true or \
             false belongs; write true or false",
            "gateway.yaml:47:3: limits.headers: is not a size; write a whole number and B, KiB or \
             MiB, such as 64KiB",
        ],
    );
}

#[test]
fn a_key_without_value_is_a_fault_and_no_default() {
    check(
        &[("            form:\n              do: login", "            form:")],
        &[
            "gateway.yaml:25:13: portals.wiki.identity.logins[0].request.form: has no value; give it \
           one, or remove the key",
        ],
    );
    check(
        &[("    public: [/lib/**, /robots.txt]", "    public: [/lib/**, ~]")],
        &[
            "gateway.yaml:18:23: portals.wiki.public[1]: has no value; give it one, or remove the key",
        ],
    );
}

#[test]
fn what_yaml_readers_pass_over_is_refused() {
    check(
        &[("trim: true", "trim: true\n        \"trim\": false")],
        &["gateway.yaml:40:9: portals.wiki.identity.username.trim: is there twice, first on line \
           39; remove one"],
    );
    check(
        &[("limits:", "limits: {}\nlimits:"), ("  idle: 1h", "  idel: 1h")],
        &[
            "gateway.yaml:11:3: session.idel: is not a known key; did you mean 'idle'?",
            "gateway.yaml:47:1: limits: is there twice, first on line 46; remove one",
        ],
    );
    let merged = Folder::new().faults(&edited(&[("  idle: 1h", "  <<: { idle: 1h }")]));
    assert!(
        merged[0].starts_with("gateway.yaml:11:3: session.<<: is not a known key"),
        "{merged:?}"
    );
    let tagged = Folder::new().faults(&edited(&[("idle: 1h", "idle: !x 1h")]));
    assert!(tagged[0].contains("has a YAML tag"), "{tagged:?}");
}

#[test]
fn an_alias_is_read_like_what_it_stands_for() {
    check(&[("[/lib/**, /robots.txt]", "[&lib /lib/**, *lib]")], &[]);
    let lines = Folder::new().faults("store: &a { path: x, more: 1 }\nkeys: *a\n");
    assert!(
        lines.contains(
            &"gateway.yaml:2:1: keys.path: is not a known key; remove it, or use \
                             one of master"
                .to_owned()
        ),
        "{lines:?}"
    );
}

#[test]
fn a_secret_in_the_text_is_a_fault_that_does_not_repeat_it() {
    let secret = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI=";
    check(
        &[("file:secrets/master.key", secret)],
        &["gateway.yaml:8:3: keys.master: does not say where the secret is, or is the secret \
           itself; write file:PATH, env:NAME or credential:NAME, and replace the secret if it \
           stood here"],
    );
    for text in [
        edited(&[("keys:\n  master: file:secrets/master.key", &format!("keys: {secret}"))]),
        edited(&[("file:secrets/master.key", &format!("[{secret}]"))]),
        edited(&[("file:secrets/master.key", &format!("'{secret}:x'"))]),
        edited(&[("case: fold", &format!("case: {secret}"))]),
        edited(&[("http://127.0.0.1:8000", &format!("http://user:{secret}@127.0.0.1"))]),
    ] {
        let lines = Folder::new().faults(&text);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!lines.join("").contains("aHVudGVy"), "{lines:?}");
    }
}

#[test]
fn no_text_makes_the_reader_panic_or_loop() {
    for text in [
        "a: &a [*a]\n",
        "\u{feff}store: 1\n",
        "\0",
        "? ? ? a\n",
        "portals: {wiki: {wiki: {wiki: 1}}}\n",
        "%YAML 9.9\n---\n",
        "listeners: [[[[]]]]\n",
        "{a: {a: {a: {a}}}}\n",
    ] {
        assert!(!Folder::new().faults(text).is_empty(), "{text:?}");
    }
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(!Folder::new().faults(&deep).is_empty());
    let many: String = (0..2_000).map(|number| format!("key{number}: 1\n")).collect();
    assert!(Folder::new().faults(&many).len() >= 500);
}
