//! `jwt` as ops writes it: what is taken, what is told, and tokens of another library read by
//! the keys that were given.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use tempfile::TempDir;

use super::jwt;
use crate::clock::UnixMillis;
use crate::config::fault::Findings;
use crate::config::file_jwt::JwtFile;
use crate::config::jwt::{Algorithm, Carrier, JwtSource, KeyMaterial};
use crate::config::key_path::KeyPath;
use crate::config::position::Positions;
use crate::config::surroundings::Surroundings;

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

/// Keys, and tokens signed by them, as PyJWT 2.15 with cryptography wrote them.
fn foreign() -> Value {
    serde_json::from_str(include_str!("foreign.json")).unwrap()
}

/// A folder with the files of keys.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let foreign = foreign();
        folder.put("jwks.json", &foreign["jwks"].to_string());
        folder.put("secret", &format!("{}\n", foreign["secret"].as_str().unwrap()));
        for (name, pem) in foreign["pem"].as_object().unwrap() {
            folder.put(&format!("{name}.pem"), pem.as_str().unwrap());
        }
        folder
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The source, or every fault without the folder's name; warnings count as faults.
    fn check(&self, yaml: &str) -> Result<JwtSource, Vec<String>> {
        let written: JwtFile =
            serde_yaml::from_str(yaml).map_err(|error| vec![error.to_string()])?;
        let file = self.0.path().join("x.yaml");
        let environment = |name: &str| (name == "SECRET").then(|| "s".repeat(40).into());
        let around = Surroundings::of(&file, &environment);
        let mut findings = Findings::new(&file, Positions::default());
        let source = jwt(written, &KeyPath::root().key("jwt"), &around, &mut findings);
        let here = format!("{}/", self.0.path().display());
        let lines = |text: String| text.replace(&here, "").replace("x.yaml:1:1: jwt", "");
        match findings.conclude(source) {
            Ok((source, warnings)) if warnings.is_empty() => Ok(source),
            Ok((_, warnings)) => Err(warnings.iter().map(|one| lines(one.to_string())).collect()),
            Err(faults) => Err(faults.iter().map(|one| lines(one.to_string())).collect()),
        }
    }

    fn taken(&self, keys: &str, more: &str) -> JwtSource {
        self.check(&yaml(keys, more)).unwrap()
    }

    #[track_caller]
    fn told(&self, yaml: &str, fault: &str) {
        assert_eq!(self.check(yaml).unwrap_err(), [fault], "{yaml}");
    }
}

fn yaml(keys: &str, more: &str) -> String {
    format!(
        "{{ cookie: token, keys: {{ {keys} }}, issuer: 'https://portal.example', audience: wiki{more} }}"
    )
}

#[test]
fn tokens_of_another_library_are_read_by_every_kind_of_key() {
    let folder = Folder::new();
    let foreign = foreign();
    let tokens = foreign["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 12);
    for (algorithm, made) in tokens {
        let (key, token) = (made["key"].as_str().unwrap(), made["token"].as_str().unwrap());
        let named = format!(", algorithms: [{algorithm}]");
        let keys = match key {
            "secret" => vec!["secret: file:secret".to_owned()],
            key => vec!["jwks: file:jwks.json".to_owned(), format!("pem: file:{key}.pem")],
        };
        for keys in keys {
            let source = folder.taken(&keys, &named);
            assert_eq!(source.verifier.read(NOW, token), Ok("alice".to_owned()), "{algorithm}");
            let other = source.verifier.read(NOW, tokens["EdDSA"]["token"].as_str().unwrap());
            assert_eq!(other.is_ok(), algorithm == "EdDSA", "{algorithm}");
        }
    }
}

#[test]
fn keys_are_used_with_what_is_usual_for_them_unless_it_is_named() {
    let folder = Folder::new();
    let used = |keys: &str, more: &str| {
        let source = folder.taken(keys, more);
        source.verifier.keys.into_iter().map(|key| key.algorithms).collect::<Vec<_>>()
    };
    use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs512, Ps256, Rs256};
    assert_eq!(used("jwks: file:jwks.json", ""), [[Rs256], [Es256], [Es384], [EdDsa]]);
    assert_eq!(used("pem: file:rsa.pem", ""), [[Rs256]]);
    assert_eq!(used("secret: file:secret", ""), [[Hs256]]);
    assert_eq!(used("secret: file:secret", ", algorithms: [HS512]"), [[Hs512]]);
    let named = ", algorithms: [PS256, ES384]";
    assert_eq!(used("jwks: file:jwks.json", named), [[Ps256], [Es384]]);
}

