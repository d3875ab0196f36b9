//! `/reset`: a reset that is approved and waits for this user, who can stop it. The password is
//! enough to see and to stop it: whoever lost the phone has no more than that.

use super::render::ResetPage;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field, times};
use crate::account::requests::{RequestState, ResetRequest};
use crate::audit::{By, Event};
use crate::net::language::Language;
use crate::net::return_to::ReturnTo;
use crate::notify::Addressee;
use crate::session::SessionRecord;
use crate::site::resets;

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    let return_to = request.return_to(&[]);
    let account = request.site.account(session);
    let waiting = request.parts.accounts.waiting_reset(request.now, account).await?;
    let Some(until) = waiting.as_ref().and_then(until) else {
        return Ok(PageAnswer::to(return_to.as_str().to_owned()));
    };
    let by = waiting.as_ref().map_or("", |waiting| waiting.speaker().in_words(Language::En));
    let page = ResetPage::Waiting { by, until: &until, return_to: return_to.as_str() };
    request.page(StatusCode::OK, &Page::Reset(page))
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    let return_to = request.return_to(form);
    match field(form, "action") {
        Some("stop") => stop(request, session, &return_to).await,
        Some("go_on") => Ok(PageAnswer::to(return_to.as_str().to_owned())),
        Some(_) | None => request.error(
            StatusCode::BAD_REQUEST,
            "Nothing was chosen",
            "Go back and choose whether to stop the reset or to go on.",
        ),
    }
}

/// The way past a reset that waits, for somebody who has just come in by a code; nothing where
/// none waits. Who was in before saw it then.
pub(super) async fn detour(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    return_to: &ReturnTo,
) -> Result<Option<PageAnswer>, PageError> {
    let comes_in = !matches!(request.visit.who, Who::Proven(..));
    let waits = comes_in && told(request, session).await?.is_some();
    Ok(waits.then(|| request.go("/reset", return_to)))
}

/// When a reset of this user is carried out, as the user reads it; nothing where none waits.
pub(super) async fn told(
    request: &PageRequest<'_>,
    session: &SessionRecord,
) -> Result<Option<String>, PageError> {
    let account = request.site.account(session);
    let waiting = request.parts.accounts.waiting_reset(request.now, account).await?;
    Ok(waiting.as_ref().and_then(until))
}

async fn stop(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    let (account, to) =
        (request.site.account(session), Addressee::at(&request.site.portal, &session.user));
    let stopped = request.parts.accounts.stop_reset(request.now, account, &to).await?;
    let Some(stopped) = stopped else {
        return request.error(
            StatusCode::CONFLICT,
            "There is nothing to stop any more",
            "No reset of your second step waits. It was carried out, or the support desk withdrew it.",
        );
    };
    let entry = resets::entry(Event::ResetStopped, By::User, &stopped);
    request.note(entry.from(request.caller.client, Some(request.request_id))).await?;
    let page = ResetPage::Stopped { return_to: return_to.as_str() };
    request.page(StatusCode::OK, &Page::Reset(page))
}

fn until(request: &ResetRequest) -> Option<String> {
    match request.state {
        RequestState::Waiting { until } => Some(times::moment(until)),
        RequestState::Open
        | RequestState::Done { .. }
        | RequestState::Denied { .. }
        | RequestState::Stopped { .. }
        | RequestState::Expired { .. } => None,
    }
}
