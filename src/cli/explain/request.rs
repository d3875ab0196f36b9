//! One request explained: which portal, which rule, which verdict for whom, and why.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::asked::Asked;
use super::visitors::{self, Row};
use super::words::{plain, purpose, reading};
use super::{Enrolled, GivenLevel, Ground, reasons};
use crate::clock::UnixMillis;
use crate::config::Portal;
use crate::identity::normalise;
use crate::policy::rules;
use crate::policy::{Challenge, Destination, Verdict};
use crate::site::destination::{self, Origin, Purpose, Target, signs_out, takes_password};
use crate::user::UserName;

/// Whose request is explained, where it comes from and when.
pub(super) struct Circumstances<'a> {
    /// The name, as it was typed, or as the portal's own rule makes it.
    pub user: Option<&'a str>,
    /// How well the visitor is known; every level unless given.
    pub level: Option<GivenLevel>,
    /// Whether a visitor without a proof has a second factor; both unless given.
    pub enrolled: Option<Enrolled>,
    /// Where the request comes from, where that is known.
    pub client: Option<IpAddr>,
    /// When it comes.
    pub now: UnixMillis,
    /// Whether that moment was asked for.
    pub at_given: bool,
}

/// What would happen to one request.
#[derive(Debug, Default, Serialize)]
pub(super) struct Explanation {
    method: String,
    url: String,
    /// Which portal, and by what.
    #[serde(skip_serializing_if = "Option::is_none")]
    portal: Option<String>,
    /// Whether the path has one reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// What the request is for, and by which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// The rule that decides, and what it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The rules that it meets in one reading and in another not, and why.
    in_doubt: Vec<String>,
    /// The word for how far the portal is with this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    /// How far that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcement: Option<String>,
    /// The moment, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Where it comes from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// Who that is at the portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Why nobody's request gets further.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// What else happens on the way.
    notes: Vec<String>,
    /// What each visitor gets.
    visitors: Vec<Row>,
}

/// Explains one request.
pub(super) fn explain(ground: &Ground, asked: &Asked, given: &Circumstances<'_>) -> Explanation {
    let mut explanation = Explanation {
        method: asked.method.as_str().to_owned(),
        url: format!("{}{}", asked.host.as_str(), plain(&asked.path_and_query())),
        at: given.at_given.then(|| given.now.in_words()),
        client: given.client,
        ..Explanation::default()
    };
    // In the order of the gateway: the head first, then the portal.
    let refusal = asked.refusal(&ground.config.limits);
    let (None, Some(target)) = (&refusal, asked.target()) else {
        let refusal = refusal.map(|(status, why)| format!("{}: {why}", status.as_u16()));
        explanation.refused = refusal;
        return explanation;
    };
    let Some(site) = ground.sites.at(&asked.host) else {
        explanation.refused = Some("421: no portal has this host".to_owned());
        return explanation;
    };
    let portal = &site.portal;
    let name = given.user.and_then(|typed| normalise(&portal.identity.username, typed));
    explanation.user = given.user.map(|typed| user(name.as_ref(), typed));
    let given = Circumstances { user: name.as_ref().map(UserName::as_str), ..*given };
    at_portal(portal, asked, target, &given, &mut explanation);
    explanation
}

fn at_portal(
    portal: &Portal,
    asked: &Asked,
    target: Target<'_>,
    given: &Circumstances<'_>,
    explanation: &mut Explanation,
) {
    let origin = Origin { client: given.client, host: asked.host.as_str() };
    let told = purpose_of(portal, target, origin);
    let Target { method, path, query } = target;
    let Origin { client, host } = origin;
    let judged = rules::Asked { method, path, query, client, host };
    explanation.portal = Some(portal.name.clone());
    explanation.path = Some(reading(path));
    explanation.purpose = Some(purpose(portal, target, told));
    explanation.rule = Some(reasons::rule(told, &judged));
    if told.destination != Destination::OwnPage {
        explanation.in_doubt = reasons::doubts(portal, &judged);
    }
    let stage = portal.enforcement.stage(given.user, given.now);
    explanation.stage = Some(reasons::stage_word(stage));
    explanation.enforcement =
        Some(reasons::enforcement(&portal.enforcement, given.user, given.now));
    explanation.notes = notes(portal, target, told, given);
    explanation.visitors = visitors::rows(portal, told, given, &asked.path_and_query());
}

