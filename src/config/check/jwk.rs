//! JWK Sets (RFC 7517) of keys that verify: RSA, NIST curves, Ed25519 and secrets. Keys for
//! something else are passed over, as the RFC asks; broken ones are told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::jwt_keys::{Found, SHORTEST_SECRET};
use super::public_key;
use crate::config::Secret;
use crate::config::jwt::{Algorithm, KeyMaterial};
use crate::net::json_object;

/// A token without a key's name is tried with each.
const MOST: usize = 16;

type Members = Map<String, Value>;

/// The keys of a set that verify signatures.
///
/// # Errors
/// With a sentence that says what is wrong with the set and how to mend it.
pub(super) fn read_set(text: &[u8]) -> Result<Vec<Found>, String> {
    let set = json_object::read(text).and_then(|mut set| set.remove("keys"));
    let Some(Value::Array(members)) = set else {
        return Err("is no JWK Set; it is one JSON object with an array \"keys\", and no name \
                    twice"
            .to_owned());
    };
    let mut found = Vec::new();
    for (index, member) in members.into_iter().enumerate() {
        let fault = |what: String| format!("has a key, keys[{index}], that {what}");
        let Value::Object(member) = member else {
            return Err(fault("is no object; take it out".to_owned()));
        };
        found.extend(read(member).map_err(fault)?);
    }
    look_at_all(&found)?;
    Ok(found)
}

fn look_at_all(found: &[Found]) -> Result<(), String> {
    if found.is_empty() {
        return Err("has no key that verifies signatures; name the portal's own set".to_owned());
    }
    if found.len() > MOST {
        return Err(format!("has more than {MOST} keys; keep those that are in use"));
    }
    let secrets = found.iter().filter(|key| key.is_secret()).count();
    if secrets != 0 && secrets != found.len() {
        return Err("has secrets beside public keys; keep one kind".to_owned());
    }
    for (index, key) in found.iter().enumerate() {
        let mut others = found.iter().take(index);
        if key.id.is_some() && others.any(|other| other.id == key.id) {
            return Err("has two keys with one kid; keep one of them".to_owned());
        }
    }
    Ok(())
}

/// One key; nothing when it is for something else.
fn read(mut member: Members) -> Result<Option<Found>, String> {
    let kind = text(&member, "kty")?.ok_or("has no kty; take it out")?.to_owned();
    if !verifies(&member)? {
        return Ok(None);
    }
    let id = text(&member, "kid")?.map(str::to_owned);
    let only = match text(&member, "alg")? {
        None => None,
        Some(name) => match Algorithm::named(name) {
            Some(algorithm) => Some(algorithm),
            None => return Ok(None),
        },
    };
    let Some(material) = material(&kind, &mut member)? else {
        return Ok(None);
    };
    let fits = only.is_none_or(|only| material.takes(only));
    if !fits {
        return Err("is not of the kind or length that its alg needs; mend it".to_owned());
    }
    Ok(Some(Found { id, only, material }))
}

/// Whether its `use` and `key_ops` allow it.
fn verifies(member: &Members) -> Result<bool, String> {
    let is_for_signatures = text(member, "use")?.is_none_or(|purpose| purpose == "sig");
    let is_to_verify = match member.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => return Err("has a key_ops that is no array; mend it".to_owned()),
    };
    Ok(is_for_signatures && is_to_verify)
}

fn material(kind: &str, member: &mut Members) -> Result<Option<KeyMaterial>, String> {
    if kind != "oct" && member.contains_key("d") {
        return Err("is a private key; leave that to the portal, and name the public one".into());
    }
    match kind {
        "RSA" => public_key::rsa(&bytes(member, "n")?, &bytes(member, "e")?).map(Some),
        "EC" => match text(member, "crv")? {
            Some("P-256") => Ok(Some(KeyMaterial::P256(point(member, 32)?))),
            Some("P-384") => Ok(Some(KeyMaterial::P384(point(member, 48)?))),
            Some(_) | None => Ok(None),
        },
        "OKP" => match text(member, "crv")? {
            Some("Ed25519") => {
                let point = bytes(member, "x")?;
                let is_whole = point.len() == 32;
                let material = is_whole.then_some(KeyMaterial::Ed25519(point));
                Ok(Some(material.ok_or("has an x of another length than 32 bytes; mend it")?))
            }
            Some(_) | None => Ok(None),
        },
        "oct" => secret(member).map(Some),
        _ => Ok(None),
    }
}

/// An uncompressed point (SEC 1 section 2.3.3).
fn point(member: &Members, length: usize) -> Result<Vec<u8>, String> {
    let (x, y) = (bytes(member, "x")?, bytes(member, "y")?);
    if x.len() != length || y.len() != length {
        return Err(format!("has an x or y of another length than {length} bytes; mend it"));
    }
    Ok([vec![4], x, y].concat())
}

fn secret(member: &mut Members) -> Result<KeyMaterial, String> {
    let Some(Value::String(written)) = member.remove("k") else {
        return Err("has no k; mend it".to_owned());
    };
    let written = Zeroizing::new(written);
    let decoded = URL_SAFE_NO_PAD.decode(written.as_bytes()).map(Secret::new);
    let secret = decoded.map_err(|_| "has a k that is not base64url without padding; mend it")?;
    if secret.reveal().len() < SHORTEST_SECRET {
        return Err(format!("is shorter than {SHORTEST_SECRET} bytes; make a longer one"));
    }
    Ok(KeyMaterial::Secret(secret))
}

fn bytes(member: &Members, name: &str) -> Result<Vec<u8>, String> {
    let written = text(member, name)?.ok_or_else(|| format!("has no {name}; mend it"))?;
    let decoded = URL_SAFE_NO_PAD.decode(written);
    decoded.map_err(|_| format!("has a {name} that is not base64url without padding; mend it"))
}

fn text<'a>(member: &'a Members, name: &str) -> Result<Option<&'a str>, String> {
    match member.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a {name} that is no text; mend it")),
    }
}
