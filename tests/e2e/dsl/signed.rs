//! A token that was signed, looked at as a portal would: OpenSSL says whether a published key
//! signed it, so that nothing of ours vouches for itself.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// What a token says.
pub struct Signed {
    pub head: Value,
    pub claims: Value,
}

/// The token, if one of these keys signed it.
pub fn verified(token: &str, jwks: &Value) -> Option<Signed> {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let (head, claims) = text.split_once('.').unwrap();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let head: Value = read(head);
    let named = |key: &&Value| key["kid"] == head["kid"];
    let key = jwks["keys"].as_array().unwrap().iter().find(named)?;
    for (name, value) in [("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig"), ("alg", "EdDSA")] {
        assert_eq!(key[name], value, "{key}");
    }
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    signs(&public, text.as_bytes(), &signature).then(|| Signed { claims: read(claims), head })
}

fn signs(public: &[u8], text: &[u8], signature: &[u8]) -> bool {
    // A SubjectPublicKeyInfo for Ed25519 (RFC 8410) is this and the key.
    const BEFORE: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let encoded = STANDARD.encode([&BEFORE[..], public].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n");
    let mut openssl = Command::new("openssl");
    openssl
        .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"])
        .arg(put("key", pem.as_bytes()));
    openssl.arg("-in").arg(put("text", text)).arg("-sigfile").arg(put("signature", signature));
    let told = openssl.output().unwrap();
    let words = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(words.starts_with("Signature Verif"), "{told:?}");
    told.status.success() && words.contains("Verified Successfully")
}
