//! `/help`: what to do when the phone is gone. Open to everybody, and the same for everybody.

use super::{Page, PageAnswer, PageError, PageRequest, StatusCode};

pub(super) fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    request.page(StatusCode::OK, &Page::Help {})
}
