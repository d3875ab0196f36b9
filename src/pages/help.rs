//! `/help`: what to do when the phone is gone. Open to everybody, and the same for everybody.

use super::render::HelpPage;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, vouch};

pub(super) fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let portal = &request.site.portal;
    let managers = portal.organisation.as_ref().is_some_and(|one| !one.managers.is_empty());
    let page = HelpPage {
        colleagues: vouch::is_here(request),
        managers,
        host: portal.hosts.first().map_or("", String::as_str),
    };
    request.page(StatusCode::OK, &Page::Help(page))
}
