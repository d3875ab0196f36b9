//! `/logout`: the end of our session and, where ops configured it, of the portal's.

use super::{Page, PageAnswer, PageError, PageRequest, StatusCode};
use crate::net::cookie_line;
use crate::telemetry::label::{ReasonLabel, VerdictLabel};

pub(super) fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match request.visit.session() {
        Some(_) => request.page(StatusCode::OK, &Page::Logout {}),
        None => Ok(request.go_to_login()),
    }
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
    request.parts.sessions.end(request.now, session).await?;
    let mut answer = request.go_to_login().with_cookie(cookie_line::clear_session());
    for (name, _) in request.visit.cookies.iter() {
        answer.cookies.push(cookie_line::clear_of_portal(name));
    }
    let sign_out_of_portal = request.site.portal.identity.logout.is_some();
    Ok(PageAnswer {
        sign_out_of_portal,
        ending: (VerdictLabel::Notice, ReasonLabel::OwnPage),
        ..answer
    })
}
