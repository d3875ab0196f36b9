//! Resets at the desk: what it was asked for is written down, approved by who may, denied, and
//! carried out once enough have approved and the wait is over.

use serde::Deserialize;

use super::Acting;
use crate::account::AccountError;
use crate::account::requester::{self, Channel, Refusal, Requester};
use crate::account::requests::{
    Approving, LONGEST_DENIAL, Objection, RequestFault, RequestState, Requests, ResetRequest,
    Wanted, Way, Wish,
};
use crate::account::voucher::{self, Ground};
use crate::audit::{AuditError, Detail, Entry, Event};
use crate::config::desk::Role;
use crate::notify::Addressee;
use crate::site::Site;
use crate::site::resets::{Carried, ResetFault, entry};
use crate::user::{Opaque, UserName};

const LONGEST_REASON: usize = 500;
const LONGEST_TICKET: usize = 100;

/// Who asks for a reset, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Asked {
    /// An address of mail.
    pub(in crate::admin) requested_by: String,
    /// As what that person asks.
    pub(in crate::admin) channel: Channel,
    /// Why: 1 to 500 characters.
    pub(in crate::admin) reason: String,
    /// The desk's ticket, up to 100 characters.
    pub(in crate::admin) ticket: Option<String>,
}

/// What came of an approval.
pub(in crate::admin) enum Outcome {
    /// The factor is gone.
    Done(Box<Carried>),
    /// It needs more, of people or of time.
    Held(Box<ResetRequest>),
}

/// Why the desk did not do it.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum DeedFault {
    /// It may not.
    #[error("the role is {}; this needs {} or more", has.as_str(), needs.as_str())]
    Role { has: Role, needs: Role },
    /// A text is not as it has to be.
    #[error("{name} has to be 1 to {longest} letters on one line")]
    Text { name: &'static str, longest: usize },
    /// The word of who asks does not count.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The approval does not count.
    #[error(transparent)]
    Objection(Objection),
    /// Another request of the user is undecided.
    #[error(
        "a reset of this user was asked for already; approve or deny request {}",
        .0.encode()
    )]
    Undecided(Opaque),
    /// It was decided before.
    #[error("this request is {} already", .0.as_str())]
    Decided(RequestState),
    /// The texts are too long together.
    #[error("the reason is too long to be kept; write a shorter one")]
    TooLong,
    /// There is no such request, or not for this member of the desk.
    #[error("there is no such request")]
    Unknown,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// It cannot be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl From<RequestFault> for DeedFault {
    fn from(fault: RequestFault) -> Self {
        match fault {
            RequestFault::Undecided(id) => Self::Undecided(id),
            RequestFault::Decided(state) => Self::Decided(state),
            RequestFault::Objection(objection) => Self::Objection(objection),
            RequestFault::TooLong => Self::TooLong,
            RequestFault::Unknown => Self::Unknown,
            RequestFault::Account(error) => Self::Account(error),
        }
    }
}

impl From<ResetFault> for DeedFault {
    fn from(fault: ResetFault) -> Self {
        match fault {
            ResetFault::Account(error) => Self::Account(error),
            ResetFault::Audit(error) => Self::Audit(error),
        }
    }
}

