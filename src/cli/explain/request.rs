//! One request explained: which portal, which rule, which verdict for whom, and why.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::asked::Asked;
use super::words::{answer, plain, purpose, reading};
use super::{GivenLevel, Ground};
use crate::config::Portal;
use crate::identity::normalise;
use crate::net::kind::Kind;
use crate::policy::{
    Challenge, Destination, Facts, PortalSession, Stage, Standing, Verdict, Visitor, decide,
};
use crate::site::destination::{self, Origin, Purpose, Target, signs_out, takes_password};

/// Whose request is explained.
pub(super) struct Person<'a> {
    /// The name, as it was typed.
    pub user: Option<&'a str>,
    /// How well the visitor is known; every level unless given.
    pub level: Option<GivenLevel>,
}

/// What would happen to one request.
#[derive(Debug, Serialize)]
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

/// What one kind of visitor gets.
#[derive(Debug, Serialize)]
struct Row {
    visitor: &'static str,
    verdict: &'static str,
    page: String,
    call: String,
}

/// Explains one request.
pub(super) fn explain(ground: &Ground, asked: &Asked, person: Person<'_>) -> Explanation {
    let mut explanation = Explanation {
        method: asked.method.as_str().to_owned(),
        url: format!("{}{}", asked.host.as_str(), plain(&asked.path_and_query())),
        portal: None,
        path: None,
        purpose: None,
        user: None,
        refused: None,
        notes: Vec::new(),
        visitors: Vec::new(),
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
    at_portal(&site.portal, asked, target, &mut explanation);
    explanation.user = person.user.map(|typed| user(&site.portal, typed));
    explanation.visitors = rows(&site.portal, asked, target, person.level);
    explanation
}

fn at_portal(portal: &Portal, asked: &Asked, target: Target<'_>, explanation: &mut Explanation) {
    let for_what = purpose_of(portal, asked, target);
    explanation.portal = Some(portal.name.clone());
    explanation.path = Some(reading(target.path));
    explanation.purpose = Some(purpose(portal, target, for_what));
    if takes_password(portal, target) {
        let note = "a request here is a login when its body fits a rule of `logins`; then it goes \
                    to the portal for everybody, and the answer is judged";
        explanation.notes.push(note.to_owned());
    }
    if signs_out(portal, target) {
        let note = "it signs the user out of the portal: the session ends with the answer";
        explanation.notes.push(note.to_owned());
    }
}

fn user(portal: &Portal, typed: &str) -> String {
    match normalise(&portal.identity.username, typed) {
        Some(user) => plain(user.as_str()),
        None => {
            format!("'{}' fits no rule for names: nobody would be learned", plain(typed))
        }
    }
}

/// Without its body a request at a login address is what its path says.
fn purpose_of<'a>(portal: &'a Portal, asked: &Asked, target: Target<'_>) -> Purpose<'a> {
    let origin = Origin { client: None, host: asked.host.as_str() };
    let told = destination::purpose(portal, target, origin);
    match takes_password(portal, target) {
        true => Purpose { destination: Destination::Login, ..told },
        false => told,
    }
}

fn rows(portal: &Portal, asked: &Asked, target: Target<'_>, level: Option<GivenLevel>) -> Vec<Row> {
    let wanted = |at: GivenLevel| level.is_none_or(|level| level == at);
    let all = [
        (GivenLevel::Unknown, "unknown", Visitor::Unknown, PortalSession::Absent),
        (
            GivenLevel::Named,
            "named, first time",
            Visitor::Named(Standing::NotEnrolled),
            PortalSession::Other,
        ),
        (GivenLevel::Named, "named", Visitor::Named(Standing::Enrolled), PortalSession::Other),
        (GivenLevel::Proven, "proven", Visitor::Proven(Some(Duration::ZERO)), PortalSession::Other),
    ];
    let full = asked.path_and_query();
    let told = purpose_of(portal, asked, target);
    let row = |(_, name, visitor, portal_session)| {
        let facts = Facts {
            destination: told.destination,
            demand: told.judged.demand,
            visitor,
            stage: Stage::Required,
            notice_due: false,
            service: false,
            portal_session,
        };
        let verdict = decide(&facts);
        let page = answer(portal, &verdict, Kind::Page, &full);
        let call = answer(portal, &verdict, Kind::Call, &full);
        Row { visitor: name, verdict: verdict_word(&verdict), page, call }
    };
    all.into_iter().filter(|(level, ..)| wanted(*level)).map(row).collect()
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
    let facts = [
        ("portal", &explanation.portal),
        ("path", &explanation.path),
        ("is for", &explanation.purpose),
        ("user", &explanation.user),
        ("refused", &explanation.refused),
    ];
    for (name, text) in facts {
        if let Some(text) = text {
            writeln!(out, "  {name:<9}{text}")?;
        }
    }
    for note in &explanation.notes {
        writeln!(out, "  {:<9}{note}", "note")?;
    }
    table(out, &explanation.visitors)
}

fn table(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = ("visitor", "as a page", "as a call");
    let cells = rows.iter().map(|row| (row.visitor, row.page.as_str(), row.call.as_str()));
    let all: Vec<_> = std::iter::once(head).chain(cells).collect();
    let wide = |width: fn(&(&str, &str, &str)) -> usize| all.iter().map(width).max().unwrap_or(0);
    let first = wide(|(visitor, ..)| visitor.chars().count());
    let second = wide(|(_, page, _)| page.chars().count());
    for (visitor, page, call) in &all {
        writeln!(out, "  {visitor:<first$}  {page:<second$}  {call}")?;
    }
    Ok(())
}
