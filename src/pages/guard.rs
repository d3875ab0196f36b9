//! What stands before `/enrol` where the password is not enough (ENR-1): a page that asks for
//! the code of an invitation or of a mail. Nothing of a secret is made or shown before.

use super::render::{GuardState, MailWay};
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, times};
use crate::account::{AdmitFault, Enrolling, Gate, MailFault, Need, Waits};
use crate::audit::{Detail, Event};
use crate::net::return_to::ReturnTo;
use crate::policy::Stage;

/// The page that asks for a code; the enrolment itself where none is needed any more.
pub(super) async fn ask(
    request: &PageRequest<'_>,
    who: &Enrolling<'_>,
    return_to: &ReturnTo,
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    let Gate::Shut { need, mailed, waits } = request.parts.accounts.gate(request.now, who).await?
    else {
        return Ok(request.go("/enrol", return_to));
    };
    let address =
        who.to.address().filter(|_| request.parts.post.as_ref().is_some_and(|post| post.mails()));
    let masked = address.map(|address| address.masked());
    let mail = match (need, &masked) {
        (Need::MailedCode, Some(to)) if mailed => MailWay::Sent { to },
        (Need::MailedCode, Some(to)) => MailWay::Ready { to },
        (Need::MailedCode, None) => MailWay::Unknown,
        (Need::Nothing | Need::Invitation, _) => MailWay::None,
    };
    let (state, retry_after) = match waits {
        Waits::No => (GuardState::Ask { fault }, None),
        Waits::For(wait) => {
            let seconds = times::seconds(wait);
            (GuardState::Locked { seconds }, Some(seconds))
        }
        Waits::ForTheDesk => (GuardState::Disabled, None),
    };
    let page =
        Page::Invite { mail, state, later: may_wait(request), return_to: return_to.as_str() };
    Ok(PageAnswer { retry_after, ..request.page(StatusCode::OK, &page)? })
}

/// Judges the code that was typed, and leads on to the secret.
pub(super) async fn admit(
    request: &PageRequest<'_>,
    who: &Enrolling<'_>,
    return_to: &ReturnTo,
    typed: &str,
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    let admitted = request.parts.accounts.admit(request.now, who, typed).await;
    if let Err(fault) = &admitted {
        refused(request, who, fault);
    }
    let (status, fault) = match admitted {
        Ok(()) => return Ok(request.go("/enrol", return_to)),
        Err(AdmitFault::AlreadyEnrolled) => return Ok(request.go("/verify", return_to)),
        Err(AdmitFault::Wrong) => (StatusCode::UNAUTHORIZED, Some(WRONG)),
        Err(AdmitFault::Waits) => (StatusCode::TOO_MANY_REQUESTS, None),
        Err(AdmitFault::Account(error)) => return Err(error.into()),
    };
    Ok(PageAnswer { status, ..ask(request, who, return_to, fault).await? })
}

/// Tells of a code that let nobody enrol.
fn refused(request: &PageRequest<'_>, who: &Enrolling<'_>, fault: &AdmitFault) {
    let refusal = match fault {
        AdmitFault::AlreadyEnrolled => "enrolled",
        AdmitFault::Wrong => "wrong_invitation",
        AdmitFault::Waits => "waits",
        // Nothing can be said, and nothing was done.
        AdmitFault::Account(_) => return,
    };
    let entry = request.entry(Event::EnrolmentRefused, who.session);
    request.mention(entry.with(Detail::Refusal, refusal));
}

/// Sends a code, and shows that it was sent.
pub(super) async fn mail(
    request: &PageRequest<'_>,
    who: &Enrolling<'_>,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    match request.parts.accounts.mail_code(request.now, who).await {
        Ok(()) | Err(MailFault::NotHere | MailFault::NoAddress) => {
            Ok(request.go("/enrol", return_to))
        }
        Err(MailFault::TooSoon(wait)) => {
            let seconds = times::seconds(wait);
            let fault = if seconds <= 60 {
                "A code was sent a moment ago. Look in your mail, and wait a minute before you ask for another one."
            } else {
                "Several codes were sent already. Type the last one, or try again in an hour."
            };
            let page = ask(request, who, return_to, Some(fault)).await?;
            let retry_after = Some(seconds);
            Ok(PageAnswer { status: StatusCode::TOO_MANY_REQUESTS, retry_after, ..page })
        }
        Err(MailFault::Account(error)) => Err(error.into()),
    }
}

const WRONG: &str = "That code is not right, or it does not hold any more.";

/// Whether the visitor may go on without a second factor for now.
fn may_wait(request: &PageRequest<'_>) -> bool {
    let user = request.visit.session().map(|session| session.user.as_str());
    match request.site.portal.enforcement.stage(user, request.now) {
        Stage::Announced(_) | Stage::Report | Stage::Off => true,
        Stage::Required => false,
    }
}
