//! C23: whoever is signed out by the desk, or whose factor was disabled, is out: within a
//! second, on everything that was open, and for good.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;

use super::guessing::{seen, send};
use crate::dsl::desk::{DESK, VIEWER, command};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Connection, Gateway, gateway, portal};

const A_SECOND: Duration = Duration::from_secs(1);

/// A download whose second half has not come yet.
struct Download {
    answer: Response<Incoming>,
    /// Over which it comes.
    _kept: Connection,
}

impl Download {
    async fn of(browser: &Browser) -> Self {
        let mut kept = browser.connect().await;
        let mut answer =
            kept.begin(&browser.with_cookies(Call::get(&browser.host, "/mine?held"))).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.body_mut().frame().await.unwrap().unwrap().is_data());
        Self { answer, _kept: kept }
    }

    /// Whether it ends by `until`; how is told by whatever came before.
    async fn is_cut(&mut self, until: Instant) -> bool {
        let ended = async { while let Some(Ok(_)) = self.answer.body_mut().frame().await {} };
        tokio::time::timeout_at(until.into(), ended).await.is_ok()
    }
}

/// Somebody who is in, with all that may be open at the same time.
struct Busy {
    browser: Browser,
    /// Over which requests were answered before.
    connections: [Connection; 2],
    downloads: [Download; 2],
    socket: Socket,
}

impl Busy {
    async fn with(gateway: &Gateway, browser: &Browser) -> Self {
        let (one, two) = (browser.clone().over(false), browser.clone().over(true));
        let mut socket = Socket::open(gateway, browser, "/ws").await;
        assert!(socket.next().await.unwrap().starts_with("hello "));
        let connections = [one.connect().await, two.connect().await];
        let downloads = [Download::of(&one).await, Download::of(&two).await];
        Self { browser: browser.clone(), connections, downloads, socket }
    }

    /// What the next request on each open connection is answered.
    async fn next(&mut self) -> [u16; 2] {
        let mut told = [0; 2];
        for (http2, connection) in [false, true].into_iter().zip(&mut self.connections) {
            let browser = self.browser.clone().over(http2);
            let call = browser.with_cookies(Call::get(&browser.host, "/home"));
            told[usize::from(http2)] = connection.send(call).await.unwrap().status;
        }
        told
    }

    async fn is_cut_by(&mut self, until: Instant) {
        for download in &mut self.downloads {
            assert!(download.is_cut(until).await, "a download goes on");
        }
        let ended = tokio::time::timeout_at(until.into(), self.socket.next()).await;
        assert_eq!(ended.expect("the socket goes on"), None);
    }

    async fn goes_on(&mut self) {
        assert_eq!(self.next().await, [200, 200]);
        self.socket.say("still here").await;
        assert_eq!(self.socket.next().await.as_deref(), Some("still here"));
        let now = Instant::now();
        for download in &mut self.downloads {
            assert!(!download.is_cut(now).await, "somebody else's download was cut");
        }
    }
}

async fn is_out(browser: &Browser) {
    for http2 in [false, true] {
        let mut browser = browser.clone().over(http2);
        assert!(!browser.open("/home").await.body.contains("secret-page"));
        assert_eq!(browser.call("GET", "/home").await.status, 401);
        assert_eq!(browser.call("POST", "/notes/save").await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_whoever_the_desk_signs_out_is_out_within_a_second() {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).token(DESK);
    let mut gateway = gateway.run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut elsewhere = Busy::with(&gateway, &enrol(&gateway, "shop", ALICE).await.browser).await;
    let mut bob = Busy::with(&gateway, &enrol(&gateway, "wiki", BOB).await.browser).await;
    gateway.next_code();
    let mut second = gateway.browser("wiki");
    let page = sign_in_again(&mut second, ALICE).await;
    assert_eq!(give_code(&mut second, &page, &alice.phone.code(gateway.now())).await.status, 303);
    let mut named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    let mut both =
        [Busy::with(&gateway, &alice.browser).await, Busy::with(&gateway, &second).await];
    let told = command(&gateway, DESK, &["session", "revoke", "alice", "--portal", "wiki"]);
    let until = Instant::now() + A_SECOND;
    assert_eq!(told.code, 0, "{told:?}");
    for busy in &mut both {
        assert_eq!(busy.next().await, [401, 401], "an open connection still opens");
        busy.is_cut_by(until).await;
    }
    elsewhere.goes_on().await;
    bob.goes_on().await;
    let stopped = |gateway: &mut Gateway| gateway.stop();
    let killed = |gateway: &mut Gateway| {
        gateway.kill();
        0
    };
    for end in [stopped as fn(&mut Gateway) -> i32, killed] {
        for browser in [&alice.browser, &second, &named] {
            is_out(browser).await;
        }
        assert!(named.clone().open("/.mfa/verify").await.location().starts_with("/login"));
        assert_eq!(end(&mut gateway), 0);
        gateway.start().await;
    }
    is_out(&alice.browser).await;
    assert_eq!(bob.browser.clone().open("/home").await.status, 200);
    assert_eq!(elsewhere.browser.clone().open("/home").await.status, 200);
}

/// Gives fifty wrong codes, each after the longest wait.
async fn disable(gateway: &mut Gateway, alice: &Enrolled) {
    for number in 1..=50 {
        let mut browser = gateway.browser("wiki").over(number % 2 == 0);
        let page = sign_in_again(&mut browser, ALICE).await;
        assert!(!page.body.contains("secret-page"), "{}", alice.spent);
        send(&mut browser, "000000").await;
        gateway.advance(Duration::from_secs(3600));
    }
    assert_eq!(seen(gateway, "wiki")["state"], "disabled");
}

/// Whatever stands in for a code stands in for one that would be good.
#[tokio::test(flavor = "multi_thread")]
async fn c23_nothing_stands_in_for_a_factor_that_was_disabled() {
    let portal = portal::form().yaml("remember_device: {}").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(VIEWER).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut device = gateway.browser("wiki");
    let page = sign_in_again(&mut device, ALICE).await;
    let form = page.form("code").fill("code", &alice.phone.code(gateway.now()));
    assert_eq!(device.send(&page, &form.fill("remember", "yes")).await.status, 303);
    device.jar.retain(|name, _| name == "__Host-mfa-device");
    disable(&mut gateway, &alice).await;
    for http2 in [false, true] {
        let mut device = device.clone().over(http2);
        let page = sign_in_again(&mut device, ALICE).await;
        assert!(page.text().contains("The support desk has to reset it"), "{}", page.text());
        assert!(device.open("/home").await.location().starts_with("/.mfa/verify"));
        for code in [alice.phone.code(gateway.now()), alice.codes[3].clone()] {
            assert_eq!(send(&mut device, &code).await.status, 403);
        }
        assert_eq!(device.call("GET", "/home").await.status, 429);
    }
}
