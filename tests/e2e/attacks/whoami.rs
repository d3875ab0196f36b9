//! ID-4, ID-7, ID-11, SSRF-1, C07 and C27 where the portal is asked whose a session is:
//! nobody gets further by what it says, by what it does not say, or by whom it sends us to.

use std::time::Duration;

use crate::dsl::office::{self, ASKED, Word};
use crate::dsl::steps::{enrol, give_code, prove_here, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Office, gateway, member};

const SECRET: &str = "secret-page";
/// Longer than the portal's word counts.
const A_WHILE: Duration = Duration::from_secs(31);

async fn asked() -> (Office, Gateway) {
    let office = office::run(ASKED).await;
    let gateway = gateway::new().portal("office", &office).run().await;
    (office, gateway)
}

/// A browser that got this session somewhere.
fn holding(gateway: &Gateway, session: &str, http2: bool) -> Browser {
    let mut browser = gateway.browser("office").over(http2);
    browser.jar.insert("officesession".to_owned(), session.to_owned());
    browser
}

/// Nothing that is behind the second factor shows.
async fn sees_nothing(browser: &Browser) {
    for path in ["/home", "/login", "/public/page", "/public/echo", "/.mfa/", "/api/me"] {
        let shown = browser.clone().open(path).await;
        assert!(!shown.body.contains(SECRET), "{path} shows {}", shown.body);
        let called = browser.clone().call("GET", path).await;
        assert!(!called.body.contains(SECRET), "{path} tells {}", called.body);
    }
}

