//! Users whose login the gateway did not see, or that it knows by more than one name: the
//! portal's own word, single sign-on, a cookie that remembers, an announcement, a token.

use std::time::Duration;

use crate::dsl::office::{self, ASKED, Word};
use crate::dsl::steps::{enrol, enrol_here, give_code, prove_here, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Office, gateway};

const SECRET: &str = "secret-page";

/// The portal names who signed in, in a line of its answers.
const ANNOUNCED: &str = "logins:
  - request: { method: POST, path: /login }
    username: { form: user }
    success: { status: [302] }
session_cookies: [officesession]
announce: { header: X-Portal-User }
login_url: /login
";

/// The portal's session is a token that the answer to a login holds.
const TOKENS: &str = "logins:
  - request: { method: POST, path: /token }
    username: { form: user }
    success: { status: [200] }
session_bearer: { json: /access_token }
login_url: /login
";

async fn stage(identity: &str) -> (Office, Gateway) {
    let office = office::run(identity).await;
    let gateway = gateway::new().portal("office", &office).run().await;
    (office, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn id_3_whatever_a_user_types_the_portal_knows_who_it_is() {
    let (office, mut gateway) = stage(ASKED).await;
    let alice = enrol(&gateway, "office", ALICE).await;
    for word in [Word::Truth, Word::AsTyped] {
        office.says(word);
        for http2 in [false, true] {
            for typed in ["alice", "ALICE", " alice ", "aLiCe\t", "alice@example.com"] {
                if matches!(word, Word::AsTyped) && typed.contains('@') {
                    continue;
                }
                let mut browser = gateway.browser("office").over(http2);
                let page = sign_in_again(&mut browser, (typed, ALICE.1)).await;
                assert!(page.body.contains("name=\"code\""), "{typed:?}: {}", page.body);
                let offered = browser.open("/.mfa/enrol").await;
                assert!(!offered.body.contains("<svg"), "{typed:?} is offered a secret");
                // The same where nobody saw the login.
                let session = office.sign_in_directly(typed);
                let mut browser = gateway.browser("office").over(http2);
                browser.jar.insert("officesession".to_owned(), session);
                let led = browser.open("/home").await;
                assert!(led.location().starts_with("/.mfa/verify"), "{typed:?}: {led:?}");
            }
        }
    }
    gateway.next_code();
    let mut browser = gateway.browser("office");
    let page = sign_in_again(&mut browser, ("ALICE", ALICE.1)).await;
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(told).await.body.contains("for alice alone"));
    let enrolments = gateway.metric("portcullis_enrolled_users", &[]).await;
    assert_eq!(enrolments, 1.0);
}

/// A browser that the portal let in at an address that no rule names.
async fn let_in(gateway: &Gateway, door: &str, http2: bool) -> Browser {
    let mut browser = gateway.browser("office").over(http2);
    match door {
        "remember" => {
            browser.jar.insert("remember".to_owned(), "alice".to_owned());
            assert_eq!(browser.open("/public/news").await.status, 200);
        }
        _ => assert_eq!(browser.open("/public/sso?user=alice").await.status, 302),
    }
    assert!(browser.jar.contains_key("officesession"));
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn id_4_a_session_that_began_elsewhere_asks_for_a_code_and_opens() {
    let (_office, mut gateway) = stage(ASKED).await;
    let first = let_in(&gateway, "sso", false).await;
    let phone = enrol_here(&gateway, first).await.phone;
    for http2 in [false, true] {
        for door in ["remember", "sso"] {
            gateway.next_code();
            let mut browser = let_in(&gateway, door, http2).await;
            for path in ["/home", "/login", "/public/page", "/.mfa/"] {
                let shown = browser.clone().open(path).await;
                assert!(!shown.body.contains(SECRET), "{path} shows {}", shown.body);
            }
            let page = prove_here(&gateway, &mut browser, &phone).await;
            assert!(page.body.contains("for alice alone"), "{door}: {:?}", page.answer);
            gateway.advance(Duration::from_secs(31));
            let page = browser.open("/home").await;
            assert!(page.body.contains("for alice alone"), "{door}: {:?}", page.answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_names_who_signed_in_and_no_browser_sees_it() {
    let (_office, mut gateway) = stage(ANNOUNCED).await;
    let phone = {
        let enrolled = enrol(&gateway, "office", ("ALICE", ALICE.1)).await;
        enrolled.phone
    };
    for http2 in [false, true] {
        // A callback at an open address.
        gateway.next_code();
        let mut browser = gateway.browser("office").over(http2);
        let shown = browser.open("/public/sso?user=alice&says=Alice").await;
        assert_eq!((shown.status, shown.all("x-portal-user").len()), (302, 0));
        let page = prove_here(&gateway, &mut browser, &phone).await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
        // Whoever it names in this session now, it is no longer alice's.
        let before = browser.clone();
        let shown = browser.open("/public/sso?user=bob&says=bob").await;
        assert_eq!((shown.status, shown.all("x-portal-user").len()), (401, 0));
        let led = before.clone().open("/home").await;
        assert_eq!(led.location(), "/login", "the proof went on");
        assert!(!browser.open("/home").await.body.contains(SECRET));
        // A word that names nobody, or two.
        for says in ["", "alice|bob", "alice|alice", "alice,bob", "al%20ice", "%C3%A9"] {
            let mut browser = gateway.browser("office").over(http2);
            let shown = browser.open(&format!("/public/sso?user=alice&says={says}")).await;
            assert_eq!((shown.status, shown.all("x-portal-user").len()), (302, 0), "{says}");
            let led = browser.open("/home").await;
            assert_eq!(led.location(), "/login", "{says} named somebody");
        }
        // Nor does a browser name anybody.
        let mut liar = gateway.browser("office").over(http2).with_line("x-portal-user", "alice");
        liar.open("/public/sso?user=alice").await;
        assert_eq!(liar.open("/home").await.location(), "/login");
        let mut browser = gateway.browser("office").over(http2);
        let led = sign_in(&mut browser, BOB).await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        assert!(led.all("x-portal-user").is_empty());
    }
}

/// Signs in for a token as a script does.
async fn token_of(browser: &mut Browser, (user, password): (&str, &str)) -> String {
    let call = browser.posting("/token", &[("user", user), ("password", password)]);
    let mut call = call.line("accept", "application/json");
    call.lines.retain(|(name, value)| name != "sec-fetch-mode" && value != b"text/html");
    let told = browser.visit("/token", call).await;
    assert_eq!(told.status, 200, "{:?}", told.answer);
    told.json()["access_token"].as_str().unwrap().to_owned()
}

fn with_token(browser: &Browser, token: &str, http2: bool) -> Browser {
    let mut browser = browser.clone().over(http2);
    browser.lines.clear();
    browser.with_line("authorization", &format!("Bearer {token}"))
}

/// What the portal got of tokens.
fn tokens_seen(office: &Office) -> Vec<String> {
    let seen = office.take_seen();
    seen.iter().flat_map(|seen| seen.all("authorization")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_worth_what_its_own_proof_is() {
    let (office, mut gateway) = stage(TOKENS).await;
    let mut alice = gateway.browser("office");
    let token = token_of(&mut alice, ALICE).await;
    let told = with_token(&alice, &token, false).call("GET", "/home").await;
    assert!(told.line("portcullis-challenge").unwrap().starts_with("enrol"), "{:?}", told.answer);
    // Our pages know her by the cookie alone: a page that is opened sends no token.
    let page = alice.go("/.mfa/enrol").await;
    assert!(page.text().contains("alice"), "{}", page.text());
    let enrolled = enrol_here(&gateway, with_token(&alice, &token, false)).await;
    let (alice, phone) = (enrolled.browser, enrolled.phone);
    let foreign = office.sign_in_directly("bob");
    for http2 in [false, true] {
        let proven = with_token(&alice, &token, http2);
        let shown = proven.clone().call("GET", "/home").await;
        assert!(shown.body.contains("for alice alone"), "{:?}", shown.answer);
        office.take_seen();
        let mut none = proven.clone();
        none.lines.clear();
        let shown = none.clone().call("GET", "/echo").await;
        assert_eq!(shown.status, 200, "{:?}", shown.answer);
        for path in ["/.mfa/", "/.mfa/recovery-codes"] {
            let page = none.clone().go(path).await;
            assert!(page.status == 200 && page.text().contains("alice"), "{path}: {page:?}");
        }
        assert!(tokens_seen(&office).is_empty());
        // Another token with her proof, and her token without it.
        let mut alone = gateway.browser("office").over(http2);
        alone.lines = proven.lines.clone();
        for browser in [with_token(&alice, &foreign, http2), with_token(&alice, "x", http2), alone]
        {
            for path in ["/home", "/echo"] {
                let told = browser.clone().call("GET", path).await;
                assert_eq!(told.status, 401, "{:?}", told.answer);
            }
            let open = browser.clone().call("GET", "/public/echo").await;
            assert_eq!(open.status, 200);
            assert!(!open.body.contains("authorization"), "{}", open.body);
            assert_eq!(tokens_seen(&office), [""; 0], "a token without proof reached the portal");
        }
        let twice = proven.clone().with_line("authorization", &format!("Bearer {foreign}"));
        assert_eq!(twice.clone().call("GET", "/home").await.status, 400);
        let bare =
            Call::get("office.test", "/home").line("authorization", format!("Bearer {token}"));
        assert_eq!(gateway.send(bare).await.status, 401);
    }
    // The next token asks for a code again.
    gateway.next_code();
    let mut second = gateway.browser("office");
    let token = token_of(&mut second, ALICE).await;
    let mut second = with_token(&second, &token, true);
    let told = second.call("GET", "/home").await;
    assert!(
        told.line("portcullis-challenge").unwrap().starts_with("mfa_required"),
        "{:?}",
        told.answer
    );
    let page = prove_here(&gateway, &mut second, &phone).await;
    assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
}
