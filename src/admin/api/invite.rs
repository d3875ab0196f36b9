//! Inviting a user to enrol. The answer is the one place where the code ever stands.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, DURATION};
use super::problem::Problem;
use super::{Person, view};
use crate::admin::deeds::help;
use crate::config::units::{Span, show_duration};

/// An invitation has to reach somebody.
const SHORTEST: Duration = Duration::from_secs(600);

/// For how long, where that is not as the portal has it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InvitationWish")]
pub(super) struct Wish {
    /// For how long it holds.
    #[schemars(regex(pattern = DURATION))]
    valid: Option<Span>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
pub(super) struct Invited<'a> {
    portal: &'a str,
    user: &'a str,
    code: &'a str,
    expires: Option<String>,
    /// Where the user signs in.
    url: String,
}

/// `POST /portals/{portal}/users/{user}/invite`
pub(super) async fn invite(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    let Wish { valid } = asked.json_if_any()?;
    let portal = &person.site.portal;
    let longest = portal.enrolment.invite;
    let lifetime = valid.map_or(longest, |Span(span)| span);
    if !(SHORTEST..=longest).contains(&lifetime) {
        let (least, most) = (show_duration(SHORTEST), show_duration(longest));
        let detail = format!("valid has to be {least} to {most}, as the portal has it");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        return Err(problem.because("valid"));
    }
    let invitation = help::invite(asked.acting(), person.whom(), lifetime).await?;
    let host = portal.hosts.first().map_or("", String::as_str);
    view::created(&Invited {
        portal: &portal.name,
        user: person.user.as_str(),
        code: &invitation.code,
        expires: view::moment(invitation.until),
        url: format!("https://{host}/"),
    })
}
