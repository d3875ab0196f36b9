//! `/notice`: from when on a second factor is needed. Who has none yet sets it up now, or goes
//! on for now.

use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field, times};
use crate::account::Mark;
use crate::audit::Event;
use crate::net::return_to::ReturnTo;
use crate::policy::{Stage, Standing};
use crate::session::SessionRecord;

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    let (session, until) = match told(request, &return_to) {
        Ok(told) => told,
        Err(elsewhere) => return Ok(*elsewhere),
    };
    // Whoever has seen the page may go on, by whichever way.
    let account = request.site.account(session);
    if request.parts.accounts.mark(request.now, account, Mark::Reminded).await? {
        request.site.metrics.rollout().one_more_reminded(session.sub);
    }
    let until = until.map(times::moment);
    let page = Page::Notice { until: until.as_deref(), return_to: return_to.as_str() };
    request.page(StatusCode::OK, &page)
}

pub(super) fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(form);
    let session = match told(request, &return_to) {
        Ok((session, _)) => session,
        Err(elsewhere) => return Ok(*elsewhere),
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    match field(form, "action") {
        Some("enrol") => Ok(request.go("/enrol", &return_to)),
        Some("later") => {
            request.mention(request.entry(Event::EnrolmentPostponed, session));
            Ok(PageAnswer::to(return_to.as_str().to_owned()))
        }
        Some(_) | None => request.error(
            StatusCode::BAD_REQUEST,
            "Nothing was chosen",
            "Go back and choose whether to set up your second step now or later.",
        ),
    }
}

/// The session of somebody who is told of the date, and the date; or where everybody else
/// belongs.
fn told<'a>(
    request: &PageRequest<'a>,
    return_to: &ReturnTo,
) -> Result<(&'a SessionRecord, Option<crate::clock::UnixMillis>), Box<PageAnswer>> {
    let elsewhere = match &request.visit.who {
        Who::Unknown => request.go_to_login(),
        Who::Proven(..) => PageAnswer::to(return_to.as_str().to_owned()),
        Who::Named(_, Standing::Enrolled | Standing::Locked(_) | Standing::Disabled) => {
            request.go("/verify", return_to)
        }
        Who::Named(session, Standing::NotEnrolled) => {
            let user = Some(session.user.as_str());
            match request.site.portal.enforcement.stage(user, request.now) {
                Stage::Announced(until) => return Ok((session, until)),
                Stage::Required => request.go("/enrol", return_to),
                Stage::Report | Stage::Off => PageAnswer::to(return_to.as_str().to_owned()),
            }
        }
    };
    Err(Box::new(elsewhere))
}
