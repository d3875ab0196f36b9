//! Rules as ops writes them, and what each request meets. Small rules are written
//! `[METHOD] PATH DEMAND`; more of them come from the properties below.

mod properties;

use std::time::Duration;

use super::{
    Asked, Because, Conditions, Demand, QueryCondition, Rule, Rules, ServiceToken, ServiceTokens,
};
use crate::net::path::{PathPattern, RequestPath};

const FIVE: Demand = Demand::Fresh(Duration::from_secs(300));

fn pattern(text: &str) -> PathPattern {
    PathPattern::parse(text).unwrap()
}

fn rule(path: &str, demand: Demand) -> Rule {
    let path = (!path.is_empty()).then(|| pattern(path));
    let conditions = Conditions { path, ..Conditions::default() };
    Rule { conditions, demand, tokens: ServiceTokens::default() }
}

fn rules<const N: usize>(rules: [(&str, Demand); N]) -> Rules {
    Rules::new(&[], rules.into_iter().map(|(path, demand)| rule(path, demand)).collect())
}

fn with(demand: Demand, conditions: Conditions) -> Rule {
    Rule { conditions, demand, tokens: ServiceTokens::default() }
}

struct Request<'a> {
    method: &'a str,
    target: &'a str,
    client: Option<&'a str>,
    host: &'a str,
}

const GET: Request<'_> =
    Request { method: "GET", target: "/", client: Some("10.1.2.3"), host: "wiki.test" };

fn judge(rules: &Rules, request: &Request<'_>) -> Demand {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target, None),
    };
    let client = request.client.map(|client| client.parse().unwrap());
    let path = RequestPath::parse(path).unwrap();
    let (method, host) = (request.method, request.host);
    rules.judge(&Asked { method, path: &path, query, client, host }).demand
}

fn check<const N: usize>(rules: &Rules, rows: [(&str, Demand); N]) {
    for (target, expected) in rows {
        assert_eq!(judge(rules, &Request { target, ..GET }), expected, "{target}");
    }
}

fn check_methods<const N: usize>(rules: &Rules, rows: [(&str, Demand); N]) {
    for (method, expected) in rows {
        assert_eq!(judge(rules, &Request { method, ..GET }), expected, "{method}");
    }
}

#[test]
fn what_no_rule_says_needs_the_second_factor() {
    check(&Rules::default(), [("/", Demand::Mfa), ("/a//b", Demand::Mfa)]);
    let some = rules([("/api/health", Demand::None)]);
    check(&some, [("/api/health", Demand::None), ("/api", Demand::Mfa), ("/", Demand::Mfa)]);
}

#[test]
fn the_first_rule_that_is_met_decides() {
    let rules = rules([
        ("/admin/help", Demand::None),
        ("/admin/**", FIVE),
        ("/admin/keys", Demand::Deny),
        ("/**/status", Demand::None),
        ("", Demand::Deny),
    ]);
    check(
        &rules,
        [
            ("/admin/help", Demand::None),
            ("/admin/keys", FIVE),
            ("/admin/a/b", FIVE),
            ("/status", Demand::None),
            ("/a/b/status", Demand::None),
            ("/a/b", Demand::Deny),
        ],
    );
}

#[test]
fn public_paths_come_after_all_rules() {
    let strict = vec![rule("/static/private/**", Demand::Deny)];
    let rules = Rules::new(&[pattern("/static/**"), pattern("/robots.txt")], strict);
    check(
        &rules,
        [
            ("/static/a.css", Demand::None),
            ("/static/private/a", Demand::Deny),
            ("/robots.txt", Demand::None),
            ("/robots.txt/", Demand::Mfa),
            ("/STATIC/a.css", Demand::Mfa),
            ("/static//a.css", Demand::Deny),
        ],
    );
}

/// PATH-2: a rule is no regular expression and no prefix.
#[test]
fn path_2_an_opening_rule_opens_its_own_path_alone() {
    let rules = rules([("/pub/a.css", Demand::None), ("/open/**", Demand::None)]);
    check(&rules, [("/pub/a.css", Demand::None), ("/open/", Demand::None)]);
    for target in [
        "/x/pub/a.css",
        "/pub/a.css/x",
        "/pub/axcss",
        "/pub/a.css2",
        "/pub/a.css/",
        "/pub/A.css",
        "/open",
        "/openx/a",
        "/x/open/a",
        "/adm?x=/open/a",
        "/open%2fa",
        "/open/../adm",
        "/open/..;/adm",
        "/open/%2e%2e/adm",
        "//open/a",
    ] {
        check(&rules, [(target, Demand::Mfa)]);
    }
}

/// PATH-2: what a portal may take for the path of a strict rule meets it.
#[test]
fn path_2_a_strict_rule_is_met_by_what_is_like_its_path() {
    let rules = rules([("/Setup/**", Demand::Deny), ("/keys:all", FIVE), ("", Demand::None)]);
    for target in ["/Setup/a", "/Setup", "/setup/a", "/SETUP/", "/Setup./a", "/Setup%20/a"] {
        check(&rules, [(target, Demand::Deny)]);
    }
    for target in ["/keys:all", "/keys%3aall", "/keys%3Aall", "/KEYS:all", "/keys:all/"] {
        check(&rules, [(target, FIVE)]);
    }
    check(&rules, [("/Setupx/a", Demand::None), ("/x/Setup/a", Demand::None)]);
}

