//! What stands before every page that changes something of a user's factor: a proof of a moment
//! ago (FAC-1). Whoever lacks it is asked for a code, and led back to the page.

use super::{PageAnswer, PageError, PageRequest, StatusCode, Who};
use crate::account::{ChangeFault, Changing};
use crate::audit::{Detail, Event};
use crate::net::return_to::ReturnTo;
use crate::notify::Addressee;
use crate::site::held::STEP_UP;

/// Somebody who gave a factor a moment ago, or where everybody else belongs first. `page` is
/// where they come back to: one of our pages, below the prefix.
pub(super) fn changing<'a>(
    request: &PageRequest<'a>,
    page: &str,
) -> Result<Changing<'a>, Box<PageAnswer>> {
    let portal = &request.site.portal;
    let back = ReturnTo::parse_ours(&format!("{}{page}", portal.prefix), &portal.prefix);
    let session = match &request.visit.who {
        Who::Proven(session, _) => session,
        Who::Named(..) => return Err(Box::new(request.go("/verify", &back))),
        Who::Unknown => return Err(Box::new(request.go_to_login())),
    };
    let to = Addressee::at(portal, &session.user);
    let account = request.site.account(session);
    Changing::proven(request.now, account, session, to).ok_or_else(|| {
        let way = request.go("/verify", &back);
        let location = way.location.map(|location| format!("{location}&{STEP_UP}"));
        Box::new(PageAnswer { location, ..way })
    })
}

/// The same for a form that was sent. It has to be ours, and must come with the proof: else
/// nothing is changed, which the audit log tells of.
pub(super) async fn changing_by<'a>(
    request: &PageRequest<'a>,
    form: &[(String, String)],
    page: &str,
) -> Result<Changing<'a>, Sent> {
    let Some(session) = request.visit.session() else {
        return Err(Sent::Elsewhere(Box::new(request.go_to_login())));
    };
    if !request.is_our_form(session, form) {
        return Err(Sent::NotOurs);
    }
    match changing(request, page) {
        Ok(who) => Ok(who),
        Err(elsewhere) => {
            let entry = request.entry(Event::ChangeRefused, session);
            let noted = request.note(entry.with(Detail::Refusal, "no_fresh_proof")).await;
            Err(noted.map_or_else(Sent::Failed, |()| Sent::Elsewhere(elsewhere)))
        }
    }
}

/// Why a form changes nothing.
pub(super) enum Sent {
    /// Its sender belongs elsewhere first.
    Elsewhere(Box<PageAnswer>),
    /// It is none of ours.
    NotOurs,
    /// It could not be written down.
    Failed(PageError),
}

impl Sent {
    /// What its sender gets.
    pub(super) fn answer(self, request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
        match self {
            Self::Elsewhere(answer) => Ok(*answer),
            Self::NotOurs => request.not_our_form(),
            Self::Failed(error) => Err(error),
        }
    }
}

/// What a user reads of a change that did not come about, and with which status.
///
/// # Errors
/// When nothing can be said, or not be written down.
pub(super) async fn refused(
    request: &PageRequest<'_>,
    fault: ChangeFault,
) -> Result<(StatusCode, &'static str), PageError> {
    if let Some(session) = request.visit.session() {
        let entry = request.entry(Event::ChangeRefused, session);
        request.note(entry.with(Detail::Refusal, fault.as_str())).await?;
    }
    let told = match fault {
        ChangeFault::NotThere => (StatusCode::CONFLICT, NOT_THERE),
        ChangeFault::Last => (StatusCode::CONFLICT, LAST),
        ChangeFault::TooMany => (StatusCode::CONFLICT, TOO_MANY),
        ChangeFault::NoOffer => (StatusCode::UNAUTHORIZED, NO_OFFER),
        ChangeFault::WrongCode => (StatusCode::UNAUTHORIZED, WRONG_CODE),
        ChangeFault::Overtaken => (StatusCode::CONFLICT, OVERTAKEN),
        ChangeFault::Account(error) => return Err(error.into()),
    };
    Ok(told)
}

const NOT_THERE: &str = "That app is not in your list any more, so nothing was changed. Below is the list as it is now.";
const LAST: &str = "That is your only app, so it was not removed: your password alone would be left. Move to a new phone instead, or ask your support desk.";
const TOO_MANY: &str = "You have as many apps as there can be. Remove one that you no longer use, then add the new one.";
const NO_OFFER: &str =
    "That took a little too long. Scan this new picture and type what your app shows for it.";
const WRONG_CODE: &str =
    "That code is not right. Wait until your new app shows the next one and type that.";
const OVERTAKEN: &str = "Something else was changed at the same moment, so nothing was changed here. Look at it once more and try again.";