/// Writes down that somebody asked for a reset of `user`, who need not have been seen; that is
/// the first approval too. Where it is the only one needed and there is no wait, it is done.
///
/// # Errors
/// When it is refused, or not on disk. A refusal is in the audit log.
pub(in crate::admin) async fn ask(
    acting: Acting<'_>,
    (site, user): (&Site, &UserName),
    asked: &Asked,
) -> Result<Outcome, DeedFault> {
    let requester = word_of(acting, (site, user), asked).await?;
    // What was left of an earlier one is dealt with first.
    let (parts, account) = (acting.parts, site.account_of(user));
    parts.expire_reset(acting.now, account).await?;
    if let Some(carried) = carried_out(acting, site, user).await? {
        return Ok(Outcome::Done(Box::new(carried)));
    }
    let wish = Wish {
        account,
        user,
        portal: &site.portal.name,
        requested_by: &asked.requested_by,
        requester: &requester,
        reason: &asked.reason,
        ticket: asked.ticket.as_deref(),
    };
    let to = Addressee::at(&site.portal, user);
    let approving = Approving { staff: acting.staff, terms: site.portal.reset, to: &to };
    match parts.accounts.ask_for_reset(acting.now, wish, approving).await {
        Ok(request) => {
            acting.note(entry(Event::ResetRequested, acting.by(), &request)).await?;
            approved(acting, site, request).await
        }
        Err(RequestFault::Objection(objection)) => {
            acting.note(refused(acting, (site, user), asked, objection.as_str())).await?;
            Err(DeedFault::Objection(objection))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Judges what was asked for: its texts, whether this member of the desk may take it, and the
/// word of who asks.
async fn word_of(
    acting: Acting<'_>,
    (site, user): (&Site, &UserName),
    asked: &Asked,
) -> Result<Requester, DeedFault> {
    plain("reason", &asked.reason, LONGEST_REASON)?;
    if let Some(ticket) = &asked.ticket {
        plain("ticket", ticket, LONGEST_TICKET)?;
    }
    has_role(acting, asked.channel.needs())?;
    acting.parts.audit.ready()?;
    let (organisation, rule) = (site.portal.organisation.as_ref(), &site.portal.identity.username);
    match requester::judge(organisation, rule, user, &asked.requested_by, asked.channel) {
        Ok(requester) => Ok(requester),
        Err(refusal) => {
            acting.note(refused(acting, (site, user), asked, refusal.as_str())).await?;
            Err(refusal.into())
        }
    }
}

/// Approves a request. Where that was the last approval needed and there is no wait, the reset
/// is done.
///
/// # Errors
/// When it does not count, or is not on disk. A refusal is in the audit log.
pub(in crate::admin) async fn approve(
    acting: Acting<'_>,
    id: Opaque,
) -> Result<Outcome, DeedFault> {
    let (request, site) = known(acting, id).await?;
    has_role(acting, request.channel.needs())?;
    acting.parts.audit.ready()?;
    let user = &request.user;
    let (account, to) = (site.account_of(user), Addressee::at(&site.portal, user));
    acting.parts.expire_reset(acting.now, account).await?;
    let no = |word: &'static str| {
        let entry = entry(Event::ResetRefused, acting.by(), &request);
        acting.note(entry.with(Detail::Refusal, word))
    };
    // The configuration may be another one than when it was asked for.
    if let Err(refusal) = judged_anew(site, &request) {
        no(refusal.as_str()).await?;
        return Err(refusal.into());
    }
    let approving = Approving { staff: acting.staff, terms: site.portal.reset, to: &to };
    let accounts = &acting.parts.accounts;
    match accounts.approve_reset(acting.now, (account, id), approving).await {
        Ok(request) => approved(acting, site, request).await,
        Err(RequestFault::Objection(objection)) => {
            no(objection.as_str()).await?;
            Err(DeedFault::Objection(objection))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Denies a request, also one that is approved and waits.
///
/// # Errors
/// When it was decided before, or is not on disk.
pub(in crate::admin) async fn deny(
    acting: Acting<'_>,
    id: Opaque,
    reason: &str,
) -> Result<ResetRequest, DeedFault> {
    plain("reason", reason, LONGEST_DENIAL)?;
    let (request, site) = known(acting, id).await?;
    has_role(acting, Role::Desk)?;
    acting.parts.audit.ready()?;
    let account = site.account_of(&request.user);
    acting.parts.expire_reset(acting.now, account).await?;
    let accounts = &acting.parts.accounts;
    let request = accounts.deny_reset(acting.now, (account, id), acting.staff, reason).await?;
    let entry = entry(Event::ResetDenied, acting.by(), &request);
    acting.note(entry.with(Detail::Refusal, reason)).await?;
    Ok(request)
}

/// Requests at the portals that this member of the desk is for, oldest first; at one portal
/// alone where it is named.
///
/// # Errors
/// When the store is in doubt.
pub(in crate::admin) async fn list(
    acting: Acting<'_>,
    wanted: Wanted<'_>,
    portal: Option<&str>,
) -> Result<Requests, DeedFault> {
    let is_shown =
        |name: &str| acting.staff.is_for(name) && portal.is_none_or(|portal| portal == name);
    Ok(acting.parts.accounts.reset_requests(acting.now, wanted, is_shown).await?)
}

/// The request of that name with its portal. To a member of the desk who is not for that portal
/// there is none.
async fn known(acting: Acting<'_>, id: Opaque) -> Result<(ResetRequest, &Site), DeedFault> {
    let request = acting.parts.accounts.reset_request(acting.now, id).await?;
    let request = request.filter(|request| acting.staff.is_for(&request.portal));
    let request = request.ok_or(DeedFault::Unknown)?;
    let site = acting.parts.sites.of(&request.portal).ok_or(DeedFault::Unknown)?;
    Ok((request, site))
}

/// Tells of an approval, and carries the reset out where that was the last one needed.
async fn approved(
    acting: Acting<'_>,
    site: &Site,
    request: ResetRequest,
) -> Result<Outcome, DeedFault> {
    acting.note(entry(Event::ResetApproved, acting.by(), &request)).await?;
    if request.is_ripe(acting.now)
        && let Some(carried) = carried_out(acting, site, &request.user).await?
    {
        return Ok(Outcome::Done(Box::new(carried)));
    }
    Ok(Outcome::Held(Box::new(request)))
}

async fn carried_out(
    acting: Acting<'_>,
    site: &Site,
    user: &UserName,
) -> Result<Option<Carried>, DeedFault> {
    let carried = acting.parts.carry_out_reset(acting.now, (site, user)).await?;
    if let Some(carried) = &carried {
        acting.note(entry(Event::ResetDone, acting.by(), &carried.request)).await?;
    }
    Ok(carried)
}

/// Judges the word of who asked by the configuration in force.
fn judged_anew(site: &Site, request: &ResetRequest) -> Result<(), Refusal> {
    let portal = &site.portal;
    let (organisation, rule) = (portal.organisation.as_ref(), &portal.identity.username);
    let (by, user) = (request.requested_by.as_str(), &request.user);
    match request.way {
        Way::Recorded => {
            requester::judge(organisation, rule, user, by, request.channel).map(|_| ())
        }
        Way::Vouched => {
            let voucher = crate::identity::normalise(rule, by).ok_or(Refusal::NotAnAddress)?;
            let ground = Ground { organisation, rule, email: portal.enrolment.email.as_ref() };
            voucher::judge(ground, &voucher, user).map(|_| ())
        }
    }
}

fn refused<'a>(
    acting: Acting<'a>,
    (site, user): (&'a Site, &'a UserName),
    asked: &'a Asked,
    word: &'static str,
) -> Entry<'a> {
    let entry = Entry::new(Event::ResetRefused, acting.by());
    let entry = entry.at(&site.portal.name).to(user.as_str());
    let entry = entry.with(Detail::RequestedBy, &*asked.requested_by);
    let entry = entry.with(Detail::Channel, asked.channel.as_str());
    let entry = entry.with(Detail::Reason, &*asked.reason).with(Detail::Refusal, word);
    match &asked.ticket {
        Some(ticket) => entry.with(Detail::Ticket, &**ticket),
        None => entry,
    }
}

fn has_role(acting: Acting<'_>, needs: Role) -> Result<(), DeedFault> {
    let has = acting.staff.role;
    if has < needs { Err(DeedFault::Role { has, needs }) } else { Ok(()) }
}

/// A text of the desk's own: short, on one line, with something in it.
fn plain(name: &'static str, text: &str, longest: usize) -> Result<(), DeedFault> {
    let is_plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    let fits = is_plain && text.chars().count() <= longest;
    if fits { Ok(()) } else { Err(DeedFault::Text { name, longest }) }
}
