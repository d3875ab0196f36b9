//! ADM-1 and ADM-2: the desk's API is for who has a token, for no browser, and tells no
//! secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::dsl::book::AUDIT;
use crate::dsl::client::{self, Answer};
use crate::dsl::desk::{
    ADMIN, BY_ROLE, DESK, MANAGER, ORGANISATION, Token, VIEWER, ask, call, call_with,
};
use crate::dsl::endpoints::{Endpoint, endpoints};
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Call, Gateway, Portal, gateway, portal};

const WISH: &str =
    r#"{"requested_by":"bob@example.com","channel":"colleague","reason":"lost","ticket":"T-1"}"#;
const ONLY_SHOP: Token =
    Token { name: "shop", role: "admin", secret: "sH0pQwErTyUiOpAsDfGhJkLz", portals: "[shop]" };

struct Office {
    _portals: [Portal; 2],
    gateway: Gateway,
    /// What there is, as the gateway says.
    endpoints: Vec<Endpoint>,
    alice: Enrolled,
}

async fn office() -> Office {
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let shop = portal::form().yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).yaml(AUDIT);
    let gateway = gateway.token(VIEWER).token(DESK).token(MANAGER).token(ADMIN).token(ONLY_SHOP);
    let gateway = gateway.run().await;
    let endpoints = endpoints(&gateway, VIEWER).await;
    assert!(endpoints.len() >= 16, "{endpoints:?}");
    let alice = enrol(&gateway, "wiki", ALICE).await;
    Office { _portals: [wiki, shop], gateway, endpoints, alice }
}

impl Office {
    async fn ask(&self, call: Call) -> Answer {
        ask(&self.gateway, call).await
    }

    /// Nothing has happened to alice, whatever was tried.
    async fn alice_is_still_in(&self) {
        let page = self.alice.browser.clone().open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    }
}

