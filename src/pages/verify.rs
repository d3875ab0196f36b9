//! `/verify`: every visit. One field takes a code of the app or a recovery code.

use std::time::Duration;

use super::render::{CodeField, VerifyState};
use super::{
    Page, PageAnswer, PageError, PageRequest, Standing, StatusCode, VerifyFault, Who, field, times,
};
use crate::net::cookie_line;
use crate::net::return_to::ReturnTo;
use crate::session::{FactorUsed, SessionRecord};
use crate::telemetry::label::{FactorLabel, VerificationLabel};

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    match &request.visit.who {
        Who::Unknown => Ok(request.go_to_login()),
        Who::Proven(..) => Ok(PageAnswer::to(return_to.as_str().to_owned())),
        Who::Named(_, Standing::NotEnrolled) => Ok(request.go("/enrol", &return_to)),
        Who::Named(session, Standing::Enrolled) => {
            ask(request, session, VerifyAnswer::Ask, &return_to).await
        }
        Who::Named(session, Standing::Locked(wait)) => {
            let shown = ask(request, session, VerifyAnswer::Locked(*wait), &return_to).await?;
            Ok(PageAnswer { status: StatusCode::OK, ..shown })
        }
        Who::Named(session, Standing::Disabled) => {
            let shown = ask(request, session, VerifyAnswer::Disabled, &return_to).await?;
            Ok(PageAnswer { status: StatusCode::OK, ..shown })
        }
    }
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(form);
    let session = match &request.visit.who {
        Who::Unknown => return Ok(request.go_to_login()),
        Who::Proven(..) => return Ok(PageAnswer::to(return_to.as_str().to_owned())),
        Who::Named(_, Standing::NotEnrolled) => return Ok(request.go("/enrol", &return_to)),
        Who::Named(session, Standing::Enrolled | Standing::Locked(_) | Standing::Disabled) => {
            session
        }
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    let typed = field(form, "code").unwrap_or_default();
    let account = request.site.account(session);
    let metrics = request.parts.metrics.portal(request.site.index);
    let refused = match request.parts.accounts.verify(request.now, account, session, typed).await {
        Ok(verified) => {
            metrics.verification(label_of(verified.factor), VerificationLabel::Accepted);
            let token =
                request.site.token.mint(&request.parts.keys, request.now, &verified.session)?;
            let answer = PageAnswer::to(return_to.as_str().to_owned());
            return Ok(answer.with_cookie(cookie_line::set_session(&token)));
        }
        Err(VerifyFault::Account(error)) => return Err(error.into()),
        Err(VerifyFault::NotEnrolled) => return Ok(request.go("/enrol", &return_to)),
        Err(VerifyFault::Wrong { tries_left }) => VerifyAnswer::Wrong(tries_left),
        Err(VerifyFault::Used) => VerifyAnswer::Used,
        Err(VerifyFault::Locked(wait)) => VerifyAnswer::Locked(wait),
        Err(VerifyFault::Disabled) => VerifyAnswer::Disabled,
    };
    metrics.verification(FactorLabel::Totp, refused.label());
    ask(request, session, refused, &return_to).await
}

const fn label_of(factor: FactorUsed) -> FactorLabel {
    match factor {
        FactorUsed::Totp => FactorLabel::Totp,
        FactorUsed::RecoveryCode => FactorLabel::RecoveryCode,
    }
}

/// What the page says about the last code, if any.
enum VerifyAnswer {
    Ask,
    Wrong(u32),
    Used,
    Locked(Duration),
    Disabled,
}

impl VerifyAnswer {
    const fn label(&self) -> VerificationLabel {
        match self {
            Self::Ask => VerificationLabel::Error,
            Self::Wrong(_) => VerificationLabel::Wrong,
            Self::Used => VerificationLabel::Replayed,
            Self::Locked(_) | Self::Disabled => VerificationLabel::Locked,
        }
    }
}

async fn ask(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    answer: VerifyAnswer,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    let account = request.site.account(session);
    let left = request.parts.accounts.recovery_codes_left(request.now, account).await?;
    let recovery_left = u32::try_from(left).ok();
    let (mut retry_after, mut until) = (None, String::new());
    if let VerifyAnswer::Locked(wait) = answer {
        retry_after = Some(times::seconds(wait));
        until = times::moment(request.now.plus(wait));
    }
    let (status, state) = match answer {
        VerifyAnswer::Ask => (StatusCode::OK, VerifyState::Ask),
        VerifyAnswer::Wrong(tries_left) => {
            (StatusCode::UNAUTHORIZED, VerifyState::Wrong { tries_left })
        }
        VerifyAnswer::Used => (StatusCode::UNAUTHORIZED, VerifyState::Used),
        VerifyAnswer::Locked(wait) => {
            let seconds = times::seconds(wait);
            (StatusCode::TOO_MANY_REQUESTS, VerifyState::Locked { seconds, until: &until })
        }
        VerifyAnswer::Disabled => (StatusCode::FORBIDDEN, VerifyState::Disabled),
    };
    let field = match field(&request.query, "with") {
        Some("recovery") => CodeField::Recovery,
        Some(_) | None => CodeField::App,
    };
    let page = Page::Verify { state, field, recovery_left, return_to: return_to.as_str() };
    Ok(PageAnswer { retry_after, ..request.page(status, &page)? })
}