#[test]
fn the_token_is_in_one_place() {
    let folder = Folder::new();
    let carrier = |carrier: &str| {
        folder.check(&yaml("pem: file:rsa.pem", "").replace("cookie: token", carrier))
    };
    let cookie = Carrier::Cookie("token".to_owned());
    assert_eq!(carrier("cookie: token").unwrap().carrier, cookie);
    assert_eq!(carrier("cookie: token, bearer: false").unwrap().carrier, cookie);
    assert_eq!(carrier("bearer: true").unwrap().carrier, Carrier::Bearer);
    for (wrong, fault) in [
        ("claim: sub", ": does not say where the token is; write cookie: NAME, or bearer: true"),
        ("bearer: false", ": does not say where the token is; write cookie: NAME, or bearer: true"),
        (
            "cookie: a, bearer: true",
            ": has both cookie and bearer; keep the one that has the token",
        ),
        ("cookie: 'a*'", ".cookie: is a pattern; write the whole name of the cookie"),
        (
            "cookie: 'a=b'",
            ".cookie: is no name of a cookie; write the name alone, without '=' and value",
        ),
        (
            "cookie: __Host-mfa",
            ".cookie: '__Host-mfa' fits __Host-mfa, a cookie of Portcullis; name the portal's session cookie more closely",
        ),
    ] {
        assert_eq!(carrier(wrong).unwrap_err(), [fault], "{wrong}");
    }
}

#[test]
fn what_has_to_be_there_is_told_at_once() {
    let faults = Folder::new().check("{}").unwrap_err();
    assert_eq!(
        faults,
        [
            ": does not say where the token is; write cookie: NAME, or bearer: true",
            ".keys: is missing; name the file of the portal's keys: { jwks: file:jwks.json }",
            ".issuer: is missing; write what the portal's tokens have as iss",
            ".audience: is missing; write what the portal's tokens have as aud",
        ]
    );
    let folder = Folder::new();
    folder.told(&yaml("", ""), ".keys: has to name one place; write jwks, pem or secret");
    let two = yaml("pem: file:rsa.pem, secret: file:secret", "");
    folder.told(&two, ".keys: has to name one place; write jwks, pem or secret");
    let empty = yaml("pem: file:rsa.pem", ", claim: ''");
    folder.told(&empty, ".claim: is empty; name the claim, such as sub");
    let pointer = yaml("pem: file:rsa.pem", ", claim: /a~b");
    folder.told(&pointer, ".claim: '/a~b' is no JSON pointer; start with '/', and write ~0 for '~' and ~1 for '/' in a name");
}

#[test]
fn keys_come_from_files_alone() {
    for address in
        ["https://portal.example/jwks.json", "jwks.json", "file:", "env:KEYS", "file://x"]
    {
        let faults = Folder::new().check(&yaml(&format!("jwks: '{address}'"), "")).unwrap_err();
        assert!(faults[0].contains("keys are never fetched from an address"), "{faults:?}");
    }
    let fault = ".keys.jwks: absent.json cannot be read: No such file or directory (os error 2); \
                 make it readable for this user";
    Folder::new().told(&yaml("jwks: file:absent.json", ""), fault);
}

