//! Tokens of a portal, made here, and every way known to us of making one that is not its.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::{JwtFault, LONGEST};
use crate::clock::UnixMillis;
use crate::config::Secret;
use crate::config::jwt::{Algorithm, JwtKey, JwtVerifier, KeyMaterial};

mod claims;

const NOW: u64 = 1_700_000_000;
const SECRET: &[u8] = b"a secret of the portal, 32 bytes or more";
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"iss":"portal","aud":"wiki","sub":"alice","exp":1700000600}"#;

/// What the portal signs with.
enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>),
}

impl Signer {
    /// A key for tests alone: ring makes no RSA keys.
    fn rsa() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("rsa.pem")).unwrap();
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()))
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    fn secret() -> Self {
        Self::Secret(SECRET.to_vec())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Secret(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    fn material(&self) -> KeyMaterial {
        match self {
            Self::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = key.public().into();
                KeyMaterial::Rsa { modulus: n, exponent: e }
            }
            Self::P256(key) => KeyMaterial::P256(key.public_key().as_ref().to_vec()),
            Self::Ed25519(key) => KeyMaterial::Ed25519(key.public_key().as_ref().to_vec()),
            Self::Secret(secret) => KeyMaterial::Secret(Secret::new(secret.clone())),
        }
    }

    fn key(&self, id: Option<&str>) -> JwtKey {
        let material = self.material();
        JwtKey { id: id.map(str::to_owned), algorithms: vec![material.usual()], material }
    }
}

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn token(signer: &Signer, head: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encoded(head), encoded(claims));
    let signature = encoded(signer.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn verifier(keys: Vec<JwtKey>) -> JwtVerifier {
    let [issuer, audience, claim] = ["portal", "wiki", "sub"].map(str::to_owned);
    JwtVerifier { keys, issuer, audience, claim }
}

fn read_by(verifier: &JwtVerifier, token: &str) -> Result<String, JwtFault> {
    verifier.read(UnixMillis::from_seconds(NOW), token)
}

/// What a portal with a secret says of a token.
fn read(token: &str) -> Result<String, JwtFault> {
    read_by(&verifier(vec![Signer::secret().key(None)]), token)
}

/// A token that is signed well, with these claims.
fn claiming(claims: &str) -> Result<String, JwtFault> {
    read(&token(&Signer::secret(), HS256, claims))
}

/// A token that is signed well, with this head.
fn headed(head: &str) -> Result<String, JwtFault> {
    read(&token(&Signer::secret(), head, CLAIMS))
}

fn alice() -> Result<String, JwtFault> {
    Ok("alice".to_owned())
}

#[test]
fn a_token_of_the_portal_names_the_user_whatever_it_signs_with() {
    for (signer, algorithm) in [
        (Signer::rsa(), "RS256"),
        (Signer::p256(), "ES256"),
        (Signer::ed25519(), "EdDSA"),
        (Signer::secret(), "HS256"),
    ] {
        let verifier = verifier(vec![signer.key(None)]);
        let token = token(&signer, &format!(r#"{{"alg":"{algorithm}"}}"#), CLAIMS);
        assert_eq!(read_by(&verifier, &token), alice(), "{algorithm}");
        // Every other character of it says something else.
        for at in [0, token.len() / 3, token.len() / 2, token.len() - 20] {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(read_by(&verifier, &changed).is_err(), "{algorithm} {at}");
        }
    }
}

#[test]
fn an_unsigned_token_names_nobody_however_none_is_written() {
    for name in ["none", "None", "NONE", "nOnE", "", "none ", "hs256", "HS256\\u0000"] {
        let head = format!(r#"{{"alg":"{name}"}}"#);
        let signed = format!("{}.{}", encoded(&head), encoded(CLAIMS));
        assert_eq!(read(&format!("{signed}.")), Err(JwtFault::Algorithm), "{name}");
        assert_eq!(headed(&head), Err(JwtFault::Algorithm), "{name}");
    }
    for head in [r#"{"typ":"JWT"}"#, r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":256}"#] {
        assert_eq!(headed(head), Err(JwtFault::Algorithm), "{head}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let rsa = Signer::rsa();
    let verifier = verifier(vec![rsa.key(None)]);
    let KeyMaterial::Rsa { modulus, exponent } = rsa.material() else { unreachable!() };
    let Signer::Rsa(pair) = &rsa else { unreachable!() };
    let public = pair.public().as_ref().to_vec();
    for known in [modulus, exponent, public, include_bytes!("rsa.pem").to_vec()] {
        let forged = token(&Signer::Secret(known), HS256, CLAIMS);
        assert_eq!(read_by(&verifier, &forged), Err(JwtFault::Algorithm));
    }
    // Not even where the configuration were to mix the two.
    let mixed = JwtKey { algorithms: vec![Algorithm::Rs256, Algorithm::Hs256], ..rsa.key(None) };
    let forged = token(&Signer::Secret(pair.public().as_ref().to_vec()), HS256, CLAIMS);
    let verifier = self::verifier(vec![mixed]);
    assert_eq!(read_by(&verifier, &forged), Err(JwtFault::Signature));
    assert_eq!(read_by(&verifier, &token(&rsa, r#"{"alg":"RS256"}"#, CLAIMS)), alice());
}

#[test]
fn an_algorithm_that_is_not_in_use_verifies_nothing() {
    for (signer, algorithm) in [
        (Signer::rsa(), "PS256"),
        (Signer::rsa(), "RS512"),
        (Signer::p256(), "ES384"),
        (Signer::secret(), "HS384"),
    ] {
        let verifier = verifier(vec![signer.key(None)]);
        let token = token(&signer, &format!(r#"{{"alg":"{algorithm}"}}"#), CLAIMS);
        assert_eq!(read_by(&verifier, &token), Err(JwtFault::Algorithm), "{algorithm}");
    }
}

#[test]
fn a_signature_counts_as_a_whole() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519(), Signer::secret()] {
        let key = signer.key(None);
        let head = format!(r#"{{"alg":"{}"}}"#, key.algorithms[0].name());
        let verifier = verifier(vec![key]);
        let whole = token(&signer, &head, CLAIMS);
        let (signed, signature) = whole.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let longer = [&bytes[..], &[0]].concat();
        let zeros = vec![0; bytes.len()];
        let half = &bytes[..bytes.len() / 2];
        for wrong in [&[][..], half, &bytes[..1], &bytes[1..], &longer, &zeros, &[0]] {
            let token = format!("{signed}.{}", encoded(wrong));
            assert_eq!(read_by(&verifier, &token), Err(JwtFault::Signature));
        }
        for broken in [format!("{whole}="), format!("{whole}=="), format!("{whole}.")] {
            assert_eq!(read_by(&verifier, &broken), Err(JwtFault::Malformed), "{broken}");
        }
        assert_eq!(read_by(&verifier, &whole), alice());
    }
}

#[test]
fn somebody_elses_key_signs_nothing() {
    for (ours, theirs) in [(Signer::p256(), Signer::p256()), (Signer::ed25519(), Signer::ed25519())]
    {
        let key = ours.key(None);
        let head = format!(r#"{{"alg":"{}"}}"#, key.algorithms[0].name());
        let forged = token(&theirs, &head, CLAIMS);
        assert_eq!(read_by(&verifier(vec![key]), &forged), Err(JwtFault::Signature));
    }
    let other = token(&Signer::Secret(vec![0; 32]), HS256, CLAIMS);
    assert_eq!(read(&other), Err(JwtFault::Signature));
    assert_eq!(read(&token(&Signer::Secret(Vec::new()), HS256, CLAIMS)), Err(JwtFault::Signature));
}

#[test]
fn what_is_no_token_is_refused() {
    let good = token(&Signer::secret(), HS256, CLAIMS);
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "alice",
        &good.replace('.', ""),
        &good.replacen('.', "..", 1),
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("Bearer {good}"),
        &format!("{good}.{good}"),
        &good.replacen('.', "=.", 1),
        &format!("é{good}"),
    ] {
        assert_eq!(read(text), Err(JwtFault::Malformed), "{text}");
    }
    // A nested token, encrypted ones with five parts, and claims that are no object.
    let nested = token(&Signer::secret(), r#"{"alg":"HS256","cty":"JWT"}"#, &good);
    assert_eq!(read(&nested), Err(JwtFault::Malformed));
    assert!(read(&format!("{good}.x.y")).is_err());
    for claims in ["", "[]", "\"alice\"", "null", "{}x", "\u{feff}{}"] {
        assert_eq!(claiming(claims), Err(JwtFault::Malformed), "{claims}");
    }
}

#[test]
fn a_long_or_deep_token_is_refused() {
    let long = CLAIMS.replace("alice", &"a".repeat(100_000));
    assert_eq!(claiming(&long), Err(JwtFault::TooLong));
    let head = format!(r#"{{"alg":"HS256","x":"{}"}}"#, "a".repeat(100_000));
    assert_eq!(headed(&head), Err(JwtFault::TooLong));
    let at_most = "a".repeat(LONGEST);
    assert_eq!(read(&at_most), Err(JwtFault::Malformed));
    assert_eq!(read(&format!("{at_most}a")), Err(JwtFault::TooLong));
    let deep = format!(r#""x":{}{},"iss""#, "[".repeat(1_000), "]".repeat(1_000));
    assert_eq!(claiming(&CLAIMS.replace(r#""iss""#, &deep)), Err(JwtFault::Malformed));
    let deep = format!(r#"{{"alg":"HS256","x":{}1{}}}"#, "{\"a\":".repeat(500), "}".repeat(500));
    assert_eq!(headed(&deep), Err(JwtFault::Malformed));
}

#[test]
fn a_name_that_stands_twice_has_no_meaning() {
    for claims in [
        CLAIMS.replace(r#""sub":"alice""#, r#""sub":"alice","sub":"bob""#),
        CLAIMS.replace(r#""sub":"alice""#, r#""sub":"alice","\u0073ub":"bob""#),
        CLAIMS.replace(r#""exp":"#, r#""exp":9999999999,"exp":"#),
        CLAIMS.replace(r#""sub":"alice""#, r#""sub":"alice","x":{"a":1,"a":2}"#),
    ] {
        assert_eq!(claiming(&claims), Err(JwtFault::Malformed), "{claims}");
    }
    for head in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
    ] {
        assert_eq!(headed(head), Err(JwtFault::Malformed), "{head}");
    }
}

#[test]
fn an_escaped_name_is_the_name_it_spells() {
    let claims = CLAIMS.replace(r#""sub""#, r#""s\u0075b""#).replace("alice", "\\u0061lice");
    assert_eq!(claiming(&claims), alice());
    let claims = CLAIMS.replace(r#""sub""#, r#""ѕub""#);
    assert_eq!(claiming(&claims), Err(JwtFault::Name));
    assert_eq!(headed(r#"{"alg":"HS256","\u0063rit":["exp"]}"#), Err(JwtFault::OwnRules));
}

#[test]
fn a_head_brings_no_keys_and_no_rules() {
    for line in [
        r#""jku":"https://evil.example/jwks.json""#,
        r#""x5u":"https://evil.example/key.pem""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""x5c":["AAAA"]"#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""crit":["b64"],"b64":false"#,
        r#""zip":"DEF""#,
        r#""enc":"A256GCM""#,
        r#""jku":null"#,
    ] {
        let head = format!(r#"{{"alg":"HS256",{line}}}"#);
        assert_eq!(headed(&head), Err(JwtFault::OwnRules), "{line}");
    }
    assert_eq!(headed(r#"{"alg":"HS256","x5t":"AAAA","more":[1]}"#), alice());
}

#[test]
fn a_token_of_another_kind_is_refused() {
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt"] {
        assert_eq!(headed(&format!(r#"{{"alg":"HS256","typ":"{kind}"}}"#)), alice(), "{kind}");
    }
    for kind in [
        r#""mfa-session+jwt""#,
        r#""logout+jwt""#,
        r#""dpop+jwt""#,
        r#""secevent+jwt""#,
        r#""JWE""#,
        r#""""#,
        r#""text/jwt""#,
        "null",
        "1",
        r#"["JWT"]"#,
    ] {
        let head = format!(r#"{{"alg":"HS256","typ":{kind}}}"#);
        assert_eq!(headed(&head), Err(JwtFault::OtherKind), "{kind}");
    }
}

#[test]
fn a_key_is_chosen_by_its_name_and_by_nothing_else() {
    let (first, second) = (Signer::p256(), Signer::p256());
    let set = verifier(vec![first.key(Some("first")), second.key(Some("second"))]);
    let by = |signer: &Signer, kid: &str| {
        read_by(&set, &token(signer, &format!(r#"{{"alg":"ES256"{kid}}}"#), CLAIMS))
    };
    assert_eq!(by(&first, r#","kid":"first""#), alice());
    assert_eq!(by(&second, r#","kid":"second""#), alice());
    assert_eq!(by(&second, ""), alice());
    assert_eq!(by(&first, r#","kid":"second""#), Err(JwtFault::Signature));
    for odd in [
        "retired",
        "",
        "First",
        "first ",
        "../../../../dev/null",
        "/etc/passwd",
        "https://evil.example/",
        "' OR 1=1",
        "first\\u0000",
    ] {
        assert_eq!(by(&first, &format!(r#","kid":"{odd}""#)), Err(JwtFault::Key), "{odd}");
    }
    for odd in ["1", "null", "[\"first\"]", "{}", "true"] {
        assert_eq!(by(&first, &format!(r#","kid":{odd}"#)), Err(JwtFault::Malformed), "{odd}");
    }
    // A key without a name is meant for all tokens, and only it signs them.
    let one = verifier(vec![first.key(None)]);
    for (signer, expected) in [(&first, alice()), (&second, Err(JwtFault::Signature))] {
        let named = token(signer, r#"{"alg":"ES256","kid":"../x"}"#, CLAIMS);
        assert_eq!(read_by(&one, &named), expected);
    }
}
