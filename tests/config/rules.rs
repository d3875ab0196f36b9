//! Rules as operators write them, and what they are told of those that mean something else
//! than was meant.

use std::time::Duration;

use portcullis::net::path::RequestPath;
use portcullis::policy::rules::{Asked, Demand};

use crate::cases::{Folder, edited};

const HASH: &str = "sha256:a0I1Mwl5a2isp48bq2ZeWlVz06ImgN5esgK4qu++teo=";

/// The good configuration with these lines under `rules`, the first of them on line 20.
fn with_rules(lines: &[&str]) -> String {
    let rules: String = lines.iter().map(|line| format!("      {line}\n")).collect();
    edited(&[("    prefix: /.mfa\n", &format!("    rules:\n{rules}    prefix: /.mfa\n"))])
}

fn check(line: &str, faults: &[&str]) {
    let expected: Vec<String> = faults.iter().map(|fault| placed("", fault)).collect();
    assert_eq!(Folder::new().faults(&with_rules(&[line])), expected, "{line}");
}

fn warned(lines: &[&str], warnings: &[&str]) {
    let expected: Vec<String> =
        warnings.iter().map(|warning| placed("warning: ", warning)).collect();
    assert_eq!(Folder::new().warnings(&with_rules(lines)), expected, "{lines:?}");
}

/// `LINE:COLUMN KEY: SENTENCE`, the key below `rules`.
fn placed(kind: &str, text: &str) -> String {
    let (place, sentence) = text.split_once(' ').unwrap();
    format!("gateway.yaml:{place}: {kind}portals.wiki.rules{sentence}")
}

#[test]
fn what_is_written_is_what_is_asked() {
    let service = format!(
        "- {{ match: {{ path: /metrics }}, require: service, tokens: [{{ name: scraper, hash: \"{HASH}\" }}] }}"
    );
    let config = Folder::new().config(&with_rules(&[
        "- { match: { path: /a/**, network: [10.1.0.0/16], method: [GET], host: [wiki.example.com], query: { do: show } }, require: none }",
        &service,
        "- { match: { path: /admin/** }, require: fresh, within: 5m }",
        "- { match: { path: /lib/setup/** }, require: deny }",
        "- { match: {}, require: mfa }",
    ]));
    let rules = &config.portals[0].rules;
    let judged = |raw: &str| {
        let path = RequestPath::parse(raw).unwrap();
        let (client, host) = ("10.1.2.3".parse().ok(), "wiki.example.com");
        let asked = Asked { method: "GET", path: &path, query: Some("do=show"), client, host };
        let judged = rules.judge(&asked);
        (judged.demand, judged.tokens().map_or(0, |tokens| tokens.iter().count()))
    };
    assert_eq!(judged("/a/b"), (Demand::None, 0));
    assert_eq!(judged("/metrics"), (Demand::Service, 1));
    assert_eq!(judged("/admin/x"), (Demand::Fresh(Duration::from_secs(300)), 0));
    assert_eq!(judged("/lib/setup/x"), (Demand::Deny, 0));
    assert_eq!(judged("/lib/x"), (Demand::Mfa, 0));
    assert!(Folder::new().config(&with_rules(&["[]"])).portals[0].rules.iter().next().is_none());
}

#[test]
fn a_rule_without_public_leaves_public_open() {
    let config = Folder::new().config(&with_rules(&["- { match: { path: /x }, require: deny }"]));
    let path = RequestPath::parse("/lib/a").unwrap();
    let asked = Asked { method: "GET", path: &path, query: None, client: None, host: "x" };
    assert_eq!(config.portals[0].rules.judge(&asked).demand, Demand::None);
}

#[test]
fn what_has_to_be_there_is_told() {
    check(
        "- { require: none }",
        &[
            "20:9 [0].match: is missing; say which requests it is for, such as { path: /admin/** }; {} is every request",
        ],
    );
    check(
        "- { match: {} }",
        &["20:9 [0].require: is missing; write none, service, mfa, fresh or deny"],
    );
    check(
        "- { match: {}, require: fresh }",
        &[
            "20:9 [0].within: is missing; say how long ago the code may have been given, such as within: 5m",
        ],
    );
    check(
        "- { match: {}, require: service }",
        &["20:9 [0].tokens: is missing; add what this prints: portcullis service-token"],
    );
    check(
        "- { match: {}, require: service, tokens: [] }",
        &["20:40 [0].tokens: is an empty list; add what this prints: portcullis service-token"],
    );
}

