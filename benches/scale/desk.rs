//! What a sign-in asks of the store of one gateway, without any network: accounts and sessions as
//! the gateway makes them, on the store that it left, in this process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::account::{AccountId, Accounts};
use portcullis::clock::{Clock, SystemClock};
use portcullis::config::{StoreConfig, TotpAlgorithm, TotpParameters};
use portcullis::notify::Addressee;
use portcullis::session::{Learned, Level, Place, SessionRecord, Sessions};
use portcullis::store;
use portcullis::user::Opaque;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::enrolled::PORTAL;
use crate::figures::{self, number, percentiles, say};
use crate::people::{self, House};

pub fn make_key(file: &Path) {
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    fs::write(file, STANDARD.encode(key)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Accounts and sessions on one store.
struct Desk {
    accounts: Accounts,
    sessions: Arc<Sessions>,
    house: House,
    clock: Arc<dyn Clock>,
    people: usize,
    next: AtomicUsize,
}

/// How long the steps of one sign-in took.
#[derive(Clone, Copy)]
struct Took {
    password: Duration,
    code: Duration,
}

pub async fn measure(master: &Path, folder: &Path, people: usize) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keyring = people::keyring(master);
    let config = StoreConfig::Sled { path: folder.to_owned() };
    let begun = Instant::now();
    let store = store::open(&config, &keyring, clock.now()).await.unwrap();
    say("opening the store alone", format!("{:.1?}", begun.elapsed()));
    let sessions = Sessions::load(Arc::clone(&store), Arc::clone(&clock)).await.unwrap();
    let sessions = Arc::new(sessions);
    let totp = TotpParameters {
        issuer: "Example".to_owned(),
        digits: 6,
        period: Duration::from_secs(30),
        algorithm: TotpAlgorithm::Sha1,
        skew: 1,
    };
    let pepper = keyring.derive("recovery codes");
    let accounts = Accounts::new(Arc::clone(&store), Arc::clone(&sessions), totp, 10, pepper);
    let (house, next) = (House::new(&keyring, PORTAL), AtomicUsize::new(0));
    let desk = Arc::new(Desk { accounts, sessions, house, clock, people, next });
    let all = number("SCALE_SESSIONS", 10_000).min(people / 2);
    let alone = (all / 20).max(1);
    // From the other end of the crowd than browsers came from, and one after the other.
    run(&desk, 1, alone).await;
    run(&desk, 64, (all - alone) / 2).await;
    run(&desk, 256, all - alone - (all - alone) / 2).await;
    let health = store.health().await;
    say("records in the store", health.records);
    store.close().await.unwrap();
}

/// So many sign-ins, so many at the same time: first all passwords, then all codes.
async fn run(desk: &Arc<Desk>, at_once: usize, count: usize) {
    let until = desk.next.load(Ordering::Relaxed) + count;
    let mut working = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once {
        let desk = Arc::clone(desk);
        working.spawn(async move {
            let mut took = Vec::new();
            loop {
                let turn = desk.next.fetch_add(1, Ordering::Relaxed);
                if turn >= until {
                    return took;
                }
                took.push(desk.one(turn).await);
            }
        });
    }
    let took: Vec<Took> = working.join_all().await.into_iter().flatten().collect();
    desk.next.store(until, Ordering::Relaxed);
    let pace = took.len() as f64 / begun.elapsed().as_secs_f64();
    say(&format!("store work of sign-ins, {at_once} at once"), format!("{pace:.0} a second"));
    say("  password, p50 and p99", percentiles(took.iter().map(|took| took.password)));
    say("  code, p50 and p99", percentiles(took.iter().map(|took| took.code)));
    say("  both, p50 and p99", percentiles(took.iter().map(|took| took.password + took.code)));
}

impl Desk {
    async fn one(&self, turn: usize) -> Took {
        let number = (self.people - 1 - turn).wrapping_mul(7_919) % self.people;
        let (sub, user) = (self.house.subject(number), people::name(number));
        let account = AccountId { portal: self.house.tag, sub };
        let to = Addressee {
            user: &user,
            portal: PORTAL,
            host: "wiki.test",
            email: None,
            language: None,
        };
        let begun = Instant::now();
        let now = self.clock.now();
        let session = self.sessions.begin(now, record(number, sub, now)).await.unwrap();
        let standing = self.accounts.standing(now, account).await.unwrap();
        self.accounts.seen(now, account, &user, standing, None).await.unwrap();
        let password = begun.elapsed();
        let code = people::code(PORTAL, number, figures::now());
        let begun = Instant::now();
        let now = self.clock.now();
        self.accounts.verify(now, account, &session, &to, &code).await.unwrap();
        Took { password, code: begun.elapsed() }
    }
}

fn record(number: usize, sub: Opaque, now: portcullis::clock::UnixMillis) -> SessionRecord {
    let opaque = |what: &str| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(format!("{what} {number}"))[..16]);
        Opaque(bytes)
    };
    SessionRecord {
        portal: PORTAL.to_owned(),
        root: opaque("root"),
        sid: opaque("sid"),
        sub,
        user: people::name(number),
        bind: opaque("bind"),
        parts: vec![opaque("part")],
        scoped: Vec::new(),
        started: now,
        ends: now.plus(Duration::from_secs(8 * 3600)),
        level: Level::Password,
        learned: Learned::Login,
        place: Place::default(),
    }
}
