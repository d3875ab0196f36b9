//! `/`: who you are here, what you have, what you can do.

use super::{
    Page, PageAnswer, PageError, PageRequest, StatusCode, Who, authenticators, devices, reset,
    sessions,
};

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    let proven = matches!(request.visit.who, Who::Proven(..));
    let account = request.site.account(session);
    let accounts = &request.parts.accounts;
    let authenticators = authenticators::lines(request, session).await?;
    let enrolled = !authenticators.is_empty();
    let mut lines = Vec::new();
    let mut recovery_left = 0;
    if proven {
        recovery_left = accounts.recovery_codes_left(request.now, account).await?;
        lines = sessions::lines(request, session).await?;
    }
    let reset = reset::told(request, session).await?;
    let page = Page::Home {
        proven,
        enrolled,
        // What somebody owns is shown to who has proven to be that somebody.
        authenticators: if proven { &authenticators } else { &[] },
        recovery_left: u32::try_from(recovery_left).unwrap_or(u32::MAX),
        sessions: &lines,
        remembers: devices::is_here(request),
        reset: reset.as_deref(),
    };
    request.page(StatusCode::OK, &page)
}
