//! Passwords of people at the desk, kept as Argon2id hashes (RFC 9106) in the string format of
//! the Password Hashing Competition. A hash that is cheaper to guess at than OWASP's least is
//! none; one that costs us more than a sign-in may is none either.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

/// The fewest characters of a new password. It is never the only factor, so NIST SP 800-63B-4
/// section 3.1.1.2 asks for 8; whoever gets past it resets other people's factors.
pub const FEWEST_CHARACTERS: usize = 12;
/// The longest password that is looked at, in bytes.
pub const LONGEST: usize = 1024;

/// 19 MiB and two passes: OWASP's least.
const LEAST_KIB: u32 = 19 * 1024;
const LEAST_PASSES: u32 = 2;
/// More would let a few sign-ins at once take a small machine down.
const MOST_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 8;
const SALT: usize = 16;
const HASH: usize = 32;
const LONGEST_PART: usize = 64;

/// What is kept of a password. It has no `Debug` that shows it.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Why a text is no hash that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Another kind of hash, or none at all.
    #[error("is no Argon2id hash")]
    NotArgon2id,
    /// Guesses at it are too cheap.
    #[error("is a hash at which guessing is too cheap: 19456 KiB and 2 passes are the least")]
    Weak,
    /// A sign-in would cost too much.
    #[error("is a hash that costs too much: 262144 KiB, 16 passes and 8 lanes are the most")]
    Costly,
}

/// A password cannot be hashed: memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password cannot be hashed")]
pub struct HashError;

impl PasswordHash {
    /// Reads `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
    ///
    /// # Errors
    /// When it is something else, or is not worth or beyond its cost.
    pub fn parse(text: &str) -> Result<Self, PasswordFault> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, hash] = parts.as_slice() else {
            return Err(PasswordFault::NotArgon2id);
        };
        let (kib, passes, lanes) = costs_of(costs).ok_or(PasswordFault::NotArgon2id)?;
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        let (salt, hash) = bytes(salt).zip(bytes(hash)).ok_or(PasswordFault::NotArgon2id)?;
        if [&salt, &hash].into_iter().any(|part| part.len() > LONGEST_PART) {
            return Err(PasswordFault::NotArgon2id);
        }
        let is_short = salt.len() < SALT || hash.len() < HASH;
        if is_short || kib < LEAST_KIB || passes < LEAST_PASSES || lanes < 1 {
            return Err(PasswordFault::Weak);
        }
        if kib > MOST_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
            return Err(PasswordFault::Costly);
        }
        let params = Params::new(kib, passes, lanes, Some(hash.len()));
        Ok(Self { params: params.map_err(|_| PasswordFault::NotArgon2id)?, salt, hash })
    }

    /// The text to keep of a password, under this salt. Takes tens of milliseconds: never on
    /// a thread that serves requests.
    ///
    /// # Errors
    /// When memory is short.
    pub fn made(password: &[u8], salt: [u8; SALT]) -> Result<String, HashError> {
        let params = Params::new(LEAST_KIB, LEAST_PASSES, 1, Some(HASH)).map_err(|_| HashError)?;
        let hash = hashed(&params, password, &salt)?;
        let [salt, hash] = [&salt[..], &hash].map(|part| STANDARD_NO_PAD.encode(part));
        Ok(format!("$argon2id$v=19$m={LEAST_KIB},t={LEAST_PASSES},p=1${salt}${hash}"))
    }

    /// Whether it is of this password, compared in constant time. As slow as
    /// [`PasswordHash::made`], whatever the answer.
    ///
    /// # Errors
    /// When memory is short.
    pub fn is_of(&self, password: &[u8]) -> Result<bool, HashError> {
        let given = hashed(&self.params, password, &self.salt)?;
        Ok(bool::from(given.ct_eq(&self.hash)))
    }

    /// What changes with the password: what was signed in to with another one is worth nothing.
    pub fn mark(&self) -> &[u8] {
        &self.hash
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash(…)")
    }
}

/// Memory in KiB, passes and lanes, in this order and no other.
fn costs_of(text: &str) -> Option<(u32, u32, u32)> {
    let mut costs = text.split(',');
    let mut cost = |name: &str| {
        let digits = costs.next()?.strip_prefix(name)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let all = (cost("m=")?, cost("t=")?, cost("p=")?);
    costs.next().is_none().then_some(all)
}

fn hashed(params: &Params, password: &[u8], salt: &[u8]) -> Result<Vec<u8>, HashError> {
    let mut out = vec![0; params.output_len().unwrap_or(HASH)];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into(password, salt, &mut out).map_err(|_| HashError)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{PasswordFault, PasswordHash};

    const PASSWORD: &[u8] = "correct horse bättery".as_bytes();

    #[test]
    fn a_hash_is_of_its_own_password_alone() {
        let text = PasswordHash::made(PASSWORD, [7; 16]).unwrap();
        let hash = PasswordHash::parse(&text).unwrap();
        assert_eq!(hash.is_of(PASSWORD), Ok(true));
        for wrong in [&b""[..], b"correct horse battery", &PASSWORD[1..]] {
            assert_eq!(hash.is_of(wrong), Ok(false));
        }
        let other = PasswordHash::parse(&PasswordHash::made(PASSWORD, [8; 16]).unwrap()).unwrap();
        assert_ne!(hash.mark(), other.mark());
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn hashes_of_other_programs_are_read() {
        let text = PasswordHash::made(b"password of twelve", *b"sixteen bytes!!!").unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyEhIQ$"),
            "{text}"
        );
        let stronger = text.replace("m=19456,t=2,p=1", "m=65536,t=3,p=4");
        assert!(PasswordHash::parse(&stronger).is_ok());
    }

    #[test]
    fn what_is_no_hash_or_a_bad_one_is_told_apart() {
        let good = PasswordHash::made(PASSWORD, [7; 16]).unwrap();
        for (from, to, fault) in [
            ("argon2id", "argon2i", PasswordFault::NotArgon2id),
            ("v=19", "v=16", PasswordFault::NotArgon2id),
            ("m=19456,t=2", "t=2,m=19456", PasswordFault::NotArgon2id),
            ("p=1$", "p=1,x=2$", PasswordFault::NotArgon2id),
            ("p=1$", "p=+1$", PasswordFault::NotArgon2id),
            ("p=1$", "p=1$$", PasswordFault::NotArgon2id),
            ("m=19456", "m=19455", PasswordFault::Weak),
            ("t=2", "t=1", PasswordFault::Weak),
            ("p=1", "p=0", PasswordFault::Weak),
            ("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBwcHBwc", PasswordFault::Weak),
            ("m=19456", "m=1048576", PasswordFault::Costly),
            ("t=2", "t=99", PasswordFault::Costly),
            ("p=1", "p=64", PasswordFault::Costly),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from}");
            assert_eq!(PasswordHash::parse(&bad).unwrap_err(), fault, "{bad}");
        }
        for text in ["", "hunter2hunter2", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$"] {
            assert_eq!(
                PasswordHash::parse(text).unwrap_err(),
                PasswordFault::NotArgon2id,
                "{text}"
            );
        }
    }
}
