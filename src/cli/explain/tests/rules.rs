//! Rules, dates and networks as the command explains them.

use super::{YAML, said};

const MORE: &str = r#"    rules:
      - { match: { path: /office/**, network: [10.1.0.0/16] }, require: none }
      - { match: { path: /guarded/**, network: [192.0.2.0/24] }, require: deny }
      - { match: { path: /admin/**, method: [GET] }, require: fresh, within: 5m }
      - { match: { path: /metrics }, require: service, tokens: [{ name: scraper, hash: "sha256:a0I1Mwl5a2isp48bq2ZeWlVz06ImgN5esgK4qu++teo=" }] }
      - { match: { path: /closed }, require: deny }
      - { match: { path: /list, query: { do: admin } }, require: deny }
    enforcement:
      mode: required
      from: 2026-12-01T00:00:00+01:00
      groups:
        - { users: [alice], from: 2026-11-01T00:00:00+01:00 }
    enrolment: { guard: invite }
    remember_device: { lifetime: 30d, networks: [10.1.0.0/16] }
"#;

const BEFORE: &str = "2026-11-15T00:00:00+01:00";
const AFTER: &str = "2026-12-01T00:00:00+01:00";

fn yaml() -> String {
    YAML.replace("    identity:\n", &format!("{MORE}    identity:\n"))
}

/// Lines with their columns one space apart, so that a test says what is in them.
fn explained(yaml: &str, url: &str, at: &str, more: &[&str]) -> Vec<String> {
    let url = format!("https://wiki.test{url}");
    let arguments: Vec<&str> =
        ["GET", &url, "--at", at].into_iter().chain(more.iter().copied()).collect();
    let said = said(&[("gateway.yaml", yaml)], &arguments).unwrap();
    said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn check(url: &str, at: &str, more: &[&str], expected: &[&str]) {
    let lines = explained(&yaml(), url, at, more);
    for line in expected {
        assert!(lines.iter().any(|it| it == line), "'{line}' is not in:\n{}", lines.join("\n"));
    }
}

/// The rows of the table.
fn rows(url: &str, at: &str, more: &[&str]) -> Vec<String> {
    let lines = explained(&yaml(), url, at, more);
    lines.into_iter().skip_while(|line| !line.starts_with("visitor ")).skip(1).collect()
}

#[test]
fn a_fresh_code_is_told_with_its_age() {
    let rule = "rule rules.2: match path /admin/**, method GET → fresh within 5m";
    check(
        "/admin/x",
        AFTER,
        &["--client", "10.1.2.3"],
        &[
            rule,
            "client 10.1.2.3",
            "at 30 November 2026, 23:00 UTC",
            "stage required since 30 November 2026, 23:00 UTC",
        ],
    );
    let verify = "303 to /.mfa/verify?return_to=%2Fadmin%2Fx";
    assert_eq!(
        rows("/admin/x", AFTER, &["--level", "proven", "--client", "10.1.2.3"]),
        [
            "proven just now goes to the portal goes to the portal".to_owned(),
            format!("proven, over 5m ago {verify}&step_up=yes 401 urn:portcullis:mfa_stale"),
            format!("a remembered device {verify}&step_up=yes 401 urn:portcullis:mfa_stale"),
        ]
    );
}

#[test]
fn who_is_told_of_the_date_goes_on_and_who_has_a_factor_gives_it() {
    let at_home = ["--client", "203.0.113.9", "--level", "named"];
    check(
        "/start",
        BEFORE,
        &at_home,
        &[
            "stage announced until 30 November 2026, 23:00 UTC: who has no second factor is told \
         every 24h, and goes on",
            "note this is for users of no group in enforcement.groups; name one with --user",
            "note an enrolment needs an invitation",
        ],
    );
    assert_eq!(
        rows("/start", BEFORE, &at_home),
        [
            "named, first time 303 to /.mfa/notice?return_to=%2Fstart goes to the portal, for now",
            "named, told within 24h goes to the portal, for now goes to the portal, for now",
            "named 303 to /.mfa/verify?return_to=%2Fstart 401 urn:portcullis:mfa_required",
        ]
    );
    let new = ["--level", "named", "--enrolled", "no", "--user", "ALICE"];
    check(
        "/start",
        BEFORE,
        &new,
        &["user alice", "stage required since 31 October 2026, 23:00 UTC, by enforcement.groups.0"],
    );
    assert_eq!(
        rows("/start", BEFORE, &new),
        [
            "named, first time 303 to /.mfa/enrol?return_to=%2Fstart 401 urn:portcullis:enrolment_required",
        ]
    );
    assert_eq!(rows("/start", BEFORE, &["--level", "named", "--enrolled", "yes"]).len(), 1);
}

#[test]
fn nobody_is_held_where_the_mode_holds_nobody() {
    for (mode, stage, row) in [
        (
            "report",
            "stage report: nobody is held, and who would be is counted",
            "unknown goes to the portal, counted as login_required goes to the portal, counted as \
             login_required",
        ),
        (
            "off",
            "stage off: nobody is asked for a second factor",
            "unknown goes to the portal goes to the portal",
        ),
    ] {
        let yaml = yaml().replace("mode: required", &format!("mode: {mode}"));
        let lines = explained(&yaml, "/start", AFTER, &["--level", "unknown"]);
        assert!(lines.iter().any(|line| line == stage), "{lines:?}");
        assert_eq!(lines.last().unwrap(), row);
        // What a rule denies it denies to everybody.
        let lines = explained(&yaml, "/closed", AFTER, &["--level", "unknown"]);
        assert_eq!(lines.last().unwrap(), "unknown 403, by a rule 403, by a rule");
    }
    let yaml = yaml().replace("mode: required", "mode: optional");
    let lines = explained(&yaml, "/start", AFTER, &["--level", "named"]);
    let stage = "stage optional: who has no second factor is told every 24h, and goes on";
    assert!(lines.iter().any(|line| line == stage), "{lines:?}");
}

#[test]
fn a_network_counts_for_a_client_that_is_known_alone() {
    check(
        "/office/x",
        AFTER,
        &["--client", "10.1.2.3"],
        &[
            "is for open to everybody, by rules.0",
            "rule rules.0: match path /office/**, network 10.1.0.0/16 → none",
        ],
    );
    let doubt = "the address of the client is not known";
    check(
        "/office/x",
        AFTER,
        &[],
        &[
            "rule no rule: the second factor",
            &format!(
                "in doubt rules.0: match path /office/**, network 10.1.0.0/16 → none: {doubt}"
            ),
        ],
    );
    check("/guarded/x", AFTER, &["--client", "10.1.2.3"], &["rule no rule: the second factor"]);
    let rule = "rules.1: match path /guarded/**, network 192.0.2.0/24 → deny";
    check(
        "/guarded/x",
        AFTER,
        &[],
        &[
            &format!("rule {rule}; in doubt, and taken for being stricter"),
            &format!("in doubt {rule}: {doubt}"),
        ],
    );
    let devices = |more: &[&str]| {
        let rows = rows("/start", AFTER, more);
        rows.into_iter().filter(|row| row.starts_with("a remembered device")).collect::<Vec<_>>()
    };
    let passes = "goes to the portal goes to the portal";
    assert_eq!(devices(&["--client", "10.1.2.3"]), [format!("a remembered device {passes}")]);
    assert_eq!(devices(&[]), [format!("a remembered device, in its networks {passes}")]);
    assert!(devices(&["--client", "203.0.113.9"]).is_empty());
}

#[test]
fn a_service_is_told_where_a_rule_takes_its_token() {
    let rule = "rule rules.3: match path /metrics → service by a token of scraper";
    check("/metrics", AFTER, &[], &[rule]);
    assert_eq!(
        rows("/metrics", AFTER, &["--level", "unknown"]),
        [
            "unknown 303 to /login 401 urn:portcullis:login_required",
            "a service with its token goes to the portal goes to the portal",
        ]
    );
    check(
        "/METRICS",
        AFTER,
        &[],
        &[
            "in doubt rules.3: match path /metrics → service by a token of scraper: some portals take \
         its path for one of the rule",
        ],
    );
    assert_eq!(rows("/METRICS", AFTER, &["--level", "unknown"]).len(), 1);
}

#[test]
fn what_has_two_readings_is_held_to_the_stricter() {
    let list = "rules.5: match path /list, query do=admin → deny";
    check(
        "/list?do=admin&do=show",
        AFTER,
        &[],
        &[
            &format!("rule {list}; in doubt, and taken for being stricter"),
            &format!("in doubt {list}: its query can be read in two ways"),
            "unknown 403, by a rule 403, by a rule",
        ],
    );
    let closed = "rules.4: match path /closed → deny";
    check(
        "/x/../closed",
        AFTER,
        &["--client", "10.1.2.3"],
        &[
            &format!("rule {closed}; in doubt, and taken for being stricter"),
            &format!("in doubt {closed}: some portals take its path for one of the rule"),
        ],
    );
}

#[test]
fn no_rule_rules_our_own_pages_and_the_login_is_denied_alone() {
    check("/.mfa/enrol", AFTER, &[], &["rule none: no rule rules our own pages"]);
    let all = |require: &str| {
        let rule = format!("    rules:\n      - {{ match: {{}}, require: {require} }}\n");
        yaml().replace("    rules:\n", &rule)
    };
    let lines = explained(&all("mfa"), "/login", AFTER, &[]);
    let rule = "rule rules.0: match every request → mfa; not asked of the portal's login";
    assert!(lines.iter().any(|line| line == rule), "{lines:?}");
    let lines = explained(&all("deny"), "/login", AFTER, &["--level", "unknown"]);
    assert!(lines.iter().any(|line| line == "rule rules.0: match every request → deny"));
    assert_eq!(lines.last().unwrap(), "unknown 403, by a rule 403, by a rule");
}

#[test]
fn json_has_the_same() {
    let yaml = yaml();
    let arguments =
        ["GET", "https://wiki.test/admin/x", "--output", "json", "--at", BEFORE, "--client", "::1"];
    let said = said(&[("gateway.yaml", &yaml)], &arguments).unwrap();
    let read: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(read["rule"], "rules.2: match path /admin/**, method GET → fresh within 5m");
    assert_eq!((&read["stage"], &read["client"]), (&"announced".into(), &"::1".into()));
    assert_eq!(read["visitors"][1]["verdict"], "notice");
    assert_eq!(read["in_doubt"], serde_json::json!([]));
}

#[test]
fn a_moment_needs_its_zone() {
    let url = "https://wiki.test/";
    for wrong in [
        ["GET", url, "--at", "2026-12-01"],
        ["GET", url, "--at", "2026-12-01T00:00:00"],
        ["GET", url, "--client", "office"],
    ] {
        assert_eq!(said(&[("gateway.yaml", YAML)], &wrong).unwrap_err().0, 2, "{wrong:?}");
    }
}

#[test]
fn a_recording_is_explained_at_its_moment_or_at_the_one_that_is_given() {
    let har = r#"{ "log": { "version": "1.2", "entries": [
      { "startedDateTime": "2026-11-15T10:00:00.000+01:00",
        "request": { "method": "GET", "url": "https://wiki.test/office/x", "headers": [] },
        "response": { "status": 200, "content": { "size": 0 }, "headers": [] } } ] } }"#;
    let replayed = |mode: &str, more: &[&str]| {
        let yaml = yaml().replace("mode: required", &format!("mode: {mode}"));
        let arguments: Vec<&str> =
            ["--har", "s.har"].into_iter().chain(more.iter().copied()).collect();
        said(&[("gateway.yaml", &yaml), ("s.har", har)], &arguments).unwrap()
    };
    let said = replayed("required", &[]);
    assert!(said.contains("announced until 30 November 2026"), "{said}");
    assert!(said.contains("urn:portcullis:login_required"), "{said}");
    let said = replayed("required", &["--at", AFTER]);
    assert!(!said.contains("announced until"), "{said}");
    let said = replayed("required", &["--client", "10.1.2.3"]);
    assert!(said.contains("open to everybody, by rules.0"), "{said}");
    let said = replayed("report", &[]);
    assert!(said.contains("goes to the portal, counted as login_required"), "{said}");
}
