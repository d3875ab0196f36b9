//! Tokens: what is read back, and what is foreign (RFC 8725).

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::keys::KeyRing;
use super::super::read_token::ReadToken;
use super::super::record::{FactorUsed, Learned, Level, Place, SessionRecord};
use super::{Claims, Grade, Token, TokenError};
use crate::clock::UnixMillis;
use crate::config::SessionLimits;
use crate::user::{Opaque, UserName};

const SECRET: &str = "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgZm9yIHVzIQ";
const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const LIMITS: SessionLimits =
    SessionLimits { lifetime: Duration::from_secs(43_200), idle: Duration::from_secs(3600) };

fn keys() -> KeyRing {
    let ring = json!({ "active": "k1", "keys": [{ "kid": "k1", "secret": SECRET }] });
    KeyRing::read(ring.to_string().as_bytes()).unwrap()
}

fn record(level: Level) -> SessionRecord {
    SessionRecord {
        portal: "wiki".to_owned(),
        root: Opaque([1; 16]),
        sid: Opaque([2; 16]),
        sub: Opaque([3; 16]),
        user: UserName::canonical("alice.with.a.name@example.com".to_owned()),
        bind: Opaque([4; 16]),
        parts: vec![Opaque([5; 16])],
        scoped: Vec::new(),
        started: NOW,
        ends: NOW.plus(LIMITS.lifetime),
        level,
        learned: Learned::default(),
        place: Place::default(),
    }
}

fn proven() -> Level {
    Level::Proven { factor: FactorUsed::Totp, at: NOW }
}

fn read_at(seconds: u64, token: &str) -> Result<Arc<ReadToken>, TokenError> {
    Token::new("wiki", LIMITS).read(&keys(), UnixMillis::from_seconds(seconds), token)
}

#[test]
fn a_token_is_read_back_and_agrees_with_its_record() {
    let token = Token::new("wiki", LIMITS);
    for level in [Level::Password, proven()] {
        let record = record(level);
        let text = token.mint(&keys(), NOW, &record).unwrap();
        let claims = token.read(&keys(), NOW, &text).unwrap();
        assert!(claims.agrees_with(&record));
        assert_eq!(claims.grade(), Grade::SignedIn);
        let ended = SessionRecord { level: Level::Ended, ..record.clone() };
        assert!(!claims.agrees_with(&ended));
        let other = SessionRecord { sid: Opaque([9; 16]), ..record };
        assert!(!claims.agrees_with(&other));
    }
}

#[test]
fn a_token_is_short_and_names_nobody() {
    let name = "w".repeat(32);
    let text = Token::new(&name, LIMITS).mint(&keys(), NOW, &record(proven())).unwrap();
    assert!("__Host-mfa=".len() + text.len() <= 600, "{}", text.len());
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text.split('.').nth(1).unwrap())
        .unwrap();
    assert!(!String::from_utf8(decoded).unwrap().contains("alice"));
}

#[test]
fn a_token_ends_when_idle_and_in_the_end() {
    let text = Token::new("wiki", LIMITS).mint(&keys(), NOW, &record(proven())).unwrap();
    let start = NOW.seconds();
    assert!(read_at(start + 3599, &text).is_ok());
    assert_eq!(read_at(start + 3600, &text), Err(TokenError::Idle));
    let late = NOW.plus(Duration::from_secs(43_000));
    let text = Token::new("wiki", LIMITS).mint(&keys(), late, &record(proven())).unwrap();
    assert!(read_at(start + 43_199, &text).is_ok());
    assert_eq!(read_at(start + 43_200, &text), Err(TokenError::Expired));
    assert_eq!(read_at(start - 60, &text), Err(TokenError::Foreign));
}

/// After a pause it still says who was here, until the session's time is over.
#[test]
fn a_token_that_was_unused_for_too_long_is_read_as_that_alone() {
    let token = Token::new("wiki", LIMITS);
    let text = token.mint(&keys(), NOW, &record(proven())).unwrap();
    let idle = |seconds: u64, text: &str| {
        token.read_idle(&keys(), UnixMillis::from_seconds(NOW.seconds() + seconds), text)
    };
    assert_eq!(idle(3599, &text), Err(TokenError::Foreign));
    assert!(idle(3600, &text).unwrap().agrees_with(&record(proven())));
    assert!(idle(43_199, &text).is_ok());
    assert_eq!(idle(43_200, &text), Err(TokenError::Expired));
    assert_eq!(idle(3600, &text[1..]), Err(TokenError::Foreign));
    let guest = token.mint_guest(&keys(), NOW, Opaque([7; 16]), Opaque([4; 16])).unwrap();
    assert_eq!(idle(3600, &guest), Err(TokenError::Expired));
    let other = Token::new("shop", LIMITS).mint(&keys(), NOW, &record(proven())).unwrap();
    assert_eq!(idle(3600, &other), Err(TokenError::Foreign));
}

#[test]
fn a_busy_users_token_is_renewed_before_it_is_idle() {
    let token = Token::new("wiki", LIMITS);
    let text = token.mint(&keys(), NOW, &record(proven())).unwrap();
    let claims = token.read(&keys(), NOW, &text).unwrap();
    assert!(!token.wants_renewal(NOW.plus(Duration::from_secs(200)), &claims));
    assert!(token.wants_renewal(NOW.plus(Duration::from_secs(500)), &claims));
}

