//! C27: however many ask at once, and however many leave in the middle, everybody gets their
//! own answers through the connections that all share.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;

use crate::dsl::portal::LINES;
use crate::dsl::steps::enrol_by_link;
use crate::dsl::{Answer, Browser, Call, Gateway, Line, client, gateway, member, portal};

const PEOPLE: usize = 200;
const ROUNDS: usize = 2;
/// How many are let in at the same time.
const AT_THE_DOOR: usize = 8;

/// Somebody who has proven the second factor.
#[derive(Clone)]
struct Person {
    user: String,
    browser: Browser,
}

/// Lets everybody in, each from an address of their own.
async fn let_in(gateway: &Arc<Gateway>) -> Vec<Person> {
    let one = async |number: usize| {
        let (user, password) = member(number);
        let browser = gateway.browser("wiki").from(u8::try_from(2 + number).unwrap());
        let enrolled = enrol_by_link(gateway, browser, (&user, &password)).await;
        Person { user, browser: enrolled.browser }
    };
    stream::iter(0..PEOPLE).map(one).buffer_unordered(AT_THE_DOOR).collect().await
}

impl Person {
    fn get(&self, path: &str, http2: bool) -> Call {
        let browser = self.browser.clone().over(http2);
        browser.with_cookies(Call::get(&self.browser.host, path))
    }

    /// An answer names this person and nobody else.
    fn owns(&self, text: &str) {
        let rests = text.split("for ").skip(1);
        let named: BTreeSet<&str> =
            rests.filter_map(|rest| rest.split_once(" alone")).map(|(name, _)| name).collect();
        assert_eq!(named, BTreeSet::from([self.user.as_str()]), "{} got this", self.user);
    }

    fn owns_whole(&self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{}: {answer:?}", self.user);
        self.owns(&answer.body);
        let lines = answer.body.matches("for ").count();
        assert!(lines == 1 || lines == LINES, "{} got {lines} lines", self.user);
    }

    /// What the portal was told came from this person's session alone.
    fn sent(&self, answer: &Answer) {
        let told = answer.json();
        let lines = told["lines"].as_array().unwrap().iter();
        let lines: Vec<_> = lines.filter(|line| line[0] == "cookie").map(|line| &line[1]).collect();
        let own = format!("portalsession={}", self.browser.jar["portalsession"]);
        assert_eq!(lines, [&serde_json::Value::from(own)], "{}", self.user);
        assert_eq!(told["body"], self.user.as_str());
    }

    /// One page after the other on a connection that is kept.
    async fn reads_pages(&self) {
        let mut kept = self.browser.connect().await;
        for path in ["/home", "/mine", "/home"] {
            self.owns_whole(&kept.send(self.get(path, false)).await.unwrap());
        }
        let echo = Call { method: "POST".to_owned(), ..self.get("/echo", false) };
        self.sent(&kept.send(echo.body(&self.user)).await.unwrap());
    }

    /// Pages at once on one connection of HTTP/2, of which one is left in its middle.
    async fn reads_pages_at_once(&self) {
        let shared = self.browser.clone().over(true).connect().await;
        let mut reading = JoinSet::new();
        for path in ["/mine", "/home", "/mine?held", "/mine"] {
            let (this, mut stream) = (self.clone(), shared.share());
            reading.spawn(async move {
                let mut answer = stream.begin(&this.get(path, true)).await;
                if path == "/mine?held" {
                    this.owns(&first_part(&mut answer).await);
                } else {
                    this.owns_whole(&client::read(answer).await.unwrap());
                }
            });
        }
        reading.join_all().await;
        let echo = Call { method: "POST".to_owned(), ..self.get("/echo", true) };
        self.sent(&shared.share().send(echo.body(&self.user)).await.unwrap());
    }

    /// Hangs up in the middle of a page.
    async fn leaves_a_page(&self, gateway: &Gateway) {
        let call = self.get("/mine?held", false);
        let (address, trusted) = (gateway.https(), gateway.trusted());
        let begun = client::begin(address, trusted, &call, Empty::<Bytes>::new()).await;
        self.owns(&first_part(&mut begun.unwrap()).await);
    }

    /// Hangs up in the middle of a form, which looks like a request of somebody else's.
    async fn leaves_a_form(&self, gateway: &Gateway) {
        let (address, trusted) = (gateway.https(), gateway.trusted());
        let mut stream = client::tls(address, trusted, &self.browser.host, false).await;
        let pairs: Vec<_> =
            self.browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = format!(
            "POST /echo HTTP/1.1\r\nHost: wiki.test\r\nContent-Length: 4096\r\nCookie: {}\r\n\r\n",
            pairs.join("; ")
        );
        let half = format!("GET /mine HTTP/1.1\r\nHost: wiki.test\r\n\r\nfor {} alone", self.user);
        stream.write_all(format!("{head}{half}").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// Takes a form back in its middle, over HTTP/2.
    async fn takes_a_form_back(&self, gateway: &Gateway) {
        let (sent, all_sent) = oneshot::channel();
        let half = Bytes::from(format!("for {} alone", self.user));
        let rest = stream::once(async move {
            // The first half is taken before anybody asks for the second.
            sent.send(()).unwrap();
            std::future::pending().await
        });
        let parts = stream::iter([Ok::<_, Infallible>(Frame::data(half))]).chain(rest);
        let call = Call { method: "POST".to_owned(), ..self.get("/echo", true) };
        let body = StreamBody::new(Box::pin(parts));
        let sending = client::begin(gateway.https(), gateway.trusted(), &call, body);
        tokio::select! {
            answered = sending => panic!("half a form was answered: {answered:?}"),
            sent = all_sent => sent.unwrap(),
        }
    }
}

async fn first_part(answer: &mut hyper::Response<hyper::body::Incoming>) -> String {
    assert_eq!(answer.status(), 200);
    let frame = answer.body_mut().frame().await.unwrap().unwrap();
    // The last line of a part may not be whole.
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    text[..=text.rfind('\n').unwrap()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_two_hundred_at_once_get_their_own_answers_whoever_leaves() {
    let portal = portal::form().run().await;
    let line = Line::to(&portal).await;
    let wide = gateway::new().yaml("limits: { connections_per_client: 1024 }");
    let gateway = Arc::new(wide.portal("wiki", &line).run().await);
    let people = let_in(&gateway).await;
    portal.take_seen();
    let (before, together) = (line.opened(), Arc::new(Barrier::new(PEOPLE)));
    let mut visits = JoinSet::new();
    for person in people.clone() {
        let (gateway, together) = (Arc::clone(&gateway), Arc::clone(&together));
        visits.spawn(async move {
            for _ in 0..ROUNDS {
                together.wait().await;
                person.leaves_a_form(&gateway).await;
                person.leaves_a_page(&gateway).await;
                tokio::join!(
                    person.reads_pages(),
                    person.reads_pages_at_once(),
                    person.takes_a_form_back(&gateway),
                );
            }
        });
    }
    visits.join_all().await;
    let (opened, asked) = (line.opened() - before, portal.seen().len());
    let whole = PEOPLE * ROUNDS * 8;
    assert!(asked >= whole, "the portal saw {asked} requests");
    // Each of those that were left took its connection with it, and still it is fewer.
    assert!(opened < whole, "no connection was shared: {opened} for {whole} requests");
    for person in &people {
        let shown = person.browser.clone().open("/home").await;
        person.owns_whole(&shown.answer);
    }
}
