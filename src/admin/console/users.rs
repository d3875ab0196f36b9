//! Finding a user: by a part of the name, by how they stand, at one portal or at all of them.

use axum::http::StatusCode;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::answer::{Answer, Fault};
use super::visit::Visit;
use crate::account::{Member, State};
use crate::admin::deeds::find::{PAGE, Wanted, find};
use crate::clock::UnixMillis;
use crate::site::Site;
use crate::user::Opaque;

/// How often one page looks on before it says that there may be more.
const LOOKS: usize = 10;
/// The longest text that is looked for, in characters.
const LONGEST: usize = 200;

/// A user in a list.
#[derive(Serialize)]
pub(super) struct Row {
    portal: String,
    user: String,
    state: &'static str,
    enrolled: Option<String>,
    seen: Option<String>,
    locked_until: Option<String>,
}

/// Some users of one portal.
pub(super) struct Looked {
    pub(super) rows: Vec<Row>,
    /// Whether these are all of them.
    pub(super) is_whole: bool,
    next: Option<Opaque>,
}

/// `GET /desk/users?q=&portal=&state=`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let given = |name| visit.asked(name).map(str::trim).filter(|text| !text.is_empty());
    let text: String = given("q").unwrap_or_default().chars().take(LONGEST).collect();
    let word = given("state").unwrap_or_default();
    let state = State::ALL.into_iter().find(|state| state.as_str() == word);
    let portal = given("portal").unwrap_or_default();
    let wanted = Wanted::new(state, Some(text.as_str()).filter(|text| !text.is_empty()));
    let (mut rows, mut is_whole, mut next) = (Vec::new(), true, None);
    for site in visit.sites().filter(|site| portal.is_empty() || site.portal.name == portal) {
        let after = visit.asked("after").filter(|_| !portal.is_empty()).and_then(Opaque::decode);
        let looked = looked_from(visit, site, &wanted, PAGE, after).await?;
        is_whole &= looked.is_whole;
        // With several portals there is no one place to go on from.
        next = looked.next.filter(|_| !portal.is_empty());
        rows.extend(looked.rows);
    }
    rows.sort_by(|one, other| (&one.user, &one.portal).cmp(&(&other.user, &other.portal)));
    let portals: Vec<String> = visit.sites().map(|site| site.portal.name.clone()).collect();
    let states = State::ALL.map(|state| (state.as_str(), in_words(state)));
    let next = next.map(Opaque::encode);
    let state = state.map(State::as_str);
    let page = context! { rows => Serde(rows), is_whole, next, portals, states => Serde(states), q => text, state, portal };
    visit.page(StatusCode::OK, "users.html", page)
}

/// Looks until `enough` are found, all were looked at, or it takes too long.
pub(super) async fn looked_for(
    visit: &Visit<'_>,
    site: &Site,
    wanted: &Wanted,
    enough: usize,
) -> Result<Looked, Fault> {
    looked_from(visit, site, wanted, enough, None).await
}

async fn looked_from(
    visit: &Visit<'_>,
    site: &Site,
    wanted: &Wanted,
    enough: usize,
    mut after: Option<Opaque>,
) -> Result<Looked, Fault> {
    let mut rows = Vec::new();
    for _ in 0..LOOKS {
        let found = find(visit.parts, visit.now, site, wanted, after).await?;
        rows.extend(found.members.iter().map(|(_, member)| Row::of(site, member, visit.now)));
        after = found.next;
        if after.is_none() || rows.len() >= enough {
            break;
        }
    }
    Ok(Looked { rows, is_whole: after.is_none(), next: after })
}

impl Row {
    fn of(site: &Site, member: &Member, now: UnixMillis) -> Self {
        let first = member.authenticators.iter().map(|(_, added)| *added).min();
        Self {
            portal: site.portal.name.clone(),
            user: member.user.as_str().to_owned(),
            state: member.state(now).as_str(),
            enrolled: first.map(UnixMillis::in_words),
            seen: member.sight.as_ref().map(|sight| sight.last.in_words()),
            locked_until: member.counter.at(now).locked_until.map(UnixMillis::in_words),
        }
    }
}

/// A state as people call it.
pub(super) const fn in_words(state: State) -> &'static str {
    match state {
        State::Missing => "not set up",
        State::Enrolled => "set up",
        State::Locked => "has to wait",
        State::Disabled => "locked for good",
    }
}
