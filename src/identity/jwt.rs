//! Reads a token that the portal itself signed. The signature comes first, by keys that ops
//! gave alone: what a token says of its own keys is never followed (RFC 8725, RFC 7515).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};
use sha2::{Sha256, Sha384, Sha512};

use crate::clock::UnixMillis;
use crate::config::jwt::{Algorithm, JwtVerifier, KeyMaterial};
use crate::net::json_object;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// How far the portal's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// Lines of a token's head that name keys or change how it is read. Not one of them has a
/// use here, and each was a way in somewhere.
const REFUSED: [&str; 8] = ["jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"];

/// Kinds of tokens that are for users (RFC 7519 section 5.1, RFC 9068 section 2.1).
const KINDS: [&str; 2] = ["jwt", "at+jwt"];

/// Why a token names nobody. The reason is for the log; the visitor is just unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// Longer than any that a portal sends.
    #[error("the token is too long")]
    TooLong,
    /// Not three parts, or not what the parts have to be.
    #[error("the token is not a signed one, or is broken")]
    Malformed,
    /// Its head has a line that is never followed.
    #[error("the token's head names keys or rules of its own")]
    OwnRules,
    /// Made for something else than naming a user.
    #[error("the token is of another kind")]
    OtherKind,
    /// No key is used with its algorithm.
    #[error("the token's algorithm is not in use")]
    Algorithm,
    /// None of the keys in use has its key's name.
    #[error("the token's key is not known")]
    Key,
    /// Not signed by the portal.
    #[error("the token's signature is wrong")]
    Signature,
    /// Without an end, or with times that are no whole seconds.
    #[error("the token's times are missing or no times")]
    Times,
    /// Past its end.
    #[error("the token has expired")]
    Expired,
    /// Before its beginning.
    #[error("the token is from the future")]
    Early,
    /// From somebody else.
    #[error("the token has another issuer")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It names no user.
    #[error("the token has no name in its claim")]
    Name,
}

impl JwtVerifier {
    /// The name in a token that the portal signed and that counts now, as it stands there.
    ///
    /// # Errors
    /// With the first reason why the token names nobody.
    pub fn read(&self, now: UnixMillis, token: &str) -> Result<String, JwtFault> {
        if token.len() > LONGEST {
            return Err(JwtFault::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtFault::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(JwtFault::Malformed)?;
        if claims.contains('.') {
            return Err(JwtFault::Malformed);
        }
        let head = Head::read(&part(head)?)?;
        self.verify(&head, signed.as_bytes(), &bytes(signature)?)?;
        let claims = part(claims)?;
        look_at_times(&claims, now)?;
        self.look_at_parties(&claims)?;
        self.name(&claims)
    }

    fn verify(&self, head: &Head, signed: &[u8], signature: &[u8]) -> Result<(), JwtFault> {
        let in_use = || self.keys.iter().filter(|key| key.algorithms.contains(&head.algorithm));
        if in_use().next().is_none() {
            return Err(JwtFault::Algorithm);
        }
        // A name only chooses among the keys; one that has none is meant for all tokens.
        let is_meant = |id: &Option<String>| id.is_none() || head.key.is_none() || *id == head.key;
        let mut meant = in_use().filter(|key| is_meant(&key.id)).peekable();
        if meant.peek().is_none() {
            return Err(JwtFault::Key);
        }
        let is_signed = meant.any(|key| holds(head.algorithm, &key.material, signed, signature));
        if is_signed { Ok(()) } else { Err(JwtFault::Signature) }
    }

    fn look_at_parties(&self, claims: &Map<String, Value>) -> Result<(), JwtFault> {
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(JwtFault::Issuer);
        }
        let is_meant = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().any(|one| *one == self.audience)
            }
            Some(_) | None => false,
        };
        if is_meant { Ok(()) } else { Err(JwtFault::Audience) }
    }

    /// A text, or a whole number as some portals have it.
    fn name(&self, claims: &Map<String, Value>) -> Result<String, JwtFault> {
        let found = match self.claim.strip_prefix('/') {
            Some(pointer) => inside(claims, pointer),
            None => claims.get(&self.claim),
        };
        match found {
            Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
            Some(Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
            Some(_) | None => Err(JwtFault::Name),
        }
    }
}

