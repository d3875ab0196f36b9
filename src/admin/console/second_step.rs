//! Signing in at the console, the second step: a code. Whoever has no authenticator yet sets
//! one up, and needs an invitation for that (ENR-1): a password that was found out is not enough.

use axum::http::StatusCode;
use minijinja::{Value, context};

use super::answer::{Answer, Fault};
use super::visit::{Visit, Who};
use crate::account::{AdmitFault, EnrolFault, Enrolling, Gate, VerifyFault, Waits};
use crate::audit::{By, Detail, Entry, Event};
use crate::config::desk::Person;
use crate::pages::qr;
use crate::pages::times;
use crate::policy::Standing;
use crate::session::{FactorUsed, SessionRecord};

/// `GET /desk/code`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Who::Named(person, _) = &visit.who else { return Ok(visit.elsewhere()) };
    let standing = visit.parts.accounts.standing(visit.now, visit.account(person)).await?;
    match standing {
        Standing::NotEnrolled => Ok(Answer::go("/desk/enrol")),
        Standing::Enrolled => ask(visit, StatusCode::OK, context! { state => "ask" }),
        Standing::Locked(wait) => {
            let until = visit.now.plus(wait).in_words();
            ask(visit, StatusCode::OK, context! { state => "locked", until })
        }
        Standing::Disabled => ask(visit, StatusCode::OK, context! { state => "disabled" }),
    }
}

/// `POST /desk/code`
pub(super) async fn send(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Who::Named(person, session) = &visit.who else { return Ok(visit.elsewhere()) };
    if !visit.is_our_form() {
        return visit.not_our_form();
    }
    visit.parts.audit.ready()?;
    let code = visit.field("code").unwrap_or_default();
    let account = visit.account(person);
    let to = visit.parts.desk_people.enrolling(&person.staff.name, session).to;
    let (status, why, page) =
        match visit.parts.accounts.verify(visit.now, account, session, &to, code).await {
            Ok(verified) => {
                signed_in(visit, person, verified.factor).await?;
                let cookie = visit.cookie_of(person, &verified.session);
                return Ok(Answer::go("/desk/").with_cookie(cookie));
            }
            Err(VerifyFault::Account(error)) => return Err(error.into()),
            Err(VerifyFault::NotEnrolled) => return Ok(Answer::go("/desk/enrol")),
            Err(VerifyFault::Wrong { tries_left }) => {
                (StatusCode::UNAUTHORIZED, "code", context! { state => "wrong", tries_left })
            }
            Err(VerifyFault::Used) => {
                (StatusCode::UNAUTHORIZED, "used", context! { state => "used" })
            }
            Err(VerifyFault::Locked(wait) | VerifyFault::HeldBack(Some(wait))) => {
                let until = visit.now.plus(wait).in_words();
                let page = context! { state => "locked", until };
                visit.refused(Some(person), "locked");
                let answer = ask(visit, StatusCode::TOO_MANY_REQUESTS, page)?;
                return Ok(answer.after(times::seconds(wait)));
            }
            Err(VerifyFault::Disabled | VerifyFault::HeldBack(None)) => {
                (StatusCode::FORBIDDEN, "disabled", context! { state => "disabled" })
            }
        };
    visit.refused(Some(person), why);
    ask(visit, status, page)
}

fn ask(visit: &Visit<'_>, status: StatusCode, page: Value) -> Result<Answer, Fault> {
    // What comes first counts.
    let page = context! { ..page, ..context! { tries_left => 0, until => "" } };
    visit.page(status, "code.html", page)
}

async fn signed_in(visit: &Visit<'_>, person: &Person, factor: FactorUsed) -> Result<(), Fault> {
    let word = match factor {
        FactorUsed::Totp => "totp",
        FactorUsed::RecoveryCode => "recovery_code",
        FactorUsed::Device { .. } => "device",
    };
    let entry = Entry::new(Event::DeskSignedIn, By::Person(&person.staff.name));
    let entry = entry.from(visit.client, None).with(Detail::Factor, word);
    Ok(visit.parts.audit.note(visit.now, entry).await?)
}

/// `GET /desk/enrol`
pub(super) async fn show_enrolment(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Who::Named(person, session) = &visit.who else { return Ok(visit.elsewhere()) };
    let who = visit.parts.desk_people.enrolling(&person.staff.name, session);
    enrolment(visit, &who, StatusCode::OK, None).await
}

/// `POST /desk/enrol`: the code of the invitation first, then the first code of the app.
pub(super) async fn send_enrolment(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Who::Named(person, session) = &visit.who else { return Ok(visit.elsewhere()) };
    if !visit.is_our_form() {
        return visit.not_our_form();
    }
    visit.parts.audit.ready()?;
    let who = visit.parts.desk_people.enrolling(&person.staff.name, session);
    match visit.field("invite") {
        Some(typed) => admit(visit, person, &who, typed).await,
        None => confirm(visit, person, &who).await,
    }
}

