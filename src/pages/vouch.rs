//! `/vouch`: somebody who gave a code a moment ago asks for a colleague's reset. Whoever asks
//! hears the same whether or not there is such a colleague.

use std::sync::Arc;
use std::time::Duration;

use super::render::VouchPage;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field};
use crate::account::requester::{Channel, Refusal};
use crate::account::requests::{RequestFault, Vouched, Wish};
use crate::account::voucher::{self, Ground};
use crate::audit::{By, Detail, Entry, Event};
use crate::identity::normalise;
use crate::net::return_to::ReturnTo;
use crate::session::SessionRecord;
use crate::site::held::STEP_UP;
use crate::site::resets::{self, ResetFault};
use crate::user::UserName;

const HERE: &str = "/vouch";
/// How long ago the code may have been given.
const FRESH: Duration = Duration::from_secs(300);
/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

const NO_NAME: &str =
    "That cannot be a user name here. Write the name that your colleague types to sign in.";
const NO_REASON: &str = "Write in one line what happened, such as: lost the phone on Monday.";
const ONESELF: &str = "You cannot ask for yourself: anybody who has your password could do that. A colleague of yours has to ask.";
const TOO_OFTEN: &str =
    "You have asked several times today. Try again tomorrow, or write to your support desk.";

/// Whether anybody's colleague may ask at this portal.
pub(super) fn is_here(request: &PageRequest<'_>) -> bool {
    let organisation = request.site.portal.organisation.as_ref();
    organisation.is_some_and(|organisation| !organisation.domains.is_empty())
}

pub(super) fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match voucher(request) {
        Ok(_) => form(request, StatusCode::OK, ("", ""), None),
        Err(elsewhere) => Ok(*elsewhere),
    }
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    sent: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    if !request.is_our_form(session, sent) {
        return request.not_our_form();
    }
    let voucher = match voucher(request) {
        Ok(voucher) => voucher,
        Err(elsewhere) => return Ok(*elsewhere),
    };
    let typed = field(sent, "colleague").unwrap_or_default();
    let reason = field(sent, "reason").unwrap_or_default().trim();
    let again = |status, fault| form(request, status, (typed, reason), Some(fault));
    let Some(colleague) = normalise(&request.site.portal.identity.username, typed) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, NO_NAME);
    };
    let is_line = !reason.is_empty() && !reason.chars().any(char::is_control);
    if !is_line || reason.chars().count() > LONGEST_REASON {
        return again(StatusCode::UNPROCESSABLE_ENTITY, NO_REASON);
    }
    request.parts.audit.ready()?;
    match vouch(request, voucher, &colleague, reason).await? {
        Came::ToTheDesk => {
            let page = VouchPage::Asked { colleague: colleague.as_str() };
            request.page(StatusCode::OK, &Page::Vouch(page))
        }
        Came::Refused(Refusal::Oneself) => again(StatusCode::FORBIDDEN, ONESELF),
        Came::Refused(
            Refusal::NoOrganisation
            | Refusal::NotAnAddress
            | Refusal::PublicMail
            | Refusal::NotOfOrganisation
            | Refusal::NotAManager,
        ) => request.page(StatusCode::FORBIDDEN, &Page::Vouch(VouchPage::Stranger)),
        Came::TooOften => again(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN),
    }
}

/// What came of a vouch.
enum Came {
    ToTheDesk,
    Refused(Refusal),
    TooOften,
}

async fn vouch(
    request: &PageRequest<'_>,
    session: &SessionRecord,
    colleague: &UserName,
    reason: &str,
) -> Result<Came, PageError> {
    let (parts, now, portal) = (request.parts, request.now, &request.site.portal);
    let voucher = &session.user;
    let ground = Ground {
        organisation: portal.organisation.as_ref(),
        rule: &portal.identity.username,
        email: portal.enrolment.email.as_ref(),
    };
    let requester = match voucher::judge(ground, voucher, colleague) {
        Ok(requester) => requester,
        Err(refusal) => {
            let refused = refused(request, (voucher, colleague), reason);
            request.note(refused.with(Detail::Refusal, refusal.as_str())).await?;
            return Ok(Came::Refused(refusal));
        }
    };
    let account = request.site.account_of(colleague);
    parts.expire_reset(now, account).await?;
    let wish = Wish {
        account,
        user: colleague,
        portal: &portal.name,
        requested_by: voucher.as_str(),
        requester: &requester,
        reason,
        ticket: None,
    };
    match parts.accounts.vouch(now, request.site.account(session), wish).await {
        Ok(Vouched::Asked(asked) | Vouched::Joined(asked)) => {
            let by = By::Colleague(voucher.as_str());
            let entry = resets::entry(Event::ResetRequested, by, &asked);
            request.note(entry.from(request.caller.client, Some(request.request_id))).await?;
            Ok(Came::ToTheDesk)
        }
        Ok(Vouched::TooOften) => {
            let refused = refused(request, (voucher, colleague), reason);
            request.note(refused.with(Detail::Refusal, "too_often")).await?;
            Ok(Came::TooOften)
        }
        Err(fault) => Err(in_doubt(fault)),
    }
}

/// Somebody who gave a code a moment ago, on this very device; or where everybody else belongs
/// first.
fn voucher<'a>(request: &PageRequest<'a>) -> Result<&'a Arc<SessionRecord>, Box<PageAnswer>> {
    let prefix = &request.site.portal.prefix;
    let back = ReturnTo::parse_ours(&format!("{prefix}{HERE}"), prefix);
    let session = match &request.visit.who {
        Who::Unknown => return Err(Box::new(request.go_to_login())),
        Who::Named(..) => return Err(Box::new(request.go("/verify", &back))),
        Who::Proven(session, _) => session,
    };
    if session.proof_age(request.now).is_some_and(|age| age <= FRESH) {
        return Ok(session);
    }
    let way = request.go("/verify", &back);
    let location = way.location.map(|location| format!("{location}&{STEP_UP}"));
    Err(Box::new(PageAnswer { location, ..way }))
}

fn form(
    request: &PageRequest<'_>,
    status: StatusCode,
    (colleague, reason): (&str, &str),
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    request.page(status, &Page::Vouch(VouchPage::Ask { colleague, reason, fault }))
}

fn refused<'a>(
    request: &'a PageRequest<'_>,
    (voucher, colleague): (&'a UserName, &'a UserName),
    reason: &str,
) -> Entry<'a> {
    let entry = Entry::new(Event::ResetRefused, By::Colleague(voucher.as_str()));
    let entry = entry.at(&request.site.portal.name).to(colleague.as_str());
    let entry = entry.from(request.caller.client, Some(request.request_id));
    let entry = entry.with(Detail::RequestedBy, voucher.as_str());
    entry.with(Detail::Channel, Channel::Colleague.as_str()).with(Detail::Reason, reason)
}

/// What cannot be the voucher's fault, whose texts are short.
fn in_doubt(fault: RequestFault) -> PageError {
    match fault {
        RequestFault::Account(error) => error.into(),
        RequestFault::Undecided(_)
        | RequestFault::Decided(_)
        | RequestFault::Objection(_)
        | RequestFault::TooLong
        | RequestFault::Unknown => {
            crate::store::StoreError::Invalid("a vouch fits into no record").into()
        }
    }
}

impl From<ResetFault> for PageError {
    fn from(fault: ResetFault) -> Self {
        match fault {
            ResetFault::Account(error) => error.into(),
            ResetFault::Audit(error) => error.into(),
        }
    }
}
