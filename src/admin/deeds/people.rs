//! Help for the people of the desk's console themselves, by an administrator: an invitation to
//! set up a second factor, waits forgiven, a second factor taken away.

use super::Acting;
use crate::account::{AccountError, Invitation, InviteFault, Reset, State, UnlockFault};
use crate::audit::{AuditError, Detail, Entry, Event};
use crate::clock::UnixMillis;
use crate::config::desk::Person;
use crate::desk::PORTAL;

/// How somebody at the desk stands.
pub(in crate::admin) struct Standing {
    pub(in crate::admin) state: State,
    pub(in crate::admin) enrolled: Option<UnixMillis>,
    /// Until when a password or a code is not taken.
    pub(in crate::admin) locked_until: Option<UnixMillis>,
    pub(in crate::admin) wrong_passwords: u32,
    pub(in crate::admin) wrong_codes: u32,
    pub(in crate::admin) recovery_codes_left: usize,
    pub(in crate::admin) sessions: usize,
}

/// Why somebody was not helped.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum PersonFault {
    /// There is nothing to be invited to.
    #[error("this person has a second factor already; reset it first")]
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

/// How a person stands.
///
/// # Errors
/// When the store is in doubt.
pub(in crate::admin) async fn standing(
    acting: Acting<'_>,
    person: &Person,
) -> Result<Standing, AccountError> {
    let (parts, now) = (acting.parts, acting.now);
    let account = parts.desk_people.account(&person.staff.name);
    let member = parts.accounts.member(now, account).await?;
    let passwords = parts.accounts.password_attempts(now, account).await?.at(now);
    let phones = member.iter().flat_map(|member| &member.authenticators);
    let codes = member.as_ref().map(|member| member.counter.at(now));
    let waits =
        passwords.locked_until.into_iter().chain(codes.and_then(|codes| codes.locked_until));
    let locked_until = waits.max();
    let state = match member.as_ref().map_or(State::Missing, |member| member.state(now)) {
        State::Disabled => State::Disabled,
        _ if passwords.disabled => State::Disabled,
        _ if locked_until.is_some() => State::Locked,
        state @ (State::Missing | State::Enrolled | State::Locked) => state,
    };
    Ok(Standing {
        state,
        enrolled: phones.map(|(_, added)| *added).min(),
        locked_until,
        wrong_passwords: passwords.failures,
        wrong_codes: codes.map_or(0, |codes| codes.failures),
        recovery_codes_left: parts.accounts.recovery_codes_left(now, account).await?,
        sessions: parts.sessions.of_user(now, account.sub).await.map_err(AccountError::from)?.len(),
    })
}

/// Invites a person to set up a second factor.
///
/// # Errors
/// When there is one already, or it is not on disk.
pub(in crate::admin) async fn invite(
    acting: Acting<'_>,
    person: &Person,
) -> Result<Invitation, PersonFault> {
    let desk = &acting.parts.desk_people;
    acting.parts.audit.ready()?;
    let name = &person.staff.name;
    let (account, user) = (desk.account(name), desk.user(name));
    let accounts = &acting.parts.accounts;
    match accounts.invite(acting.now, account, &user, desk.invitation()).await {
        Ok(invitation) => {
            noted(acting, Event::Invited, person, None).await?;
            Ok(invitation)
        }
        Err(InviteFault::AlreadyEnrolled) => {
            noted(acting, Event::InviteRefused, person, Some("enrolled")).await?;
            Err(PersonFault::Enrolled)
        }
        Err(InviteFault::Account(error)) => Err(error.into()),
    }
}

/// Lets a person try again who has to wait after wrong passwords or codes. Gives whether there
/// was anything to forgive.
///
/// # Errors
/// When only a reset helps, or it is not on disk.
pub(in crate::admin) async fn unlock(
    acting: Acting<'_>,
    person: &Person,
) -> Result<bool, PersonFault> {
    acting.parts.audit.ready()?;
    let (accounts, now) = (&acting.parts.accounts, acting.now);
    let account = acting.parts.desk_people.account(&person.staff.name);
    let had_wrong = accounts.password_attempts(now, account).await?.failures > 0;
    match accounts.unlock(now, account).await {
        Ok(was_locked) => {
            accounts.forget_password_attempts(now, account).await?;
            noted(acting, Event::Unlocked, person, None).await?;
            Ok(was_locked || had_wrong)
        }
        Err(UnlockFault::Disabled) => {
            noted(acting, Event::UnlockRefused, person, Some("disabled")).await?;
            Err(PersonFault::Disabled)
        }
        Err(UnlockFault::Account(error)) => Err(error.into()),
    }
}

/// Takes a person's second factor away and signs that person out.
///
/// # Errors
/// When not all of it is on disk; then it has to be repeated.
pub(in crate::admin) async fn reset(
    acting: Acting<'_>,
    person: &Person,
) -> Result<Reset, PersonFault> {
    acting.parts.audit.ready()?;
    let (accounts, desk) = (&acting.parts.accounts, &acting.parts.desk_people);
    let name = &person.staff.name;
    let done = accounts.reset_person(acting.now, desk.account(name), &desk.user(name)).await?;
    noted(acting, Event::ResetDone, person, None).await?;
    Ok(done)
}

/// The audit log names a person as a user of the console.
async fn noted(
    acting: Acting<'_>,
    event: Event,
    person: &Person,
    refusal: Option<&str>,
) -> Result<(), AuditError> {
    let entry = Entry::new(event, acting.by()).at(PORTAL).to(&person.staff.name);
    let entry = match refusal {
        Some(word) => entry.with(Detail::Refusal, word),
        None => entry,
    };
    acting.note(entry).await
}
