//! `/vouch`: somebody who gave a code a moment ago asks for a colleague's reset. Whoever asks
//! hears the same whether or not there is such a colleague.

use std::sync::Arc;
use std::time::Duration;

use super::render::VouchPage;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field};
use crate::account::requester::{Channel, Refusal};
use crate::account::requests::{RequestFault, ResetRequest, Vouched, Wish};
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
    if !is_reason(reason) {
        return again(StatusCode::UNPROCESSABLE_ENTITY, NO_REASON);
    }
    let page = match vouch(request, voucher, &colleague, reason).await? {
        Came::Refused(Refusal::Oneself) => return again(StatusCode::FORBIDDEN, ONESELF),
        Came::TooOften => return again(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN),
        Came::ToTheDesk => (StatusCode::OK, VouchPage::Asked { colleague: colleague.as_str() }),
        Came::Refused(
            Refusal::NoOrganisation
            | Refusal::NotAnAddress
            | Refusal::PublicMail
            | Refusal::NotOfOrganisation
            | Refusal::NotAManager,
        ) => (StatusCode::FORBIDDEN, VouchPage::Stranger),
    };
    request.page(page.0, &Page::Vouch(page.1))
}

/// One line with something in it.
fn is_reason(text: &str) -> bool {
    let is_line = !text.is_empty() && !text.chars().any(char::is_control);
    is_line && text.chars().count() <= LONGEST_REASON
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
    let (parts, portal, voucher) = (request.parts, &request.site.portal, &session.user);
    parts.audit.ready()?;
    let ground = Ground {
        organisation: portal.organisation.as_ref(),
        rule: &portal.identity.username,
        email: portal.enrolment.email.as_ref(),
    };
    let refused = |word: &'static str| {
        let refused = refused(request, (voucher, colleague), reason);
        request.note(refused.with(Detail::Refusal, word))
    };
    let requester = match voucher::judge(ground, voucher, colleague) {
        Ok(requester) => requester,
        Err(refusal) => {
            refused(refusal.as_str()).await?;
            return Ok(Came::Refused(refusal));
        }
    };
    let account = request.site.account_of(colleague);
    parts.expire_reset(request.now, account).await?;
    let wish = Wish {
        account,
        user: colleague,
        portal: &portal.name,
        requested_by: voucher.as_str(),
        requester: &requester,
        reason,
        ticket: None,
    };
    match parts.accounts.vouch(request.now, request.site.account(session), wish).await {
        Ok(Vouched::Asked(asked) | Vouched::Joined(asked)) => {
            told_of(request, voucher, &asked).await
        }
        Ok(Vouched::TooOften) => refused("too_often").await.map(|()| Came::TooOften),
        Err(fault) => Err(in_doubt(fault)),
    }
}

async fn told_of(
    request: &PageRequest<'_>,
    voucher: &UserName,
    asked: &ResetRequest,
) -> Result<Came, PageError> {
    let entry = resets::entry(Event::ResetRequested, By::Colleague(voucher.as_str()), asked);
    request.note(entry.from(request.caller.client, Some(request.request_id))).await?;
    Ok(Came::ToTheDesk)
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
