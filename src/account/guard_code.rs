//! The codes that an enrolment may need: one of an invitation, one that was mailed. Random,
//! spelled for people, and kept as a keyed hash alone.

use zeroize::Zeroizing;

use super::{AccountError, AccountId, Accounts};
use crate::factor::spelling;
use crate::mac::MacKey;
use crate::random;

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 64;

/// Where a code comes from. Its length tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// The desk: 60 bits, since it may hold for weeks.
    Invitation,
    /// A mail: 40 bits for ten minutes (NIST SP 800-63B-4 section 4.1.2.2).
    Mail,
}

impl Origin {
    const fn signs(self) -> usize {
        match self {
            Self::Invitation => 12,
            Self::Mail => 8,
        }
    }

    const fn purpose(self) -> &'static [u8] {
        match self {
            Self::Invitation => b"invitation",
            Self::Mail => b"mailed code",
        }
    }
}

/// A code in its one spelling. It has no `Debug`.
pub(super) struct GuardCode {
    pub(super) origin: Origin,
    signs: Zeroizing<String>,
}

impl GuardCode {
    /// A new one.
    pub(super) fn draw(origin: Origin) -> Result<Self, AccountError> {
        let bits = u128::from_be_bytes(random::bytes()?);
        Ok(Self { origin, signs: Zeroizing::new(spelling::spell(bits, origin.signs())) })
    }

    /// Reads what was typed.
    pub(super) fn read(typed: &str) -> Option<Self> {
        if typed.len() > LONGEST {
            return None;
        }
        let signs = Zeroizing::new(spelling::read(&spelling::bare(typed))?);
        let origin = [Origin::Invitation, Origin::Mail]
            .into_iter()
            .find(|origin| origin.signs() == signs.len())?;
        Some(Self { origin, signs })
    }

    /// The code as it is shown, in groups of four.
    pub(super) fn shown(&self) -> Zeroizing<String> {
        Zeroizing::new(spelling::grouped(&self.signs))
    }
}

impl Accounts {
    /// What the store keeps of a code: a hash under a key from outside the store, over whose
    /// code it is, so that a copy of the store tells nobody whether a guess is right, and a
    /// hash moved to another user's record fits nothing. A slow hash, as recovery codes have,
    /// would add little: these are random, short-lived and soon replaced.
    pub(super) fn guard_hash(&self, account: AccountId, code: &GuardCode) -> [u8; 32] {
        self.guard_key().hash(parts(&account, code))
    }

    /// Whether `kept` is of this code, compared in constant time.
    pub(super) fn is_guard_hash(
        &self,
        account: AccountId,
        code: &GuardCode,
        kept: &[u8; 32],
    ) -> bool {
        self.guard_key().verify(parts(&account, code), kept)
    }

    /// A key of its own, from the one that recovery codes have too.
    fn guard_key(&self) -> MacKey {
        MacKey::new(&MacKey::new(&self.pepper).hash([&b"codes that guard an enrolment"[..]]))
    }
}

fn parts<'a>(account: &'a AccountId, code: &'a GuardCode) -> [&'a [u8]; 4] {
    [code.origin.purpose(), &account.portal.0, &account.sub.0, code.signs.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::{GuardCode, Origin};

    #[test]
    fn a_code_is_read_however_it_is_copied() {
        for (origin, length) in [(Origin::Invitation, 14), (Origin::Mail, 9)] {
            let shown = GuardCode::draw(origin).unwrap().shown();
            assert_eq!(shown.len(), length, "{}", *shown);
            let spaced = shown.to_lowercase().replace('-', " ");
            for typed in [shown.as_str(), &spaced, &shown.replace('-', ""), &format!(" {spaced}\n")]
            {
                let read = GuardCode::read(typed).unwrap();
                assert!(read.origin == origin && *read.shown() == *shown, "{typed}");
            }
        }
        assert_eq!(*GuardCode::read("oil0 0000 OIL1").unwrap().shown(), "0110-0000-0111");
    }

    #[test]
    fn what_has_another_shape_is_no_code() {
        let long = "0".repeat(10_000);
        for typed in ["", "1234567", "123456789", "UUUU-UUUU", "éééé-éééé", "0000-0000-000", &long]
        {
            assert!(GuardCode::read(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn no_two_codes_are_alike() {
        let draw = |_| GuardCode::draw(Origin::Mail).unwrap().shown().to_string();
        let drawn: std::collections::BTreeSet<String> = (0..1000).map(draw).collect();
        assert_eq!(drawn.len(), 1000);
        for place in 0..9 {
            let signs: std::collections::BTreeSet<_> =
                drawn.iter().map(|code| code.as_bytes()[place]).collect();
            assert_eq!(signs.len(), if place == 4 { 1 } else { 32 }, "place {place}");
        }
    }
}