#[test]
fn a_path_with_two_readings_meets_the_strictest_rule_that_it_could() {
    let rules = rules([
        ("/open/**", Demand::None),
        ("/fresh/**", FIVE),
        ("", Demand::None),
        ("/late/**", Demand::Deny),
    ]);
    check(&rules, [("/late/a", Demand::None), ("/open/../a", FIVE), ("/%61", FIVE)]);
    let open = self::rules([("", Demand::None)]);
    check(&open, [("/a", Demand::None), ("/a//b", Demand::Mfa)]);
}

/// PATH-3: HEAD is GET, and what is spelt otherwise opens nothing.
#[test]
fn path_3_a_method_is_what_it_says() {
    let of = |demand| {
        let methods = vec!["GET".to_owned()];
        Rules::new(&[], vec![with(demand, Conditions { methods, ..Conditions::default() })])
    };
    let opening = of(Demand::None);
    check_methods(
        &opening,
        [
            ("GET", Demand::None),
            ("HEAD", Demand::None),
            ("POST", Demand::Mfa),
            ("OPTIONS", Demand::Mfa),
            ("get", Demand::Mfa),
            ("Head", Demand::Mfa),
            ("GETX", Demand::Mfa),
        ],
    );
    let closing = of(Demand::Deny);
    for method in ["GET", "HEAD", "get", "hEAD"] {
        check_methods(&closing, [(method, Demand::Deny)]);
    }
    check_methods(&closing, [("POST", Demand::Mfa)]);
}

#[test]
fn a_network_is_met_by_clients_that_are_known() {
    let networks = vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let from = |demand| {
        let networks = networks.clone();
        Rules::new(&[], vec![with(demand, Conditions { networks, ..Conditions::default() })])
    };
    for (client, opening, closing) in [
        (Some("10.1.2.3"), Demand::None, Demand::Deny),
        (Some("::ffff:10.1.2.3"), Demand::None, Demand::Deny),
        (Some("2001:db8::1"), Demand::None, Demand::Deny),
        (Some("10.2.0.1"), Demand::Mfa, Demand::Mfa),
        (None, Demand::Mfa, Demand::Deny),
    ] {
        let request = Request { client, ..GET };
        assert_eq!(judge(&from(Demand::None), &request), opening, "{client:?}");
        assert_eq!(judge(&from(Demand::Deny), &request), closing, "{client:?}");
    }
}

#[test]
fn a_host_is_one_of_those_named() {
    let hosts = vec!["wiki.test".to_owned()];
    let open = with(Demand::None, Conditions { hosts, ..Conditions::default() });
    let rules = Rules::new(&[], vec![open]);
    check(&rules, [("/", Demand::None)]);
    assert_eq!(judge(&rules, &Request { host: "wiki.test.evil.test", ..GET }), Demand::Mfa);
}

#[test]
fn a_query_in_doubt_opens_nothing_and_escapes_nothing() {
    let query = vec![QueryCondition::new("do", "admin")];
    let of = |demand| {
        let conditions = Conditions { query: query.clone(), ..Conditions::default() };
        Rules::new(&[], vec![with(demand, conditions)])
    };
    check(&of(Demand::None), [("/?do=admin", Demand::None), ("/?do=admin&do=x", Demand::Mfa)]);
    for target in ["/?do=admin", "/?do=x&do=admin", "/?do[]=admin", "/?a;do=admin"] {
        check(&of(FIVE), [(target, FIVE)]);
    }
    check(&of(FIVE), [("/", Demand::Mfa), ("/?do=show", Demand::Mfa)]);
}

#[test]
fn a_service_is_asked_for_by_a_rule_that_is_certainly_met() {
    let tokens = ServiceTokens::new(vec![ServiceToken::new("scraper", [1; 32])]);
    let metrics = Rule { tokens, ..rule("/metrics", Demand::Service) };
    let rules = Rules::new(&[pattern("/**")], vec![metrics]);
    let tokens = |raw: &str| {
        let path = RequestPath::parse(raw).unwrap();
        let asked =
            Asked { method: "GET", path: &path, query: None, client: None, host: "wiki.test" };
        let judged = rules.judge(&asked);
        let named = judged.tokens().map(|tokens| tokens.iter().count());
        (judged.demand, named, matches!(judged.because, Because::Rule(0, _)))
    };
    assert_eq!(tokens("/metrics"), (Demand::Service, Some(1), true));
    // Open but for this rule, which it may meet: neither its token nor nothing is enough.
    assert_eq!(tokens("/metrics/"), (Demand::Mfa, None, true));
    assert_eq!(tokens("/other"), (Demand::None, None, false));
}
