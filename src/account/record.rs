//! What the store keeps of a user's authenticators.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::config::{TotpAlgorithm, TotpParameters};
use crate::factor::totp::{KeyError, TotpKey};
use crate::store::{Space, StoreError, Version};
use crate::user::{Opaque, UserName};

/// All authenticators of one user at one portal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorRecord {
    /// The user's name, for the desk: identifiers alone would tell it nothing.
    pub user: UserName,
    /// At least one.
    pub authenticators: Vec<Authenticator>,
}

impl FactorRecord {
    /// Whether this authenticator is one of them.
    pub(super) fn has(&self, authenticator: Opaque) -> bool {
        self.authenticators.iter().any(|one| one.id == authenticator)
    }
}

/// One phone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authenticator {
    /// Names it in the store.
    pub id: Opaque,
    /// What the user calls it.
    pub label: String,
    /// When it was confirmed.
    pub added: UnixMillis,
    /// Its key.
    pub key: StoredKey,
}

/// A key with the parameters it was made with, so that a changed configuration leaves old
/// phones in force.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct StoredKey {
    secret: Vec<u8>,
    #[zeroize(skip)]
    algorithm: TotpAlgorithm,
    digits: u8,
    period: u64,
}

impl StoredKey {
    /// A key for `secret` under today's parameters.
    pub fn new(secret: &[u8], parameters: &TotpParameters) -> Self {
        Self {
            secret: secret.to_vec(),
            algorithm: parameters.algorithm,
            digits: parameters.digits,
            period: parameters.period.as_secs(),
        }
    }

    /// The key, ready to judge codes.
    ///
    /// # Errors
    /// When the record holds no key of RFC 6238.
    pub fn ready(&self) -> Result<TotpKey, KeyError> {
        TotpKey::new(&self.secret, self.algorithm, self.digits, self.period)
    }

    /// How many digits its codes have.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The secret itself, for the enrolment page alone.
    pub fn secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.secret.clone())
    }
}

impl Accounts {
    /// The record and the write it came from.
    pub(super) async fn factor(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<(FactorRecord, Version)>, AccountError> {
        let Some(found) = self.store.get(now, &account.key(Space::Factor)).await? else {
            return Ok(None);
        };
        Ok(Some((read(&found.value)?, found.version)))
    }
}

/// Reads a record of ours.
pub(super) fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|_| StoreError::Corrupt("an account record is not well-formed".to_owned()))
}

/// Writes a record of ours.
pub(super) fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record)
        .map_err(|_| StoreError::Invalid("an account record cannot be written down"))
}
