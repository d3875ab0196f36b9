//! Many connections that are open and do nothing, and sockets of people who are in: what each needs
//! of memory, and whether pages are served beside them as before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::dsl::client::{Call, Connection};
use crate::dsl::gateway;
use crate::dsl::place::Place;
use crate::dsl::socket::Socket;
use crate::dsl::steps::enrol_by_link;
use crate::dsl::{ALICE, Browser, Gateway, portal};
use crate::figures::{Memory, number, percentiles, say};

/// Hands that open connections at the same time.
const HANDS: usize = 32;

pub async fn measure() {
    let idle = number("SCALE_CONNECTIONS", 1_000);
    let sockets = number("SCALE_SOCKETS", 50);
    if idle + sockets == 0 {
        return;
    }
    let portal = portal::form().run().await;
    let place = Place { real_time: true, ..Place::default() };
    let limits = "limits: { connections_per_client: 65536 }\ntelemetry: { access_log: false }";
    let gateway = gateway::new().at(place).yaml(limits).portal("wiki", &portal).run().await;
    let gateway = Arc::new(gateway);
    let alice = enrol_by_link(&gateway, gateway.browser("wiki"), ALICE).await.browser;
    pages("a page before", &alice).await;
    let memory = Memory::of(gateway.pid());
    say("memory of the gateway", memory);

    let begun = Instant::now();
    let one = |browser: Browser| async move {
        let mut connection = browser.connect().await;
        ask(&mut connection, &browser).await;
        connection
    };
    let mut kept = many(idle, &alice, one).await;
    say("connections opened over TLS, a page each", format!("{idle} in {:.1?}", begun.elapsed()));
    let memory = grown("memory with them", memory, idle, &gateway);
    pages("a page beside them", &alice).await;

    let begun = Instant::now();
    let at = Arc::clone(&gateway);
    let one = move |browser: Browser| {
        let at = Arc::clone(&at);
        async move {
            let mut socket = Socket::open(&at, &browser, "/ws").await;
            assert_eq!(socket.next().await.unwrap(), "hello alice");
            socket
        }
    };
    let mut open = many(sockets, &alice, one).await;
    say("sockets opened", format!("{sockets} in {:.1?}", begun.elapsed()));
    grown("memory with them too", memory, sockets, &gateway);
    pages("a page beside all", &alice).await;
    let begun = Instant::now();
    for socket in &mut open {
        socket.say("still here").await;
        assert_eq!(socket.next().await.unwrap(), "still here");
    }
    say("every socket said and heard something", format!("in {:.1?}", begun.elapsed()));
    for connection in kept.iter_mut().rev().take(HANDS) {
        ask(connection, &alice).await;
    }
}

/// Opens so many of something, a few at a time.
async fn many<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    browser: &Browser,
    one: impl Fn(Browser) -> F,
) -> Vec<T> {
    let (mut opening, mut opened) = (JoinSet::new(), Vec::new());
    for _ in 0..count {
        if opening.len() == HANDS {
            opened.push(opening.join_next().await.unwrap().unwrap());
        }
        opening.spawn(one(browser.clone()));
    }
    opened.extend(opening.join_all().await);
    opened
}

async fn ask(connection: &mut Connection, browser: &Browser) {
    let call = browser.with_cookies(Call::get(&browser.host, "/home").page());
    let answer = connection.send(call).await.unwrap();
    assert!(answer.body.contains("for alice alone"), "{answer:?}");
}

/// A few pages, one after the other, over a connection that stays.
async fn pages(what: &str, browser: &Browser) {
    let mut connection = browser.connect().await;
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        ask(&mut connection, browser).await;
        took.push(begun.elapsed());
    }
    say(&format!("{what}, p50 and p99"), percentiles(took.into_iter()));
}

fn grown(what: &str, before: Memory, count: usize, gateway: &Gateway) -> Memory {
    let after = Memory::of(gateway.pid());
    let each = after.now.saturating_sub(before.now) as f64 / count.max(1) as f64;
    say(what, format!("{after}; {each:.1} KiB each"));
    after
}
