//! Tokens that are signed well, and what they say: for how long, by whom, for whom, of whom.

use super::{CLAIMS, HS256, JwtFault, JwtVerifier, NOW, Signer, alice, claiming, read_by};
use super::{token, verifier};

#[test]
fn a_token_counts_within_its_time_alone() {
    let at = |times: &str| {
        claiming(&format!(r#"{{"iss":"portal","aud":"wiki","sub":"alice",{times}}}"#))
    };
    assert_eq!(at(&format!(r#""exp":{}"#, NOW + 1)), alice());
    assert_eq!(at(&format!(r#""exp":{}"#, NOW - 29)), alice());
    assert_eq!(at(&format!(r#""exp":{}"#, NOW - 30)), Err(JwtFault::Expired));
    assert_eq!(at(r#""exp":0"#), Err(JwtFault::Expired));
    assert_eq!(at(&format!(r#""exp":{}"#, u64::MAX)), alice());
    for name in ["nbf", "iat"] {
        let beginning = |seconds: u64| at(&format!(r#""exp":{},"{name}":{seconds}"#, NOW + 600));
        assert_eq!(beginning(0), alice());
        assert_eq!(beginning(NOW + 30), alice(), "{name}");
        assert_eq!(beginning(NOW + 31), Err(JwtFault::Early), "{name}");
        assert_eq!(beginning(u64::MAX), Err(JwtFault::Early), "{name}");
    }
}

#[test]
fn a_time_is_a_number_of_whole_seconds() {
    let odd = [
        r#""1700000600""#,
        "1700000600.5",
        "1700000600.0",
        "1.7e9",
        "1e400",
        "-1",
        "-0.0",
        "null",
        "true",
        "[1700000600]",
        "{}",
        "NaN",
        "Infinity",
        "99999999999999999999",
    ];
    for odd in odd {
        let claims = CLAIMS.replace("1700000600", odd);
        let fault = claiming(&claims).unwrap_err();
        assert!(matches!(fault, JwtFault::Times | JwtFault::Malformed), "exp {odd}: {fault}");
        for name in ["nbf", "iat"] {
            let claims = CLAIMS.replace('}', &format!(r#","{name}":{odd}}}"#));
            let fault = claiming(&claims).unwrap_err();
            assert!(matches!(fault, JwtFault::Times | JwtFault::Malformed), "{name} {odd}");
        }
    }
    let endless = CLAIMS.replace(r#","exp":1700000600"#, "");
    assert_eq!(claiming(&endless), Err(JwtFault::Times));
}

#[test]
fn a_token_is_from_the_portal_and_for_it() {
    let issued = |issuer: &str| claiming(&CLAIMS.replace(r#""iss":"portal""#, issuer));
    for other in [
        r#""iss":"Portal""#,
        r#""iss":"portal ""#,
        r#""iss":"portal/""#,
        r#""iss":"""#,
        r#""iss":null"#,
        r#""iss":["portal"]"#,
        r#""x":1"#,
    ] {
        assert_eq!(issued(other), Err(JwtFault::Issuer), "{other}");
    }
    let meant = |audience: &str| claiming(&CLAIMS.replace(r#""aud":"wiki""#, audience));
    for ours in [r#""aud":["wiki"]"#, r#""aud":["other","wiki"]"#] {
        assert_eq!(meant(ours), alice(), "{ours}");
    }
    for other in [
        r#""aud":"shop""#,
        r#""aud":["shop"]"#,
        r#""aud":[]"#,
        r#""aud":"""#,
        r#""aud":null"#,
        r#""aud":"wiki shop""#,
        r#""aud":[["wiki"]]"#,
        r#""aud":["wiki",1]"#,
        r#""aud":{"wiki":1}"#,
        r#""aud":"wik""#,
        r#""x":1"#,
    ] {
        assert_eq!(meant(other), Err(JwtFault::Audience), "{other}");
    }
}

#[test]
fn a_name_is_a_text_or_a_whole_number() {
    let named = |name: &str| claiming(&CLAIMS.replace(r#""sub":"alice""#, name));
    assert_eq!(named(r#""sub":42"#), Ok("42".to_owned()));
    assert_eq!(named(r#""sub":" Alice ""#), Ok(" Alice ".to_owned()));
    for none in [
        r#""sub":"""#,
        r#""sub":null"#,
        r#""sub":true"#,
        r#""sub":["alice"]"#,
        r#""sub":{}"#,
        r#""sub":1.5"#,
        r#""sub":-1"#,
        r#""Sub":"alice""#,
    ] {
        assert_eq!(named(none), Err(JwtFault::Name), "{none}");
    }
}

#[test]
fn another_claim_may_name_the_user() {
    let of = |claim: &str, more: &str| {
        let keys = vec![Signer::secret().key(None)];
        let verifier = JwtVerifier { claim: claim.to_owned(), ..verifier(keys) };
        let claims = CLAIMS.replace('}', &format!(",{more}}}"));
        read_by(&verifier, &token(&Signer::secret(), HS256, &claims))
    };
    let bob = Ok("bob".to_owned());
    assert_eq!(of("preferred_username", r#""preferred_username":"bob""#), bob);
    assert_eq!(of("https://x/name", r#""https://x/name":"bob""#), bob);
    assert_eq!(of("/user/name", r#""user":{"name":"bob"}"#), bob);
    assert_eq!(of("/users/0/name", r#""users":[{"name":"bob"}]"#), bob);
    assert_eq!(of("/a~1b~01/c", r#""a/b~1":{"c":"bob"}"#), bob);
    assert_eq!(of("/sub", r#""x":1"#), alice());
    assert_eq!(of("/user/name", r#""user":"bob""#), Err(JwtFault::Name));
    assert_eq!(of("user", r#""user":{"name":"bob"}"#), Err(JwtFault::Name));
}
