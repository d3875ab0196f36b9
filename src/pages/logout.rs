//! `/logout`: the end of our session and, where ops configured it, of the portal's.

use super::{Page, PageAnswer, PageError, PageRequest, StatusCode};
use crate::audit::Event;
use crate::net::cookie_line;
use crate::session::{Learned, Level, SessionRecord};
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
    // Whoever wants out gets out, even where nothing can be written.
    request.mention(request.entry(Event::SignedOut, session));
    let mut answer = request.go_to_login().with_cookie(cookie_line::clear_session());
    for (name, _) in request.visit.cookies.iter() {
        answer.cookies.push(cookie_line::clear_of_portal(name));
    }
    let sign_out_of_portal = request.site.portal.identity.logout.is_some() && is_own(session);
    Ok(PageAnswer {
        sign_out_of_portal,
        ending: (VerdictLabel::Notice, ReasonLabel::OwnPage),
        ..answer
    })
}

/// Whether this visitor began the portal's session, or proved it. One that we were told of may
/// be held by others too, and is not ended by whoever has a copy of it.
fn is_own(session: &SessionRecord) -> bool {
    session.learned == Learned::Login || matches!(session.level, Level::Proven { .. })
}