#[test]
fn what_means_nothing_is_told() {
    check(
        "- { match: {}, require: deny, within: 5m }",
        &["20:37 [0].within: means something to require: fresh alone; remove it"],
    );
    check(
        &format!("- {{ match: {{}}, require: mfa, tokens: [{{ name: a, hash: \"{HASH}\" }}] }}"),
        &["20:36 [0].tokens: mean something to require: service alone; remove them"],
    );
    check(
        "- { match: {}, require: fresh, within: 30s }",
        &["20:38 [0].within: is out of range; choose 1m to 12h"],
    );
}

#[test]
fn typos_are_told() {
    check(
        "- { match: { paht: /a }, require: deny }",
        &["20:20 [0].match.paht: is not a known key; did you mean 'path'?"],
    );
    check(
        "- { match: {}, require: frsh }",
        &["20:22 [0].require: is not a word that is known here; did you mean 'fresh'?"],
    );
    check(
        "- { match: , require: none }",
        &["20:11 [0].match: has no value; give it one, or remove the key"],
    );
}

#[test]
fn conditions_that_nothing_meets_are_told() {
    let match_faults = [
        ("path: /a?b", "path: '/a?b' has a query; write the path alone, and the rest under query"),
        ("path: a", "path: 'a' does not start with a slash; write '/a'"),
        (
            "path: /.mfa/**",
            "path: '/.mfa/**' is hidden by the pages under /.mfa, which no rule rules; remove the rule",
        ),
        ("method: []", "method: is an empty list; name methods, such as [GET, POST]"),
        ("method: [get]", "method[0]: 'get' is no method; write GET"),
        ("method: [HEAD]", "method[0]: HEAD is judged as GET; write GET alone"),
        ("method: [\"*\"]", "method[0]: is no method; write one in capitals, such as GET"),
        (
            "network: []",
            "network: is an empty list; name networks of clients, such as [10.1.0.0/16]",
        ),
        ("network: [office]", "network[0]: 'office' is no network; write one, such as 10.0.0.0/8"),
        ("host: []", "host: is an empty list; name hosts of the portal"),
        (
            "host: [a.example]",
            "host[0]: 'a.example' is no host of this portal, so nothing meets the rule; write one of wiki.example.com",
        ),
        (
            "host: [Wiki.example.com]",
            "host[0]: 'Wiki.example.com' has capitals; write 'wiki.example.com'",
        ),
        ("query: {}", "query: is empty; name a key and its value: { do: admin }"),
    ];
    for (written, fault) in match_faults {
        let lines = Folder::new()
            .faults(&with_rules(&[&format!("- {{ match: {{ {written} }}, require: deny }}")]));
        let [line] = lines.as_slice() else {
            panic!("{written}: {lines:?}");
        };
        let expected = format!("portals.wiki.rules[0].match.{fault}");
        assert!(line.starts_with("gateway.yaml:20:") && line.ends_with(&expected), "{line}");
    }
}

