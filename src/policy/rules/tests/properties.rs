//! What holds of all rules and requests: the index misses nothing, no added restriction opens
//! anything, and no disguise of a path is judged more gently than the path.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Answer, Asked, Because, Conditions, Demand, QueryCondition, Rule, Rules};
use super::super::{ServiceToken, ServiceTokens};
use crate::net::path::{PathPattern, RequestPath, Segment};

/// Segments that are like each other to some portal, and some that are not.
const SEGMENTS: [&str; 7] = ["a", "b", "A", "b.", "a:b", "a%3Ab", "c"];

fn pattern() -> impl Strategy<Value = PathPattern> {
    let stars = ["*", "**"];
    let segment = prop::sample::select([SEGMENTS.as_slice(), &stars].concat());
    let text = prop::collection::vec(segment, 1..4);
    let root = Just(PathPattern::parse("/").unwrap());
    let read = |segments: Vec<&str>| PathPattern::parse(&format!("/{}", segments.join("/"))).ok();
    prop_oneof![1 => root, 9 => text.prop_filter_map("no pattern", read)]
}

fn demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        Just(Demand::None),
        Just(Demand::Service),
        Just(Demand::Mfa),
        Just(Demand::Fresh(Duration::from_secs(3600))),
        Just(Demand::Fresh(Duration::from_secs(300))),
        Just(Demand::Deny),
    ]
}

/// Mostly nothing, so that rules are met often enough.
fn some<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::sample::subsequence(values, 1..=1)]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let methods = some(vec!["GET".to_owned(), "POST".to_owned()]);
    let networks = some(vec!["10.1.0.0/16".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
    let hosts = some(vec!["a.test".to_owned(), "b.test".to_owned()]);
    let query = some(vec![("do", "admin"), ("do", "*"), ("id", "a*")]);
    let query = query.prop_map(|named| {
        named.iter().map(|(key, value)| QueryCondition::new(key, value)).collect()
    });
    let path = prop::option::weighted(0.85, pattern());
    (path, methods, networks, hosts, query).prop_map(|(path, methods, networks, hosts, query)| {
        Conditions { path, methods, networks, hosts, query }
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    (conditions(), demand()).prop_map(|(conditions, demand)| {
        let tokens = ServiceTokens::new(vec![ServiceToken::new("one", [1; 32])]);
        Rule { conditions, demand, tokens }
    })
}

fn rules() -> impl Strategy<Value = (Vec<PathPattern>, Vec<Rule>)> {
    (prop::collection::vec(pattern(), 0..3), prop::collection::vec(rule(), 0..8))
}

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    query: Option<&'static str>,
    client: Option<IpAddr>,
    host: &'static str,
}

impl Request {
    fn judged(&self, public: &[PathPattern], rules: &[Rule]) -> Demand {
        let path = RequestPath::parse(&self.path).unwrap();
        Rules::new(public, rules.to_vec()).judge(&self.asked(&path)).demand
    }

    fn asked<'a>(&'a self, path: &'a RequestPath) -> Asked<'a> {
        let Self { method, query, client, host, .. } = *self;
        Asked { method, path, query, client, host }
    }
}

fn path(odd: &'static [&'static str]) -> impl Strategy<Value = String> {
    let segment = prop::sample::select([SEGMENTS.as_slice(), odd].concat());
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        let end = if slash && !segments.is_empty() { "/" } else { "" };
        format!("/{}{end}", segments.join("/"))
    })
}

fn request(path: impl Strategy<Value = String>) -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "get", "PUT"]);
    let queries = vec!["", "do=admin", "do=x", "do=x&do=admin", "do[]=admin", "id=a;do=admin"];
    let query = prop::option::of(prop::sample::select(queries));
    let clients = vec!["10.1.2.3", "10.2.0.1", "192.0.2.1"];
    let client = prop::option::of(prop::sample::select(clients));
    let client = client.prop_map(|client| client.map(|client| client.parse().unwrap()));
    let host = prop::sample::select(vec!["a.test", "b.test"]);
    (method, path, query, client, host).prop_map(|(method, path, query, client, host)| Request {
        method,
        path,
        query,
        client,
        host,
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    request(path(&["..", ".", "", "%61", "b;x", "%2e%2e"]))
}

/// Some way in which portals read a path that is not how we would.
fn disguise() -> impl Strategy<Value = fn(&str) -> String> {
    let ways: Vec<fn(&str) -> String> = vec![
        |path| format!("/x/..{path}"),
        |path| format!("/.{path}"),
        |path| format!("/{path}"),
        |path| format!("{path};x=1"),
        |path| path.replacen('a', "%61", 1),
        |path| path.replacen('/', "/%2e/", 1),
        |path| path.replacen('/', "\\", 2).replacen('\\', "/", 1),
        |path| format!("{path}/."),
        |path| format!("{path}%2f"),
        |path| format!("/é/..{path}"),
    ];
    prop::sample::select(ways)
}

/// Segments as written, or as all that some portal takes for the same.
fn segments(path: &str, exact: bool) -> Vec<String> {
    let mut parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if !exact && parts.last() == Some(&"") {
        parts.pop();
    }
    parts.into_iter().map(|part| if exact { part.to_owned() } else { like(part) }).collect()
}

fn like(part: &str) -> String {
    part.to_lowercase().replace("%3a", ":").trim_end_matches('.').to_owned()
}

/// By trying every way, with nothing that the index or the pattern has.
fn fits(pattern: &[Segment], path: &[String], exact: bool) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([Segment::Many], path) => !exact || !path.is_empty(),
        ([Segment::Many, rest @ ..], path) => {
            (0..=path.len()).any(|from| fits(rest, &path[from..], exact))
        }
        ([Segment::Exactly(text)], []) => !exact && text.is_empty(),
        ([Segment::Exactly(text), rest @ ..], [first, others @ ..]) => {
            let same = if exact { text == first } else { like(text) == *first };
            same && fits(rest, others, exact)
        }
        ([Segment::One, rest @ ..], [first, others @ ..]) => {
            (!exact || !first.is_empty()) && fits(rest, others, exact)
        }
        _ => false,
    }
}

