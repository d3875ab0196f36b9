//! ID-8: a portal whose session is a token that it signs. Nothing in a token counts before its
//! signature does, and the name in it opens nothing without the second factor.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::dsl::steps::enrol_at;
use crate::dsl::{Browser, Gateway, Office, gateway, office};

const SECRET: &[u8] = b"the secret that the portal signs with";

async fn stage() -> (Office, Gateway, tempfile::NamedTempFile) {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), SECRET).unwrap();
    let identity = format!(
        "jwt:
  cookie: token
  keys: {{ secret: 'file:{}' }}
  issuer: https://office.test
  audience: office
  algorithms: [HS256]
login_url: /login
",
        key.path().display()
    );
    let office = office::run(&identity).await;
    let gateway = gateway::new().portal("office", &office).run().await;
    (office, gateway, key)
}

fn signed(head: &str, claims: &str, secret: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn claims(gateway: &Gateway, user: &str, lives: i64) -> String {
    let exp = i64::try_from(gateway.now()).unwrap() + lives;
    serde_json::json!({
        "iss": "https://office.test", "aud": "office", "sub": user, "exp": exp,
    })
    .to_string()
}

fn with_token(gateway: &Gateway, token: &str) -> Browser {
    let mut browser = gateway.browser("office");
    browser.jar.insert("token".to_owned(), token.to_owned());
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn id_8_a_token_counts_only_as_the_portal_signed_it() {
    let (office, gateway, _key) = stage().await;
    let good = claims(&gateway, "alice", 3600);
    let whole = signed(HEAD, &good, SECRET);
    let (text, _) = whole.rsplit_once('.').unwrap();
    let bare = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let foreign = good.replace("\"office\"", "\"other\"");
    let issuer = good.replace("office.test", "evil.test");
    for (what, token) in [
        ("no signature", format!("{text}.")),
        ("alg none", format!("{bare}.{}.", URL_SAFE_NO_PAD.encode(&good))),
        ("another secret", signed(HEAD, &good, b"another secret of more than 32 bytes")),
        ("another algorithm", signed(r#"{"alg":"HS384","typ":"JWT"}"#, &good, SECRET)),
        ("another audience", signed(HEAD, &foreign, SECRET)),
        ("another issuer", signed(HEAD, &issuer, SECRET)),
        ("over", signed(HEAD, &claims(&gateway, "alice", -3600), SECRET)),
        ("no name", signed(HEAD, &claims(&gateway, "not a name", 3600), SECRET)),
        ("no token", "alice".to_owned()),
    ] {
        for http2 in [false, true] {
            let mut browser = with_token(&gateway, &token).over(http2);
            assert_eq!(browser.open("/home").await.location(), "/login", "{what}");
            assert_eq!(browser.call("GET", "/home").await.status, 401, "{what}");
        }
    }
    assert_eq!(office.seen_at("/home").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_8_a_good_token_names_a_user_who_gives_a_code() {
    let (office, gateway, _key) = stage().await;
    let token = signed(HEAD, &claims(&gateway, "Alice", 3600), SECRET);
    let mut browser = with_token(&gateway, &token);
    // The portal itself knows her by another cookie here, which is nothing to the gateway.
    browser.jar.insert("officesession".to_owned(), office.sign_in_directly("alice"));
    let led = browser.open("/home").await;
    assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
    assert_eq!(office.seen_at("/home").len(), 0);
    let page = browser.follow(led).await;
    let alice = enrol_at(&gateway, browser, page).await;
    assert!(!office.seen_at("/home").is_empty(), "she was not let in");
    office.take_seen();
    // Her proof in somebody else's session, and in another of her own.
    for (user, expected) in [("bob", "/.mfa/enrol"), ("alice", "/.mfa/verify")] {
        let mut browser = alice.browser.clone();
        let other = signed(HEAD, &claims(&gateway, user, 1800), SECRET);
        browser.jar.insert("token".to_owned(), other);
        let led = browser.open("/home").await;
        assert!(led.location().starts_with(expected), "{user}: {:?}", led.answer);
    }
    assert_eq!(office.seen_at("/home").len(), 0);
}
