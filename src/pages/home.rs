//! `/`: who you are here, what you have, what you can do.

use super::render::{AuthenticatorLine, SessionLine};
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, devices, times};

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    let proven = matches!(request.visit.who, Who::Proven(..));
    let account = request.site.account(session);
    let accounts = &request.parts.accounts;
    let factor = accounts.authenticators(request.now, account).await?;
    // What somebody owns is shown to who has proven to be that somebody.
    let shown = factor.as_ref().filter(|_| proven);
    let authenticators: Vec<(&str, String)> = shown
        .iter()
        .flat_map(|factor| &factor.authenticators)
        .map(|one| (one.label.as_str(), times::moment(one.added)))
        .collect();
    let mut sessions = Vec::new();
    let mut recovery_left = 0;
    if proven {
        recovery_left = accounts.recovery_codes_left(request.now, account).await?;
        for one in request.parts.sessions.of_user(request.now, session.sub).await? {
            let current = one.bind == session.bind;
            sessions.push((times::moment(one.started), current));
        }
    }
    let page = Page::Home {
        proven,
        enrolled: factor.is_some(),
        authenticators: &authenticators
            .iter()
            .map(|(label, added)| AuthenticatorLine { label, added })
            .collect::<Vec<_>>(),
        recovery_left: u32::try_from(recovery_left).unwrap_or(u32::MAX),
        sessions: &sessions
            .iter()
            .map(|(since, current)| SessionLine { since, current: *current })
            .collect::<Vec<_>>(),
        remembers: devices::is_here(request),
    };
    request.page(StatusCode::OK, &page)
}
