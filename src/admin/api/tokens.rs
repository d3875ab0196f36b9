//! The tokens of the API: those of the configuration and those that were made by command. Nobody
//! makes, sees or ends one that may do more than their own.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, DURATION};
use super::problem::Problem;
use super::view;
use crate::audit::{Detail, Entry, Event};
use crate::config::desk::{AdminToken, Role, Staff, is_token_name};
use crate::config::units::{Span, show_duration};
use crate::tokens::{self, Issued, MakeFault};

const SHORTEST: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What a token is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenWish")]
pub(super) struct Wish {
    /// Says in the audit log who it was.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,32}$"))]
    name: String,
    role: Role,
    /// Where it may act; everywhere where the asker's own may, unless set.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 64)))]
    portals: Option<Vec<String>>,
    /// For how long it holds, 10m to 3650d; until it is ended, unless set.
    #[schemars(regex(pattern = DURATION))]
    valid: Option<Span>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewToken")]
pub(super) struct Made<'a> {
    name: &'a str,
    role: Role,
    portals: Option<&'a [String]>,
    expires: Option<String>,
    /// The secret, told this once.
    token: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenList")]
pub(super) struct Tokens {
    tokens: Vec<Token>,
}

/// A token without its secret.
#[derive(Serialize, JsonSchema)]
struct Token {
    name: String,
    role: Role,
    /// Where it may act; null means everywhere.
    portals: Option<Vec<String>>,
    source: Source,
    /// Whether it counts. One that was made does not while the configuration has its name.
    in_force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// When it was used last, to the hour; not known of those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

/// Where a token comes from.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenSource")]
enum Source {
    /// The YAML, where alone it can be ended.
    Configuration,
    /// `portcullis token make`.
    Command,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenEnded")]
pub(super) struct Ended<'a> {
    name: &'a str,
}

/// `GET /tokens`
pub(super) fn list(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let written = asked.parts.desk.iter().map(of_configuration);
    let written = written.filter(|token| covers(asked.staff, token.portals.as_deref()));
    let made = asked.parts.tokens.all(asked.now);
    let made = made.iter().filter(|token| covers(asked.staff, token.staff.portals.as_deref()));
    let made = made.map(|token| of_command(token, !is_written(asked, &token.staff.name)));
    let mut tokens: Vec<Token> = written.chain(made).collect();
    tokens.sort_by(|one, other| one.name.cmp(&other.name));
    view::json(&Tokens { tokens })
}

/// `POST /tokens`
pub(super) async fn make(asked: &Asked<'_>) -> Result<Response, Problem> {
    let wish = judged(asked, asked.json()?)?;
    let (name, role) = (wish.name.clone(), wish.role);
    if is_written(asked, &name) {
        return Err(taken(&MakeFault::NameTaken, "name_taken"));
    }
    let made = asked.parts.tokens.make(asked.now, wish, &asked.staff.name).await;
    let (secret, issued) = match made {
        Ok(made) => made,
        Err(fault @ MakeFault::NameTaken) => return Err(taken(&fault, "name_taken")),
        Err(fault @ MakeFault::TooMany) => return Err(taken(&fault, "too_many")),
        Err(MakeFault::Store(error)) => return Err(error.into()),
        Err(MakeFault::NoRandomness(error)) => {
            tracing::error!(%error, "no token can be made");
            return Err(Problem::broken_off());
        }
    };
    let expires = issued.expires.and_then(view::moment);
    let mut entry = asked.entry(Event::TokenMade).with(Detail::Role, role.as_str());
    if let Some(until) = &expires {
        entry = entry.with(Detail::Until, until);
    }
    noted(asked, &name, entry).await?;
    let portals = issued.staff.portals.as_deref();
    view::created(&Made { name: &name, role, portals, expires, token: &secret })
}

/// `DELETE /tokens/{name}`
pub(super) async fn end(asked: &Asked<'_>, name: Option<&str>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let name = name.unwrap_or_default();
    let none = || Problem::not_found("there is no such token");
    let written = asked.parts.desk.iter().find(|token| token.staff.name == name);
    if written.is_some_and(|token| covers(asked.staff, token.staff.portals.as_deref())) {
        let detail = "the token is one of the configuration; take it out of admin.tokens there";
        return Err(Problem::new(StatusCode::CONFLICT, detail).because("in_configuration"));
    }
    let found = asked.parts.tokens.named(asked.now, name);
    let found = found.filter(|token| covers(asked.staff, token.staff.portals.as_deref()));
    let found = found.ok_or_else(none)?;
    if !asked.parts.tokens.end(asked.now, &found).await? {
        return Err(none());
    }
    noted(asked, name, asked.entry(Event::TokenEnded)).await?;
    view::json(&Ended { name })
}

/// What is asked for, where whoever asks may have it.
fn judged(asked: &Asked<'_>, wish: Wish) -> Result<tokens::Wish, Problem> {
    let Wish { name, role, portals, valid } = wish;
    if !is_token_name(&name) {
        return Err(Problem::bad("name has to be 1 to 32 of a-z, 0-9, '-' and '_'"));
    }
    if role > asked.staff.role {
        return Err(Problem::not_with_this_role(asked.staff.role, role));
    }
    let unfit = |detail: String, reason| {
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).because(reason))
    };
    let lifetime = valid.map(|Span(span)| span);
    if lifetime.is_some_and(|lifetime| !(SHORTEST..=LONGEST).contains(&lifetime)) {
        let (least, most) = (show_duration(SHORTEST), show_duration(LONGEST));
        return unfit(format!("valid has to be {least} to {most}"), "valid");
    }
    let is_own = |name: &String| asked.parts.sites.of(name).is_some() && asked.staff.is_for(name);
    match &portals {
        Some(named) if named.is_empty() || named.len() > tokens::MOST => {
            return Err(Problem::bad("portals has to name 1 to 100, or to be left out"));
        }
        Some(named) if !named.iter().all(is_own) => {
            let detail = "portals names one that is not there, or that is not yours";
            return unfit(detail.to_owned(), "portals");
        }
        Some(_) | None => {}
    }
    let portals = portals.or_else(|| asked.staff.portals.clone());
    Ok(tokens::Wish { name, role, portals, lifetime })
}

