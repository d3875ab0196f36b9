//! Authenticators after the first: one more, another label, one less, a new phone in an old
//! one's place. A secret is shown to one session, for minutes, and never once it is confirmed.

use serde::{Deserialize, Serialize};

use super::change::{Change, Ends, replacing};
use super::enrol::{OFFER_LIFETIME, Offer, label_of, step_kept_until, step_key};
use super::record::{Authenticator, FactorRecord, StoredKey, read, write};
use super::{AccountError, Accounts, ChangeFault, Changing, MOST_AUTHENTICATORS};
use crate::clock::UnixMillis;
use crate::factor::totp::{self, SECRET_BYTES};
use crate::factor::{Typed, read_code};
use crate::notify::Mail;
use crate::random;
use crate::store::{Expect, Key, Space, Version, Write};
use crate::user::Opaque;
use zeroize::Zeroizing;

const ONE_MORE: &[u8] = b"add";
const IN_PLACE: &[u8] = b"move";

/// What a new authenticator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPhone {
    /// It comes beside those that are there.
    OneMore,
    /// It takes the place of this one.
    InPlaceOf(Opaque),
}

/// A secret that waits for its first code.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    id: Opaque,
    key: StoredKey,
    purpose: NewPhone,
}

impl Accounts {
    /// Offers a secret to the session of `who`: the same one until it is confirmed or too old,
    /// so that a page shown again fits what was scanned, also after another code was given.
    ///
    /// # Errors
    /// When there can be no such authenticator, or the store is in doubt.
    pub async fn offer_phone(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        purpose: NewPhone,
    ) -> Result<Offer, ChangeFault> {
        let (mut record, _) = self.own(now, who).await?;
        room(&mut record, purpose)?;
        let (secret, is_new) = match self.waiting_phone(now, who, purpose).await? {
            Some((waiting, _)) => (waiting.key.secret(), false),
            None => (self.make_phone(now, who, purpose).await?, true),
        };
        let link = totp::link(&secret, &self.totp, who.session.user.as_str())?;
        Ok(Offer { link, groups: totp::groups(&secret), is_new })
    }