#[test]
fn an_algorithm_has_a_key_of_its_kind() {
    let folder = Folder::new();
    let fault = "'HS256' is for none of the keys; it needs a secret, and these are public keys";
    folder.told(
        &yaml("pem: file:rsa.pem", ", algorithms: [RS256, HS256]"),
        &format!(".algorithms[1]: {fault}"),
    );
    folder.told(
        &yaml("secret: env:SECRET", ", algorithms: [HS512]"),
        ".algorithms[0]: 'HS512' is for none of the keys; it needs a secret of 64 bytes or more",
    );
    folder.told(
        &yaml("secret: file:secret", ", algorithms: [RS256]"),
        ".algorithms[0]: 'RS256' is for none of the keys; name what the portal signs with, or its key",
    );
    folder.told(
        &yaml("pem: file:rsa.pem", ", algorithms: []"),
        ".algorithms: is an empty list; name what the portal signs with, such as [RS256], or leave it out",
    );
    for none in ["none", "None", "rs256", "ES256K", "dir"] {
        let text = yaml("pem: file:rsa.pem", &format!(", algorithms: [{none}]"));
        assert!(folder.check(&text).unwrap_err()[0].contains("unknown variant"), "{none}");
    }
}

#[test]
fn a_secret_is_long_and_no_public_key() {
    let folder = Folder::new();
    let source = folder.taken("secret: file:secret", "");
    let KeyMaterial::Secret(secret) = &source.verifier.keys[0].material else { unreachable!() };
    assert_eq!(secret.reveal(), foreign()["secret"].as_str().unwrap().as_bytes());
    folder.put("crlf", &format!("{}\r\n", "s".repeat(32)));
    folder.taken("secret: file:crlf", "");
    folder.put("short", &format!("{}\n", "s".repeat(31)));
    folder.told(
        &yaml("secret: file:short", ""),
        ".keys.secret: is shorter than 32 bytes, so that it can be guessed; give the portal a longer one: openssl rand -base64 48",
    );
    folder.told(
        &yaml("secret: file:rsa.pem", ""),
        ".keys.secret: is a key in PEM and no secret; name its file as pem",
    );
    folder.told(
        &yaml("secret: env:NOT", ""),
        ".keys.secret: the environment variable NOT is not set; set it, or name another",
    );
    let open = folder.0.path().join("secret");
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = folder.check(&yaml("secret: file:secret", "")).unwrap_err();
    assert!(warnings[0].contains("warning: ") && warnings[0].contains("chmod 600"), "{warnings:?}");
}

#[test]
fn a_pem_file_has_one_public_key() {
    let folder = Folder::new();
    let pem = |name: &str| foreign()["pem"][name].as_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let p521 = include_str!("p521.pem");
    for (text, fault) in [
        (made.cert.pem(), "is a certificate; take its key out: openssl x509 -pubkey -noout"),
        (
            made.signing_key.serialize_pem(),
            "is a private key; leave that to the portal: openssl pkey -pubout",
        ),
        (
            format!("{}{}", pem("rsa"), pem("p256")),
            "has more than one public key; name a file with one",
        ),
        (String::new(), "has no public key; it begins with -----BEGIN PUBLIC KEY-----"),
        (
            p521.to_owned(),
            "has a key of a kind that is not known here; use RSA, P-256, P-384 or Ed25519",
        ),
    ] {
        folder.put("a.pem", &text);
        folder.told(&yaml("pem: file:a.pem", ""), &format!(".keys.pem: {fault}"));
    }
}

