//! A portal made ready to serve: its configuration with the keys and identifiers that
//! belong to it alone, and everything else that all portals share.

pub mod destination;
pub mod held;
mod kept;
pub mod resets;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::account::{AccountId, Accounts, PortalTag};
use crate::audit::Audit;
use crate::clock::{Clock, UnixMillis};
use crate::config::desk::AdminToken;
use crate::config::{Limits, Portal, SessionLimits};
use crate::desk::Desk;
use crate::identity::{Answers, Names};
use crate::mac::MacKey;
use crate::net::client::TrustedProxies;
use crate::net::cookies::CookieRules;
use crate::net::host::Host;
use crate::net::language::Languages;
use crate::notify::Post;
use crate::pages::render::Renderer;
use crate::pages::spa;
use crate::session::{Assertions, Binder, KeyRing, SessionRecord, Sessions, Token};
use crate::store::Store;
use crate::store::backup::Backup;
use crate::store::keyring::Keyring;
use crate::telemetry::metrics::{Metrics, MetricsError, PortalMetrics};
use crate::tokens::Tokens;
use crate::user::Opaque;

use kept::KeptKey;
pub use kept::{KeptForm, KeptLines, LONGEST_KEPT_BODY, LONGEST_SEALED};

/// How far the clock may go back, as NTP may set it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// What every request may need, from one configuration. Built once, shared, never changed:
/// another configuration has parts of its own, which share what outlives both.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The portals.
    pub sites: Sites,
    /// What is remembered for good.
    pub store: Arc<dyn Store>,
    /// Copies of it.
    pub backup: Backup,
    /// Second factors.
    pub accounts: Accounts,
    /// Sessions.
    pub sessions: Arc<Sessions>,
    /// The keys that sign them.
    pub keys: Arc<KeyRing>,
    /// Who may use the API of the desk.
    pub desk: Vec<AdminToken>,
    /// Who may use it too: tokens that were made by command.
    pub tokens: Arc<Tokens>,
    /// How many requests to it one token may send in a minute.
    pub desk_pace: u32,
    /// Who signs in at the desk's console.
    pub desk_people: Desk,
    /// What portals are told of a proven visitor, signed.
    pub assertions: Arc<Assertions>,
    /// How long they last.
    pub session_limits: SessionLimits,
    /// What we speak.
    pub languages: Languages,
    /// Pages.
    pub renderer: Renderer,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// What a request may cost.
    pub limits: Limits,
    /// Whose word on a client's address is believed.
    pub proxies: TrustedProxies,
    /// Takes what happened.
    pub audit: Audit,
    /// Takes mails, where there is a server for them.
    pub post: Option<Arc<Post>>,
    /// Whether each request leaves a line.
    pub access_log: bool,
    /// The latest time that a request was judged at.
    pub latest: Arc<AtomicU64>,
}

impl Parts {
    /// The time now.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The time now, unless the clock went back by more than a minute: then what has expired
    /// would seem to stand again (attack OTP-5).
    pub fn trusted_now(&self) -> Option<UnixMillis> {
        let now = self.clock.now();
        let latest = self.latest.fetch_max(now.0, Ordering::Relaxed);
        (now.plus(CLOCK_TOLERANCE).0 >= latest).then_some(now)
    }

    /// Whether requests are refused because the clock went back. Whoever asks judges no request,
    /// so a clock that was ahead while nobody came is none the worse for it.
    pub fn is_clock_in_doubt(&self) -> bool {
        self.now().plus(CLOCK_TOLERANCE).0 < self.latest.load(Ordering::Relaxed)
    }
}

/// All portals, by host.
pub struct Sites {
    all: Vec<Arc<Site>>,
    by_host: HashMap<String, Arc<Site>>,
    by_name: HashMap<String, Arc<Site>>,
}

impl Sites {
    /// Makes `portals` ready with keys derived from `keyring`. A portal that was there `before`
    /// goes on with what it remembers of people in the middle of something; what gateways that
    /// share the store have to know of it is kept there.
    ///
    /// # Errors
    /// When there can be no metrics for one.
    pub fn new(
        portals: Vec<Portal>,
        limits: SessionLimits,
        keyring: &Keyring,
        metrics: &Metrics,
        (store, before): (Option<&Arc<dyn Store>>, Option<&Self>),
    ) -> Result<Self, MetricsError> {
        let ready = |(index, portal): (usize, Portal)| {
            let memory = before.and_then(|sites| sites.of(&portal.name)).map(Memory::of);
            let counted = metrics.portal(&portal.name)?;
            let memory = memory.unwrap_or_else(|| Memory::new(store));
            Ok(Arc::new(Site::new(index, portal, limits, keyring, counted, memory)))
        };
        let all = portals.into_iter().enumerate().map(ready);
        let all: Vec<Arc<Site>> = all.collect::<Result<_, MetricsError>>()?;
        let hosts = |site: &Arc<Site>| {
            let names = site.portal.hosts.clone().into_iter();
            names.map(|host| (host, Arc::clone(site))).collect::<Vec<_>>()
        };
        let by_host = all.iter().flat_map(hosts).collect();
        let by_name = all.iter().map(|site| (site.portal.name.clone(), Arc::clone(site)));
        let by_name = by_name.collect();
        Ok(Self { all, by_host, by_name })
    }

