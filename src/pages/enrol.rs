//! `/enrol`: the first visit. Only who gave the password and has no factor yet sees a secret
//! here, and only until it is confirmed (ENR-2, C20).

use super::{
    EnrolFault, Page, PageAnswer, PageError, PageRequest, Standing, StatusCode, Who, field, guard,
    qr,
};
use crate::account::{Confirmed, Enrolling};
use crate::audit::{Detail, Event};
use crate::net::cookie_line;
use crate::net::return_to::ReturnTo;
use crate::notify::Addressee;
use crate::session::SessionRecord;
use crate::telemetry::label::FactorLabel;

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(&[]);
    match newcomer(request, &return_to) {
        Ok(session) => offer(request, session, &return_to, None).await,
        Err(elsewhere) => Ok(*elsewhere),
    }
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let return_to = request.return_to(form);
    let session = match newcomer(request, &return_to) {
        Ok(session) => session,
        Err(elsewhere) => return Ok(*elsewhere),
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    let who = enrolling(request, session);
    if field(form, "action") == Some("mail") {
        return guard::mail(request, &who, &return_to).await;
    }
    if let Some(typed) = field(form, "invite") {
        return guard::admit(request, &who, &return_to, typed).await;
    }
    confirm(request, &who, &return_to, form).await
}

/// Takes the first code of the app.
async fn confirm(
    request: &PageRequest<'_>,
    who: &Enrolling<'_>,
    return_to: &ReturnTo,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let code = field(form, "code").unwrap_or_default();
    let label = field(form, "label").unwrap_or_default();
    request.parts.audit.ready()?;
    let confirmed = request.parts.accounts.confirm(request.now, who, code, label).await;
    if let Err(fault) = &confirmed {
        refused(request, who.session, fault);
    }
    match confirmed {
        Ok(confirmed) => enrolled(request, &confirmed, return_to).await,
        Err(EnrolFault::WrongCode) => {
            let fault =
                "That code is not right. Wait until your app shows a new one and type that.";
            let page = offer(request, who.session, return_to, Some(fault)).await?;
            Ok(PageAnswer { status: StatusCode::UNAUTHORIZED, ..page })
        }
        Err(EnrolFault::NoOffer) => {
            let fault = "That took a little too long. Scan this new code and type what your app shows for it.";
            let page = offer(request, who.session, return_to, Some(fault)).await?;
            Ok(PageAnswer { status: StatusCode::UNAUTHORIZED, ..page })
        }
        Err(EnrolFault::Guarded) => {
            let fault = "That took a little too long, or the code was replaced. Type a code again.";
            let page = guard::ask(request, who, return_to, Some(fault)).await?;
            Ok(PageAnswer { status: StatusCode::UNAUTHORIZED, ..page })
        }
        Err(EnrolFault::AlreadyEnrolled) => Ok(request.go("/verify", return_to)),
        Err(EnrolFault::Account(error)) => Err(error.into()),
    }
}

/// Leads somebody who has enrolled to the recovery codes.
async fn enrolled(
    request: &PageRequest<'_>,
    confirmed: &Confirmed,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    let metrics = &request.site.metrics;
    metrics.enrolment(FactorLabel::Totp);
    metrics.has_enrolled(confirmed.session.sub);
    let entry = request.entry(Event::Enrolled, &confirmed.session);
    let entry = entry.with(Detail::Factor, FactorLabel::Totp.as_str());
    request.note(entry.with(Detail::Label, confirmed.label.as_str())).await?;
    let entry = request.entry(Event::RecoveryCodesMade, &confirmed.session);
    request.note(entry.with(Detail::Count, confirmed.codes.to_string())).await?;
    let token = request.site.token.mint(&request.parts.keys, request.now, &confirmed.session)?;
    let answer = request.go("/recovery-codes", return_to);
    Ok(answer.with_cookie(cookie_line::set_session(&token)))
}

/// Tells of an enrolment that did not come about.
fn refused(request: &PageRequest<'_>, session: &SessionRecord, fault: &EnrolFault) {
    let refusal = match fault {
        EnrolFault::WrongCode => "wrong_code",
        EnrolFault::NoOffer => "expired",
        EnrolFault::Guarded => "guarded",
        EnrolFault::AlreadyEnrolled => "enrolled",
        // Nothing can be said, and nothing was done.
        EnrolFault::Account(_) => return,
    };
    let entry = request.entry(Event::EnrolmentRefused, session);
    request.mention(entry.with(Detail::Refusal, refusal));
}

/// The session of somebody who may enrol, or where everybody else belongs.
fn newcomer<'a>(
    request: &PageRequest<'a>,
    return_to: &ReturnTo,
) -> Result<&'a SessionRecord, Box<PageAnswer>> {
    match &request.visit.who {
        Who::Named(session, Standing::NotEnrolled) => Ok(session),
        Who::Named(_, Standing::Enrolled | Standing::Locked(_) | Standing::Disabled) => {
            Err(Box::new(request.go("/verify", return_to)))
        }
        Who::Proven(..) => {
            Err(Box::new(PageAnswer::to(format!("{}/", request.site.portal.prefix))))
        }
        Who::Unknown => Err(Box::new(request.go_to_login())),
    }
}

fn enrolling<'a>(request: &PageRequest<'a>, session: &'a SessionRecord) -> Enrolling<'a> {
    let portal = &request.site.portal;
    Enrolling {
        account: request.site.account(session),
        session,
        rules: &portal.enrolment,
        to: Addressee::at(portal, &session.user),
    }
}

async fn offer(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    return_to: &ReturnTo,
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    let who = enrolling(request, session);
    request.parts.audit.ready()?;
    let offer = match request.parts.accounts.offer(request.now, &who).await {
        Ok(offer) => offer,
        Err(EnrolFault::Account(error)) => return Err(error.into()),
        Err(EnrolFault::Guarded) => return guard::ask(request, &who, return_to, None).await,
        Err(EnrolFault::AlreadyEnrolled | EnrolFault::NoOffer | EnrolFault::WrongCode) => {
            return Ok(request.go("/verify", return_to));
        }
    };
    if offer.is_new {
        request.note(request.entry(Event::EnrolmentStarted, session)).await?;
    }
    let page = Page::Enrol {
        qr_svg: &qr::svg(&offer.link)?,
        secret_groups: &offer.groups,
        otpauth: &offer.link,
        return_to: return_to.as_str(),
        fault,
    };
    request.page(StatusCode::OK, &page)
}