fn path_answer(pattern: Option<&PathPattern>, path: &RequestPath) -> Answer {
    let Some(pattern) = pattern else {
        return Answer::Yes;
    };
    let Some(path) = path.canonical() else {
        return Answer::Maybe;
    };
    let fits = |exact| fits(pattern.segments(), &segments(path, exact), exact);
    match (fits(true), fits(false)) {
        (true, _) => Answer::Yes,
        (false, true) => Answer::Maybe,
        (false, false) => Answer::No,
    }
}

/// The demand, and the rule that decides when no doubt does: every rule looked at in turn.
fn plainly(public: &[PathPattern], rules: &[Rule], asked: &Asked<'_>) -> (Demand, Option<usize>) {
    let is_public =
        public.iter().any(|pattern| path_answer(Some(pattern), asked.path) == Answer::Yes);
    let mut decided = (if is_public { Demand::None } else { Demand::Mfa }, None);
    let mut doubts = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        let path = path_answer(rule.conditions.path.as_ref(), asked.path);
        match path.min(rule.conditions.answer_beside_path(asked)) {
            Answer::No => {}
            Answer::Maybe if rule.demand == Demand::None => {}
            Answer::Maybe => doubts.push(rule.demand.max(Demand::Mfa)),
            Answer::Yes => {
                decided = (rule.demand, Some(number));
                break;
            }
        }
    }
    let floor = if asked.path.canonical().is_some() { Demand::None } else { Demand::Mfa };
    let strictest = doubts.into_iter().max().unwrap_or(Demand::None).max(floor);
    if strictest > decided.0 { (strictest, None) } else { decided }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_agrees_with_looking_at_every_rule(
        (public, rules) in rules(),
        request in any_request(),
    ) {
        let path = RequestPath::parse(&request.path).unwrap();
        let asked = request.asked(&path);
        let ready = Rules::new(&public, rules.clone());
        let judged = ready.judge(&asked);
        let (demand, decisive) = plainly(&public, &rules, &asked);
        prop_assert_eq!(judged.demand, demand);
        if let (Some(expected), true) = (decisive, path.canonical().is_some()) {
            let by_it = matches!(judged.because, Because::Rule(number, _) if number == expected);
            prop_assert!(by_it, "{:?} instead of {}", judged.because, expected);
        }
        prop_assert_eq!(judged.tokens().is_some(), demand == Demand::Service);
    }

    #[test]
    fn a_restricting_rule_never_opens_anything(
        (public, rules) in rules(),
        at in any::<prop::sample::Index>(),
        added in rule(),
        request in any_request(),
    ) {
        let at = at.index(rules.len() + 1);
        let behind = rules[at..].iter().map(|rule| rule.demand);
        let strictest = behind.fold(Demand::Mfa, Demand::max);
        for demand in [strictest.max(added.demand), Demand::Deny] {
            let mut more = rules.clone();
            more.insert(at, Rule { demand, ..added.clone() });
            let (before, after) =
                (request.judged(&public, &rules), request.judged(&public, &more));
            prop_assert!(after >= before, "{:?} after {:?}", after, before);
        }
    }

    #[test]
    fn a_disguised_path_is_never_judged_more_gently(
        (public, rules) in rules(),
        request in request(path(&[])),
        disguise in disguise(),
    ) {
        let disguised = Request { path: disguise(&request.path), ..request.clone() };
        let Ok(path) = RequestPath::parse(&disguised.path) else {
            return Ok(());
        };
        prop_assume!(path.canonical().is_none());
        let (plain, odd) = (request.judged(&public, &rules), disguised.judged(&public, &rules));
        prop_assert!(odd >= plain && odd >= Demand::Mfa, "{:?} and {:?}", odd, plain);
    }
}
