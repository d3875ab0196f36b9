//! What the number of rules and portals costs a request: it should be what the rules cost
//! that can match it, whether there are ten or a thousand beside them.

// A bench may panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::ffi::OsString;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::clock::Stopwatch;
use portcullis::config;
use portcullis::net::host::Host;
use portcullis::net::path::{PathPattern, RequestPath};
use portcullis::policy::rules::{Asked, Conditions, Demand, Rule, Rules, ServiceTokens};
use portcullis::site::Sites;
use portcullis::store::keyring::Keyring;
use portcullis::telemetry::metrics::Metrics;

/// Rules for as many parts of a portal, half of them with conditions beside the path.
fn rules(count: usize) -> Rules {
    let rule = |number: usize| {
        let path = PathPattern::parse(&format!("/part{number}/*/admin/**")).unwrap();
        let methods = if number.is_multiple_of(2) { vec!["POST".to_owned()] } else { Vec::new() };
        let conditions = Conditions { path: Some(path), methods, ..Conditions::default() };
        let demand = Demand::Fresh(Duration::from_secs(60 * (1 + number as u64 % 60)));
        Rule { conditions, demand, tokens: ServiceTokens::default() }
    };
    let public: Vec<PathPattern> = (0..count)
        .map(|number| PathPattern::parse(&format!("/part{number}/static/**")).unwrap())
        .collect();
    Rules::new(&public, (0..count).map(rule).collect())
}

fn judge(rules: &Rules, path: &RequestPath) -> Demand {
    let client = "10.1.2.3".parse().ok();
    let asked = Asked { method: "GET", path, query: Some("a=b"), client, host: "wiki.test" };
    rules.judge(&asked).demand
}

fn sites(count: usize) -> Sites {
    let portal = |number| {
        format!(
            "  p{number}: {{ hosts: [p{number}.example.com], upstreams: ['http://127.0.0.1:8081'], \
             identity: {{ header: {{ name: X-Remote-User, from: [10.0.0.5/32] }} }} }}\n"
        )
    };
    let portals: String = (0..count).map(portal).collect();
    let yaml = format!(
        "listeners: [{{ address: 127.0.0.1:8080 }}]\nstore: {{ path: store }}\n\
         keys: {{ master: env:MASTER }}\nportals:\n{portals}"
    );
    let master =
        |name: &str| (name == "MASTER").then(|| OsString::from("BQUF".repeat(10) + "BQU="));
    let loaded = config::load_text(Path::new("portcullis.yaml"), &yaml, &master);
    let config = loaded.unwrap_or_else(|faults| panic!("{faults}")).config;
    let keyring = Keyring::load(&config.master_key).unwrap();
    let metrics = Metrics::new().unwrap();
    Sites::new(config.portals, config.session, &keyring, &metrics, (None, None)).unwrap()
}

/// Measures the same with few and with many, and says how much more the many cost.
fn compare<T>(
    criterion: &mut Criterion,
    name: &str,
    (few, many): ((usize, &T), (usize, &T)),
    measured: impl Fn(&T),
) {
    for (count, of) in [few, many] {
        criterion.bench_function(&format!("{name}/{count}"), |bencher| {
            bencher.iter(|| measured(black_box(of)));
        });
    }
    let (less, more) = (quickest(|| measured(few.1)), quickest(|| measured(many.1)));
    let ratio = more.as_secs_f64() / less.as_secs_f64();
    println!("{name}: {} cost {ratio:.2} times what {} cost", many.0, few.0);
}

/// Of several runs the quickest, which others on the machine disturbed least.
fn quickest(measured: impl Fn()) -> Duration {
    let run = || {
        let watch = Stopwatch::start();
        (0..10_000).for_each(|_| measured());
        watch.elapsed()
    };
    (0..50).map(|_| run()).min().unwrap()
}

fn benches(criterion: &mut Criterion) {
    let (few, many) = (rules(10), rules(1_000));
    let both = ((10, &few), (1_000, &many));
    for (name, path) in [
        ("a path that a rule is for", "/part7/x/admin/users"),
        ("a public path", "/part7/static/site.css"),
        ("a path of no rule", "/some/page/of/the/portal"),
        ("a path with two readings", "/part7/x/../admin/users"),
    ] {
        let path = RequestPath::parse(path).unwrap();
        let (one, other) = (judge(&few, &path), judge(&many, &path));
        assert!(one == other || path.canonical().is_none(), "{name}: {one:?} and {other:?}");
        compare(criterion, name, both, |rules| {
            black_box(judge(rules, &path));
        });
    }
    let (few, many) = (sites(10), sites(10_000));
    let host = Host::parse("p7.example.com").unwrap();
    compare(criterion, "a portal by its host", ((10, &few), (10_000, &many)), |sites| {
        black_box(sites.at(&host).unwrap());
    });
}

criterion_group!(rules_and_portals, benches);
criterion_main!(rules_and_portals);
