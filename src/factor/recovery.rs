//! Recovery codes: what a user keeps for the day the phone is gone. 80 random bits each,
//! shown once, stored as Argon2id hashes with a salt (NIST SP 800-63B-4 sections 3.1.2 and
//! 4.2.1.1, OWASP ASVS 5.0 6.5.2).

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::spelling;

/// Random bytes in a code: 80 bits, above the 64 that are asked for.
pub const CODE_BYTES: usize = 10;
/// Random bytes in a salt, well above the 32 bits that are asked for.
pub const SALT_BYTES: usize = 16;

/// Signs in a code without hyphens.
const SIGNS: usize = CODE_BYTES * 8 / 5;
/// 19 MiB and two passes, OWASP's least; the codes are random, so it need not be more.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Why codes cannot be hashed: memory is short, or a stored salt is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recovery codes cannot be hashed")]
pub struct HashError;

/// A code in its one spelling. It has no `Debug`.
#[derive(PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code(String);

impl Code {
    /// The code for `random`.
    pub fn from_random(random: [u8; CODE_BYTES]) -> Self {
        let bits = random.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        Self(spelling::spell(bits, SIGNS))
    }

    /// Reads a code without separators; `O` is 0, `I` and `L` are 1, in any case.
    pub fn read(bare: &str) -> Option<Self> {
        spelling::read(bare).filter(|code| code.len() == SIGNS).map(Self)
    }

    /// The code as it is shown, in groups of four.
    pub fn shown(&self) -> String {
        spelling::grouped(&self.0)
    }
}

/// What is kept of a user's codes. A used one leaves an empty place, so that each keeps its
/// number.
#[derive(Clone, Serialize, Deserialize)]
pub struct HashedCodes {
    salt: [u8; SALT_BYTES],
    hashes: Vec<Option<[u8; 32]>>,
}

impl HashedCodes {
    /// Hashes `codes` with one salt for the set and `pepper`, a key outside the store. Takes
    /// tens of milliseconds a code: never on a thread that serves requests.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(codes: &[Code], salt: [u8; SALT_BYTES], pepper: &[u8]) -> Result<Self, HashError> {
        let hashes = codes.iter().map(|code| hash(code, &salt, pepper).map(Some));
        Ok(Self { salt, hashes: hashes.collect::<Result<_, _>>()? })
    }

    /// How many are unused.
    pub fn left(&self) -> usize {
        self.hashes.iter().flatten().count()
    }

    /// The codes without the one that `code` is, and its number from 0; nothing when it is
    /// none of them. All places are compared in constant time.
    ///
    /// # Errors
    /// When memory is short.
    pub fn spend(&self, code: &Code, pepper: &[u8]) -> Result<Option<(Self, usize)>, HashError> {
        let given = hash(code, &self.salt, pepper)?;
        let mut found = Choice::from(0);
        let mut number = 0_u64;
        for (place, kept) in (0_u64..).zip(&self.hashes) {
            let unused = Choice::from(u8::from(kept.is_some()));
            let right = kept.unwrap_or_default().ct_eq(&given) & unused;
            number.conditional_assign(&place, right);
            found |= right;
        }
        if !bool::from(found) {
            return Ok(None);
        }
        let number = usize::try_from(number).map_err(|_| HashError)?;
        let mut rest = self.clone();
        if let Some(place) = rest.hashes.get_mut(number) {
            *place = None;
        }
        Ok(Some((rest, number)))
    }
}

fn hash(code: &Code, salt: &[u8], pepper: &[u8]) -> Result<[u8; 32], HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|_| HashError)?;
    let argon2 = Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| HashError)?;
    let mut out = [0; 32];
    argon2.hash_password_into(code.0.as_bytes(), salt, &mut out).map_err(|_| HashError)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Code, HashedCodes};

    fn codes() -> Vec<Code> {
        (0..3).map(|seed| Code::from_random([seed; 10])).collect()
    }

    #[test]
    fn a_code_has_sixteen_signs_and_is_read_as_it_is_shown() {
        let code = Code::from_random([0xff, 0, 1, 2, 3, 4, 5, 6, 7, 0x80]);
        let shown = code.shown();
        assert_eq!(shown.len(), 19);
        assert!(Code::read(&shown.replace('-', "")).is_some_and(|read| read == code));
        assert_eq!(Code::from_random([0; 10]).shown(), "0000-0000-0000-0000");
        assert_eq!(Code::from_random([0xff; 10]).shown(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    }

    #[test]
    fn letters_that_look_like_digits_are_digits() {
        let code = Code::read("0OoIiLl100000000").unwrap();
        assert_eq!(code.shown(), "0001-1111-0000-0000");
        for bare in
            ["", "U000000000000000", "000000000000000", "00000000000000000", "é00000000000000"]
        {
            assert!(Code::read(bare).is_none(), "{bare}");
        }
    }

    #[test]
    fn a_code_is_spent_once() {
        let hashed = HashedCodes::new(&codes(), [9; 16], b"pepper").unwrap();
        assert_eq!(hashed.left(), 3);
        let code = Code::from_random([1; 10]);
        let (rest, number) = hashed.spend(&code, b"pepper").unwrap().unwrap();
        assert_eq!((rest.left(), number), (2, 1));
        assert!(rest.spend(&code, b"pepper").unwrap().is_none());
        assert!(rest.spend(&Code::from_random([2; 10]), b"pepper").unwrap().is_some());
    }

    #[test]
    fn a_foreign_code_or_another_pepper_is_wrong() {
        let hashed = HashedCodes::new(&codes(), [9; 16], b"pepper").unwrap();
        assert!(hashed.spend(&Code::from_random([7; 10]), b"pepper").unwrap().is_none());
        assert!(hashed.spend(&Code::from_random([1; 10]), b"salt").unwrap().is_none());
    }

    #[test]
    fn what_is_kept_shows_no_code() {
        let hashed = HashedCodes::new(&codes(), [9; 16], b"pepper").unwrap();
        let kept = serde_json::to_string(&hashed).unwrap();
        for code in codes() {
            assert!(!kept.contains(&code.shown()) && !kept.contains(&code.0));
        }
    }
}
