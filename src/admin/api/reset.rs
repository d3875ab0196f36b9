//! Helping a user: a second factor taken away on somebody's word, and waits forgiven.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::{Person, reset_requests, view};
use crate::admin::deeds::{help, resets};

#[derive(Serialize, JsonSchema)]
pub(super) struct Unlocked<'a> {
    portal: &'a str,
    user: &'a str,
    was_locked: bool,
}

/// `POST /portals/{portal}/users/{user}/reset`
pub(super) async fn reset(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    let wish: resets::Asked = asked.json()?;
    let outcome = resets::ask(asked.acting(), (person.site, &person.user), &wish).await?;
    reset_requests::told_of(asked, &outcome)
}

/// `POST /portals/{portal}/users/{user}/unlock`
pub(super) async fn unlock(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let was_locked = help::unlock(asked.acting(), person.whom()).await?;
    let (portal, user) = (person.site.portal.name.as_str(), person.user.as_str());
    view::json(&Unlocked { portal, user, was_locked })
}
