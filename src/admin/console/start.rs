//! The start page: what waits for somebody, who cannot get in, and where each portal stands.

use axum::http::StatusCode;
use minijinja::context;
use minijinja::value::Serde;

use super::answer::{Answer, Fault};
use super::requests;
use super::rollout;
use super::users::{Row, looked_for};
use super::visit::Visit;
use crate::account::State;
use crate::admin::deeds::find::Wanted;
use crate::config::desk::Role;

/// Locked users that are named; the others are found by looking for them.
const NAMED: usize = 10;

/// `GET /desk/`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let (mut portals, mut locked): (Vec<_>, Vec<Row>) = (Vec::new(), Vec::new());
    let mut is_whole = true;
    for site in visit.sites() {
        portals.push(rollout::standing(visit, site).await?);
        for state in [State::Locked, State::Disabled] {
            let found = looked_for(visit, site, &Wanted::new(Some(state), None), NAMED).await?;
            is_whole &= found.is_whole;
            locked.extend(found.rows);
        }
    }
    is_whole &= locked.len() <= NAMED;
    locked.truncate(NAMED);
    let requests = match visit.acting(Role::Viewer) {
        Some(acting) => requests::open(visit, acting).await?,
        None => Vec::new(),
    };
    let page = context! {
        requests => Serde(requests),
        portals => Serde(portals),
        locked => Serde(locked),
        is_whole,
    };
    visit.page(StatusCode::OK, "start.html", page)
}
