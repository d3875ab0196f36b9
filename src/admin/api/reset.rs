//! Helping a user: a second factor taken away on somebody's word, and waits forgiven.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::{Person, reset_requests, told, view};
use crate::account::UnlockFault;
use crate::admin::deeds::resets;
use crate::audit::{Detail, Event};

#[derive(Serialize)]
struct Unlocked<'a> {
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
    let was_locked = match asked.parts.accounts.unlock(asked.now, person.account()).await {
        Ok(was_locked) => was_locked,
        Err(UnlockFault::Account(error)) => return Err(error.into()),
        Err(fault @ UnlockFault::Disabled) => {
            let entry = asked.entry(Event::UnlockRefused).with(Detail::Refusal, "disabled");
            told(asked, person, entry).await?;
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.to_string());
            return Err(problem.because("disabled"));
        }
    };
    told(asked, person, asked.entry(Event::Unlocked)).await?;
    let (portal, user) = (person.site.portal.name.as_str(), person.user.as_str());
    view::json(&Unlocked { portal, user, was_locked })
}