fn notes(
    portal: &Portal,
    target: Target<'_>,
    told: Purpose<'_>,
    given: &Circumstances<'_>,
) -> Vec<String> {
    let groups = &portal.enforcement.groups;
    let notes = [
        (
            takes_password(portal, target),
            "a request here is a login when its body fits a rule of `logins`; then it goes to the \
             portal for everybody, and the answer is judged",
        ),
        (
            signs_out(portal, target),
            "it signs the user out of the portal: the session ends with the answer",
        ),
        (
            given.user.is_none() && !groups.is_empty(),
            "this is for users of no group in enforcement.groups; name one with --user",
        ),
        (
            told.judged.tokens().is_some() && portal.identity.reads_authorization(),
            "the portal reads Authorization itself, so a service has its token in \
             Portcullis-Service-Token alone",
        ),
    ];
    let told = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note.to_owned());
    told.chain(reasons::enrolment(portal)).collect()
}

fn user(name: Option<&UserName>, typed: &str) -> String {
    match name {
        Some(user) => plain(user.as_str()),
        None => {
            format!("'{}' fits no rule for names: nobody would be learned", plain(typed))
        }
    }
}

/// Without its body a request at a login address is what its path says.
fn purpose_of<'a>(portal: &'a Portal, target: Target<'_>, origin: Origin<'_>) -> Purpose<'a> {
    let told = destination::purpose(portal, target, origin);
    match takes_password(portal, target) {
        true => Purpose { destination: Destination::Login, ..told },
        false => told,
    }
}

/// The word for a verdict in JSON.
pub(super) fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Forward(_) => "forward",
        Verdict::OwnPage => "own_page",
        Verdict::Challenge(Challenge::SignIn) => "sign_in",
        Verdict::Challenge(Challenge::Enrol) => "enrol",
        Verdict::Challenge(Challenge::Verify) => "verify",
        Verdict::Challenge(Challenge::StepUp) => "step_up",
        Verdict::Challenge(Challenge::Notice) => "notice",
        Verdict::Deny => "deny",
        Verdict::Challenge(Challenge::Wait(_)) => "wait",
        Verdict::Challenge(Challenge::AskDesk) => "ask_desk",
    }
}

/// Writes an explanation to be read.
///
/// # Errors
/// When nobody takes it.
pub(super) fn write(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    writeln!(out, "{} {}", explanation.method, explanation.url)?;
    let client = explanation.client.map(|client| client.to_string());
    let facts = [
        ("portal", &explanation.portal),
        ("path", &explanation.path),
        ("client", &client),
        ("is for", &explanation.purpose),
        ("rule", &explanation.rule),
    ];
    let more = [
        ("user", &explanation.user),
        ("at", &explanation.at),
        ("stage", &explanation.enforcement),
        ("refused", &explanation.refused),
    ];
    facts_lines(out, &facts)?;
    for doubt in &explanation.in_doubt {
        writeln!(out, "  {:<9}{doubt}", "in doubt")?;
    }
    facts_lines(out, &more)?;
    for note in &explanation.notes {
        writeln!(out, "  {:<9}{note}", "note")?;
    }
    table(out, &explanation.visitors)
}

fn facts_lines(out: &mut dyn Write, facts: &[(&str, &Option<String>)]) -> io::Result<()> {
    for (name, text) in facts {
        if let Some(text) = text {
            writeln!(out, "  {name:<9}{text}")?;
        }
    }
    Ok(())
}

fn table(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = ("visitor", "as a page", "as a call");
    let cells = rows.iter().map(|row| (row.visitor.as_str(), row.page.as_str(), row.call.as_str()));
    let all: Vec<_> = std::iter::once(head).chain(cells).collect();
    let wide = |width: fn(&(&str, &str, &str)) -> usize| all.iter().map(width).max().unwrap_or(0);
    let first = wide(|(visitor, ..)| visitor.chars().count());
    let second = wide(|(_, page, _)| page.chars().count());
    for (visitor, page, call) in &all {
        writeln!(out, "  {visitor:<first$}  {page:<second$}  {call}")?;
    }
    Ok(())
}