    /// The portal at `host`.
    pub fn at(&self, host: &Host) -> Option<&Arc<Site>> {
        self.by_host.get(host.as_str())
    }

    /// The portal of this name.
    pub fn of(&self, name: &str) -> Option<&Arc<Site>> {
        self.by_name.get(name)
    }

    /// Every portal, in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Site>> {
        self.all.iter()
    }
}

/// One portal.
pub struct Site {
    /// Its place in the configuration.
    pub index: usize,
    /// What ops wrote about it.
    pub portal: Portal,
    /// How the cookies of its requests are read.
    pub cookie_rules: CookieRules,
    /// Makes its opaque identifiers.
    pub binder: Binder,
    /// Makes and reads its session cookies.
    pub token: Token,
    /// Stands at the head of its keys in the store.
    pub tag: PortalTag,
    /// What the portal said of its sessions.
    pub answers: Arc<Answers>,
    /// What its pages get, where it is a single-page application.
    pub script_tag: Option<Bytes>,
    /// Names that wait for their password.
    pub names: Arc<Names>,
    /// Its numbers.
    pub metrics: Arc<PortalMetrics>,
    form_key: MacKey,
    kept_key: KeptKey,
}

impl Site {
    fn new(
        index: usize,
        portal: Portal,
        limits: SessionLimits,
        keyring: &Keyring,
        metrics: Arc<PortalMetrics>,
        memory: Memory,
    ) -> Self {
        let binder = Binder::new(&portal.name, &keyring.derive("portal binding"));
        let token = Token::new(&portal.name, limits);
        let long = keyring.id(&[b"portal", portal.name.as_bytes()]);
        let mut tag = [0; 8];
        tag.copy_from_slice(long.split_at(8).0);
        let form_key = MacKey::new(&keyring.derive("form token"));
        let script_tag = portal.spa.then(|| spa::tag(&portal.prefix));
        let kept_key = KeptKey::new(&keyring.derive("kept form"));
        let cookie_rules = CookieRules::new(&portal.identity.session_cookies);
        Self {
            index,
            portal,
            cookie_rules,
            binder,
            token,
            tag: PortalTag(tag),
            script_tag,
            answers: memory.answers,
            names: memory.names,
            metrics,
            form_key,
            kept_key,
        }
    }

    /// The account of a session's user.
    pub fn account(&self, session: &SessionRecord) -> AccountId {
        AccountId { portal: self.tag, sub: session.sub }
    }

    /// The hidden field of every form shown in this session. It changes with each sign-in
    /// and each proof, as the session's name does.
    pub fn form_token(&self, sid: Opaque) -> String {
        URL_SAFE_NO_PAD.encode(self.form_key.hash(self.form_parts(&sid)))
    }

    /// Whether `given` is that field, compared in constant time.
    pub fn is_form_token(&self, sid: Opaque, given: &str) -> bool {
        let given = URL_SAFE_NO_PAD.decode(given).unwrap_or_default();
        self.form_key.verify(self.form_parts(&sid), &given)
    }

    fn form_parts<'a>(&'a self, sid: &'a Opaque) -> [&'a [u8]; 2] {
        [self.portal.name.as_bytes(), &sid.0]
    }
}

/// What a portal remembers that no record holds, whatever its configuration.
struct Memory {
    answers: Arc<Answers>,
    names: Arc<Names>,
}

impl Memory {
    fn new(store: Option<&Arc<dyn Store>>) -> Self {
        let names = store.map(Names::of).unwrap_or_default();
        Self { answers: Arc::default(), names: Arc::new(names) }
    }

    fn of(site: &Arc<Site>) -> Self {
        Self { answers: Arc::clone(&site.answers), names: Arc::clone(&site.names) }
    }
}

#[cfg(test)]
pub(crate) mod house;
#[cfg(test)]
mod tests;
