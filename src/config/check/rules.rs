//! Rules: what requests need. A rule that says less than was meant would open a portal, so
//! nothing has a meaning by being left out but what the one who wrote it sees left out.

use std::time::Duration;

use super::rule_doubts::warn_of_doubts;
use super::{all, optional, placed, rule_match, service_tokens};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_rules::{RequireFile, RuleFile};
use crate::config::key_path::KeyPath;
use crate::config::units::{Span, show_duration};
use crate::policy::rules::{Conditions, Demand, Rule, ServiceTokens};

/// How long ago a fresh code may have been given.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(12 * 3_600);

/// What a rule may speak of.
pub(super) struct Portal<'a> {
    /// Its hosts, when they are known.
    pub(super) hosts: Option<&'a [String]>,
    /// Where our own pages are, when that is known.
    pub(super) prefix: Option<&'a str>,
}

/// The rules of a portal, in their order.
pub(super) fn rules(
    written: Option<List<RuleFile>>,
    at: &KeyPath,
    portal: &Portal<'_>,
    findings: &mut Findings,
) -> Option<Vec<Rule>> {
    let written = placed(written.unwrap_or_default(), at);
    let places: Vec<KeyPath> = written.iter().map(|(at, _)| at.key("match")).collect();
    let checked = written.into_iter().map(|(at, written)| rule(written, &at, portal, findings));
    let rules = all(checked.collect())?;
    for (number, (rule, place)) in rules.iter().zip(&places).enumerate() {
        let later = rules.iter().skip(number + 1).map(|later| later.demand).max();
        if rule.demand.opens() || later.is_some_and(|later| later > rule.demand) {
            refuse_conditions_on_several_lines(&rule.conditions, place, findings)?;
        }
    }
    warn_of_doubts(&rules, at, findings);
    Some(rules)
}

fn rule(
    written: RuleFile,
    at: &KeyPath,
    portal: &Portal<'_>,
    findings: &mut Findings,
) -> Option<Rule> {
    let place = at.key("match");
    let mend = "say which requests it is for, such as { path: /admin/** }; {} is every request";
    let conditions = findings.required(&place, written.matches, mend);
    let conditions =
        conditions.and_then(|written| rule_match::conditions(written, &place, portal, findings));
    let mend = "write none, service, mfa, fresh or deny";
    let require = findings.required(&at.key("require"), written.require, mend);
    let demand = demand(require, written.within, at, findings);
    let tokens =
        optional(written.tokens, |list| service_tokens::tokens(list, &at.key("tokens"), findings));
    let tokens = tokens.and_then(|tokens| fitting_tokens(tokens, require, at, findings));
    let (conditions, demand) = (conditions?, demand?);
    Some(Rule { conditions, demand, tokens: tokens? })
}

fn demand(
    require: Option<RequireFile>,
    within: Option<Span>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Demand> {
    let place = at.key("within");
    if within.is_some() && require.is_some_and(|require| require != RequireFile::Fresh) {
        findings.fault(&place, "means something to require: fresh alone", "remove it");
        return None;
    }
    match require? {
        RequireFile::None => Some(Demand::None),
        RequireFile::Service => Some(Demand::Service),
        RequireFile::Mfa => Some(Demand::Mfa),
        RequireFile::Deny => Some(Demand::Deny),
        RequireFile::Fresh => {
            let mend = "say how long ago the code may have been given, such as within: 5m";
            let Span(within) = findings.required(&place, within, mend)?;
            let range = SHORTEST..=LONGEST;
            findings.in_range(&place, within, range, show_duration).map(Demand::Fresh)
        }
    }
}

fn fitting_tokens(
    tokens: Option<ServiceTokens>,
    require: Option<RequireFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<ServiceTokens> {
    let place = at.key("tokens");
    let is_service = require? == RequireFile::Service;
    if is_service {
        return findings.required(&place, tokens, service_tokens::MEND);
    }
    if tokens.is_some() {
        findings.fault(&place, "mean something to require: service alone", "remove them");
        return None;
    }
    Some(ServiceTokens::default())
}

/// Each condition of a rule that opens keeps it from opening more, and of one before a stricter
/// rule from taking more from that. On lines of their own, one could be lost unseen.
fn refuse_conditions_on_several_lines(
    conditions: &Conditions,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<()> {
    let named = [
        ("path", conditions.path.is_some()),
        ("method", !conditions.methods.is_empty()),
        ("network", !conditions.networks.is_empty()),
        ("host", !conditions.hosts.is_empty()),
        ("query", !conditions.query.is_empty()),
    ];
    let keys = named.into_iter().filter(|(_, is_named)| *is_named).map(|(key, _)| at.key(key));
    let queries = conditions.query.iter().map(|query| at.key("query").key(query.key()));
    let lines: Vec<usize> = keys.chain(queries).map(|key| findings.line_of(&key)).collect();
    if lines.windows(2).all(|pair| pair.first() == pair.last()) {
        return Some(());
    }
    let what = "has several lines, and would open more if one were lost";
    findings.fault(at, what, "write it on one line: { path: /api/**, network: [10.1.0.0/16] }");
    None
}
