//! The users of a portal: those who have enrolled, and those who signed in without.

use axum::response::Response;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::{Person, view};
use crate::account::{Member, State};
use crate::clock::UnixMillis;
use crate::policy::Stage;
use crate::site::Site;
use crate::user::{Opaque, UserName};

/// Users in one answer.
const PAGE: usize = 100;
/// Users that one request looks at, where it looks for some of them.
const LOOKED_AT: usize = 1000;

#[derive(Serialize)]
struct Users {
    users: Vec<User>,
    /// What to ask `after` for more; absent at the end. A page may be short and have more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct User {
    user: UserName,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<String>,
    /// Sign-ins that were seen, the last one to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// When the user was last told of the date.
    #[serde(skip_serializing_if = "Option::is_none")]
    reminded_at: Option<String>,
    /// From when on the user needs a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_from: Option<String>,
    /// Since when the user is turned away for want of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<String>,
}

#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    user: User,
    authenticators: Vec<Authenticator>,
    recovery_codes_left: usize,
    /// Wrong codes since the last right one.
    wrong_codes: u32,
    sessions: usize,
}

#[derive(Serialize)]
struct Authenticator {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<String>,
}

/// `GET /portals/{portal}/users?state=&q=&after=`
pub(super) async fn list(asked: &Asked<'_>, site: &Site) -> Result<Response, Problem> {
    asked.no_body()?;
    let [state, part, after] = asked.query(["state", "q", "after"])?;
    let state = state.map(state_named).transpose()?;
    let part = part.map(str::to_lowercase);
    let cursor = |text| Opaque::decode(text).ok_or_else(|| Problem::bad("after is no cursor"));
    let after = after.map(cursor).transpose()?;
    let limit = if state.is_none() && part.is_none() { PAGE } else { LOOKED_AT };
    let roster = asked.parts.accounts.roster(asked.now, site.tag, after, limit).await?;
    let wanted = |(_, member): &(Opaque, Member)| {
        let has_part = |part: &String| member.user.as_str().to_lowercase().contains(part);
        state.is_none_or(|state| state == member.state(asked.now))
            && part.as_ref().is_none_or(has_part)
    };
    let mut members: Vec<(Opaque, Member)> = roster.members.into_iter().filter(wanted).collect();
    let is_cut = members.len() > PAGE;
    members.truncate(PAGE);
    let last = members.last().map(|(sub, _)| *sub).filter(|_| is_cut);
    let next = last.or(roster.rest).map(Opaque::encode);
    let users = members.iter().map(|(_, member)| row(site, member, asked.now)).collect();
    view::json(&Users { users, next })
}

fn state_named(word: &str) -> Result<State, Problem> {
    let words = || State::ALL.map(State::as_str).join(", ");
    let named = State::ALL.into_iter().find(|state| state.as_str() == word);
    named.ok_or_else(|| Problem::bad(format!("state has to be one of {}", words())))
}

/// `GET /portals/{portal}/users/{user}`
pub(super) async fn show(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let account = person.account();
    let member = asked.parts.accounts.member(asked.now, account).await?;
    let nobody = || Problem::not_found("nobody of that name has signed in or enrolled");
    let member = member.ok_or_else(nobody)?;
    asked.note_reading(&person.site.portal.name, person.user.as_str()).await?;
    let sessions = asked.parts.sessions.of_user(asked.now, person.sub).await?.len();
    let recovery_codes_left = asked.parts.accounts.recovery_codes_left(asked.now, account).await?;
    let authenticators = member
        .authenticators
        .iter()
        .map(|(label, added)| Authenticator { label: label.clone(), added: view::moment(*added) });
    view::json(&Details {
        user: row(person.site, &member, asked.now),
        authenticators: authenticators.collect(),
        recovery_codes_left,
        wrong_codes: member.counter.failures,
        sessions,
    })
}

fn row(site: &Site, member: &Member, now: UnixMillis) -> User {
    let (name, sight) = (member.user.as_str(), member.sight.as_ref());
    let missing = sight.filter(|_| member.authenticators.is_empty());
    let first = member.authenticators.iter().map(|(_, added)| *added).min();
    let is_held = site.portal.enforcement.stage(Some(name), now) == Stage::Required;
    User {
        user: member.user.clone(),
        state: member.state(now).as_str(),
        enrolled_at: first.and_then(view::moment),
        locked_until: member.counter.at(now).locked_until.and_then(view::moment),
        first_seen: sight.and_then(|sight| view::moment(sight.first)),
        last_seen: sight.and_then(|sight| view::moment(sight.last)),
        reminded_at: missing.and_then(|sight| view::moment(sight.reminded?)),
        required_from: missing.and_then(|_| view::moment(site.portal.enforcement.date(name)?)),
        blocked_since: missing.filter(|_| is_held).and_then(|sight| view::moment(sight.held?)),
    }
}