#[test]
fn a_set_is_whole_and_of_one_kind() {
    let folder = Folder::new();
    let long = "k".repeat(43);
    let oct = format!(r#"{{"kty":"oct","k":"{long}"}}"#);
    let keys = foreign()["jwks"]["keys"].clone();
    let (rsa, p256, ed) = (keys[0].to_string(), keys[1].to_string(), keys[3].to_string());
    let no_set = "is no JWK Set; it is one JSON object with an array \"keys\", and no name twice";
    let fault_of_first = |what: &str| format!("has a key, keys[0], that {what}");
    let set = |keys: &str| format!(r#"{{"keys":[{keys}]}}"#);
    for (text, fault) in [
        (String::new(), no_set.to_owned()),
        (rsa.clone(), no_set.to_owned()),
        (format!(r#"{{"keys":[{rsa}],"keys":[]}}"#), no_set.to_owned()),
        (set(&rsa.replacen('{', r#"{"kid":"x","#, 1)), no_set.to_owned()),
        (set(""), "has no key that verifies signatures; name the portal's own set".to_owned()),
        (
            set(
                r#"{"kty":"RSA","use":"enc"},{"kty":"EC","crv":"P-521"},{"kty":"new"},{"kty":"oct","alg":"A256KW"},{"kty":"RSA","key_ops":["sign"]}"#,
            ),
            "has no key that verifies signatures; name the portal's own set".to_owned(),
        ),
        (set(&format!("{rsa},{oct}")), "has secrets beside public keys; keep one kind".to_owned()),
        (set(&format!("{rsa},{rsa}")), "has two keys with one kid; keep one of them".to_owned()),
        (
            set(&vec![oct.clone(); 17].join(",")),
            "has more than 16 keys; keep those that are in use".to_owned(),
        ),
        (set("1"), fault_of_first("is no object; take it out")),
        (set("{}"), fault_of_first("has no kty; take it out")),
        (set(r#"{"kty":1}"#), fault_of_first("has a kty that is no text; mend it")),
        (set(r#"{"kty":"oct","kid":1}"#), fault_of_first("has a kid that is no text; mend it")),
        (
            set(r#"{"kty":"oct","key_ops":"verify"}"#),
            fault_of_first("has a key_ops that is no array; mend it"),
        ),
        (set(r#"{"kty":"oct"}"#), fault_of_first("has no k; mend it")),
        (
            set(&oct.replace("kkk", "kk=")),
            fault_of_first("has a k that is not base64url without padding; mend it"),
        ),
        (
            set(&oct.replacen("kkkk", "", 1)),
            fault_of_first("is shorter than 32 bytes; make a longer one"),
        ),
        (set(r#"{"kty":"RSA","e":"AQAB"}"#), fault_of_first("has no n; mend it")),
        (
            set(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#),
            fault_of_first("is an RSA key of less than 2048 or more than 8192 bits; use 2048"),
        ),
        (
            set(&rsa.replace("AQAB", "AQ")),
            fault_of_first("is no RSA key, as its numbers cannot be one's; save it anew"),
        ),
        (
            set(&rsa.replace("AQAB", "AQAA")),
            fault_of_first("is no RSA key, as its numbers cannot be one's; save it anew"),
        ),
        (
            set(&rsa.replacen('{', r#"{"d":"AQAB","#, 1)),
            fault_of_first("is a private key; leave that to the portal, and name the public one"),
        ),
        (
            set(&p256.replace("P-256", "P-384")),
            fault_of_first("has an x or y of another length than 48 bytes; mend it"),
        ),
        (
            set(&ed.replacen(r#""x":""#, r#""x":"AAAA"#, 1)),
            fault_of_first("has an x of another length than 32 bytes; mend it"),
        ),
        (
            set(&p256.replacen('{', r#"{"alg":"RS256","#, 1)),
            fault_of_first("is not of the kind or length that its alg needs; mend it"),
        ),
        (
            set(&oct.replacen('{', r#"{"alg":"HS512","#, 1)),
            fault_of_first("is not of the kind or length that its alg needs; mend it"),
        ),
    ] {
        folder.put("set.json", &text);
        folder.told(&yaml("jwks: file:set.json", ""), &format!(".keys.jwks: {fault}"));
    }
}

#[test]
fn a_key_that_says_what_it_is_for_is_for_that_alone() {
    let folder = Folder::new();
    let rsa = foreign()["jwks"]["keys"][0].to_string();
    let alone = format!(r#"{{"keys":[{}]}}"#, rsa.replacen('{', r#"{"alg":"PS256","#, 1));
    folder.put("set.json", &alone);
    let source = folder.taken("jwks: file:set.json", "");
    assert_eq!(source.verifier.keys[0].algorithms, [Algorithm::Ps256]);
    assert_eq!(source.verifier.keys[0].id.as_deref(), Some("rsa"));
    folder.told(
        &yaml("jwks: file:set.json", ", algorithms: [RS256]"),
        ".algorithms[0]: 'RS256' is for none of the keys; name what the portal signs with, or its key",
    );
}
