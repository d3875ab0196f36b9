//! What outlives every configuration, and what one configuration adds to it: together they
//! are the parts that requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use zeroize::Zeroizing;

use super::ServerError;
use super::counting::Uncounted;
use super::mails::Mailing;
use crate::account::Accounts;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{Config, Telemetry};
use crate::desk::Desk;
use crate::mac::MacKey;
use crate::net::client::TrustedProxies;
use crate::notify::Post;
use crate::pages::render::Renderer;
use crate::proxy::tls::{self, Certificates};
use crate::session::{AssertionKeys, Assertions, KeyRing, Sessions};
use crate::site::{Parts, Sites};
use crate::store::Store;
use crate::store::backup::Backup;
use crate::store::keyring::Keyring;
use crate::telemetry::metrics::Metrics;
use crate::tokens::Tokens;

/// What stays as it is, whatever the configuration.
pub(super) struct Lasting {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keyring: Keyring,
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) audit: Audit,
    sessions: Arc<Sessions>,
    keys: Arc<KeyRing>,
    assertions: Arc<Assertions>,
    tokens: Arc<Tokens>,
    latest: Arc<AtomicU64>,
}

/// A configuration with all that is made from files, which is what may fail.
pub(super) struct Prepared {
    config: Config,
    renderer: Renderer,
    certificates: Vec<Option<Certificates>>,
    mailing: Mailing,
}

/// Everything that a configuration makes.
pub(super) struct Ready {
    pub(super) parts: Parts,
    pub(super) certificates: Vec<Option<Certificates>>,
    pub(super) mailing: Mailing,
    /// Portals that were not there before.
    pub(super) uncounted: Vec<Uncounted>,
}

impl Prepared {
    /// Reads the files that `config` names. It waits for the disk.
    pub(super) fn read(config: Config) -> Result<Self, ServerError> {
        let renderer = Renderer::new(&config.branding)?;
        let certificates = tls::certificates(&config)?;
        let mailing = Mailing::new(&config)?;
        Ok(Self { config, renderer, certificates, mailing })
    }
}

impl Lasting {
    /// Reads what stands in `store`.
    pub(super) async fn load(
        keyring: Keyring,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        telemetry: &Telemetry,
    ) -> Result<Self, ServerError> {
        let now = clock.now();
        let keys = Arc::new(KeyRing::load_or_make(&*store, now).await?);
        let assertions = AssertionKeys::load_or_make(&*store, now).await?;
        let assertions = Arc::new(Assertions::new(assertions));
        let sessions = Arc::new(Sessions::load(Arc::clone(&store), Arc::clone(&clock)).await?);
        let ids = MacKey::new(&keyring.derive("tokens of the API"));
        let tokens = Arc::new(Tokens::load(Arc::clone(&store), ids, now).await?);
        let latest = Arc::new(AtomicU64::new(now.0));
        let named = (telemetry.audit.as_ref(), telemetry.node.as_str());
        let (kept, counted) = (Arc::clone(&store), Arc::clone(&metrics));
        let audit = Audit::open(named, kept, sessions.turns(), now, counted).await?;
        Ok(Self {
            clock,
            keyring,
            store,
            metrics,
            audit,
            sessions,
            keys,
            assertions,
            tokens,
            latest,
        })
    }

    /// What a configuration makes. What people are in the middle of
    /// goes on from the parts of the configuration `before`.
    pub(super) async fn parts(
        &self,
        prepared: Prepared,
        before: Option<&Parts>,
    ) -> Result<Ready, ServerError> {
        let Prepared { config, renderer, certificates, mailing } = prepared;
        let post = Some(Arc::new(Post::new(mailing.ways(), Arc::clone(&self.metrics))));
        let accounts = self.accounts(&config, before).telling(post.clone());
        let sites_before = before.map(|parts| &parts.sites);
        let (portals, metrics) = (config.portals, &self.metrics);
        let kept = (Some(&self.store), sites_before);
        let sites = Sites::new(portals, config.session, &self.keyring, metrics, kept)?;
        // Those of a portal that stays are counted as they come.
        let known = |name: &str| sites_before.is_some_and(|sites| sites.of(name).is_some());
        let new: Vec<_> = sites.iter().filter(|site| !known(&site.portal.name)).collect();
        let tags: Vec<_> = new.iter().map(|site| site.tag).collect();
        accounts.watch_all(self.clock.now(), &tags).await?;
        let uncounted = new.into_iter().map(|site| Uncounted::begin(site)).collect();
        let desk_pace = config.admin.as_ref().map_or(1, |admin| admin.requests_per_minute);
        let (tokens, people) = match config.admin {
            Some(admin) => (admin.tokens, admin.people),
            None => (Vec::new(), Vec::new()),
        };
        let parts = Parts {
            clock: Arc::clone(&self.clock),
            sites,
            store: Arc::clone(&self.store),
            backup: Backup::new(Arc::clone(&self.store), &self.keyring),
            accounts,
            sessions: Arc::clone(&self.sessions),
            keys: Arc::clone(&self.keys),
            desk_pace,
            desk: tokens,
            tokens: Arc::clone(&self.tokens),
            desk_people: Desk::new(people, &self.keyring),
            assertions: Arc::clone(&self.assertions),
            session_limits: config.session,
            languages: config.branding.languages,
            renderer,
            metrics: Arc::clone(metrics),
            audit: self.audit.clone(),
            post,
            limits: config.limits,
            proxies: TrustedProxies::new(config.trusted_proxies),
            access_log: config.telemetry.access_log,
            latest: Arc::clone(&self.latest),
        };
        Ok(Ready { parts, certificates, mailing, uncounted })
    }

    fn accounts(&self, config: &Config, before: Option<&Parts>) -> Accounts {
        let (totp, recovery_codes) = (config.totp.clone(), config.recovery_codes);
        match before {
            Some(parts) => parts.accounts.with(totp, recovery_codes),
            None => {
                let pepper: Zeroizing<[u8; 32]> = self.keyring.derive("recovery codes");
                let (store, sessions) = (Arc::clone(&self.store), Arc::clone(&self.sessions));
                Accounts::new(store, sessions, totp, recovery_codes, pepper)
            }
        }
    }
}
