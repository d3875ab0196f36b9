//! Resets that were asked for: who asked, who approved, what became of it.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::problem::Problem;
use super::{portals, view};
use crate::account::requests::{RequestState, ResetRequest, Wanted};
use crate::admin::deeds::resets::{self, Outcome};
use crate::clock::UnixMillis;
use crate::user::{Opaque, UserName};

#[derive(Serialize)]
struct Requests {
    requests: Vec<Request>,
    /// What to ask `after` for more; absent at the end. A page may be short and have more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A request as the desk sees it.
#[derive(Serialize)]
struct Request {
    id: String,
    state: &'static str,
    portal: String,
    user: UserName,
    /// Whether anybody of that name was seen at the portal when it was asked for.
    seen: bool,
    requested_by: String,
    channel: &'static str,
    /// How the word came: vouched on our page, or recorded by the desk.
    way: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    approvals: Vec<Approval>,
    /// How many approvals the portal asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<usize>,
    /// Until when the desk may decide, or the user may stop it.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_because: Option<String>,
}

#[derive(Serialize)]
struct Approval {
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

#[derive(Serialize)]
struct Done<'a> {
    id: String,
    state: &'static str,
    portal: &'a str,
    user: &'a str,
    was_enrolled: bool,
    sessions_ended: usize,
    /// Whether the user cannot enrol anew without an invitation.
    needs_invitation: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    reason: String,
}

/// `GET /reset-requests?state=&portal=&after=`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.no_body()?;
    let [state, portal, after] = asked.query(["state", "portal", "after"])?;
    if let Some(word) = state.filter(|word| !RequestState::WORDS.contains(word)) {
        let words = RequestState::WORDS.join(", ");
        return Err(Problem::bad(format!("state {word:?} is none of {words}")));
    }
    if portal.is_some() {
        portals::named(asked, portal)?;
    }
    let cursor = |text| Opaque::decode(text).ok_or_else(|| Problem::bad("after is no cursor"));
    let after = after.map(cursor).transpose()?;
    let found = resets::list(asked.acting(), Wanted { state, after }, portal).await?;
    let requests = found.found.into_iter().map(|request| shown(asked, request)).collect();
    view::json(&Requests { requests, next: found.rest.map(Opaque::encode) })
}

/// `POST /reset-requests/{id}/approve`
pub(super) async fn approve(asked: &Asked<'_>, id: Option<&str>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let outcome = resets::approve(asked.acting(), named(id)?).await?;
    told_of(asked, &outcome)
}

/// `POST /reset-requests/{id}/deny`
pub(super) async fn deny(asked: &Asked<'_>, id: Option<&str>) -> Result<Response, Problem> {
    let Denial { reason } = asked.json()?;
    let denied = resets::deny(asked.acting(), named(id)?, &reason).await?;
    view::json(&shown(asked, denied))
}

/// 200 with what was taken away where the reset is done; 202 with the request where it needs
/// more.
pub(super) fn told_of(asked: &Asked<'_>, outcome: &Outcome) -> Result<Response, Problem> {
    match outcome {
        Outcome::Done(carried) => view::json(&Done {
            id: carried.request.id.encode(),
            state: carried.request.state.as_str(),
            portal: &carried.request.portal,
            user: carried.request.user.as_str(),
            was_enrolled: carried.reset.was_enrolled,
            sessions_ended: carried.reset.sessions_ended,
            needs_invitation: carried.needs_invitation,
        }),
        Outcome::Held(request) => {
            let mut response = view::json(&shown(asked, (**request).clone()))?;
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
    }
}

fn named(id: Option<&str>) -> Result<Opaque, Problem> {
    let id = id.and_then(Opaque::decode);
    id.ok_or_else(|| Problem::not_found("there is no such request"))
}

fn shown(asked: &Asked<'_>, request: ResetRequest) -> Request {
    let moment = |at: Option<UnixMillis>| at.and_then(view::moment);
    let site = asked.parts.sites.of(&request.portal);
    let needed = site.map(|site| site.portal.reset.approval.needed());
    let state = request.state(asked.now);
    let (until, decided) = (request.due(), state.decided());
    let (denied_by, denied_because) = match &state {
        RequestState::Denied { by, reason, .. } => (Some(by.name.clone()), Some(reason.clone())),
        RequestState::Open
        | RequestState::Waiting { .. }
        | RequestState::Done { .. }
        | RequestState::Stopped { .. }
        | RequestState::Expired { .. } => (None, None),
    };
    let approvals = request.approvals.into_iter().map(|one| Approval {
        kind: one.by.kind.as_str(),
        name: one.by.name,
        at: view::moment(one.at),
    });
    Request {
        id: request.id.encode(),
        state: state.as_str(),
        portal: request.portal,
        user: request.user,
        seen: request.seen,
        requested_by: request.requested_by,
        channel: request.channel.as_str(),
        way: request.way.as_str(),
        reason: request.reason,
        ticket: request.ticket,
        made: view::moment(request.made),
        approvals: approvals.collect(),
        needed,
        until: moment(until.filter(|_| decided.is_none())),
        decided: moment(decided),
        denied_by,
        denied_because,
    }
}
