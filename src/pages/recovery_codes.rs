//! `/recovery-codes`: the new codes, once. Whoever comes again finds them gone.

use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who};
use crate::audit::{Detail, Event};

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    let session = match &request.visit.who {
        Who::Proven(session, _) => session,
        Who::Named(..) => return Ok(request.go("/verify", &return_to)),
        Who::Unknown => return Ok(request.go_to_login()),
    };
    let account = request.site.account(session);
    request.parts.audit.ready()?;
    let codes = request.parts.accounts.take_new_codes(request.now, account, session).await?;
    if let Some(codes) = &codes {
        // They are shown once: from here on nothing may keep them from their owner.
        let entry = request.entry(Event::RecoveryCodesMade, session);
        request.mention(entry.with(Detail::Count, codes.len().to_string()));
    }
    let return_to = return_to.as_str();
    match &codes {
        Some(codes) => request.page(StatusCode::OK, &Page::RecoveryCodes { codes, return_to }),
        None => request.page(StatusCode::OK, &Page::RecoveryCodesShown { return_to }),
    }
}

pub(super) fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    match request.visit.session() {
        Some(session) if request.is_our_form(session, form) => {
            Ok(PageAnswer::to(request.return_to(form).as_str().to_owned()))
        }
        Some(_) => request.not_our_form(),
        None => Ok(request.go_to_login()),
    }
}
