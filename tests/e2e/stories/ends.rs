//! What stays open ends with its session within a second, and leaves its line in the log and
//! its count like everything else.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;

use crate::dsl::socket::Socket;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_inside, sign_out};
use crate::dsl::{ALICE, BOB, Browser, Call, Connection, Gateway, eventually, gateway, portal};

const A_SECOND: Duration = Duration::from_secs(1);
const LOG: &str = "telemetry: { log: json, level: info, access_log: true }";

/// Somebody who listens to the portal's events.
struct Listener {
    answer: Response<Incoming>,
    /// Over which it comes.
    _kept: Connection,
}

impl Listener {
    async fn of(browser: &Browser) -> Self {
        let mut kept = browser.connect().await;
        let call = browser.with_cookies(Call::get(&browser.host, "/events"));
        let mut answer = kept.begin(&call.line("accept", "text/event-stream")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let greeting = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(greeting.into_data().unwrap(), "event: hello\ndata: alice\n\n");
        Self { answer, _kept: kept }
    }

    async fn is_cut(&mut self, why: &str) {
        let since = Instant::now();
        let ended = tokio::time::timeout(A_SECOND, self.answer.body_mut().frame()).await;
        let ended = ended.unwrap_or_else(|_| panic!("the events outlive {why}"));
        assert!(!matches!(ended, Some(Ok(_))), "after {why} came {ended:?}");
        assert!(since.elapsed() < A_SECOND, "{why}: {:?}", since.elapsed());
    }
}

/// Proves the second factor in a browser of its own.
async fn come_again(gateway: &mut Gateway, alice: &Enrolled, http2: bool) -> Browser {
    gateway.next_code();
    let mut browser = gateway.browser("wiki").over(http2);
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_1_the_portals_events_end_with_the_session() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        for why in ["signing out", "the portal's sign-out", "another login"] {
            let mut browser = come_again(&mut gateway, &alice, http2).await;
            let mut events = Listener::of(&browser).await;
            match why {
                "signing out" => sign_out(&mut browser).await,
                "the portal's sign-out" => assert_eq!(browser.open("/logout").await.status, 302),
                _ => {
                    let token = portal.token_of(&browser.jar["portalsession"]);
                    sign_in_inside(&mut browser, &token, BOB).await;
                }
            }
            events.is_cut(why).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_leaves_its_line_and_its_count() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(LOG).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut socket = Socket::open(&gateway, &alice, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    let mut listeners = [Listener::of(&alice).await, Listener::of(&alice.clone().over(true)).await];
    assert_eq!(lines_of(&gateway, "/ws").len(), 0);
    let before = forwarded(&gateway).await;
    sign_out(&mut alice).await;
    assert_eq!(socket.next().await, None);
    for listener in &mut listeners {
        listener.is_cut("signing out").await;
    }
    let lines = eventually("a line of each", async || {
        let lines = [lines_of(&gateway, "/ws"), lines_of(&gateway, "/events")];
        (lines.iter().map(Vec::len).sum::<usize>() >= 3).then(|| lines.concat())
    })
    .await;
    assert_eq!(lines.iter().map(|line| &line["status"]).collect::<Vec<_>>(), [101, 200, 200]);
    for line in &lines {
        assert_eq!((&line["method"], &line["portal"]), (&"GET".into(), &"wiki".into()), "{line}");
        assert_eq!((&line["verdict"], &line["reason"]), (&"forward".into(), &"proven".into()));
        assert_eq!((&line["client"], line["user"].is_string()), (&"127.0.0.1".into(), true));
        assert!(line["bytes"].as_u64().unwrap() >= "hello alice".len() as u64, "{line}");
    }
    assert_eq!(forwarded(&gateway).await, before + 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_its_own_side_closes_leaves_one_line() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(LOG).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let before = forwarded(&gateway).await;
    let mut socket = Socket::open(&gateway, &alice, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    drop(socket);
    eventually("the line", async || (!lines_of(&gateway, "/ws").is_empty()).then_some(())).await;
    alice.clone().open("/home").await;
    eventually("the next", async || (!lines_of(&gateway, "/home").is_empty()).then_some(())).await;
    let lines = lines_of(&gateway, "/ws");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["status"], &lines[0]["verdict"]), (&101.into(), &"forward".into()));
    // A line of the page may be there from before, and the count comes after the answer.
    let both = async || (forwarded(&gateway).await >= before + 2.0).then_some(());
    eventually("both are counted", both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_on_its_way_is_no_fault_of_ours() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(LOG).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for (round, http2) in [false, true].into_iter().enumerate() {
        alice = match round {
            0 => alice,
            _ => enrol(&gateway, "wiki", BOB).await.browser,
        };
        let mut kept = alice.clone().over(http2).connect().await;
        let call = Call { http2, ..alice.with_cookies(Call::get(&alice.host, "/flood?10000000")) };
        let mut answer = kept.begin(&call).await;
        assert!(answer.body_mut().frame().await.unwrap().is_ok());
        sign_out(&mut alice).await;
        let since = Instant::now();
        while let Some(Ok(_)) = answer.body_mut().frame().await {
            assert!(since.elapsed() < A_SECOND, "the download outlives its session");
        }
        let lines = eventually("its line", async || {
            let lines = lines_of(&gateway, "/flood");
            (lines.len() > round).then_some(lines)
        })
        .await;
        assert_eq!(lines.len(), round + 1);
        let line = &lines[round];
        assert_eq!((&line["status"], &line["verdict"]), (&200.into(), &"forward".into()));
    }
    let faults: Vec<_> =
        gateway.log().lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    assert_eq!(faults, [""; 0]);
}

async fn forwarded(gateway: &Gateway) -> f64 {
    let labels = [("portal", "wiki"), ("verdict", "forward"), ("reason", "proven")];
    gateway.metric("portcullis_requests_total", &labels).await
}

/// The access lines of requests for a path.
fn lines_of(gateway: &Gateway, path: &str) -> Vec<serde_json::Value> {
    let log = gateway.log();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &serde_json::Value| line["target"] == "access" && line["path"] == path)
        .collect()
}
