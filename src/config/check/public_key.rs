//! Public keys in PEM (RFC 7468 section 13), and what makes an RSA key one that is used.

use rustls::pki_types::alg_id;
use rustls::pki_types::pem::{PemObject, SectionKind};

use crate::config::jwt::KeyMaterial;

/// Lengths of an RSA modulus that is neither weak (RFC 7518 section 3.3) nor slow.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The one public key in a PEM text.
///
/// # Errors
/// With a sentence that says what is wrong and how to mend it.
pub(super) fn read(text: &[u8]) -> Result<KeyMaterial, String> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text);
    let sections: Vec<_> = sections
        .collect::<Result<_, _>>()
        .map_err(|error| format!("is not PEM: {error}; convert it to PEM"))?;
    match sections.as_slice() {
        [(SectionKind::PublicKey, der)] => of_der(der).ok_or_else(|| {
            "has a key of a kind that is not known here; use RSA, P-256, P-384 or Ed25519"
                .to_owned()
        })?,
        [(SectionKind::Certificate, _), ..] => {
            Err("is a certificate; take its key out: openssl x509 -pubkey -noout".to_owned())
        }
        [(kind, _)] if is_private(*kind) => {
            Err("is a private key; leave that to the portal: openssl pkey -pubout".to_owned())
        }
        [] => Err("has no public key; it begins with -----BEGIN PUBLIC KEY-----".to_owned()),
        [..] => Err("has more than one public key; name a file with one".to_owned()),
    }
}

fn is_private(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

/// Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). Nothing when it is none or of
/// another kind; the inner result is for keys that are of a known kind and too weak.
fn of_der(der: &[u8]) -> Option<Result<KeyMaterial, String>> {
    let (info, after) = element(der, SEQUENCE)?;
    let (algorithm, info) = element(info, SEQUENCE)?;
    let (bits, rest) = element(info, BIT_STRING)?;
    // The first byte says how many bits of the last are unused.
    let key = bits.strip_prefix(&[0])?;
    if !after.is_empty() || !rest.is_empty() {
        return None;
    }
    let is = |known: rustls::pki_types::AlgorithmIdentifier| algorithm == known.as_ref();
    if is(alg_id::RSA_ENCRYPTION) {
        let (numbers, rest) = element(key, SEQUENCE)?;
        let (modulus, numbers) = element(numbers, INTEGER)?;
        let (exponent, end) = element(numbers, INTEGER)?;
        return (rest.is_empty() && end.is_empty()).then(|| rsa(modulus, exponent));
    }
    let is_point = |length: usize| key.len() == length && key.starts_with(&[4]);
    let material = if is(alg_id::ECDSA_P256) && is_point(65) {
        KeyMaterial::P256(key.to_vec())
    } else if is(alg_id::ECDSA_P384) && is_point(97) {
        KeyMaterial::P384(key.to_vec())
    } else if is(alg_id::ED25519) && key.len() == 32 {
        KeyMaterial::Ed25519(key.to_vec())
    } else {
        return None;
    };
    Some(Ok(material))
}

/// Looks at the numbers of an RSA key as the one who verifies with them will.
pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<KeyMaterial, String> {
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    let leading = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    if !MODULUS_BITS.contains(&(modulus.len() * 8 - leading)) {
        return Err("is an RSA key of less than 2048 or more than 8192 bits; use 2048".to_owned());
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let is_small = exponent.len() <= 4 && exponent != [1];
    if !is_odd(modulus) || !is_odd(exponent) || !is_small {
        return Err("is no RSA key, as its numbers cannot be one's; save it anew".to_owned());
    }
    Ok(KeyMaterial::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// What is in the DER element (ITU-T X.690) that begins here, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match *short {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    if *first != tag { None } else { rest.split_at_checked(length) }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::SubjectPublicKeyInfoDer;
    use rustls::pki_types::pem::PemObject as _;
    use serde_json::Value;

    use super::of_der;

    #[test]
    fn a_key_is_read_as_a_whole_or_not_at_all() {
        let foreign: Value = serde_json::from_str(include_str!("jwt/foreign.json")).unwrap();
        for (name, pem) in foreign["pem"].as_object().unwrap() {
            let pem = pem.as_str().unwrap().as_bytes();
            let whole = SubjectPublicKeyInfoDer::from_pem_slice(pem).unwrap();
            assert!(of_der(&whole).unwrap().is_ok(), "{name}");
            for length in 0..whole.len() {
                assert!(of_der(&whole[..length]).is_none(), "{name} cut at {length}");
            }
            assert!(of_der(&[&whole[..], &[0]].concat()).is_none(), "{name}");
            for at in 0..whole.len() {
                let mut changed = whole.to_vec();
                changed[at] ^= 0x80;
                // Another key or none, and no panic.
                let _ = of_der(&changed);
            }
        }
    }
}
