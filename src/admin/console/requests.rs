//! Requests for a reset: those that wait for somebody at the desk, and what became of others.
//! What was asked for is recorded on the page about the user.

use axum::http::StatusCode;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::answer::{Answer, Fault};
use super::deeds::not_yours;
use super::user::{Said, Subject};
use super::visit::Visit;
use crate::account::requester::{Channel, Refusal};
use crate::account::requests::{RequestState, ResetRequest, Wanted};
use crate::admin::deeds::Acting;
use crate::admin::deeds::resets::{self, Asked, DeedFault, Outcome};
use crate::config::desk::Role;
use crate::user::Opaque;

/// A request in a list.
#[derive(Serialize)]
pub(super) struct Line {
    id: String,
    portal: String,
    user: String,
    seen: bool,
    requested_by: String,
    /// As what.
    channel: &'static str,
    /// How the word came.
    way: &'static str,
    reason: String,
    ticket: Option<String>,
    made: String,
    approvals: Vec<String>,
    needed: usize,
    state: &'static str,
    /// What became of it, in a sentence.
    became: String,
    /// Whether whoever looks may decide it.
    is_yours: bool,
}

/// `GET /desk/requests?state=&after=`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    page(visit, StatusCode::OK, None).await
}

/// `POST /desk/requests`
pub(super) async fn send(visit: &Visit<'_>) -> Result<Answer, Fault> {
    if !visit.is_our_form() {
        return visit.not_our_form();
    }
    let Some(acting) = visit.acting(Role::Desk) else { return not_yours(visit) };
    let done = match (visit.field("action"), visit.field("id").and_then(Opaque::decode)) {
        (Some("approve"), Some(id)) => {
            resets::approve(acting, id).await.map(|outcome| said_of(&outcome))
        }
        (Some("deny"), Some(id)) => {
            let reason = visit.field("reason").unwrap_or_default().trim();
            resets::deny(acting, id, reason).await.map(|request| {
                let (user, portal) = (request.user.as_str(), &request.portal);
                Said::done(format!(
                    "The reset of {user} at {portal} is denied. Nothing was taken away."
                ))
            })
        }
        (_, None) => Err(DeedFault::Unknown),
        (_, Some(_)) => {
            let text = "Go back and press one of the buttons.";
            return visit.refuse(StatusCode::BAD_REQUEST, "Nothing was chosen", text);
        }
    };
    let (status, said) = match done {
        Ok(said) => (StatusCode::OK, said),
        Err(fault) => refused(fault)?,
    };
    page(visit, status, Some(said)).await
}

/// The requests that wait for somebody at the desk.
pub(super) async fn open(visit: &Visit<'_>, acting: Acting<'_>) -> Result<Vec<Line>, Fault> {
    let wanted = Wanted { state: Some("open"), after: None };
    let found = listed(acting, wanted).await?;
    Ok(found.0.iter().map(|request| line(visit, request)).collect())
}

/// Records what somebody asked for, from the form on the page about the user.
pub(super) async fn ask(
    visit: &Visit<'_>,
    acting: Acting<'_>,
    subject: &Subject<'_>,
) -> Result<(StatusCode, Said), Fault> {
    let field = |name| visit.field(name).unwrap_or_default().trim().to_owned();
    let channel = match visit.field("channel") {
        Some("account_manager") => Channel::AccountManager,
        Some(_) | None => Channel::Colleague,
    };
    let ticket = Some(field("ticket")).filter(|ticket| !ticket.is_empty());
    let (requested_by, reason) = (field("requested_by"), field("reason"));
    let asked = Asked { requested_by, channel, reason, ticket };
    match resets::ask(acting, (subject.site, &subject.user), &asked).await {
        Ok(outcome) => Ok((StatusCode::OK, said_of(&outcome))),
        Err(fault) => refused(fault),
    }
}

async fn page(visit: &Visit<'_>, status: StatusCode, said: Option<Said>) -> Result<Answer, Fault> {
    let Some(acting) = visit.acting(Role::Viewer) else { return Ok(visit.elsewhere()) };
    let state = visit.asked("state").filter(|word| RequestState::WORDS.contains(word));
    let after = visit.asked("after").and_then(Opaque::decode);
    let (found, next) = listed(acting, Wanted { state, after }).await?;
    let mut lines: Vec<Line> = found.iter().map(|request| line(visit, request)).collect();
    // What waits for somebody comes first, and then what is new.
    lines.reverse();
    lines.sort_by_key(|line| line.state != "open");
    let page = context! {
        said => Serde(said),
        requests => Serde(lines),
        next => next.map(Opaque::encode),
        state,
        states => Serde(RequestState::WORDS),
    };
    visit.page(status, "requests.html", page)
}

async fn listed(
    acting: Acting<'_>,
    wanted: Wanted<'_>,
) -> Result<(Vec<ResetRequest>, Option<Opaque>), Fault> {
    match resets::list(acting, wanted, None).await {
        Ok(found) => Ok((found.found, found.rest)),
        Err(DeedFault::Account(error)) => Err(error.into()),
        Err(DeedFault::Audit(error)) => Err(error.into()),
        Err(_) => Ok((Vec::new(), None)),
    }
}

