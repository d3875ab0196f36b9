//! `/verify`: every visit. One field takes a code of the app or a recovery code.

use std::time::Duration;

use super::render::{CodeField, KeptNotice, VerifyState};
use super::{
    Page, PageAnswer, PageError, PageRequest, Standing, StatusCode, VerifyFault, Who, field,
    recovery_codes, remembered, reset, times,
};
use crate::net::cookie_line;
use crate::net::return_to::ReturnTo;
use crate::notify::Addressee;
use crate::session::{FactorUsed, SessionRecord};
use crate::telemetry::label::{FactorLabel, VerificationLabel};

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    let (session, standing) = match &request.visit.who {
        Who::Unknown => return Ok(request.go_to_login()),
        Who::Proven(session, _) if steps_up(request, &[]) => {
            (session, standing(request, session).await?)
        }
        Who::Proven(..) => return Ok(PageAnswer::to(return_to.as_str().to_owned())),
        Who::Named(_, Standing::NotEnrolled) => return Ok(request.go("/enrol", &return_to)),
        Who::Named(session, standing) => {
            if let Some(answer) = remembered::pass(request, session, *standing, &return_to).await? {
                return Ok(answer);
            }
            (session, *standing)
        }
    };
    let at_rest = VerifyAnswer::at_rest(standing);
    let shown = ask(request, session, at_rest, &return_to, KeptNotice::Nothing).await?;
    Ok(PageAnswer { status: StatusCode::OK, ..shown })
}

/// Whether a proof that stands is too old for where the user wants to go.
fn steps_up(request: &PageRequest<'_>, form: &[(String, String)]) -> bool {
    let said = field(form, "step_up").or_else(|| field(&request.query, "step_up"));
    matches!(request.visit.who, Who::Proven(..)) && said == Some("yes")
}

async fn standing(
    request: &PageRequest<'_>,
    session: &SessionRecord,
) -> Result<Standing, PageError> {
    let account = request.site.account(session);
    Ok(request.parts.accounts.standing(request.now, account).await?)
}

/// Asks for a code in place of a remembered device of which somebody has a copy.
pub(super) async fn ask_after_copy(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    ask(request, session, VerifyAnswer::Copied, return_to, KeptNotice::Nothing).await
}

/// A form of the portal came without a proof: the page asks for a code and says what becomes
/// of the form.
pub(super) async fn hold(
    request: &PageRequest<'_>,
    kept: KeptNotice<'_>,
) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    let (session, standing) = match &request.visit.who {
        Who::Unknown => return lost(request),
        Who::Named(session, standing) => (session, *standing),
        Who::Proven(session, _) => (session, standing(request, session).await?),
    };
    let shown = ask(request, session, VerifyAnswer::at_rest(standing), &return_to, kept).await?;
    Ok(PageAnswer { status: StatusCode::UNAUTHORIZED, ..shown })
}