/// Whether somebody's own portals have all of these among them.
fn covers(staff: &Staff, portals: Option<&[String]>) -> bool {
    match portals {
        None => staff.portals.is_none(),
        Some(named) => named.iter().all(|name| staff.is_for(name)),
    }
}

fn is_written(asked: &Asked<'_>, name: &str) -> bool {
    asked.parts.desk.iter().any(|token| token.staff.name == name)
}

fn taken(fault: &MakeFault, reason: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, fault.to_string()).because(reason)
}

/// Tells of a token that was made or ended, in the log and for good.
async fn noted(asked: &Asked<'_>, name: &str, entry: Entry<'_>) -> Result<(), Problem> {
    let (by, event) = (asked.staff.name.as_str(), entry.event.as_str());
    tracing::info!(by, event, token = name, "the desk acted");
    asked.note(entry.with(Detail::Name, name)).await
}

fn of_configuration(token: &AdminToken) -> Token {
    let Staff { name, role, portals, .. } = token.staff.clone();
    Token {
        name,
        role,
        portals,
        source: Source::Configuration,
        in_force: true,
        made_at: None,
        made_by: None,
        expires: None,
        last_used: None,
    }
}

fn of_command(token: &Issued, in_force: bool) -> Token {
    let Staff { name, role, portals, .. } = token.staff.clone();
    Token {
        name,
        role,
        portals,
        source: Source::Command,
        in_force,
        made_at: view::moment(token.made),
        made_by: Some(token.made_by.clone()),
        expires: token.expires.and_then(view::moment),
        last_used: token.used.and_then(view::moment),
    }
}
