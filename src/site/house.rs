//! A house as tests need one: two portals and everything around them, on a real store that
//! counts what it is asked.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue};
use tokio::sync::{broadcast, mpsc};

mod link;

use super::{Parts, Site, Sites};
use crate::clock::{Clock, MovableClock, UnixMillis};
use crate::config::{self, Config};
use crate::identity::{CookieSet, normalise};
use crate::net::cookies::{Cookies, SESSION};
use crate::net::host::Host;
use crate::server;
use crate::session::{Learned, Level, Place, SessionRecord};
use crate::store::keyring::Keyring;
use crate::store::sled::SledStore;
use crate::store::{
    Copied, CounterRule, CounterState, Event, Health, Key, Record, Space, Store, StoreError,
    Version, Write,
};
use crate::telemetry::metrics::Metrics;
use crate::user::Opaque;
use link::Link;

/// When it is in the house.
pub(crate) const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

const YAML: &str = "\
listeners:
  - { address: 127.0.0.1:8080 }
store: { engine: sled, path: store }
keys: { master: env:MASTER }
portals:
  shop:
    hosts: [shop.test]
    upstreams: ['http://127.0.0.1:8081']
    identity: &identity
      logins:
        - request: { method: POST, path: /login }
          username: { form: user }
          success: { status: [302] }
      session_cookies: [sid, 'DW*']
      rotation: follow
      login_url: /login?do=login
      logout: { path: /doku.php, query: { do: logout } }
  wiki:
    hosts: [wiki.test, pages.test]
    upstreams: ['http://127.0.0.1:8082']
    public: [/static/**, /login]
    identity: *identity
";

/// Parts with their store.
pub(crate) struct House {
    pub(crate) parts: Arc<Parts>,
    pub(crate) store: Arc<Counted>,
    /// Moves the time of this house, and of all that share its store.
    pub(crate) clock: Arc<MovableClock>,
    /// The way to a store that is shared.
    link: Option<Arc<Link>>,
    _folders: Vec<Arc<tempfile::TempDir>>,
}

/// A house in which nobody has been yet.
pub(crate) async fn house() -> House {
    let (folder, config) = configuration();
    let keyring = Keyring::load(&config.master_key).unwrap();
    let opened = SledStore::open(config.store.folder().unwrap(), &keyring, NOW).unwrap();
    let clock = Arc::new(MovableClock::at(NOW));
    let mut house = built(config, keyring, Arc::new(opened), clock).await;
    house._folders = vec![Arc::new(folder)];
    house
}

/// Houses that share one store, and follow it. Each has heard of all that is in it.
pub(crate) async fn houses<const N: usize>() -> [House; N] {
    let (folder, config) = configuration();
    let keyring = Keyring::load(&config.master_key).unwrap();
    let opened = Arc::new(SledStore::open(config.store.folder().unwrap(), &keyring, NOW).unwrap());
    let (clock, folder) = (Arc::new(MovableClock::at(NOW)), Arc::new(folder));
    let mut all = Vec::new();
    for _ in 0..N {
        let (own, config) = configuration();
        let keyring = Keyring::load(&config.master_key).unwrap();
        let link = Arc::new(Link::to(&opened, &clock));
        let store: Arc<dyn Store> = Arc::<Link>::clone(&link);
        let mut house = built(config, keyring, store, Arc::clone(&clock)).await;
        (house.link, house._folders) = (Some(link), vec![Arc::clone(&folder), Arc::new(own)]);
        server::follow_for_ever(&house.parts);
        house.hears().await;
        all.push(house);
    }
    all.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for"))
}

async fn built(
    config: Config,
    keyring: Keyring,
    inner: Arc<dyn Store>,
    clock: Arc<MovableClock>,
) -> House {
    let store = Arc::new(Counted { inner, calls: AtomicUsize::new(0) });
    let counted: Arc<dyn Store> = Arc::<Counted>::clone(&store);
    let ticking: Arc<dyn Clock> = Arc::<MovableClock>::clone(&clock);
    let metrics = Arc::new(Metrics::new().unwrap());
    let parts = server::build(config, keyring, counted, ticking, metrics).await.unwrap();
    House { parts: Arc::new(parts), store, clock, link: None, _folders: Vec::new() }
}

/// The portals alone.
pub(crate) fn sites() -> Sites {
    let (_folder, config) = configuration();
    let keyring = Keyring::load(&config.master_key).unwrap();
    let metrics = Metrics::new().unwrap();
    Sites::new(config.portals, config.session, &keyring, &metrics, (None, None)).unwrap()
}

fn configuration() -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, YAML).unwrap();
    let master =
        |name: &str| (name == "MASTER").then(|| OsString::from("BQUF".repeat(10) + "BQU="));
    let loaded = config::load_with(&file, &master).unwrap_or_else(|faults| panic!("{faults}"));
    (folder, loaded.config)
}

impl Sites {
    /// The portal at this host.
    pub(crate) fn named(&self, host: &str) -> &Arc<Site> {
        self.at(&Host::parse(host).unwrap()).unwrap()
    }
}

impl House {
    /// The time in the house.
    pub(crate) fn clock_now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The way to the store that is shared.
    pub(crate) fn link(&self) -> &Link {
        self.link.as_ref().expect("the store is shared")
    }

    /// Hears of everything that changed in the store that is shared, a moment later.
    pub(crate) async fn hears(&self) {
        self.clock.advance(Duration::from_millis(1));
        let moment = self.clock.steady();
        self.link().tells();
        while !self.parts.sessions.freshness().has_followed(moment) {
            tokio::task::yield_now().await;
        }
    }

    /// Signs `user` in at the wiki with these portal cookies, and gives the `Cookie` line of
    /// the requests that follow.
    pub(crate) async fn sign_in(&self, user: &str, cookies: &str, level: Level) -> HeaderMap {
        let site = self.parts.sites.named("wiki.test");
        let set = set_of(site, &line(cookies));
        let user = normalise(&site.portal.identity.username, user).unwrap();
        let bind = site.binder.bind(&set);
        let record = SessionRecord {
            portal: site.portal.name.clone(),
            root: bind,
            sid: Opaque([7; 16]),
            sub: site.binder.subject(&user),
            user,
            bind,
            parts: site.binder.parts(&set),
            scoped: Vec::new(),
            started: NOW,
            ends: NOW.plus(Duration::from_secs(3600)),
            level,
            learned: Learned::default(),
            place: Place::default(),
        };
        let token = site.token.mint(&self.parts.keys, NOW, &record).unwrap();
        self.parts.sessions.begin(NOW, record).await.unwrap();
        line(&format!("{cookies}; {SESSION}={token}"))
    }

    /// What the portal cookies of a line are to the sessions.
    pub(crate) fn parts_of(&self, cookies: &str) -> Vec<Opaque> {
        let site = self.parts.sites.named("wiki.test");
        site.binder.parts(&self.cookies_of(cookies))
    }

    /// The portal's session cookies of a line.
    pub(crate) fn cookies_of(&self, cookies: &str) -> CookieSet {
        set_of(self.parts.sites.named("wiki.test"), &line(cookies))
    }
}

/// Headers with this `Cookie` line.
pub(crate) fn line(cookies: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append("cookie", HeaderValue::from_str(cookies).unwrap());
    headers
}

fn set_of(site: &Site, headers: &HeaderMap) -> CookieSet {
    let names = &site.portal.identity.session_cookies;
    CookieSet::of_request(&Cookies::read(headers, &site.cookie_rules).unwrap(), names)
}

/// A store that counts its calls.
pub(crate) struct Counted {
    inner: Arc<dyn Store>,
    calls: AtomicUsize,
}

impl Counted {
    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn counting(&self) -> &dyn Store {
        self.calls.fetch_add(1, Ordering::SeqCst);
        &*self.inner
    }
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.counting().get(now, key).await
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        self.counting().commit(now, tx).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.counting().hit(now, key, rule).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.counting().counter(now, key).await
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.counting().scan(now, space, prefix, after, limit).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.inner.watch()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.counting().sweep(now, grace, budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.counting().copy(spaces, out).await
    }

    async fn health(&self) -> Health {
        self.counting().health().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.counting().close().await
    }
}