/// A form longer than this visitor may send: only one that carries a kept form is so long,
/// and whoever is not known by the password alone cannot send that on.
pub(super) fn unread(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    lost(request)
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(form);
    let kept = KeptNotice::of_field(field(form, "kept"));
    // A page of the portal that was shown at this address may hold a form without one of its own.
    let foreign = !form.is_empty() && field(form, "csrf").is_none();
    let (session, standing) = match &request.visit.who {
        Who::Proven(session, _) if steps_up(request, form) => {
            (session, standing(request, session).await?)
        }
        Who::Unknown | Who::Proven(..) if kept != KeptNotice::Nothing => return lost(request),
        Who::Proven(..) if foreign => return lost(request),
        Who::Unknown => return Ok(request.go_to_login()),
        Who::Proven(..) => return Ok(PageAnswer::to(return_to.as_str().to_owned())),
        Who::Named(_, Standing::NotEnrolled) => return Ok(request.go("/enrol", &return_to)),
        Who::Named(session, standing) => (session, *standing),
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    let waiting = match kept {
        KeptNotice::Sealed(sealed) => match request.site.open_form(session.sid, sealed) {
            // It is none of this session: no code is spent on it.
            None => return request.not_our_form(),
            opened => opened,
        },
        KeptNotice::Nothing | KeptNotice::TooLarge => None,
    };
    if field(&request.query, "again").is_some() {
        let at_rest = VerifyAnswer::at_rest(standing);
        let shown = ask(request, session, at_rest, &return_to, kept).await?;
        return Ok(PageAnswer { status: StatusCode::OK, ..shown });
    }
    match judge(request, session, form).await? {
        Judged::Proven { cookies, recovery_left } => {
            let few = recovery_left.is_some_and(|left| left <= recovery_codes::FEW);
            let answer = match waiting.is_some() {
                // A form that waits goes to the portal first.
                true => PageAnswer::to(return_to.as_str().to_owned()),
                false => onward(request, session, &return_to, few).await?,
            };
            Ok(PageAnswer { kept: waiting, cookies, ..answer })
        }
        Judged::NotEnrolled => Ok(request.go("/enrol", &return_to)),
        Judged::Refused(refused) => ask(request, session, refused, &return_to, kept).await,
    }
}

/// Where a right code leads: where the user wanted to go, past a reset that waits or a warning
/// that is due. Our own pages warn by themselves.
async fn onward(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    return_to: &ReturnTo,
    warns: bool,
) -> Result<PageAnswer, PageError> {
    if let Some(detour) = reset::detour(request, session, return_to).await? {
        return Ok(detour);
    }
    Ok(match warns && !return_to.is_ours(&request.site.portal.prefix) {
        true => recovery_codes::warn(request, return_to),
        false => PageAnswer::to(return_to.as_str().to_owned()),
    })
}

/// What came of a code.
enum Judged {
    /// It was right.
    Proven {
        /// The line that sets the proven session, and the one of a device.
        cookies: Vec<String>,
        /// How many recovery codes are left, where it was one.
        recovery_left: Option<usize>,
    },
    Refused(VerifyAnswer),
    NotEnrolled,
}

async fn judge(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    form: &[(String, String)],
) -> Result<Judged, PageError> {
    let typed = field(form, "code").unwrap_or_default();
    let account = request.site.account(session);
    let metrics = &request.site.metrics;
    let to = Addressee::at(&request.site.portal, &session.user);
    let accounts = &request.parts.accounts;
    let refused = match accounts.verify(request.now, account, session, &to, typed).await {
        Ok(verified) => {
            metrics.verification(label_of(verified.factor), VerificationLabel::Accepted);
            let token =
                request.site.token.mint(&request.parts.keys, request.now, &verified.session)?;
            let mut cookies = vec![cookie_line::set_session(&token)];
            cookies.extend(remembered::remember(request, form, &verified).await?);
            return Ok(Judged::Proven { cookies, recovery_left: verified.recovery_left });
        }
        Err(VerifyFault::Account(error)) => return Err(error.into()),
        Err(VerifyFault::NotEnrolled) => return Ok(Judged::NotEnrolled),
        Err(VerifyFault::Wrong { tries_left }) => VerifyAnswer::Wrong(tries_left),
        Err(VerifyFault::Used) => VerifyAnswer::Used,
        Err(VerifyFault::Locked(wait)) => VerifyAnswer::Locked(wait),
        Err(VerifyFault::Disabled) => VerifyAnswer::Disabled,
    };
    metrics.verification(FactorLabel::Totp, refused.label());
    Ok(Judged::Refused(refused))
}

/// Nothing was sent on, and nothing will be: the user has to know.
fn lost(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match request.visit.who {
        Who::Unknown => request.error(
            StatusCode::UNAUTHORIZED,
            "Your session has ended",
            "Your form was not sent. Sign in to the portal again, then go back to your form and send it once more.",
        ),
        Who::Named(..) | Who::Proven(..) => request.error(
            StatusCode::CONFLICT,
            "Your form was not sent",
            "You gave your code already, so this page is out of date. Go back to your form, reload it and send it once more.",
        ),
    }
}

const fn label_of(factor: FactorUsed) -> FactorLabel {
    match factor {
        FactorUsed::Totp => FactorLabel::Totp,
        FactorUsed::RecoveryCode => FactorLabel::RecoveryCode,
        FactorUsed::Device { .. } => FactorLabel::Device,
    }
}

/// What the page says about the last code, if any.
enum VerifyAnswer {
    Ask,
    Copied,
    Wrong(u32),
    Used,
    Locked(Duration),
    Disabled,
}

impl VerifyAnswer {
    /// What there is to say before any code was sent.
    const fn at_rest(standing: Standing) -> Self {
        match standing {
            Standing::NotEnrolled | Standing::Enrolled => Self::Ask,
            Standing::Locked(wait) => Self::Locked(wait),
            Standing::Disabled => Self::Disabled,
        }
    }

    const fn label(&self) -> VerificationLabel {
        match self {
            Self::Ask | Self::Copied => VerificationLabel::Error,
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
    kept: KeptNotice<'_>,
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
        VerifyAnswer::Copied => (StatusCode::OK, VerifyState::Copied),
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
    let return_to = return_to.as_str();
    let remember = remembered::offer(request);
    let remember = remember.as_deref();
    // Whoever has given a code already is asked for another one here alone.
    let step_up = matches!(request.visit.who, Who::Proven(..));
    let reset = reset::told(request, session).await?;
    let reset = reset.as_deref();
    let page =
        Page::Verify { state, field, recovery_left, return_to, kept, remember, step_up, reset };
    Ok(PageAnswer { retry_after, ..request.page(status, &page)? })
}