/// The same, and the portal does not see the session either.
pub(super) async fn brings_nothing(browser: &Browser, office: &Office) {
    let session = browser.jar["officesession"].clone();
    office.take_seen();
    sees_nothing(browser).await;
    let with_it = office.take_seen().into_iter().filter(|seen| {
        seen.lines.iter().any(|(_, value)| value.contains(&session))
            && seen.target != "/api/me?brief=1"
    });
    assert_eq!(with_it.map(|seen| seen.target).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_4_a_stolen_session_opens_nothing_and_costs_nobody_theirs() {
    let (office, mut gateway) = asked().await;
    let alice = enrol(&gateway, "office", ALICE).await;
    let session = alice.browser.jar["officesession"].clone();
    let still_in = async || {
        let page = alice.browser.clone().open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    };
    for http2 in [false, true] {
        let thief = holding(&gateway, &session, http2);
        brings_nothing(&thief, &office).await;
        still_in().await;
        // Nor with a line by which the portal's answer is about somebody else, or nobody.
        for line in ["Bearer nobodys", "Basic bm9ib2R5OngK", "Negotiate x", "x"] {
            brings_nothing(&thief.clone().with_line("authorization", line), &office).await;
        }
        still_in().await;
        // The gateway names alice to the thief, and asks for what only she has.
        let mut named = thief.clone();
        let page = named.go("/home").await;
        let wrong = give_code(&mut named, &page, "000000").await;
        assert_eq!(wrong.status, 401, "{:?}", wrong.answer);
        brings_nothing(&named, &office).await;
        still_in().await;
        // Signing in as oneself with it in hand does not touch it.
        let mut own = thief.clone();
        let fields = [("user", BOB.0), ("password", BOB.1)];
        let led = own.post("/login", &fields).await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        still_in().await;
        let mut wrong = thief.clone();
        wrong.post("/login", &[("user", BOB.0), ("password", "wrong")]).await;
        still_in().await;
        // Nor does it sign anybody out.
        let mut leaving = named.clone();
        let page = leaving.open("/.mfa/logout").await;
        let form = page.form("csrf");
        leaving.send(&page, &form).await;
        assert!(office.knows(&session), "the thief signed alice out of the portal");
        still_in().await;
    }
    gateway.advance(A_WHILE);
    still_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn id_7_a_proof_follows_the_session_of_the_same_user_alone() {
    for http2 in [false, true] {
        let (office, mut gateway) = asked().await;
        let alice = enrol(&gateway, "office", ALICE).await.browser.over(http2);
        office.turns(true);
        let visits: Vec<_> = (0..8)
            .map(|number| {
                let mut browser = alice.clone();
                tokio::spawn(async move {
                    let shown = browser.open(&format!("/page/{number}")).await;
                    (browser, shown)
                })
            })
            .collect();
        let mut followers = Vec::new();
        for visit in visits {
            let (browser, shown) = visit.await.unwrap();
            assert!(shown.body.contains("for alice alone"), "{:?}", shown.answer);
            assert_ne!(browser.jar["officesession"], alice.jar["officesession"]);
            followers.push(browser);
        }
        for browser in &mut followers {
            for _ in 0..2 {
                let shown = browser.open("/home").await;
                assert!(shown.body.contains("for alice alone"), "{:?}", shown.answer);
            }
        }
        office.turns(false);
        let late = alice.clone().open("/home").await;
        assert!(late.body.contains("for alice alone"), "a request that was under way");
        gateway.advance(Duration::from_secs(11));
        assert!(office.knows(&alice.jar["officesession"]), "the portal is slower than we");
        brings_nothing(&alice, &office).await;
        let shown = followers[0].open("/home").await;
        assert!(shown.body.contains("for alice alone"), "{:?}", shown.answer);
        office.turns(true);
        office.says(Word::Json("{\"login\":\"bob\"}"));
        let before = followers[0].clone();
        let shown = followers[0].open("/home").await;
        assert_eq!(shown.status, 401, "{:?}", shown.answer);
        assert!(!shown.body.contains(SECRET), "{}", shown.body);
        office.turns(false);
        office.says(Word::Truth);
        gateway.advance(A_WHILE);
        brings_nothing(&before, &office).await;
        brings_nothing(&followers[0], &office).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_11_a_session_that_is_no_longer_the_users_is_over() {
    let (office, mut gateway) = asked().await;
    for (number, now) in [Some("bob"), Some("anonymous"), None].into_iter().enumerate() {
        let (user, password) = member(number);
        let mut enrolled = enrol(&gateway, "office", (&user, &password)).await;
        let session = enrolled.browser.jar["officesession"].clone();
        office.becomes(&session, now);
        gateway.advance(A_WHILE);
        for http2 in [false, true] {
            sees_nothing(&enrolled.browser.clone().over(http2)).await;
        }
        // Whatever it is later, the proof is gone with the session.
        office.becomes(&session, Some(&user));
        gateway.advance(A_WHILE);
        sees_nothing(&enrolled.browser).await;
        let page = prove_here(&gateway, &mut enrolled.browser, &enrolled.phone).await;
        assert!(page.body.contains(&format!("for {user} alone")), "{now:?}: {:?}", page.answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_11_an_answer_that_names_nobody_names_nobody() {
    let (office, mut gateway) = asked().await;
    let mut enrolled = enrol(&gateway, "office", ALICE).await;
    for document in [
        "{\"login\":null}",
        "{\"login\":\"\"}",
        "{\"login\":\" \"}",
        "{\"login\":\"alice\\u0000\"}",
        "{\"login\":\"alice,bob\"}",
        "{\"login\":[\"alice\"]}",
        "{\"login\":{\"alice\":1}}",
        "{\"login\":true}",
        "{\"user\":\"alice\"}",
        "\"alice\"",
        "alice",
        "{}",
        "",
    ] {
        office.says(Word::Json(document));
        gateway.advance(A_WHILE);
        for http2 in [false, true] {
            let before = office.seen_at("/home").len();
            let led = enrolled.browser.clone().over(http2).open("/home").await;
            assert_eq!((led.status, led.location()), (303, "/login"), "{document}");
            let called = enrolled.browser.clone().over(http2).call("GET", "/home").await;
            assert_eq!(called.status, 401, "{document}");
            assert_eq!(office.seen_at("/home").len(), before, "{document}");
        }
        office.says(Word::Truth);
        gateway.advance(A_WHILE);
        let page = prove_here(&gateway, &mut enrolled.browser, &enrolled.phone).await;
        assert!(page.body.contains("for alice alone"), "{document}: {:?}", page.answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c07_while_nobody_says_whose_it_is_nothing_opens() {
    let (office, mut gateway) = asked().await;
    let alice = enrol(&gateway, "office", ALICE).await.browser;
    let session = office.sign_in_directly("bob");
    for word in [
        Word::Status(500),
        Word::Status(503),
        Word::Status(429),
        Word::Silence,
        Word::Endless,
        Word::Compressed,
    ] {
        office.says(word);
        gateway.advance(A_WHILE);
        for http2 in [false, true] {
            for browser in [alice.clone().over(http2), holding(&gateway, &session, http2)] {
                office.take_seen();
                let shown = browser.clone().open("/home").await;
                assert_eq!(shown.status, 503, "{word:?}: {:?}", shown.answer);
                let called = browser.clone().call("GET", "/home").await;
                assert_eq!(called.status, 503, "{word:?}");
                assert_eq!(office.seen_at("/home").len(), 0, "{word:?}");
                let open = browser.clone().open("/public/echo").await;
                assert_eq!(open.status, 200, "{word:?}: {:?}", open.answer);
                assert!(!open.body.contains(&browser.jar["officesession"]), "{}", open.body);
            }
        }
        office.says(Word::Truth);
        let shown = alice.clone().open("/home").await;
        assert!(shown.body.contains("for alice alone"), "after {word:?}: {:?}", shown.answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_1_nobody_else_is_asked_and_nothing_else_is_told() {
    let (office, mut gateway) = asked().await;
    let other = office::run(ASKED).await;
    other.says(Word::Json("{\"login\":\"alice\"}"));
    let alice = enrol(&gateway, "office", ALICE).await.browser;
    let session = alice.jar["officesession"].clone();
    for http2 in [false, true] {
        gateway.advance(A_WHILE);
        office.take_seen();
        let mut browser = alice.clone().over(http2);
        for (name, value) in [("theme", "dark"), ("__Host-mfa-device", "secret")] {
            browser.jar.insert(name.to_owned(), value.to_owned());
        }
        let browser = browser
            .with_line("x-forwarded-for", "192.0.2.66")
            .with_line("x-of-the-client", "secret")
            .with_line("referer", "https://office.test/secret");
        browser.clone().open("/home?q=secret").await;
        let questions = office.seen_at("/api/me");
        assert_eq!(questions.len(), 1, "{questions:?}");
        let question = &questions[0];
        assert_eq!(
            (question.method.as_str(), question.target.as_str()),
            ("GET", "/api/me?brief=1")
        );
        assert_eq!(question.all("cookie"), [format!("officesession={session}")]);
        assert_eq!(question.all("x-forwarded-for"), ["127.0.0.1"]);
        assert!(question.body.is_empty());
        let known = [
            "host",
            "cookie",
            "accept",
            "accept-encoding",
            "user-agent",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
        ];
        let more: Vec<_> =
            question.lines.iter().filter(|(name, _)| !known.contains(&name.as_str())).collect();
        assert!(more.is_empty(), "the portal was told {more:?}");
        let text = format!("{question:?}").to_lowercase();
        for secret in ["secret", "theme", "__host-mfa", "of-the-client", "referer"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    office.says(Word::Elsewhere(other.address));
    gateway.advance(A_WHILE);
    for http2 in [false, true] {
        office.take_seen();
        for session in [session.clone(), office.sign_in_directly("bob")] {
            let led = holding(&gateway, &session, http2).open("/home").await;
            assert_eq!((led.status, led.location()), (303, "/login"));
        }
        let led = alice.clone().over(http2).open("/home").await;
        assert_eq!((led.status, led.location()), (303, "/login"));
        assert_eq!(office.seen_at("/home").len(), 0);
    }
    assert!(other.take_seen().is_empty(), "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_many_at_once_are_each_themselves() {
    const PEOPLE: usize = 100;
    let office = office::run(ASKED).await;
    let wide = gateway::new().yaml("limits: { connections_per_client: 1024 }");
    let mut gateway = wide.portal("office", &office).run().await;
    let mut proven = Vec::new();
    for number in 0..4 {
        let (user, password) = member(number);
        let enrolled = enrol(&gateway, "office", (&user, &password)).await;
        proven.push((user, enrolled.browser));
    }
    let people: Vec<(String, Browser)> = (0..PEOPLE)
        .map(|number| {
            let (user, _) = member(number);
            let session = office.sign_in_directly(&user);
            (user, holding(&gateway, &session, number % 2 == 0))
        })
        .collect();
    gateway.advance(A_WHILE);
    office.take_seen();
    let mut visits = Vec::new();
    for (user, browser) in &people {
        // Two at the same moment with one session share a question.
        for _ in 0..2 {
            let (user, mut browser) = (user.clone(), browser.clone());
            visits.push(tokio::spawn(async move {
                let page = browser.go("/home").await;
                assert!(page.text().contains(&user), "{user} is shown {}", page.text());
                assert!(!page.body.contains(SECRET), "{}", page.body);
            }));
        }
    }
    for (user, browser) in &proven {
        for http2 in [false, true] {
            let (user, mut browser) = (user.clone(), browser.clone().over(http2));
            visits.push(tokio::spawn(async move {
                let shown = browser.open("/home").await;
                let mine = format!("for {user} alone");
                assert!(shown.body.contains(&mine), "{user}: {:?}", shown.answer);
            }));
        }
    }
    for visit in visits {
        visit.await.unwrap();
    }
    let questions = office.seen_at("/api/me").len();
    assert!(questions >= PEOPLE, "{questions} questions: somebody was not asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn id_5_a_second_user_in_the_browser_proves_as_that_user() {
    let (_office, mut gateway) = asked().await;
    let alice = enrol(&gateway, "office", ALICE).await;
    let bob = enrol(&gateway, "office", BOB).await;
    gateway.next_code();
    for http2 in [false, true] {
        let mut browser = alice.browser.clone().over(http2);
        browser.jar.remove("officesession");
        let page = sign_in_again(&mut browser, BOB).await;
        let wrong = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
        assert_eq!(wrong.status, 401, "{:?}", wrong.answer);
        let page = browser.open("/.mfa/verify").await;
        let told = give_code(&mut browser, &page, &bob.phone.code(gateway.now())).await;
        let page = browser.follow(told).await;
        assert!(page.body.contains("for bob alone"), "{:?}", page.answer);
        gateway.next_code();
    }
}
