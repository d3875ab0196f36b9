//! `/recovery-codes`: the new codes, once; whoever comes again reads how many are left and can
//! make new ones, which ends the old (REC-1).

use super::fresh::{changing_by, refused};
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field};
use crate::audit::{Detail, Event};
use crate::net::return_to::ReturnTo;

const HERE: &str = "/recovery-codes";

/// At so many and fewer a user is warned.
pub(super) const FEW: usize = 3;

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    let session = match &request.visit.who {
        Who::Proven(session, _) => session,
        Who::Named(..) => return Ok(request.go("/verify", &return_to)),
        Who::Unknown => return Ok(request.go_to_login()),
    };
    let account = request.site.account(session);
    let codes = request.parts.accounts.take_new_codes(request.now, account, session).await?;
    match &codes {
        Some(codes) => {
            let renewed = field(&request.query, "made").is_some();
            let return_to = return_to.as_str();
            request.page(StatusCode::OK, &Page::RecoveryCodes { codes, renewed, return_to })
        }
        None => left(request, StatusCode::OK, &return_to, None).await,
    }
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    if field(form, "action") == Some("new") {
        return renew(request, form).await;
    }
    match request.visit.session() {
        Some(session) if request.is_our_form(session, form) => {
            Ok(PageAnswer::to(request.return_to(form).as_str().to_owned()))
        }
        Some(_) => request.not_our_form(),
        None => Ok(request.go_to_login()),
    }
}

/// Where a sign-in leads that used one of the last codes: past a page that says so.
pub(super) fn warn(request: &PageRequest<'_>, return_to: &ReturnTo) -> PageAnswer {
    let way = request.go(HERE, return_to);
    PageAnswer { location: way.location.map(|location| format!("{location}&used=yes")), ..way }
}

async fn renew(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let who = match changing_by(request, form, HERE).await {
        Ok(who) => who,
        Err(sent) => return sent.answer(request),
    };
    let return_to = request.return_to(form);
    request.parts.audit.ready()?;
    match request.parts.accounts.renew_codes(request.now, &who).await {
        Ok(count) => {
            let entry = request.entry(Event::RecoveryCodesMade, who.session());
            request.note(entry.with(Detail::Count, count.to_string())).await?;
            let way = request.go(HERE, &return_to);
            let location = way.location.map(|location| format!("{location}&made=yes"));
            Ok(PageAnswer { location, ..way })
        }
        Err(fault) => {
            let (status, text) = refused(request, fault).await?;
            left(request, status, &return_to, Some(text)).await
        }
    }
}

/// How many are left, and how to get new ones.
async fn left(
    request: &PageRequest<'_>,
    status: StatusCode,
    return_to: &ReturnTo,
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    let account = request.site.account(session);
    let left = request.parts.accounts.recovery_codes_left(request.now, account).await?;
    let page = Page::RecoveryCodesShown {
        left: u32::try_from(left).unwrap_or(u32::MAX),
        used: field(&request.query, "used").is_some(),
        return_to: return_to.as_str(),
        fault,
    };
    request.page(status, &page)
}
