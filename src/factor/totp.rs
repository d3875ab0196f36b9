//! Time-based one-time passwords (RFC 6238).

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::config::TotpAlgorithm;

/// Length of a new secret in bytes: 160 bits, as RFC 4226 section 4 R6 recommends.
pub const SECRET_BYTES: usize = 20;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameters of an authenticator are not those of RFC 6238")]
pub struct KeyError;

/// An authenticator's key with its parameters. It has no `Debug`.
pub struct TotpKey {
    totp: Totp,
    period: u64,
}

impl TotpKey {
    /// Takes `secret` (at least 16 bytes), 6 or 8 `digits`, and a `period` in seconds.
    ///
    /// # Errors
    /// When RFC 6238 knows no such key.
    pub fn new(
        secret: &[u8],
        algorithm: TotpAlgorithm,
        digits: u8,
        period: u64,
    ) -> Result<Self, KeyError> {
        let totp = builder(secret, algorithm, digits, period).build().map_err(|_| KeyError)?;
        Ok(Self { totp, period })
    }

    /// The step at which `code` is right, of those within `skew` steps of `now` (seconds
    /// since the epoch). All candidates are compared, in constant time each, so that the
    /// answer's time tells nothing (ASVS 11.2.4). Where two steps share a code the later
    /// counts, so that neither can be used again.
    pub fn matching_step(&self, code: &str, now: u64, skew: u8) -> Option<Step> {
        let present = now / self.period;
        let first = present.saturating_sub(u64::from(skew));
        let last = present.saturating_add(u64::from(skew));
        let mut found = Choice::from(0);
        let mut step = 0_u64;
        for candidate in first..=last {
            let start = candidate.checked_mul(self.period)?;
            let expected = self.totp.generate(start).to_string();
            let right = expected.as_bytes().ct_eq(code.as_bytes());
            step.conditional_assign(&candidate, right);
            found |= right;
        }
        bool::from(found).then_some(Step { number: step, period: self.period })
    }
}

/// A time step, which a code is good for once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    number: u64,
    period: u64,
}

impl Step {
    /// When it began, in seconds since the epoch: comparable across periods.
    pub fn start(self) -> u64 {
        self.number.saturating_mul(self.period)
    }
}

/// The `otpauth` link of a key, as authenticator apps read it. Neither part of the label may
/// hold a colon, so colons become spaces there; the account is cut at 64 signs so that the
/// QR code stays easy to scan.
///
/// # Errors
/// When RFC 6238 knows no such key.
pub fn link(
    secret: &[u8],
    parameters: &crate::config::TotpParameters,
    account: &str,
) -> Result<Zeroizing<String>, KeyError> {
    let plain = |text: &str| text.replace(':', " ").chars().take(64).collect::<String>();
    let period = parameters.period.as_secs();
    let totp = builder(secret, parameters.algorithm, parameters.digits, period)
        .with_account_name(plain(account))
        .with_issuer(Some(plain(&parameters.issuer)))
        .build()
        .map_err(|_| KeyError)?;
    totp.to_url().map(Zeroizing::new).map_err(|_| KeyError)
}

/// The secret in base32 without padding, in groups of four for people who type it.
pub fn groups(secret: &[u8]) -> Vec<String> {
    let text = Zeroizing::new(totp_rs::Secret::from(secret).to_base32());
    let signs: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
    signs.chunks(4).map(|group| group.iter().collect()).collect()
}

fn builder(secret: &[u8], algorithm: TotpAlgorithm, digits: u8, period: u64) -> Builder {
    let algorithm = match algorithm {
        TotpAlgorithm::Sha1 => Algorithm::SHA1,
        TotpAlgorithm::Sha256 => Algorithm::SHA256,
        TotpAlgorithm::Sha512 => Algorithm::SHA512,
    };
    Builder::new()
        .with_secret(totp_rs::Secret::from(secret))
        .with_algorithm(algorithm)
        .with_digits(digits)
        .with_step_duration(period)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TotpKey, groups, link};
    use crate::config::{TotpAlgorithm, TotpParameters};

    const SHA1: &[u8] = b"12345678901234567890";
    const SHA256: &[u8] = b"12345678901234567890123456789012";
    const SHA512: &[u8] = b"1234567890123456789012345678901234567890123456789012345678901234";

    /// RFC 6238, appendix B.
    #[test]
    fn the_vectors_of_the_standard_hold() {
        let rows = [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ];
        for (time, sha1, sha256, sha512) in rows {
            for (secret, algorithm, code) in [
                (SHA1, TotpAlgorithm::Sha1, sha1),
                (SHA256, TotpAlgorithm::Sha256, sha256),
                (SHA512, TotpAlgorithm::Sha512, sha512),
            ] {
                let key = TotpKey::new(secret, algorithm, 8, 30).unwrap();
                let step = key.matching_step(code, time, 0).unwrap();
                assert_eq!(step.start(), time / 30 * 30);
            }
        }
    }

    #[test]
    fn a_code_is_right_within_the_skew_and_no_further() {
        let key = TotpKey::new(SHA1, TotpAlgorithm::Sha1, 6, 30).unwrap();
        for (now, right) in
            [(59, true), (30, true), (0, true), (89, true), (90, false), (119, false)]
        {
            assert_eq!(key.matching_step("287082", now, 1).is_some(), right, "{now}");
        }
        assert!(key.matching_step("287082", 30, 0).is_some());
        assert!(key.matching_step("287082", 60, 0).is_none());
    }

    #[test]
    fn what_is_not_the_code_is_wrong() {
        let key = TotpKey::new(SHA1, TotpAlgorithm::Sha1, 6, 30).unwrap();
        for code in ["", "28708", "2870820", "287083", "000000", "28708２"] {
            assert!(key.matching_step(code, 59, 1).is_none(), "{code}");
        }
        assert!(TotpKey::new(b"short", TotpAlgorithm::Sha1, 6, 30).is_err());
        assert!(TotpKey::new(SHA1, TotpAlgorithm::Sha1, 6, 0).is_err());
    }

    #[test]
    fn the_link_names_issuer_and_account_as_apps_expect() {
        let parameters = TotpParameters {
            issuer: "Example: Ltd".to_owned(),
            digits: 6,
            period: Duration::from_secs(30),
            algorithm: TotpAlgorithm::Sha1,
            skew: 1,
        };
        let link = link(SHA1, &parameters, "alice:x & <b>").unwrap();
        assert!(link.starts_with("otpauth://totp/Example%20%20Ltd:alice%20x%20"), "{}", *link);
        assert!(link.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *link);
        assert!(link.contains("issuer=Example%20%20Ltd"), "{}", *link);
        assert!(!link.contains('+') && !link.contains('<'), "{}", *link);
        assert_eq!(groups(SHA1).concat(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }
}
