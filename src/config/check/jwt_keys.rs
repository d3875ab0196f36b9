//! The keys of a portal's token, from their file: a JWK Set (RFC 7517, 7518, 8037), a public
//! key in PEM, or a secret. What could not verify anything is told at start.

use std::path::Path;

use super::{jwk, keeping, public_key};
use crate::config::fault::Findings;
use crate::config::file_jwt::{JwtKeysFile, KeyFile};
use crate::config::jwt::{Algorithm, JwtKey, KeyMaterial};
use crate::config::key_path::KeyPath;
use crate::config::secret::{Secret, SecretSource};
use crate::config::surroundings::Surroundings;

/// The shortest secret, that of HS256.
pub(super) const SHORTEST_SECRET: usize = 32;

/// A key as it was found.
pub(super) struct Found {
    pub(super) id: Option<String>,
    /// The only algorithm that the key says it is for.
    pub(super) only: Option<Algorithm>,
    pub(super) material: KeyMaterial,
}

impl Found {
    /// Whether the key's kind and its own word allow the algorithm.
    pub(super) fn may_use(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.material.takes(algorithm)
    }

    pub(super) fn is_secret(&self) -> bool {
        self.material.is_secret()
    }

    /// The key with what it is used with: what was named and fits, or else the usual.
    pub(super) fn used_with(self, named: Option<&[Algorithm]>) -> JwtKey {
        let usual = [self.only.unwrap_or_else(|| self.material.usual())];
        let named = named.unwrap_or(&usual).iter().copied();
        let algorithms = named.filter(|algorithm| self.may_use(*algorithm)).collect();
        JwtKey { id: self.id, algorithms, material: self.material }
    }
}

/// All keys that the file names.
pub(super) fn keys(
    written: JwtKeysFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<Found>> {
    match (written.jwks, written.pem, written.secret) {
        (Some(KeyFile(path)), None, None) => jwks(&path, &at.key("jwks"), around, findings),
        (None, Some(KeyFile(path)), None) => {
            let at = at.key("pem");
            let text = fetch(&SecretSource::File(path), &at, around, findings)?;
            let material = told(public_key::read(text.reveal()), &at, findings)?;
            Some(vec![Found { id: None, only: None, material }])
        }
        (None, None, Some(source)) => secret(&source, &at.key("secret"), around, findings),
        (None, None, None) if findings.knows_fault_within(at) => None,
        _ => {
            findings.fault(at, "has to name one place", "write jwks, pem or secret");
            None
        }
    }
}

fn jwks(
    path: &Path,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<Found>> {
    let text = fetch(&SecretSource::File(path.to_owned()), at, around, findings)?;
    let found = told(jwk::read_set(text.reveal()), at, findings)?;
    if found.iter().any(Found::is_secret) {
        keeping::warn_if_open(&around.locate(path), at, findings);
    }
    Some(found)
}

fn secret(
    source: &SecretSource,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<Found>> {
    let text = fetch(source, at, around, findings)?;
    let bytes = text.reveal();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.starts_with(b"-----BEGIN ") {
        // Whoever has a public key could sign with it then.
        findings.fault(at, "is a key in PEM and no secret", "name its file as pem");
        return None;
    }
    if bytes.len() < SHORTEST_SECRET {
        let what = format!("is shorter than {SHORTEST_SECRET} bytes, so that it can be guessed");
        findings.fault(at, what, "give the portal a longer one: openssl rand -base64 48");
        return None;
    }
    if let SecretSource::File(path) = source {
        keeping::warn_if_open(&around.locate(path), at, findings);
    }
    let material = KeyMaterial::Secret(Secret::new(bytes.to_vec()));
    Some(vec![Found { id: None, only: None, material }])
}

fn fetch(
    source: &SecretSource,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    told(source.fetch(around).map_err(|error| error.to_string()), at, findings)
}

fn told<T>(result: Result<T, String>, at: &KeyPath, findings: &mut Findings) -> Option<T> {
    result.map_err(|sentence| findings.note(at, sentence)).ok()
}