    /// Makes the offered secret an authenticator of the user if `typed` is its code now; the one
    /// whose place it takes ends in the same step. Gives its label: `label`, or where that is
    /// empty the one of its predecessor.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn confirm_phone(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        purpose: NewPhone,
        typed: &str,
        label: &str,
    ) -> Result<String, ChangeFault> {
        let alone = self.alone(who.account).await?;
        let (mut record, version) = self.own(now, who).await?;
        let before = room(&mut record, purpose)?;
        let (offer, offered) =
            self.waiting_phone(now, who, purpose).await?.ok_or(ChangeFault::NoOffer)?;
        let spend = self.first_code(now, who, &offer, typed)?;
        let label = match (label_of(label), &before) {
            (Some(label), _) => label,
            (None, Some(before)) => before.clone(),
            (None, None) => record.unused_label(),
        };
        let key = offer.key.clone();
        let new = Authenticator { id: offer.id, label: label.clone(), added: now, key };
        record.authenticators.push(new);
        let writes = vec![
            replacing(who.account, version, &record)?,
            spend,
            Write::delete(place_of(who, purpose)).expecting(Expect::Is(offered)),
        ];
        let (ends, told) = match before {
            None => (Ends::OtherSessions, Mail::Added { label: label.clone(), at: now }),
            Some(from) => {
                let told = Mail::Moved { from, to: label.clone(), at: now };
                (Ends::OtherSessionsAndDevices, told)
            }
        };
        self.carry_out(now, who, Change { writes, ends, told }, alone).await?;
        Ok(label)
    }

    /// Gives an authenticator another label; gives the label as it is kept.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn rename(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        id: Opaque,
        label: &str,
    ) -> Result<String, ChangeFault> {
        let alone = self.alone(who.account).await?;
        let (mut record, version) = self.own(now, who).await?;
        let to = label_of(label).unwrap_or_else(|| record.unused_label());
        let one = record.one_mut(id)?;
        let from = std::mem::replace(&mut one.label, to.clone());
        if from == to {
            return Ok(to);
        }
        let writes = vec![replacing(who.account, version, &record)?];
        let told = Mail::Renamed { from, to: to.clone(), at: now };
        self.carry_out(now, who, Change { writes, ends: Ends::Nothing, told }, alone).await?;
        Ok(to)
    }

    /// Ends an authenticator, though never the last; gives its label. The codes that it spent
    /// stay spent.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn remove(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        id: Opaque,
    ) -> Result<String, ChangeFault> {
        let alone = self.alone(who.account).await?;
        let (mut record, version) = self.own(now, who).await?;
        let label = record.take(id)?;
        if record.authenticators.is_empty() {
            return Err(ChangeFault::Last);
        }
        let writes = vec![replacing(who.account, version, &record)?];
        let told = Mail::Removed { label: label.clone(), at: now };
        let ends = Ends::OtherSessionsAndDevices;
        self.carry_out(now, who, Change { writes, ends, told }, alone).await?;
        Ok(label)
    }

    /// The write that spends the code by which a new authenticator shows that it works.
    fn first_code(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        offer: &Waiting,
        typed: &str,
    ) -> Result<Write, ChangeFault> {
        let Typed::Totp(code) = read_code(typed, offer.key.digits()) else {
            return Err(ChangeFault::WrongCode);
        };
        let key = offer.key.ready()?;
        let step = key.matching_step(&code, now.seconds(), self.totp.skew);
        let step = step.ok_or(ChangeFault::WrongCode)?;
        Ok(Write::raise(step_key(who.account, offer.id), step.start(), step_kept_until(now)))
    }

    async fn waiting_phone(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        purpose: NewPhone,
    ) -> Result<Option<(Waiting, Version)>, AccountError> {
        let Some(found) = self.store.get(now, &place_of(who, purpose)).await? else {
            return Ok(None);
        };
        let waiting: Waiting = read(&found.value)?;
        Ok((waiting.purpose == purpose).then_some((waiting, found.version)))
    }

    async fn make_phone(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        purpose: NewPhone,
    ) -> Result<Zeroizing<Vec<u8>>, ChangeFault> {
        let secret = Zeroizing::new(random::bytes::<SECRET_BYTES>()?);
        let key = StoredKey::new(&secret[..], &self.totp);
        let waiting = Waiting { id: Opaque(random::bytes()?), key, purpose };
        let until = Some(now.plus(OFFER_LIFETIME));
        let put = Write::put(place_of(who, purpose), write(&waiting)?, until);
        self.store.commit(now, vec![put]).await?;
        Ok(waiting.key.secret())
    }
}

/// Where an offer waits: with its session, whichever code was given in it meanwhile.
fn place_of(who: &Changing<'_>, purpose: NewPhone) -> Key {
    let word = match purpose {
        NewPhone::OneMore => ONE_MORE,
        NewPhone::InPlaceOf(_) => IN_PLACE,
    };
    who.account.key_with(Space::Pending, word, who.session.root)
}

/// Makes room for a new authenticator; gives the label of the one that it takes the place of.
fn room(record: &mut FactorRecord, purpose: NewPhone) -> Result<Option<String>, ChangeFault> {
    match purpose {
        NewPhone::InPlaceOf(id) => record.take(id).map(Some),
        NewPhone::OneMore if record.authenticators.len() < MOST_AUTHENTICATORS => Ok(None),
        NewPhone::OneMore => Err(ChangeFault::TooMany),
    }
}

impl FactorRecord {
    /// Takes an authenticator out; gives its label.
    fn take(&mut self, id: Opaque) -> Result<String, ChangeFault> {
        let place = self.authenticators.iter().position(|one| one.id == id);
        let place = place.ok_or(ChangeFault::NotThere)?;
        Ok(self.authenticators.remove(place).label)
    }

    /// A label for somebody who typed none, which none of the others has.
    fn unused_label(&self) -> String {
        let is_free = |label: &String| self.authenticators.iter().all(|one| one.label != *label);
        let first = super::enrol::DEFAULT_LABEL.to_owned();
        let numbered = (2..).map(|number| format!("{first} {number}"));
        std::iter::once(first.clone()).chain(numbered).find(is_free).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests;