async fn admit(
    visit: &Visit<'_>,
    person: &Person,
    who: &Enrolling<'_>,
    typed: &str,
) -> Result<Answer, Fault> {
    match visit.parts.accounts.admit(visit.now, who, typed).await {
        Ok(()) | Err(AdmitFault::AlreadyEnrolled) => Ok(Answer::go("/desk/enrol")),
        Err(AdmitFault::Account(error)) => Err(error.into()),
        Err(AdmitFault::Wrong | AdmitFault::Waits) => {
            visit.refused(Some(person), "invitation");
            let fault = "That invitation code is not right, or holds no longer.";
            enrolment(visit, who, StatusCode::UNAUTHORIZED, Some(fault)).await
        }
    }
}

async fn confirm(visit: &Visit<'_>, person: &Person, who: &Enrolling<'_>) -> Result<Answer, Fault> {
    let code = visit.field("code").unwrap_or_default();
    let label = visit.field("label").unwrap_or_default();
    let fault = match visit.parts.accounts.confirm(visit.now, who, code, label).await {
        Ok(confirmed) => {
            let by = By::Person(&person.staff.name);
            let entry = Entry::new(Event::Enrolled, by).from(visit.client, None);
            visit.parts.audit.note(visit.now, entry).await?;
            signed_in(visit, person, FactorUsed::Totp).await?;
            let cookie = visit.cookie_of(person, &confirmed.session);
            return Ok(Answer::go("/desk/recovery-codes").with_cookie(cookie));
        }
        Err(EnrolFault::Account(error)) => return Err(error.into()),
        Err(EnrolFault::AlreadyEnrolled) => return Ok(Answer::go("/desk/code")),
        Err(EnrolFault::WrongCode) => {
            "That code is not right. Wait until your app shows a new one and type that."
        }
        Err(EnrolFault::NoOffer) => {
            "That took a little too long. Scan this new picture and type what your app shows for it."
        }
        Err(EnrolFault::Guarded) => {
            "That took a little too long, or the code was replaced. Type a code again."
        }
    };
    visit.refused(Some(person), "code");
    enrolment(visit, who, StatusCode::UNAUTHORIZED, Some(fault)).await
}

/// The page on which an authenticator is set up, as far as this session has come.
async fn enrolment(
    visit: &Visit<'_>,
    who: &Enrolling<'_>,
    status: StatusCode,
    fault: Option<&str>,
) -> Result<Answer, Fault> {
    let accounts = &visit.parts.accounts;
    if let Gate::Shut { waits, .. } = accounts.gate(visit.now, who).await? {
        let (state, until) = match waits {
            Waits::No => ("invite", String::new()),
            Waits::For(wait) => ("locked", visit.now.plus(wait).in_words()),
            Waits::ForTheDesk => ("disabled", String::new()),
        };
        let none: [&str; 0] = [];
        let page = context! { state, until, fault, qr_svg => "", groups => none, link => "" };
        return visit.page(status, "enrol.html", page);
    }
    let offer = match accounts.offer(visit.now, who).await {
        Ok(offer) => offer,
        Err(EnrolFault::Account(error)) => return Err(error.into()),
        Err(
            EnrolFault::AlreadyEnrolled
            | EnrolFault::Guarded
            | EnrolFault::NoOffer
            | EnrolFault::WrongCode,
        ) => return Ok(Answer::go("/desk/code")),
    };
    let qr_svg = Value::from_safe_string(qr::svg(&offer.link)?);
    let (groups, link) = (&offer.groups, offer.link.as_str());
    let page = context! { state => "scan", until => "", fault, qr_svg, groups, link };
    visit.page(status, "enrol.html", page)
}

/// `GET /desk/recovery-codes`: the new codes, once.
pub(super) async fn recovery_codes(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Who::Proven(person, session) = &visit.who else { return Ok(visit.elsewhere()) };
    let session: &SessionRecord = session;
    let account = visit.account(person);
    let codes = visit.parts.accounts.take_new_codes(visit.now, account, session).await?;
    match codes {
        Some(codes) => visit.page(StatusCode::OK, "recovery-codes.html", context! { codes }),
        None => Ok(Answer::go("/desk/")),
    }
}

/// `POST /desk/sign-out`
pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let Some(session) = visit.session() else { return Ok(visit.elsewhere()) };
    if !visit.is_our_form() {
        return visit.not_our_form();
    }
    visit.parts.sessions.end(visit.now, session).await?;
    visit.parts.audit.note(visit.now, visit.entry(Event::DeskSignedOut)).await?;
    Ok(Answer::go("/desk/sign-in?out=yes").with_cookie(super::cookie::clear()))
}