fn line(visit: &Visit<'_>, request: &ResetRequest) -> Line {
    let site = visit.parts.sites.of(&request.portal);
    let state = request.state(visit.now);
    let is_open = matches!(state, RequestState::Open | RequestState::Waiting { .. });
    Line {
        id: request.id.encode(),
        portal: request.portal.clone(),
        user: request.user.as_str().to_owned(),
        seen: request.seen,
        requested_by: request.requested_by.clone(),
        channel: in_words(request.channel),
        way: request.way.as_str(),
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
        made: request.made.in_words(),
        approvals: request.approvals.iter().map(|one| one.by.name.clone()).collect(),
        needed: site.map_or(1, |site| site.portal.reset.approval.needed()),
        state: state.as_str(),
        became: became(&state, request),
        is_yours: is_open && visit.may(request.channel.needs()),
    }
}

fn became(state: &RequestState, request: &ResetRequest) -> String {
    match state {
        RequestState::Open => {
            let until = request.due().map_or_else(String::new, |until| until.in_words());
            format!("Waits for somebody at the desk, until {until}.")
        }
        RequestState::Waiting { until } => {
            format!("Approved. It is done on {}, unless the user stops it.", until.in_words())
        }
        RequestState::Done { at } => format!("Done on {}.", at.in_words()),
        RequestState::Denied { by, reason, at } => {
            format!("Denied by {} on {}: {reason}", by.name, at.in_words())
        }
        RequestState::Stopped { at } => format!("Stopped by the user on {}.", at.in_words()),
        RequestState::Expired { at } => {
            format!("Nobody decided in time; it ended on {}.", at.in_words())
        }
    }
}

const fn in_words(channel: Channel) -> &'static str {
    match channel {
        Channel::Colleague => "a colleague",
        Channel::AccountManager => "the account manager",
    }
}

fn said_of(outcome: &Outcome) -> Said {
    match outcome {
        Outcome::Done(carried) => {
            let (user, portal) = (carried.request.user.as_str(), &carried.request.portal);
            let next = if carried.needs_invitation {
                "Make an invitation now: without it the user cannot set up a new one."
            } else {
                "The next sign-in leads to setting up a new one."
            };
            Said::done(format!("{user} has no second step at {portal} any more. {next}"))
        }
        Outcome::Held(request) => {
            let (user, portal) = (request.user.as_str(), &request.portal);
            let state = match &request.state {
                RequestState::Waiting { until } => format!(
                    "It is approved, and done on {}, unless {user} stops it.",
                    until.in_words()
                ),
                RequestState::Open
                | RequestState::Done { .. }
                | RequestState::Denied { .. }
                | RequestState::Stopped { .. }
                | RequestState::Expired { .. } => {
                    "Somebody else at the desk has to approve it too.".to_owned()
                }
            };
            Said::done(format!("The reset of {user} at {portal} is written down. {state}"))
        }
    }
}

/// Why it was not done, in words for whoever sits at the desk.
fn refused(fault: DeedFault) -> Result<(StatusCode, Said), Fault> {
    let (status, why) = match fault {
        DeedFault::Account(error) => return Err(error.into()),
        DeedFault::Audit(error) => return Err(error.into()),
        DeedFault::Role { .. } => (
            StatusCode::FORBIDDEN,
            "The word of an account manager may be taken by an account manager alone.".to_owned(),
        ),
        DeedFault::Text { name, longest } => (
            StatusCode::BAD_REQUEST,
            format!("Fill in the {name}, with up to {longest} letters on one line."),
        ),
        DeedFault::Refused(refusal) => {
            (StatusCode::UNPROCESSABLE_ENTITY, plainly(refusal).to_owned())
        }
        DeedFault::Objection(objection) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("Not by you: {objection}."))
        }
        DeedFault::Undecided(_) => (
            StatusCode::CONFLICT,
            "A reset of this user was asked for already. Look under Requests.".to_owned(),
        ),
        DeedFault::Decided(state) => {
            (StatusCode::CONFLICT, format!("That request is {} already.", state.as_str()))
        }
        DeedFault::TooLong => (StatusCode::BAD_REQUEST, "Say why in fewer words.".to_owned()),
        DeedFault::Unknown => (StatusCode::NOT_FOUND, "There is no such request.".to_owned()),
    };
    Ok((status, Said::not_done(format!("{why} Nothing was changed."))))
}

/// Why somebody's word does not count.
const fn plainly(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoOrganisation => {
            "At this portal nobody's word counts for a reset yet: an administrator has to name the organisation in the configuration."
        }
        Refusal::NotAnAddress => {
            "Who asks has to be a plain mail address, such as bob@example.com, without a name around it."
        }
        Refusal::Oneself => "That is the user's own address. A colleague has to ask.",
        Refusal::PublicMail => {
            "That address is at a public mail provider, where anybody gets one. It has to be of the organisation's own mail."
        }
        Refusal::NotOfOrganisation => {
            "That address is not of the organisation's own mail. Look at it letter by letter: it may only look alike."
        }
        Refusal::NotAManager => {
            "That address is none of the account managers whom the organisation names."
        }
    }
}
