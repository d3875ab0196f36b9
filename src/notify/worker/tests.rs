//! The worker on a real store, before a small server that says what a test wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{LEASE, Round, Worker};
use crate::clock::{Clock as _, MovableClock, UnixMillis};
use crate::config::{Branding, MasterKey, Secret, Smtp, SmtpGuard};
use crate::net::email::EmailTemplate;
use crate::net::language::Languages;
use crate::notify::outbox::Waiting;
use crate::notify::queue;
use crate::notify::{Addressee, Courier, Letters, Mail, Mails, Post, Speaker, Ways};
use crate::store::Store;
use crate::store::keyring::Keyring;
use crate::store::sled::SledStore;
use crate::telemetry::metrics::Metrics;
use crate::user::UserName;

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

/// A server that answers to the first word of each line; what it is not told, it takes.
struct Server {
    address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<&'static str, &'static str>>>,
    /// Whom it took a mail for, in order.
    taken: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn run() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, answers: Arc::default(), taken: Arc::default() };
        let (answers, taken) = (Arc::clone(&server.answers), Arc::clone(&server.taken));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&answers), Arc::clone(&taken)));
            }
        });
        server
    }

    fn answers(&self, word: &'static str, answer: &'static str) {
        self.answers.lock().unwrap().insert(word, answer);
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

async fn talk(
    stream: TcpStream,
    answers: Arc<Mutex<BTreeMap<&'static str, &'static str>>>,
    taken: Arc<Mutex<Vec<String>>>,
) {
    let mut stream = BufReader::new(stream);
    let (mut to, mut in_mail) = (String::new(), false);
    let _ = stream.write_all(b"220 server.test\r\n").await;
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
        let said = std::mem::take(&mut line);
        let word = said.split([' ', '\r']).next().unwrap().to_owned();
        let usual = match (in_mail, word.as_str()) {
            (true, ".") => "250 taken",
            (true, _) => continue,
            (false, "DATA") => "354 go on",
            (false, "QUIT") => "221 bye",
            (false, _) => "250 yes",
        };
        let set = answers.lock().unwrap().get(word.as_str()).copied();
        let answer = set.unwrap_or(usual);
        let is_yes = answer.starts_with(['2', '3']);
        if word == "RCPT" {
            to = said.trim().to_owned();
        }
        if in_mail && is_yes {
            taken.lock().unwrap().push(to.clone());
        }
        in_mail = word == "DATA" && is_yes;
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

struct House {
    store: Arc<dyn Store>,
    clock: Arc<MovableClock>,
    metrics: Arc<Metrics>,
    post: Post,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl House {
    fn before(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::Given(Secret::new(vec![5; 32]));
        let keyring = Keyring::load(&key).unwrap();
        let store = SledStore::open(&folder.path().join("store"), &keyring, NOW).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        Self {
            store: Arc::new(store),
            clock: Arc::new(MovableClock::at(NOW)),
            post: Post::new(Ways { mails: true, webhook: false }, Arc::clone(&metrics)),
            metrics,
            address: server.address,
            _folder: folder,
        }
    }

    fn worker(&self) -> Worker<Mails> {
        let smtp = Smtp {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            guard: SmtpGuard::Plain,
            login: None,
            from: "MFA <mfa@example.com>".parse().unwrap(),
        };
        let courier = Courier::new(Arc::new(smtp)).unwrap();
        let languages = Languages::default();
        let branding = Branding { templates: None, name: "X".to_owned(), languages };
        let letters = Letters::new(&branding).unwrap();
        let (store, metrics) = (Arc::clone(&self.store), Arc::clone(&self.metrics));
        let clock: Arc<MovableClock> = Arc::clone(&self.clock);
        Worker::new(Mails::new(courier, letters), store, clock, metrics)
    }

    async fn queue(&self, name: &str, mail: Mail) {
        let user = UserName::canonical(name.to_owned());
        let template = EmailTemplate::parse("{user}@example.com").unwrap();
        let email = Some(&template);
        let to =
            Addressee { user: &user, portal: "wiki", host: "wiki.test", email, language: None };
        let writes = self.post.queued(self.clock.now(), &to, mail).unwrap();
        self.store.commit(self.clock.now(), writes).await.unwrap();
    }

    async fn waiting(&self) -> usize {
        queue::all::<Waiting>(&*self.store, self.clock.now()).await.unwrap().len()
    }

    fn counted(&self, outcome: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let series = format!("portcullis_mails_total{{outcome=\"{outcome}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(series.as_str()));
        value.unwrap().parse().unwrap()
    }
}

fn going_on() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    // Its end would mean to stop.
    std::mem::forget(sender);
    receiver
}

fn news() -> Mail {
    Mail::DeviceAlarm { at: NOW }
}

fn to(name: &str) -> String {
    format!("RCPT TO:<{name}@example.com>")
}

#[tokio::test]
async fn what_waits_is_sent_once_and_the_oldest_first() {
    let server = Server::run().await;
    let house = House::before(&server);
    for name in ["carol", "alice", "bob"] {
        house.queue(name, news()).await;
        house.clock.advance(Duration::from_millis(1));
    }
    let worker = house.worker();
    assert!(matches!(worker.round(&going_on()).await, Ok(Round::Done)));
    assert_eq!(server.taken(), [to("carol"), to("alice"), to("bob")]);
    assert_eq!((house.waiting().await, house.counted("sent")), (0, 3));
    assert!(matches!(worker.round(&going_on()).await, Ok(Round::Done)));
    assert_eq!(server.taken().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_send_each_mail_once() {
    let server = Server::run().await;
    let house = House::before(&server);
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    for name in &names {
        house.queue(name, news()).await;
    }
    let (one, other) = (house.worker(), house.worker());
    let (going_on, as_well) = (going_on(), going_on());
    let (one, other) = tokio::join!(
        tokio::spawn(async move { one.round(&going_on).await.is_ok() }),
        tokio::spawn(async move { other.round(&as_well).await.is_ok() }),
    );
    assert!(one.unwrap() && other.unwrap());
    let mut taken = server.taken();
    taken.sort();
    let mut expected: Vec<String> = names.iter().map(|name| to(name)).collect();
    expected.sort();
    assert_eq!(taken, expected);
    assert_eq!(house.waiting().await, 0);
}

#[tokio::test]
async fn a_mail_whose_worker_died_is_sent_by_another_later() {
    let server = Server::run().await;
    let house = House::before(&server);
    house.queue("alice", news()).await;
    let found = queue::all::<Waiting>(&*house.store, NOW).await.unwrap().remove(0);
    queue::take(&*house.store, NOW, found, NOW.plus(LEASE)).await.unwrap().unwrap();
    house.worker().round(&going_on()).await.unwrap();
    assert_eq!(server.taken(), [""; 0]);
    house.clock.advance(LEASE);
    house.worker().round(&going_on()).await.unwrap();
    assert_eq!(server.taken(), [to("alice")]);
}

#[tokio::test]
async fn a_server_in_trouble_loses_nothing() {
    let cases = [
        ("EHLO", "421 away"),
        ("EHLO", "what?"),
        ("MAIL", "550 not from you"),
        ("MAIL", "451 not now"),
        ("RCPT", "530 who are you"),
        ("DATA", "421 away"),
    ];
    for (word, answer) in cases {
        let server = Server::run().await;
        let house = House::before(&server);
        house.queue("alice", news()).await;
        server.answers(word, answer);
        let round = house.worker().round(&going_on()).await;
        assert!(matches!(round, Ok(Round::Troubled(_))), "{word}: {answer}");
        assert_eq!((house.waiting().await, server.taken().len()), (1, 0));
        server.answers(word, if word == "DATA" { "354 go on" } else { "250 yes" });
        house.worker().round(&going_on()).await.unwrap();
        assert_eq!(server.taken(), [to("alice")], "{word}: {answer}");
    }
}

#[tokio::test]
async fn a_mail_is_dropped_when_it_is_refused_and_put_off_when_not_for_good() {
    for word in ["RCPT", "DATA", "."] {
        let server = Server::run().await;
        let house = House::before(&server);
        house.queue("alice", news()).await;
        server.answers(word, "452 not now");
        let worker = house.worker();
        for round in 1..4 {
            worker.round(&going_on()).await.unwrap();
            // At once it is not tried again.
            worker.round(&going_on()).await.unwrap();
            assert_eq!((house.counted("retried"), house.waiting().await), (round, 1), "{word}");
            house.clock.advance(Duration::from_secs(600));
        }
        server.answers(word, "554 never");
        worker.round(&going_on()).await.unwrap();
        assert_eq!((house.counted("refused"), house.waiting().await), (1, 0), "{word}");
        assert_eq!(server.taken(), [""; 0]);
    }
}

#[tokio::test]
async fn a_code_is_not_sent_when_it_has_expired_and_other_news_after_three_days() {
    let server = Server::run().await;
    let house = House::before(&server);
    house.queue("alice", Mail::Code { code: "123 456".to_owned(), minutes: 10 }).await;
    house.queue("bob", news()).await;
    house.clock.advance(Duration::from_secs(600));
    house.worker().round(&going_on()).await.unwrap();
    assert_eq!((server.taken(), house.counted("expired")), (vec![to("bob")], 1));
    house.queue("carol", news()).await;
    house.clock.advance(Duration::from_secs(3 * 24 * 3600));
    house.worker().round(&going_on()).await.unwrap();
    assert_eq!((server.taken().len(), house.counted("expired")), (1, 2));
    assert_eq!(house.waiting().await, 0);
}

#[tokio::test]
async fn the_longest_mail_fits_into_the_store() {
    let server = Server::run().await;
    let house = House::before(&server);
    // As many bytes as a sign can have, and a sign that is escaped.
    for sign in ['\u{10ffff}', '"', '\u{7}'] {
        let long: String = std::iter::repeat_n(sign, 5000).collect();
        let user = UserName::canonical(format!("{}@example.com", "a".repeat(64)));
        let host = "h".repeat(253);
        let to =
            Addressee { user: &user, portal: "wiki", host: &host, email: None, language: None };
        for mail in [
            Mail::Enrolled { label: long.clone(), at: NOW },
            Mail::Moved { from: long.clone(), to: long.clone(), at: NOW },
            Mail::Reset { by: Speaker::AccountManager, at: NOW },
            Mail::Code { code: long.clone(), minutes: u64::MAX },
        ] {
            let writes = house.post.queued(NOW, &to, mail).unwrap();
            assert_eq!(writes.len(), 1);
            house.store.commit(NOW, writes).await.unwrap();
        }
    }
    assert_eq!(house.waiting().await, 12);
}

#[tokio::test]
async fn who_has_no_address_is_counted_and_holds_up_nothing() {
    let server = Server::run().await;
    let house = House::before(&server);
    let user = UserName::canonical("bob smith".to_owned());
    let (portal, host) = ("wiki", "wiki.test");
    let to = Addressee { user: &user, portal, host, email: None, language: None };
    assert_eq!(house.post.queued(NOW, &to, news()).unwrap(), []);
    assert_eq!((house.counted("unaddressed"), house.waiting().await), (1, 0));
}