#[test]
fn a_guests_token_claims_nothing_and_ends_soon() {
    let token = Token::new("wiki", LIMITS);
    let text = token.mint_guest(&keys(), NOW, Opaque([7; 16]), Opaque([4; 16])).unwrap();
    let claims = token.read(&keys(), NOW, &text).unwrap();
    assert_eq!(claims.grade(), Grade::Guest);
    assert!(!claims.agrees_with(&record(Level::Password)));
    assert!(!token.wants_renewal(NOW.plus(Duration::from_secs(1800)), &claims));
    assert_eq!(read_at(NOW.seconds() + 3600, &text), Err(TokenError::Expired));
}

#[test]
fn a_token_of_another_portal_is_foreign() {
    let text = Token::new("shop", LIMITS).mint(&keys(), NOW, &record(proven())).unwrap();
    assert_eq!(read_at(NOW.seconds(), &text), Err(TokenError::Foreign));
}

/// What some token says.
pub(in super::super) fn some_claims() -> Claims {
    serde_json::from_value(claims()).unwrap()
}

fn claims() -> Value {
    let text = Token::new("wiki", LIMITS).mint(&keys(), NOW, &record(proven())).unwrap();
    serde_json::to_value(&**read_at(NOW.seconds(), &text).unwrap()).unwrap()
}

/// A token under our own key with another head or other claims.
fn forged(header: Header, claims: &Value) -> String {
    Token::new("wiki", LIMITS);
    use base64::Engine as _;
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(SECRET).unwrap();
    encode(&header, claims, &EncodingKey::from_secret(&key)).unwrap()
}

fn header() -> Header {
    Header {
        typ: Some("mfa-session+jwt".to_owned()),
        kid: Some("k1".to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

/// RFC 8725 and the black-box set of the standards page.
#[test]
fn a_token_of_another_kind_is_foreign_even_under_our_key() {
    assert!(read_at(NOW.seconds(), &forged(header(), &claims())).is_ok());
    let heads = [
        Header { typ: None, ..header() },
        Header { typ: Some("JWT".to_owned()), ..header() },
        Header { kid: None, ..header() },
        Header { kid: Some("../../k1".to_owned()), ..header() },
        Header { kid: Some("k2".to_owned()), ..header() },
        Header { crit: Some(vec!["b64".to_owned()]), ..header() },
    ];
    for head in heads {
        let text = forged(head.clone(), &claims());
        assert_eq!(read_at(NOW.seconds(), &text), Err(TokenError::Foreign), "{head:?}");
    }
    let changes = [
        ("aud", json!("shop")),
        ("aud", json!(["shop"])),
        ("iss", json!("somebody")),
        ("exp", json!("1900000000")),
        ("exp", json!(-1)),
        ("exp", json!(1.5e300)),
        ("iat", json!(1_900_000_000)),
        ("mfa_time", json!(1_900_000_000)),
        ("sub", json!("alice")),
        ("bind", json!(null)),
        ("amr", json!(["pwd", "sms"])),
        ("admin", json!(true)),
    ];
    for (name, value) in changes {
        let mut changed = claims();
        changed[name] = value;
        let text = forged(header(), &changed);
        assert_eq!(read_at(NOW.seconds(), &text), Err(TokenError::Foreign), "{name}");
    }
}

#[test]
fn a_changed_token_is_foreign() {
    let text = forged(header(), &claims());
    let parts: Vec<&str> = text.split('.').collect();
    let (head, body, tag) = (parts[0], parts[1], parts[2]);
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let none = encode(r#"{"typ":"mfa-session+jwt","kid":"k1","alg":"none"}"#);
    let hs384 = encode(r#"{"typ":"mfa-session+jwt","kid":"k1","alg":"HS384"}"#);
    let given = [
        String::new(),
        "a.b.c".to_owned(),
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{none}.{body}."),
        format!("{none}.{body}.{tag}"),
        format!("{hs384}.{body}.{tag}"),
        format!("{head}.{body}.{}", &tag[..20]),
        format!("{head}.{body}.{tag}="),
        format!("{head}.{body}.{tag}A"),
        format!("{head}.{body}.{tag}.{tag}"),
        format!("{head}.{}.{tag}", encode(&claims().to_string().replace("pwd", "otp"))),
        "x".repeat(100_000),
    ];
    for text in given {
        let read = read_at(NOW.seconds(), &text);
        assert_eq!(read, Err(TokenError::Foreign), "{:.60}", text);
    }
}

/// What is remembered of a token is that a key signed it, and the key may end.
#[test]
fn a_token_that_was_read_before_ends_with_its_key_and_its_time() {
    let (token, until) = (Token::new("wiki", LIMITS), NOW.plus(Duration::from_secs(60)));
    let old = json!({ "kid": "k1", "secret": SECRET, "until": until.0 });
    let new = json!({ "kid": "k2", "secret": SECRET.replace('c', "d") });
    let ring = json!({ "active": "k2", "keys": [new, old] });
    let after = KeyRing::read(ring.to_string().as_bytes()).unwrap();
    let text = token.mint(&keys(), NOW, &record(proven())).unwrap();
    let read = |seconds: u64, text: &str| {
        token.read(&after, UnixMillis::from_seconds(NOW.seconds() + seconds), text)
    };
    let first = read(0, &text).unwrap();
    assert!(Arc::ptr_eq(&first, &read(59, &text).unwrap()), "it was verified twice");
    assert_eq!(read(60, &text), Err(TokenError::Foreign));
    let other = Token::new("shop", LIMITS).read(&after, NOW, &text);
    assert_eq!(other, Err(TokenError::Foreign), "of another portal");
    let own = token.mint(&after, NOW, &record(proven())).unwrap();
    assert!(read(3599, &own).is_ok());
    assert_eq!(read(3600, &own), Err(TokenError::Idle));
    assert_eq!(read(3599, &own[1..]), Err(TokenError::Foreign));
}
