//! Many people in the store of one gateway: how soon it is ready, what it needs of memory, and how
//! many sign in each second through it, browsers on the same machine included.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::desk;
use crate::dsl::browser::Shown;
use crate::dsl::gateway::{self, Fronted as _};
use crate::dsl::place::Place;
use crate::dsl::{Browser, Call, Connection, Gateway, client, member, portal};
use crate::figures::{self, Memory, number, percentiles, say, size};
use crate::people;

pub const PORTAL: &str = "wiki";
/// From so many addresses the browsers come: a client may ask for so much that is costly and no more.
const ADDRESSES: usize = 250;

pub async fn measure() {
    let people = number("SCALE_PEOPLE", 10_000);
    if people == 0 {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (master, store) = (folder.path().join("master.key"), folder.path().join("store"));
    desk::make_key(&master);
    let portal = portal::form().run().await;
    let yaml = folder.path().join("portcullis.yaml");
    let entry = portal.entry("wiki.test").replace('\n', "\n    ");
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nstore: {{ path: {} }}\nkeys: {{ master: file:master.key }}\nportals:\n  wiki:\n    {entry}\n",
        store.display()
    );
    std::fs::write(&yaml, text).unwrap();
    people::fill(&yaml, &master, &[PORTAL], people);
    say("size of the store", size(&store));
    let place = Place {
        store: format!("{{ path: {} }}", store.display()),
        master: master.display().to_string(),
        real_time: true,
        ..Place::default()
    };
    let limits = "limits: { connections_per_client: 65536 }\ntelemetry: { access_log: false }";
    let builder = gateway::new().at(place).yaml(limits).portal(PORTAL, &portal);
    let mut gateway = builder.run().await;
    let opened = figures::now();
    assert_eq!(gateway.stop(), 0);
    is_ready(&mut gateway, people).await;
    until_codes_count(opened).await;
    sign_in(&gateway, people).await;
    say("memory of the gateway after that", Memory::of(gateway.pid()));
    assert_eq!(gateway.stop(), 0);
    desk::measure(&master, &store, people).await;
    is_ready(&mut gateway, people).await;
    say("sessions remembered", gateway.metric("portcullis_sessions_active", &[]).await);
}

/// Starts a gateway, and waits until it is ready and then until it has counted everybody.
async fn is_ready(gateway: &mut Gateway, people: usize) {
    let begun = Instant::now();
    gateway.start().await;
    while client::plain(gateway.admin(), Call::get("localhost", "/readyz")).await.status != 200 {
        tokio::task::yield_now().await;
    }
    say("from start to ready", format!("{:.1?}", begun.elapsed()));
    while gateway.metric("portcullis_enrolled_users", &[]).await < people as f64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say("from start to everybody counted", format!("{:.1?}", begun.elapsed()));
    say("memory of the gateway", Memory::of(gateway.pid()));
}

/// A store that was filled from a copy takes no code of a moment before it was first opened.
pub async fn until_codes_count(opened: u64) {
    while figures::now() / 30 * 30 <= opened + 30 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// People sign in as fast as they can, each once, over a TLS connection of their own.
async fn sign_in(gateway: &Gateway, people: usize) {
    let length = Duration::from_secs(number("SCALE_SECONDS", 5) as u64);
    let next = Arc::new(AtomicUsize::new(0));
    let mut working = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..number("SCALE_AT_ONCE", 32) {
        let (next, fresh) = (Arc::clone(&next), gateway.browser(PORTAL));
        working.spawn(async move {
            let mut took = Vec::new();
            while begun.elapsed() < length {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= people {
                    break;
                }
                let from = u8::try_from(turn % ADDRESSES + 1).unwrap_or(1);
                // All over the crowd, and nobody twice: the stride is a prime.
                took.push(one(fresh.clone().from(from), turn.wrapping_mul(7_919) % people).await);
            }
            took
        });
    }
    let took: Vec<(Duration, Duration)> = working.join_all().await.into_iter().flatten().collect();
    let pace = took.len() as f64 / begun.elapsed().as_secs_f64();
    say("sign-ins by browsers", format!("{}, {pace:.0} a second", took.len()));
    say("one sign-in, p50 and p99", percentiles(took.iter().map(|(all, _)| *all)));
    say("its code alone, p50 and p99", percentiles(took.iter().map(|(_, code)| *code)));
}

/// One sign-in, from the portal's form to the portal's page; how long it took, and its code.
async fn one(browser: Browser, number: usize) -> (Duration, Duration) {
    let (user, password) = member(number);
    let begun = Instant::now();
    let connection = browser.connect().await;
    let mut tab = Tab { browser, connection };
    let call = tab.browser.navigation("GET", "/login");
    let page = tab.visit("/login", call).await;
    let form = page.form("password").fill("user", &user).fill("password", &password);
    let page = tab.send(&page, &form).await;
    let asked = Instant::now();
    let form = page.form("code").fill("code", &people::code(PORTAL, number, figures::now()));
    let call = tab.browser.sending(&page, &form);
    let told = tab.one("/.mfa/verify", call).await;
    let took = asked.elapsed();
    assert_eq!(told.status, 303, "{:?}", told.answer);
    let page = tab.follow(told).await;
    assert!(page.body.contains("secret-page"), "{:?}", page.answer);
    (begun.elapsed(), took)
}

/// A browser with one connection that it keeps.
struct Tab {
    browser: Browser,
    connection: Connection,
}

impl Tab {
    async fn one(&mut self, path: &str, call: Call) -> Shown {
        let answer = self.connection.send(call).await.unwrap();
        self.browser.takes(path, answer)
    }

    async fn visit(&mut self, path: &str, call: Call) -> Shown {
        let shown = self.one(path, call).await;
        self.follow(shown).await
    }

    async fn send(&mut self, page: &Shown, form: &crate::dsl::html::Form) -> Shown {
        let call = self.browser.sending(page, form);
        let path = call.target.clone();
        self.visit(&path, call).await
    }

    async fn follow(&mut self, mut shown: Shown) -> Shown {
        while (300..400).contains(&shown.status) {
            let path = self.browser.resolve(&shown.path, shown.location());
            let call = self.browser.navigation("GET", &path);
            shown = self.one(&path, call).await;
        }
        shown
    }
}
