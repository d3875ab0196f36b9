//! Help for one user: waits forgiven, an invitation to enrol, sessions and devices ended.

use std::time::Duration;

use super::Acting;
use crate::account::{AccountError, AccountId, Invitation, InviteFault, UnlockFault};
use crate::audit::{AuditError, Detail, Entry, Event};
use crate::site::Site;
use crate::user::UserName;

/// A user of a portal, whether or not anybody of that name was ever seen there.
#[derive(Clone, Copy)]
pub(in crate::admin) struct Whom<'a> {
    pub(in crate::admin) site: &'a Site,
    pub(in crate::admin) user: &'a UserName,
    pub(in crate::admin) account: AccountId,
}

/// Why a user was not helped.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum HelpFault {
    /// There is nothing to be invited to.
    #[error("the user has enrolled already")]
    Enrolled,
    /// So many codes were wrong that only a reset helps.
    #[error("the factor is disabled after too many wrong codes; only a reset helps")]
    Disabled,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// It cannot be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Whom<'_> {
    async fn note(
        &self,
        acting: Acting<'_>,
        event: Event,
        detail: Option<(Detail, String)>,
    ) -> Result<(), AuditError> {
        let entry = Entry::new(event, acting.by());
        let entry = entry.at(&self.site.portal.name).to(self.user.as_str());
        let entry = match detail {
            Some((detail, word)) => entry.with(detail, word),
            None => entry,
        };
        acting.note(entry).await
    }
}

/// Lets a user try again who has to wait. Gives whether there was anything to forgive.
///
/// # Errors
/// When only a reset helps, or it is not on disk.
pub(in crate::admin) async fn unlock(
    acting: Acting<'_>,
    whom: Whom<'_>,
) -> Result<bool, HelpFault> {
    acting.parts.audit.ready()?;
    match acting.parts.accounts.unlock(acting.now, whom.account).await {
        Ok(was_locked) => {
            whom.note(acting, Event::Unlocked, None).await?;
            Ok(was_locked)
        }
        Err(UnlockFault::Disabled) => {
            whom.note(acting, Event::UnlockRefused, refused("disabled")).await?;
            Err(HelpFault::Disabled)
        }
        Err(UnlockFault::Account(error)) => Err(error.into()),
    }
}

/// Invites a user to enrol, for `lifetime` from now.
///
/// # Errors
/// When the user has enrolled, or it is not on disk.
pub(in crate::admin) async fn invite(
    acting: Acting<'_>,
    whom: Whom<'_>,
    lifetime: Duration,
) -> Result<Invitation, HelpFault> {
    acting.parts.audit.ready()?;
    let accounts = &acting.parts.accounts;
    match accounts.invite(acting.now, whom.account, whom.user, lifetime).await {
        Ok(invitation) => {
            whom.note(acting, Event::Invited, None).await?;
            Ok(invitation)
        }
        Err(InviteFault::AlreadyEnrolled) => {
            whom.note(acting, Event::InviteRefused, refused("enrolled")).await?;
            Err(HelpFault::Enrolled)
        }
        Err(InviteFault::Account(error)) => Err(error.into()),
    }
}

/// Ends every session of a user at the portal; gives how many there were.
///
/// # Errors
/// When an end is not on disk.
pub(in crate::admin) async fn end_sessions(
    acting: Acting<'_>,
    whom: Whom<'_>,
) -> Result<usize, HelpFault> {
    acting.parts.audit.ready()?;
    let ended = acting.parts.sessions.end_user(acting.now, whom.account.sub).await;
    let ended = ended.map_err(AccountError::from)?;
    whom.note(acting, Event::SessionsEnded, counted(ended)).await?;
    Ok(ended)
}

/// Forgets every remembered device of a user at the portal; gives how many there were.
///
/// # Errors
/// When an end is not on disk.
pub(in crate::admin) async fn end_devices(
    acting: Acting<'_>,
    whom: Whom<'_>,
) -> Result<usize, HelpFault> {
    acting.parts.audit.ready()?;
    let ended = acting.parts.accounts.end_devices(acting.now, whom.account).await?;
    whom.note(acting, Event::DeviceForgotten, counted(ended)).await?;
    Ok(ended)
}

fn refused(word: &str) -> Option<(Detail, String)> {
    Some((Detail::Refusal, word.to_owned()))
}

fn counted(ended: usize) -> Option<(Detail, String)> {
    Some((Detail::Count, ended.to_string()))
}
