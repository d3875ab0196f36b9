//! How a token that the portal itself signs names its users, as used. Such tokens are read by
//! [`crate::identity`]; what is known here is where they are and which keys sign them.

use super::secret::Secret;

/// Where a portal's token is, and how it is read.
#[derive(Debug)]
pub struct JwtSource {
    /// Where a request carries it.
    pub carrier: Carrier,
    /// What it has to be.
    pub verifier: JwtVerifier,
}

/// Where a request carries the portal's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// In the cookie of this name.
    Cookie(String),
    /// In `Authorization: Bearer`.
    Bearer,
}

/// What a token has to be before its claim is believed.
#[derive(Debug)]
pub struct JwtVerifier {
    /// The keys, each with the algorithms it is used with; either all are secrets or none is.
    pub keys: Vec<JwtKey>,
    /// Who has to have issued it.
    pub issuer: String,
    /// For whom it has to be meant.
    pub audience: String,
    /// The claim that names the user; one that starts with a slash is a JSON pointer.
    pub claim: String,
}

/// A key that verifies tokens.
#[derive(Debug)]
pub struct JwtKey {
    /// Its name in a token's head, when it has one.
    pub id: Option<String>,
    /// What it is used with; never empty, and all of its own kind.
    pub algorithms: Vec<Algorithm>,
    /// The key itself.
    pub material: KeyMaterial,
}

/// What a key consists of.
#[derive(Debug)]
pub enum KeyMaterial {
    /// Numbers, big-endian and without leading zeros.
    Rsa {
        /// 2048 to 8192 bits.
        modulus: Vec<u8>,
        /// 3 or more.
        exponent: Vec<u8>,
    },
    /// A point of NIST P-256, uncompressed.
    P256(Vec<u8>),
    /// A point of NIST P-384, uncompressed.
    P384(Vec<u8>),
    /// A point of Curve25519.
    Ed25519(Vec<u8>),
    /// What the portal keeps to itself and us.
    Secret(Secret),
}

/// Algorithms of RFC 7518 section 3.1 and RFC 8037. There is no `none`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE", expecting = "a word")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    const ALL: [Self; 12] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The algorithm of exactly this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name in a token's head.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The least bytes of a secret under it (RFC 7518 section 3.2); none with public keys.
    pub fn least_secret(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            Self::Rs256 | Self::Rs384 | Self::Rs512 => None,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => None,
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}

impl KeyMaterial {
    /// Whether the key is of the kind that the algorithm is made for. No key is for one with
    /// a secret and for one without.
    pub fn takes(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa { .. } => {
                matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
            }
            Self::P256(_) => algorithm == Es256,
            Self::P384(_) => algorithm == Es384,
            Self::Ed25519(_) => algorithm == EdDsa,
            Self::Secret(secret) => {
                algorithm.least_secret().is_some_and(|least| secret.reveal().len() >= least)
            }
        }
    }

    /// What it is used with unless something is named.
    pub fn usual(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// Whether who verifies with it could also sign.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, KeyMaterial};
    use crate::config::Secret;

    fn of_every_kind() -> [KeyMaterial; 5] {
        [
            KeyMaterial::Rsa { modulus: vec![255; 256], exponent: vec![1, 0, 1] },
            KeyMaterial::P256(vec![4; 65]),
            KeyMaterial::P384(vec![4; 97]),
            KeyMaterial::Ed25519(vec![0; 32]),
            KeyMaterial::Secret(Secret::new(vec![7; 64])),
        ]
    }

    #[test]
    fn an_algorithm_is_for_one_kind_of_key() {
        for algorithm in Algorithm::ALL {
            let kinds = of_every_kind();
            let takers: Vec<_> = kinds.iter().filter(|key| key.takes(algorithm)).collect();
            assert_eq!(takers.len(), 1, "{algorithm:?}");
            assert_eq!(takers[0].is_secret(), algorithm.least_secret().is_some());
        }
        for key in of_every_kind() {
            assert!(key.takes(key.usual()), "{key:?}");
        }
    }

    #[test]
    fn a_secret_is_as_long_as_the_hash() {
        let takes =
            |length, algorithm| KeyMaterial::Secret(Secret::new(vec![7; length])).takes(algorithm);
        assert!(!takes(31, Algorithm::Hs256) && takes(32, Algorithm::Hs256));
        assert!(!takes(47, Algorithm::Hs384) && takes(48, Algorithm::Hs384));
        assert!(!takes(63, Algorithm::Hs512) && takes(64, Algorithm::Hs512));
    }

    #[test]
    fn names_are_exact_and_the_same_in_yaml_and_tokens() {
        for algorithm in Algorithm::ALL {
            let written = serde_json::to_value(algorithm).unwrap();
            assert_eq!(written, algorithm.name());
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::named(&algorithm.name().to_lowercase()), None);
        }
        for name in ["none", "None", "nOnE", "NONE", "", "HS1", "RS1", "ES256K", "HS256 "] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