/// A refusal says so as RFC 9457 has it, and is kept nowhere.
fn is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.line("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.line("cache-control"), Some("no-store"));
    assert_eq!(answer.line("access-control-allow-origin"), None);
    assert_eq!(answer.line("set-cookie"), None);
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].is_string() && problem["title"].is_string(), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_without_the_right_token_no_endpoint_answers() {
    let office = office().await;
    let almost = format!("Bearer {}", &DESK.secret[..DESK.secret.len() - 1]);
    for endpoint in &office.endpoints {
        let bare = || endpoint.bare();
        let answer = office.ask(bare()).await;
        is_problem(&answer, 401);
        assert_eq!(answer.line("www-authenticate"), Some("Bearer realm=\"portcullis\""));
        let wrong = [almost.as_str(), "Bearer ", "Basic ZGVzazpkZXNr"];
        let wrong = wrong.map(|line| bare().line("authorization", line));
        let right = format!("Bearer {}", DESK.secret);
        let twice = bare().line("authorization", &right).line("authorization", &right);
        for call in wrong.into_iter().chain([twice]) {
            let answer = office.ask(call).await;
            assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        }
        for elsewhere in [
            bare().line("cookie", format!("token={}; Authorization={right}", DESK.secret)),
            bare().line("x-api-key", DESK.secret).line("proxy-authorization", &right),
            Call::new(
                &endpoint.method,
                "localhost",
                &format!("{}?access_token={}", endpoint.path, ADMIN.secret),
            ),
        ] {
            is_problem(&office.ask(elsewhere).await, 401);
        }
    }
    for path in ["/api", "/api/v1", "/api/v1/nothing"] {
        is_problem(&office.ask(Call::get("localhost", path)).await, 401);
    }
    office.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_without_any_token_nobody_gets_in() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for path in ["/api/v1/openapi.json", "/api/v1/portals", "/api/v1/tokens"] {
        is_problem(&ask(&gateway, call(ADMIN, "GET", path)).await, 401);
        let empty = Call::get("localhost", path).line("authorization", "Bearer ");
        is_problem(&ask(&gateway, empty).await, 401);
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(ask(&gateway, Call::get("localhost", path)).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_a_token_does_what_its_role_may_where_it_may() {
    let office = office().await;
    for endpoint in &office.endpoints {
        for smaller in BY_ROLE.iter().take_while(|token| token.role != endpoint.role) {
            is_problem(&office.ask(endpoint.call(*smaller)).await, 403);
        }
        if endpoint.form.contains("{portal}") {
            let there = office.ask(endpoint.call(ONLY_SHOP)).await;
            let path = endpoint.path.replace("wiki", "nowhere");
            let nowhere = Endpoint { path, ..endpoint.clone() };
            let nowhere = office.ask(nowhere.call(ONLY_SHOP)).await;
            is_problem(&there, 404);
            assert_eq!(there.body, nowhere.body, "a portal shows that it is there");
        }
    }
    office.alice_is_still_in().await;
    let seen = office.ask(call(ONLY_SHOP, "GET", "/api/v1/portals")).await;
    assert!(seen.body.contains("shop") && !seen.body.contains("wiki"), "{}", seen.body);
    for endpoint in &office.endpoints {
        let enough = BY_ROLE.iter().find(|token| token.role == endpoint.role).unwrap();
        let answer = office.ask(endpoint.call(*enough)).await;
        let refused = matches!(answer.status, 401 | 403 | 405 | 429) || answer.status >= 500;
        assert!(!refused && endpoint.statuses.contains(&answer.status), "{endpoint:?}: {answer:?}");
        assert!(answer.status == 200 || !endpoint.looks(), "{endpoint:?}: {answer:?}");
        assert_eq!(answer.line("cache-control"), Some("no-store"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_no_page_of_a_stranger_reaches_it() {
    let office = office().await;
    for endpoint in &office.endpoints {
        for host in
            ["evil.example", "wiki.test", "localhost.evil.example", "127.0.0.1.evil.example"]
        {
            is_problem(&office.ask(endpoint.call(ADMIN).host(host)).await, 421);
        }
        for line in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "https://wiki.test"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            is_problem(&office.ask(endpoint.call(ADMIN).line(line.0, line.1)).await, 403);
        }
        let preflight = Call::new("OPTIONS", "localhost", &endpoint.path)
            .line("origin", "http://evil.example")
            .line("access-control-request-method", &endpoint.method)
            .line("access-control-request-headers", "authorization");
        is_problem(&office.ask(preflight).await, 403);
    }
    let form = call(DESK, "POST", "/api/v1/portals/wiki/users/alice/reset");
    let form = form.line("content-type", "text/plain").body(WISH);
    is_problem(&office.ask(form).await, 415);
    office.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_tricks_with_paths_lead_nowhere() {
    let office = office().await;
    for path in [
        "//api/v1/portals",
        "/api//v1/portals",
        "/api/v1/portals/",
        "/api/v1/portals/shop/../wiki/users",
        "/api/v1/portals/shop%2F..%2Fwiki/users",
        "/api/v1/portals/shop/users/..%2F..%2Fwiki%2Fusers/sessions",
        "/metrics/../api/v1/portals",
        "/API/v1/portals",
        "/api/v1/portals/wiki;portals/users",
        "/api/v1/portals/WIKI/users",
        "/api/v1/portals/wiki%00/users",
    ] {
        for call in [Call::get("localhost", path), call(ONLY_SHOP, "GET", path)] {
            let answer = office.ask(call).await;
            assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
            assert!(!answer.body.contains("alice"), "{path}: {answer:?}");
        }
    }
    let public = Call::get("wiki.test", "/api/v1/portals");
    let public = public.line("authorization", format!("Bearer {}", DESK.secret));
    let answer = office.gateway.send(public).await;
    assert!(!answer.body.contains("\"portals\""), "the public listener has the API");
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_what_is_not_known_is_refused() {
    let office = office().await;
    let path = "/api/v1/portals/wiki/users/alice/reset";
    let long = format!(r#"{{"requested_by":"{}"}}"#, "a".repeat(17 * 1024));
    for (body, status) in [
        (WISH.replacen('{', "{\"force\":true,", 1), 400),
        (WISH.replacen('{', "{\"reason\":\"twice\",", 1), 400),
        (WISH.replace("colleague", "oneself"), 400),
        (WISH.replace("\"reason\":\"lost\"", "\"reason\":\" \""), 400),
        (WISH.replace("\"reason\":\"lost\"", "\"reason\":\"a\\nb\""), 400),
        (WISH.replace("\"lost\"", "7"), 400),
        (WISH.replace("\"requested_by\":\"bob@example.com\",", ""), 400),
        (format!("{WISH} {{}}"), 400),
        (format!("[{WISH}]"), 400),
        (String::new(), 400),
        (long, 413),
        (WISH.replace("bob@example.com", "bob@evil.example"), 422),
        (WISH.replace("bob@example.com", "alice@example.com"), 422),
    ] {
        let answer = office.ask(call_with(DESK, "POST", path, &body)).await;
        is_problem(&answer, status);
        assert_eq!(answer.json()["reason"].is_string(), status == 422, "{answer:?}");
    }
    let users = "/api/v1/portals/wiki/users";
    for query in ["?state=lost", "?q=a&q=b", "?admin=1", "?after=x", "?after="] {
        is_problem(&office.ask(call(DESK, "GET", &format!("{users}{query}"))).await, 400);
    }
    let with_body = call_with(DESK, "POST", "/api/v1/portals/wiki/users/alice/unlock", "{}");
    is_problem(&office.ask(with_body).await, 400);
    let devices = "/api/v1/portals/wiki/users/alice/devices";
    for series in ["A", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA%2F", "..", "%2e"] {
        let one = call(DESK, "DELETE", &format!("{devices}/{series}"));
        is_problem(&office.ask(one).await, 404);
    }
    is_problem(&office.ask(call(DESK, "DELETE", &format!("{devices}?all=1"))).await, 400);
    is_problem(&office.ask(call_with(DESK, "DELETE", devices, "{}")).await, 400);
    for user in ["a%20b", "%00", "%ff", "%2e%2e%2f", "alice%0a"] {
        let answer = office.ask(call(DESK, "GET", &format!("{users}/{user}"))).await;
        assert!(matches!(answer.status, 404 | 200), "{user}: {answer:?}");
        assert_eq!(answer.status == 200, user == "alice%0a", "{user}: {answer:?}");
    }
    office.alice_is_still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_whoever_guesses_has_to_wait_and_the_desk_does_not() {
    let office = office().await;
    let guess = |number: usize| {
        let line = format!("Bearer guess-number-{number:020}");
        Call::get("localhost", "/api/v1/portals").line("authorization", line)
    };
    let mut waits = 0;
    for number in 0..60 {
        let answer = office.ask(guess(number)).await;
        match answer.status {
            401 => {}
            429 => {
                let wait: u64 = answer.line("retry-after").unwrap().parse().unwrap();
                assert!((1..=60).contains(&wait), "{wait}");
                waits += 1;
            }
            other => panic!("{other}: {answer:?}"),
        }
    }
    assert!(waits > 10, "{waits}");
    assert_eq!(office.ask(call(DESK, "GET", "/api/v1/portals")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn adm_2_no_answer_and_no_log_holds_a_secret() {
    let log = "telemetry: { log: json, level: trace, access_log: true, audit: data/audit.jsonl }";
    let wiki = portal::form().yaml(&format!("{ORGANISATION}\nremember_device: {{}}")).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).token(VIEWER).token(DESK).token(ADMIN);
    let mut gateway = gateway.yaml(log).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    alice.browser = gateway.browser("wiki");
    let page = sign_in_again(&mut alice.browser, ALICE).await;
    let code = alice.phone.code(gateway.now());
    give_code(&mut alice.browser, &page, &code).await;
    let device = alice.browser.jar["__Host-mfa-device"].clone();
    let bob = enrol(&gateway, "wiki", BOB).await;
    let wish = r#"{"name":"night","role":"viewer"}"#;
    let made = ask(&gateway, call_with(ADMIN, "POST", "/api/v1/tokens", wish)).await.json();
    let mut secrets = vec![alice.phone.secret().to_owned(), bob.phone.secret().to_owned()];
    secrets.extend(alice.codes.iter().chain(&bob.codes).cloned());
    secrets.extend(alice.browser.jar.values().chain(bob.browser.jar.values()).cloned());
    secrets.extend([ALICE.1, BOB.1, DESK.secret, VIEWER.secret, ADMIN.secret].map(str::to_owned));
    secrets.push(made["token"].as_str().unwrap().to_owned());
    // Its first 22 letters name the device, which opens nothing; the rest does.
    secrets.push(device[22..].to_owned());
    let (mut said, mut sealed) = (String::new(), String::new());
    for endpoint in endpoints(&gateway, VIEWER).await {
        // What is made is told once, to who made it: these two are the answers that may.
        let makes = endpoint.form == "/tokens" || endpoint.form.ends_with("/invite");
        let answer = ask(&gateway, endpoint.call(ADMIN)).await;
        assert!(answer.status == 200 || !endpoint.looks(), "{endpoint:?}: {answer:?}");
        if answer.line("content-type") == Some("application/octet-stream") {
            sealed.push_str(&answer.body);
        } else if endpoint.looks() || !makes {
            said.push_str(&format!("{:?}{}\n", answer.lines, answer.body));
        } else if let Some(new) = answer.json().get("token").or(answer.json().get("code")) {
            secrets.push(new.as_str().unwrap().to_owned());
        }
    }
    said.push_str(&client::plain(gateway.admin(), Call::get("localhost", "/metrics")).await.body);
    assert!(said.contains(&format!("\"series\":\"{}", &device[..21])), "no device is told: {said}");
    assert!(said.contains("\"name\":\"night\""), "no token is told: {said}");
    gateway.stop();
    said.push_str(&gateway.log());
    for secret in secrets.iter().filter(|secret| secret.len() > 4) {
        for spelling in spellings(secret) {
            let is_said = said.contains(&spelling) || sealed.contains(&spelling);
            assert!(!is_said, "{spelling}, which is {secret}, was said");
        }
    }
    assert!(sealed.contains("portcullis export"), "nothing was exported: {sealed}");
    assert!(!in_words(&said, &code), "the code {code} was said");
    for personal in ["otpauth", "\"sid\"", "\"bind\"", "\"key\"", "\"secret\"", "\"hash\""] {
        assert!(!said.contains(personal), "{personal} was said");
    }
}

/// A secret as it might be said: as it is, without its dashes, in base64, base32, hexadecimal
/// digits, and escaped for an address; and the same of the bytes that base32 stands for.
fn spellings(secret: &str) -> Vec<String> {
    let bare = secret.replace([' ', '-'], "");
    let mut found = vec![secret.to_owned(), bare.clone(), bare.to_lowercase()];
    for bytes in [Some(secret.as_bytes().to_vec()), from_base32(&bare)].into_iter().flatten() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        found.extend([hex.to_uppercase(), hex, to_base32(&bytes)]);
        found.extend([URL_SAFE_NO_PAD.encode(&bytes), STANDARD_NO_PAD.encode(&bytes)]);
    }
    found.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    found.push(secret.bytes().map(|byte| format!("%{byte:02X}")).collect());
    found
}

/// The signs of base32 (RFC 4648 section 6).
const SIGNS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn to_base32(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let chunks = bits.as_bytes().chunks(5);
    let value = |chunk: &[u8]| {
        let padded = format!("{:0<5}", std::str::from_utf8(chunk).unwrap());
        usize::from_str_radix(&padded, 2).unwrap()
    };
    chunks.map(|chunk| char::from(SIGNS[value(chunk)])).collect()
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let place = |sign: u8| SIGNS.iter().position(|known| *known == sign);
    let places: Option<Vec<usize>> = text.bytes().map(place).collect();
    let bits: String = places?.iter().map(|place| format!("{place:05b}")).collect();
    let whole = bits.as_bytes().chunks_exact(8);
    let byte = |chunk: &[u8]| u8::from_str_radix(std::str::from_utf8(chunk).unwrap(), 2).unwrap();
    Some(whole.map(byte).collect())
}

#[test]
fn a_secret_is_looked_for_in_every_spelling() {
    let found = spellings("MZXW6YTB");
    for spelling in ["MZXW6YTB", "mzxw6ytb", "Zm9vYmE", "666f6f6261", "TVpYVzZZVEI"] {
        assert!(found.contains(&spelling.to_owned()), "{spelling}: {found:?}");
    }
    assert_eq!(to_base32(b"fooba"), "MZXW6YTB");
    assert!(in_words("a 123456, b", "123456") && !in_words("0.123456Z", "123456"));
}

/// Whether six digits stand there by themselves: within a longer number they mean nothing.
fn in_words(text: &str, code: &str) -> bool {
    text.split(|sign: char| !sign.is_ascii_alphanumeric()).any(|word| word == code)
}
