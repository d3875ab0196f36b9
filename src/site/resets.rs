//! What becomes of a reset, whoever brings it about: a page, the desk or the gateway by itself.
//! It is carried out, counted and written down for good in one place.

use super::{Parts, Site};
use crate::account::requests::{ResetRequest, Ripe};
use crate::account::{AccountError, AccountId, Need, Reset};
use crate::audit::{AuditError, By, Detail, Entry, Event};
use crate::clock::UnixMillis;
use crate::notify::Addressee;
use crate::user::UserName;

/// A reset that is done.
pub struct Carried {
    /// On whose word, and by whom.
    pub request: ResetRequest,
    /// What it took away.
    pub reset: Reset,
    /// Whether the user cannot enrol anew without an invitation.
    pub needs_invitation: bool,
}

/// Why nothing came of it. Each kind refuses.
#[derive(Debug, thiserror::Error)]
pub enum ResetFault {
    /// The store or an account is in doubt.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// What happens could not be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// What happened to a request, for the audit log: who asked, why, and who approved.
pub fn entry<'a>(event: Event, by: By<'a>, request: &'a ResetRequest) -> Entry<'a> {
    let entry = Entry::new(event, by).at(&request.portal).to(request.user.as_str());
    let entry = entry.with(Detail::ResetRequest, request.id.encode());
    let entry = entry.with(Detail::RequestedBy, &*request.requested_by);
    let entry = entry.with(Detail::Channel, request.channel.as_str());
    let entry = entry.with(Detail::Reason, &*request.reason);
    let entry = match &request.ticket {
        Some(ticket) => entry.with(Detail::Ticket, &**ticket),
        None => entry,
    };
    match request.approvals.is_empty() {
        true => entry,
        false => entry.with(Detail::Name, request.approvers()),
    }
}

impl Site {
    /// The account of a user of this portal.
    pub fn account_of(&self, user: &UserName) -> AccountId {
        AccountId { portal: self.tag, sub: self.binder.subject(user) }
    }
}

impl Parts {
    /// Carries out the user's reset, if it is approved and its time has come; nothing where
    /// there is none, or somebody else was quicker. The caller tells of it.
    ///
    /// # Errors
    /// When it is not done; then it has to be repeated.
    pub async fn carry_out_reset(
        &self,
        now: UnixMillis,
        (site, user): (&Site, &UserName),
    ) -> Result<Option<Carried>, ResetFault> {
        self.audit.ready()?;
        let (account, to) = (site.account_of(user), Addressee::at(&site.portal, user));
        let done = self.accounts.carry_out_reset(now, account, &to).await?;
        let Some((request, reset)) = done else { return Ok(None) };
        site.metrics.reset(request.channel.into(), account.sub, reset.was_enrolled);
        let sight = self.accounts.sight(now, account).await?;
        let need = Need::of(&site.portal.enrolment, sight.as_ref(), now);
        let needs_invitation = need == Need::Invitation;
        Ok(Some(Carried { request, reset, needs_invitation }))
    }

    /// Writes down that nobody decided the user's request in time, where that is so.
    ///
    /// # Errors
    /// When it is not written down.
    pub async fn expire_reset(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<(), ResetFault> {
        self.audit.ready()?;
        if let Some(request) = self.accounts.expire_reset(now, account).await? {
            self.audit.note(now, entry(Event::ResetExpired, By::Gateway, &request)).await?;
        }
        Ok(())
    }

    /// Does what is due about requests for resets, at the portals of this configuration.
    ///
    /// # Errors
    /// When not all of it is done; it is tried again. One that fails holds up no other.
    pub async fn ripen_resets(&self, now: UnixMillis) -> Result<(), ResetFault> {
        let served = |tag| self.sites.iter().any(|site| site.tag == tag);
        let mut done = Ok(());
        for ripe in self.accounts.ripe_resets(now, served).await? {
            let found = self.sites.iter().find(|site| site.tag == ripe.account.portal);
            if let Some(site) = found
                && let Err(fault) = self.ripen(now, site, ripe).await
            {
                done = Err(fault);
            }
        }
        done
    }

    async fn ripen(&self, now: UnixMillis, site: &Site, ripe: Ripe) -> Result<(), ResetFault> {
        match self.carry_out_reset(now, (site, &ripe.request.user)).await? {
            None => self.expire_reset(now, ripe.account).await,
            Some(Carried { request, .. }) => {
                let done = entry(Event::ResetDone, By::Gateway, &request);
                Ok(self.audit.note(now, done).await?)
            }
        }
    }
}