/// Follows a JSON pointer (RFC 6901) whose first slash was taken off.
fn inside<'a>(claims: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (first, below) = pointer.find('/').map_or((pointer, ""), |at| pointer.split_at(at));
    claims.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(below)
}

fn bytes(encoded: &str) -> Result<Vec<u8>, JwtFault> {
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JwtFault::Malformed)
}

fn part(encoded: &str) -> Result<Map<String, Value>, JwtFault> {
    json_object::read(&bytes(encoded)?).ok_or(JwtFault::Malformed)
}

/// What of a token's head counts.
struct Head {
    algorithm: Algorithm,
    key: Option<String>,
}

impl Head {
    fn read(head: &Map<String, Value>) -> Result<Self, JwtFault> {
        if REFUSED.iter().any(|line| head.contains_key(*line)) {
            return Err(JwtFault::OwnRules);
        }
        match head.get("typ") {
            None => {}
            Some(Value::String(kind)) if is_for_users(kind) => {}
            Some(_) => return Err(JwtFault::OtherKind),
        }
        let algorithm = head.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let key = match head.get("kid") {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(JwtFault::Malformed),
        };
        Ok(Self { algorithm: algorithm.ok_or(JwtFault::Algorithm)?, key })
    }
}

/// Media types have no case, and may leave out `application/` (RFC 7515 section 4.1.9).
fn is_for_users(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    KINDS.contains(&kind)
}

/// Times are whole seconds: a text, a fraction or a number below zero is none.
fn look_at_times(claims: &Map<String, Value>, now: UnixMillis) -> Result<(), JwtFault> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let seconds = value.as_u64().ok_or(JwtFault::Times)?;
            Ok(Some(UnixMillis::from_seconds(seconds)))
        }
    };
    let end = time("exp")?.ok_or(JwtFault::Times)?;
    let beginnings = [time("nbf")?, time("iat")?];
    if now >= end.plus(LEEWAY) {
        return Err(JwtFault::Expired);
    }
    if beginnings.into_iter().flatten().any(|beginning| beginning > now.plus(LEEWAY)) {
        return Err(JwtFault::Early);
    }
    Ok(())
}

/// Whether the signature is the key's over these bytes. A key of another kind than the
/// algorithm's holds nothing, whatever the configuration says.
fn holds(algorithm: Algorithm, key: &KeyMaterial, signed: &[u8], signature: &[u8]) -> bool {
    if !key.takes(algorithm) {
        return false;
    }
    match key {
        KeyMaterial::Rsa { modulus, exponent } => rsa(algorithm).is_some_and(|parameters| {
            let key = RsaPublicKeyComponents { n: modulus, e: exponent };
            key.verify(parameters, signed, signature).is_ok()
        }),
        KeyMaterial::P256(point) => {
            let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
            key.verify(signed, signature).is_ok()
        }
        KeyMaterial::P384(point) => {
            let key = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point);
            key.verify(signed, signature).is_ok()
        }
        KeyMaterial::Ed25519(point) => {
            let key = UnparsedPublicKey::new(&signature::ED25519, point);
            key.verify(signed, signature).is_ok()
        }
        KeyMaterial::Secret(secret) => {
            let secret = secret.reveal();
            match algorithm {
                Algorithm::Hs256 => hmac::<Hmac<Sha256>>(secret, signed, signature),
                Algorithm::Hs384 => hmac::<Hmac<Sha384>>(secret, signed, signature),
                Algorithm::Hs512 => hmac::<Hmac<Sha512>>(secret, signed, signature),
                Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => false,
                Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => false,
                Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => false,
            }
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// Compares all of the hash in constant time, and only as a whole.
fn hmac<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], tag: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else {
        return false;
    };
    mac.update(signed);
    mac.verify_slice(tag).is_ok()
}

#[cfg(test)]
mod tests;
