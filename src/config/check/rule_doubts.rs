//! Rules that may run, and do something else than was probably meant.

use crate::config::fault::Findings;
use crate::config::key_path::KeyPath;
use crate::net::path::{PathPattern, Segment};
use crate::policy::rules::{Conditions, Demand, Rule};

/// Warns of rules that open too much, that nothing meets, and that a form goes around.
pub(super) fn warn_of_doubts(rules: &[Rule], at: &KeyPath, findings: &mut Findings) {
    for (index, rule) in rules.iter().enumerate() {
        let place = at.index(index);
        if rule.demand == Demand::None {
            warn_of_openness(&rule.conditions, &place, findings);
        }
        if rule.demand.opens() {
            warn_of_wide_networks(&rule.conditions, &place, findings);
        }
        warn_of_forms(rule, rules, &place, findings);
        let mut before = rules.iter().take(index);
        if let Some(by) = before.position(|other| covers(&other.conditions, &rule.conditions)) {
            let what = format!("decides nothing, for {} takes all that it is for", at.index(by));
            findings.warn(&place, what, "put it before that one, or remove it");
        }
    }
}

fn warn_of_openness(conditions: &Conditions, at: &KeyPath, findings: &mut Findings) {
    let everywhere = conditions.path.as_ref().is_none_or(is_everything);
    if everywhere && conditions.networks.is_empty() {
        let what = "opens the whole portal to everybody";
        findings.warn(at, what, "name the paths that need no sign-in, such as path: /assets/**");
    }
}

fn is_everything(pattern: &PathPattern) -> bool {
    let names_nothing = |segment: &Segment| matches!(segment, Segment::One | Segment::Many);
    pattern.segments().iter().all(names_nothing) && pattern.segments().contains(&Segment::Many)
}

/// Nobody owns a network that wide.
fn warn_of_wide_networks(conditions: &Conditions, at: &KeyPath, findings: &mut Findings) {
    for (index, network) in conditions.networks.iter().enumerate() {
        let least = if network.addr().is_ipv4() { 8 } else { 16 };
        if network.prefix_len() < least {
            let what = format!("{network} is a great part of the internet");
            let place = at.key("match").key("network").index(index);
            findings.warn(&place, what, "name your own networks, such as 10.1.0.0/16");
        }
    }
}

/// Many portals take the same key from a form, and prefer it to the query.
fn warn_of_forms(rule: &Rule, rules: &[Rule], at: &KeyPath, findings: &mut Findings) {
    let conditions = &rule.conditions;
    if conditions.query.is_empty() || rule.demand == Demand::Mfa {
        return;
    }
    let gets_alone = conditions.methods.iter().all(|method| method == "GET");
    let place = at.key("match").key("query");
    let what = "does not see the forms of a POST, from which a portal may take the same key";
    if rule.demand.opens() {
        if conditions.methods.is_empty() || !gets_alone {
            findings.warn(&place, what, "add method: [GET]");
        }
        return;
    }
    let forms =
        Conditions { methods: vec!["POST".to_owned()], query: Vec::new(), ..conditions.clone() };
    let guarded = |other: &Rule| other.demand >= rule.demand && covers(&other.conditions, &forms);
    if !rules.iter().any(guarded) {
        let mend = "add a rule for POST without query, if this portal does";
        findings.warn(&place, what, mend);
    }
}

/// Whether whatever meets `inner` meets `outer` too. Where that is hard to say, it does not.
fn covers(outer: &Conditions, inner: &Conditions) -> bool {
    let path = outer.path.as_ref().is_none_or(|outer| {
        inner.path.as_ref().is_some_and(|inner| covers_path(outer.segments(), inner.segments()))
    });
    let queries = outer.query.iter().all(|wanted| {
        let same =
            |(key, pattern): (&str, &str)| wanted.key() == key && wanted.pattern() == pattern;
        inner.query.iter().any(|query| same((query.key(), query.pattern())))
    });
    let networks = outer.networks.is_empty()
        || (!inner.networks.is_empty()
            && inner
                .networks
                .iter()
                .all(|inner| outer.networks.iter().any(|outer| outer.contains(inner))));
    path && queries
        && networks
        && covers_words(&outer.methods, &inner.methods)
        && covers_words(&outer.hosts, &inner.hosts)
}

fn covers_words(outer: &[String], inner: &[String]) -> bool {
    outer.is_empty() || (!inner.is_empty() && inner.iter().all(|word| outer.contains(word)))
}

fn covers_path(outer: &[Segment], inner: &[Segment]) -> bool {
    if outer == inner {
        return true;
    }
    match (outer, inner) {
        ([Segment::Many], [_, ..]) => true,
        ([Segment::Exactly(one), outer @ ..], [Segment::Exactly(other), inner @ ..]) => {
            one == other && covers_path(outer, inner)
        }
        ([Segment::One, outer @ ..], [Segment::Exactly(text), inner @ ..]) => {
            !text.is_empty() && covers_path(outer, inner)
        }
        ([Segment::One, outer @ ..], [Segment::One, inner @ ..]) => covers_path(outer, inner),
        _ => false,
    }
}
