//! Helping a user: a second factor taken away on somebody's word, and waits forgiven.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, PLAIN, plain};
use super::problem::Problem;
use super::{Person, endpoint, told, view};
use crate::account::UnlockFault;
use crate::account::requester::{self, Channel};
use crate::audit::{Detail, Event};
use crate::notify::Addressee;

const LONGEST_REASON: usize = 500;
const LONGEST_TICKET: usize = 100;

/// Who asks for a reset, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResetWish")]
pub(super) struct Wish {
    /// The mail address of whoever asks; never the user's own.
    requested_by: String,
    channel: Channel,
    /// Why.
    #[schemars(length(min = 1, max = LONGEST_REASON), regex(pattern = PLAIN))]
    reason: String,
    /// The ticket in which it was asked for.
    #[schemars(length(min = 1, max = LONGEST_TICKET), regex(pattern = PLAIN))]
    ticket: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reset")]
pub(super) struct Done<'a> {
    portal: &'a str,
    user: &'a str,
    was_enrolled: bool,
    sessions_ended: usize,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Unlocked<'a> {
    portal: &'a str,
    user: &'a str,
    was_locked: bool,
}

/// `POST /portals/{portal}/users/{user}/reset`
pub(super) async fn reset(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    let wish: Wish = asked.json()?;
    plain("reason", &wish.reason, LONGEST_REASON)?;
    if let Some(ticket) = &wish.ticket {
        plain("ticket", ticket, LONGEST_TICKET)?;
    }
    let needs = endpoint::needs(wish.channel);
    if asked.staff.role < needs {
        return Err(Problem::not_with_this_role(asked.staff.role, needs));
    }
    let portal = &person.site.portal;
    let judged = requester::judge(
        portal.organisation.as_ref(),
        &portal.identity.username,
        &person.user,
        &wish.requested_by,
        wish.channel,
    );
    let spoken = |event| {
        let entry = asked.entry(event).with(Detail::RequestedBy, &*wish.requested_by);
        let entry = entry.with(Detail::Channel, wish.channel.as_str());
        let entry = entry.with(Detail::Reason, &*wish.reason);
        match &wish.ticket {
            Some(ticket) => entry.with(Detail::Ticket, &**ticket),
            None => entry,
        }
    };
    let requester = match judged {
        Ok(requester) => requester,
        Err(refusal) => {
            let entry = spoken(Event::ResetRefused).with(Detail::Refusal, refusal.as_str());
            told(asked, person, entry).await?;
            return Err(refusal.into());
        }
    };
    let (accounts, to) = (&asked.parts.accounts, Addressee::at(portal, &person.user));
    let done = accounts.reset(asked.now, person.account(), &requester, &to).await?;
    person.site.metrics.reset(requester.channel().into(), done.was_enrolled);
    told(asked, person, spoken(Event::ResetDone)).await?;
    view::json(&Done {
        portal: &portal.name,
        user: person.user.as_str(),
        was_enrolled: done.was_enrolled,
        sessions_ended: done.sessions_ended,
    })
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
