//! What a browser keeps of its being remembered, and what the store keeps.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Device, device_key};
use crate::account::record::{read, write};
use crate::account::{AccountError, AccountId};
use crate::clock::UnixMillis;
use crate::random;
use crate::store::{StoreError, Write};
use crate::user::{Opaque, UserName};

/// How long the secret before the present one counts: for tabs that were opened at once.
const GRACE: Duration = Duration::from_secs(10);

const SERIES: usize = 16;
const TOKEN: usize = 32;

/// What a browser keeps: which device it is, and a random token that works once. No `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DeviceSecret {
    #[zeroize(skip)]
    series: Opaque,
    token: [u8; TOKEN],
}

impl DeviceSecret {
    /// The first secret of a new device.
    pub(super) fn begin() -> Result<Self, AccountError> {
        Ok(Self { series: Opaque(random::bytes()?), token: random::bytes()? })
    }

    /// The next secret of the same device.
    pub(super) fn next(&self) -> Result<Self, AccountError> {
        Ok(Self { series: self.series, token: random::bytes()? })
    }

    /// Reads the value of a cookie: what [`DeviceSecret::encode`] wrote, and nothing else.
    pub fn decode(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; SERIES + TOKEN]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes[..]).ok()?;
        let (series, token) = bytes.split_first_chunk::<SERIES>()?;
        let token = token.try_into().ok()?;
        (length == SERIES + TOKEN).then_some(Self { series: Opaque(*series), token })
    }

    /// The value of the cookie: 64 characters of base64url, in which nothing can be read.
    pub fn encode(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&self.series.0[..], &self.token[..]].concat());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&bytes[..]))
    }

    /// Which device it is of.
    pub const fn series(&self) -> Opaque {
        self.series
    }

    /// What the store keeps of it. The token is 256 random bits, so that nobody finds it by
    /// trying and a plain hash does; nor does it tell anything to compare two hashes slowly.
    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.token).into())
    }
}

/// The hash of a token.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TokenHash([u8; 32]);

/// What the store keeps of a device.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceRecord {
    /// The user's name, for the desk.
    pub(super) user: UserName,
    /// The authenticator whose code was given on it: the device counts while that one does.
    pub(super) authenticator: Opaque,
    /// The present token.
    pub(super) token: TokenHash,
    /// The one before.
    pub(super) before: Option<Replaced>,
    pub(super) made: UnixMillis,
    pub(super) used: UnixMillis,
    pub(super) expires: UnixMillis,
    pub(super) browser: String,
    pub(super) network: String,
}

/// A token that another one took the place of.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replaced {
    pub(super) token: TokenHash,
    pub(super) at: UnixMillis,
}

/// What a secret is to its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The present one.
    Present,
    /// The one before, replaced a moment ago.
    JustReplaced,
    /// An older one, or none that we made: somebody has a copy.
    Copy,
}

impl DeviceRecord {
    /// What `secret` is to this device.
    pub(super) fn judge(&self, now: UnixMillis, secret: &DeviceSecret) -> Match {
        let hash = secret.hash();
        let recent = |before: &Replaced| before.token == hash && now.since(before.at) < GRACE;
        if self.token == hash {
            Match::Present
        } else if self.before.as_ref().is_some_and(recent) {
            Match::JustReplaced
        } else {
            Match::Copy
        }
    }

    /// How long it is remembered still. A lifetime that ops made shorter counts at once, a
    /// longer one not for what is there.
    pub(super) fn left(&self, now: UnixMillis, lifetime: Duration) -> Option<Duration> {
        let expires = self.expires.min(self.made.plus(lifetime));
        (now < expires).then(|| expires.since(now))
    }

    pub(super) fn shown(self, series: Opaque) -> Device {
        Device {
            series,
            user: self.user,
            browser: self.browser,
            network: self.network,
            made: self.made,
            used: self.used,
            expires: self.expires,
        }
    }
}

/// The write that keeps a device until it expires.
pub(super) fn write_device(
    account: AccountId,
    series: Opaque,
    record: &DeviceRecord,
) -> Result<Write, StoreError> {
    Ok(Write::put(device_key(account, series), write(record)?, Some(record.expires)))
}

/// Reads a device of ours.
pub(super) fn read_device(bytes: &[u8]) -> Result<DeviceRecord, StoreError> {
    read(bytes)
}

#[cfg(test)]
mod tests {
    use super::DeviceSecret;

    #[test]
    fn a_secret_is_read_back_and_nothing_else_is() {
        let secret = DeviceSecret::begin().unwrap();
        let text = secret.encode();
        assert_eq!(text.len(), 64);
        let read = DeviceSecret::decode(&text).unwrap();
        assert!(read.series() == secret.series() && read.hash() == secret.hash());
        let next = secret.next().unwrap();
        assert!(next.series() == secret.series() && next.hash() != secret.hash());
        let long = format!("{}AAAA", *text);
        for other in ["", "AAAA", &text[..63], &text[..60], &long, &"!".repeat(64)] {
            assert!(DeviceSecret::decode(other).is_none(), "{other}");
        }
    }
}
