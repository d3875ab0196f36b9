//! What assertions say, for how long they are sent again, and how many are remembered.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::{Value, json};

use super::{MOST, methods};
use crate::session::{FactorUsed, Learned, Level, SessionRecord};
use crate::site::house::{House, NOW, house};
use crate::user::Opaque;

const PROVEN: Level = Level::Proven { factor: FactorUsed::Totp, at: NOW };

async fn proven(house: &House, user: &str) -> SessionRecord {
    let cookies = format!("sid={user}");
    house.sign_in(user, &cookies, PROVEN).await;
    let site = house.parts.sites.named("wiki.test");
    let bind = site.binder.bind(&house.cookies_of(&cookies));
    let record = house.parts.sessions.known(NOW, bind).unwrap();
    SessionRecord { sid: Opaque([user.as_bytes()[0]; 16]), ..(*record).clone() }
}

fn claims(line: &HeaderValue) -> Value {
    let claims = line.to_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn an_assertion_says_who_was_proven_how_and_when() {
    let house = house().await;
    let portal = &house.parts.sites.named("wiki.test").portal;
    let session = proven(&house, "alice").await;
    let now = NOW.plus(Duration::from_secs(100));
    let line = house.parts.assertions.of(now, portal, &session).unwrap();
    assert!(line.is_sensitive());
    let expected = json!({
        "iss": "https://wiki.test",
        "sub": "alice",
        "aud": "wiki",
        "amr": ["pwd", "otp"],
        "auth_time": NOW.seconds(),
        "iat": now.seconds(),
        "exp": now.seconds() + 60,
    });
    assert_eq!(claims(&line), expected);
}

#[tokio::test]
async fn nobody_is_asserted_without_a_second_factor() {
    let house = house().await;
    let portal = &house.parts.sites.named("wiki.test").portal;
    let session = proven(&house, "alice").await;
    for level in [Level::Password, Level::Ended] {
        let session = SessionRecord { level, ..session.clone() };
        assert!(house.parts.assertions.of(NOW, portal, &session).is_none(), "{level:?}");
    }
}

#[tokio::test]
async fn one_is_sent_again_while_it_has_time_left() {
    let house = house().await;
    let portal = &house.parts.sites.named("wiki.test").portal;
    let assertions = &house.parts.assertions;
    let session = proven(&house, "alice").await;
    let first = assertions.of(NOW, portal, &session).unwrap();
    let after = |seconds| NOW.plus(Duration::from_secs(seconds));
    assert_eq!(assertions.of(after(40), portal, &session).unwrap(), first);
    let second = assertions.of(after(41), portal, &session).unwrap();
    assert_eq!(claims(&second)["iat"], after(41).seconds());
    // A clock that went back has not seen the second one yet.
    let third = assertions.of(after(20), portal, &session).unwrap();
    assert_eq!(claims(&third)["exp"], after(80).seconds());
}

#[tokio::test]
async fn one_is_for_its_user_and_its_proof_alone() {
    let house = house().await;
    let portal = &house.parts.sites.named("wiki.test").portal;
    let assertions = &house.parts.assertions;
    let alice = proven(&house, "alice").await;
    let bob = proven(&house, "bob").await;
    let subject = |session: &SessionRecord| {
        claims(&assertions.of(NOW, portal, session).unwrap())["sub"].clone()
    };
    assert_eq!((subject(&alice), subject(&bob)), (json!("alice"), json!("bob")));
    // Even if two stretches had one name.
    let bob = SessionRecord { sid: alice.sid, ..bob };
    assert_eq!((subject(&alice), subject(&bob)), (json!("alice"), json!("bob")));
    let at = NOW.plus(Duration::from_secs(5));
    let level = Level::Proven { factor: FactorUsed::RecoveryCode, at };
    let anew = SessionRecord { level, ..bob };
    let told = claims(&assertions.of(at, portal, &anew).unwrap());
    assert_eq!(told["amr"], json!(["pwd", "mfa"]));
    assert_eq!(told["auth_time"], at.seconds());
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_forgotten() {
    let house = house().await;
    let portal = &house.parts.sites.named("wiki.test").portal;
    let assertions = &house.parts.assertions;
    let session = proven(&house, "alice").await;
    let of = |number: usize| {
        let mut sid = [0; 16];
        sid[..8].copy_from_slice(&number.to_be_bytes());
        SessionRecord { sid: Opaque(sid), ..session.clone() }
    };
    for number in 0..MOST + 10 {
        assert!(assertions.of(NOW, portal, &of(number)).is_some());
    }
    assert_eq!(assertions.made.len(), MOST);
    assertions.sweep(NOW.plus(Duration::from_secs(40)));
    assert_eq!(assertions.made.len(), MOST);
    assertions.sweep(NOW.plus(Duration::from_secs(41)));
    assert!(assertions.made.is_empty());
}

#[test]
fn no_password_is_claimed_that_nobody_saw() {
    assert_eq!(methods(Learned::Told, FactorUsed::Totp), ["otp"]);
    assert_eq!(methods(Learned::Told, FactorUsed::RecoveryCode), ["mfa"]);
}