#[test]
fn tokens_are_told_apart() {
    let tokens = |tokens: &str| {
        let rule = format!("- {{ match: {{ path: /m }}, require: service, tokens: [{tokens}] }}");
        let lines = Folder::new().faults(&with_rules(&[&rule]));
        lines.iter().map(|line| line.split_once("tokens").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let other = "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(
        tokens(&format!("{{ name: a, hash: \"{HASH}\" }}, {{ name: b, hash: \"{other}\" }}")),
        [""; 0]
    );
    assert_eq!(
        tokens(&format!("{{ name: a, hash: \"{HASH}\" }}, {{ name: a, hash: \"{other}\" }}")),
        ["[1].name: 'a' is there twice; rename one"]
    );
    assert_eq!(
        tokens(&format!("{{ name: a, hash: \"{HASH}\" }}, {{ name: b, hash: \"{HASH}\" }}")),
        ["[1].hash: is the hash of 'a' too; give each service a token of its own"]
    );
    for hash in
        ["portcullis_abc", "sha256:", "sha256:AAAA", "a0I1Mwl5a2isp48bq2ZeWlVz06ImgN5esgK4qu++teo="]
    {
        let mend = "write sha256: and 32 bytes in base64, as portcullis service-token prints them";
        let fault = format!("[0].hash: is no hash of a token; {mend}");
        assert_eq!(tokens(&format!("{{ name: a, hash: \"{hash}\" }}")), [fault]);
    }
    let fault = "[0].name: is no name for a service; use 1 to 32 of a-z, 0-9, '-' and '_'";
    assert_eq!(tokens(&format!("{{ name: \"A b\", hash: \"{HASH}\" }}")), [fault]);
}

#[test]
fn a_rule_that_opens_keeps_its_conditions_on_one_line() {
    let several =
        ["- match:", "    path: /api/**", "    network: [10.1.0.0/16]", "  require: none"];
    let fault = "20:9 [0].match: has several lines, and would open more if one were lost; write it \
                 on one line: { path: /api/**, network: [10.1.0.0/16] }";
    assert_eq!(Folder::new().faults(&with_rules(&several)), [placed("", fault)]);
    let one = ["- match: { path: /api/**, network: [10.1.0.0/16] }", "  require: none"];
    warned(&one, &[]);
    let mfa = ["- match:", "    path: /api/**", "    network: [10.1.0.0/16]", "  require: mfa"];
    warned(&mfa, &[]);
    let stricter = "- { match: { path: /x }, require: deny }";
    let before: Vec<&str> = mfa.into_iter().chain([stricter]).collect();
    assert_eq!(Folder::new().faults(&with_rules(&before)), [placed("", fault)]);
    let strict = ["- match:", "    path: /api/**", "    network: [10.1.0.0/16]", "  require: deny"];
    warned(&strict, &[]);
}

#[test]
fn a_rule_that_opens_everything_is_told() {
    let opens = "opens the whole portal to everybody; name the paths that need no sign-in, such as \
                 path: /assets/**";
    for condition in ["", " path: /** ", " method: [GET] ", " host: [wiki.example.com] "] {
        let rule = format!("- {{ match: {{{condition}}}, require: none }}");
        warned(&[&rule], &[&format!("20:9 [0]: {opens}")]);
    }
    warned(&["- { match: { network: [10.1.0.0/16] }, require: none }"], &[]);
    warned(
        &["- { match: { network: [10.1.0.0/16, 0.0.0.0/0] }, require: none }"],
        &["20:43 [0].match.network[1]: 0.0.0.0/0 is a great part of the internet; name your own \
           networks, such as 10.1.0.0/16"],
    );
}

#[test]
fn a_rule_that_decides_nothing_is_told() {
    let told = |earlier: &str, later: &str, is_told: bool| {
        let lines = [
            format!("- {{ match: {{ {earlier} }}, require: deny }}"),
            format!("- {{ match: {{ {later} }}, require: mfa }}"),
        ];
        let warning = "21:9 [1]: decides nothing, for portals.wiki.rules[0] takes all that it is for; \
                       put it before that one, or remove it";
        let expected: &[&str] = if is_told { &[warning] } else { &[] };
        warned(&[&lines[0], &lines[1]], expected);
    };
    told("path: /a/**", "path: /a/b", true);
    told("path: /a/**", "path: /a/b/**, method: [GET]", true);
    told("", "path: /a/b", true);
    told("path: /*/b", "path: /a/b", true);
    told("network: [10.0.0.0/8]", "path: /a, network: [10.1.0.0/16]", true);
    told("method: [GET, POST]", "method: [POST]", true);
    told("path: /a/**", "path: /a", false);
    told("path: /a/b", "path: /a/**", false);
    told("path: /a/**, method: [GET]", "path: /a/b", false);
    told("network: [10.1.0.0/16]", "network: [10.0.0.0/8]", false);
    told("path: /*/b", "path: /*/*", false);
}

#[test]
fn a_query_that_a_form_goes_around_is_told() {
    let what = "does not see the forms of a POST, from which a portal may take the same key";
    let admin = "- { match: { path: /a, query: { do: admin } }, require: deny }";
    let companion = "- { match: { path: /a, method: [POST] }, require: deny }";
    let mend = "add a rule for POST without query, if this portal does";
    warned(&[admin], &[&format!("20:30 [0].match.query: {what}; {mend}")]);
    warned(&[admin, companion], &[]);
    let open = "- { match: { path: /a, query: { do: show } }, require: none }";
    warned(&[open], &[&format!("20:30 [0].match.query: {what}; add method: [GET]")]);
    warned(&["- { match: { path: /a, method: [GET], query: { do: show } }, require: none }"], &[]);
}
