//! Builds the house from a configuration and keeps it running: store, keys, portals, public
//! listeners, the admin listener, and what is done now and then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::account::{AccountError, Accounts};
use crate::admin::{self, Readiness};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Listener};
use crate::pages::render::{RenderError, Renderer};
use crate::proxy::{service, tls};
use crate::session::{KeyRing, KeyRingError, Sessions};
use crate::site::{Parts, Sites};
use crate::store::keyring::{Keyring, KeyringError};
use crate::store::sled::{OpenError, SledStore};
use crate::store::{Store, StoreError};
use crate::telemetry::metered::Metered;
use crate::telemetry::metrics::{Metrics, MetricsError};

/// How often what is over is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often the gauges are read off.
const GAUGES_EVERY: Duration = Duration::from_secs(5);
/// How long after its end a record is kept, for gateways whose clocks differ.
const SWEEP_GRACE: Duration = Duration::from_secs(600);
/// Records removed in one sweep.
const SWEEP_BUDGET: usize = 10_000;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The master key.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store refuses to be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store refused a request.
    #[error("the store is in doubt: {0}")]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
    /// Accounts.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A template.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// An address.
    #[error("{address} cannot be listened on: {reason}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: std::io::Error,
    },
    /// Signals of the system.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// Runs the gateway until a signal to stop. `ready` hears one line for each listener, once
/// all of them take requests.
///
/// # Errors
/// When it cannot start; or when the store cannot be closed cleanly in the end.
pub async fn run(config: Config, ready: impl FnOnce(&[String])) -> Result<(), ServerError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keyring = Keyring::load(&config.master_key)?;
    let names: Vec<&str> = config.portals.iter().map(|portal| portal.name.as_str()).collect();
    let metrics = Arc::new(Metrics::new(&names)?);
    let opened = SledStore::open(&config.store.path, &keyring, clock.now())?;
    let store: Arc<dyn Store> = Arc::new(Metered::new(opened, Arc::clone(&metrics)));
    let hosts: Vec<String> =
        config.portals.iter().flat_map(|portal| portal.hosts.clone()).collect();
    let (listeners, admin_address) = (config.listeners.clone(), config.admin.clone());
    let built = build(config, &keyring, Arc::clone(&store), clock, metrics).await;
    let parts = match built {
        Ok(parts) => Arc::new(parts),
        Err(error) => {
            // What was opened is left as it was found.
            store.close().await?;
            return Err(error);
        }
    };
    let admin_address = admin_address.map(|admin| admin.address);
    let served = serve(&parts, &store, &listeners, admin_address, &hosts, ready).await;
    store.close().await?;
    served
}

/// What all requests share, from its configuration. Tests and benches build the same.
#[doc(hidden)]
pub async fn build(
    config: Config,
    keyring: &Keyring,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Parts, ServerError> {
    let now = clock.now();
    let keys = KeyRing::load_or_make(&*store, now).await?;
    let sessions = Arc::new(Sessions::load(Arc::clone(&store), now).await?);
    let pepper = keyring.derive("recovery codes");
    let accounts =
        Accounts::new(store, Arc::clone(&sessions), config.totp, config.recovery_codes, pepper);
    let sites = Sites::new(config.portals, config.session, keyring);
    let desk = config.admin.map(|admin| admin.tokens).unwrap_or_default();
    for site in sites.iter() {
        let enrolled = accounts.enrolled(now, site.tag).await?;
        metrics.portal(site.index).enrolled_users(whole(enrolled));
    }
    Ok(Parts {
        clock,
        sites,
        accounts,
        sessions,
        keys,
        desk,
        session_limits: config.session,
        renderer: Renderer::new(&config.branding)?,
        metrics,
        limits: config.limits,
        access_log: config.telemetry.access_log,
        latest: AtomicU64::new(now.0),
    })
}

async fn serve(
    parts: &Arc<Parts>,
    store: &Arc<dyn Store>,
    listeners: &[Listener],
    admin_address: Option<SocketAddr>,
    hosts: &[String],
    ready: impl FnOnce(&[String]),
) -> Result<(), ServerError> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let front = service::front(parts);
    let mut services = JoinSet::new();
    let mut lines = Vec::new();
    for listener in listeners {
        let bound = bind(listener.address).await?;
        let acceptor = match &listener.tls {
            None => None,
            Some(files) => Some(Arc::new(tls::settings(files, hosts)?.build())),
        };
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        lines.push(format!("listening on {scheme}://{}", local(&bound, listener.address)));
        services.spawn(service::serve(bound, acceptor, Arc::clone(&front), stopped.clone()));
    }
    if let Some(address) = admin_address {
        let bound = bind(address).await?;
        lines.push(format!("admin on http://{}", local(&bound, address)));
        let readiness: Arc<dyn Readiness> = Arc::new(StoreReadiness(Arc::clone(store)));
        services.spawn(watch_over(bound, Arc::clone(parts), readiness, stopped.clone()));
    }
    services.spawn(sweep(Arc::clone(parts), Arc::clone(store), stopped.clone()));
    ready(&lines);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: requests under way may end");
    stop.send_replace(true);
    while services.join_next().await.is_some() {}
    Ok(())
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|reason| ServerError::Bind { address, reason })
}

fn local(bound: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    bound.local_addr().unwrap_or(wanted)
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _stopped = stopped.wait_for(|stopped| *stopped).await;
}

async fn watch_over(
    bound: TcpListener,
    parts: Arc<Parts>,
    readiness: Arc<dyn Readiness>,
    stopped: watch::Receiver<bool>,
) {
    let metrics = Arc::clone(&parts.metrics);
    let house: admin::House = Arc::new(move || Arc::clone(&parts));
    if let Err(error) = admin::serve(bound, metrics, readiness, house, wait_for(stopped)).await {
        tracing::error!(%error, "the admin listener is gone");
    }
}

/// Numbers that are read off rather than counted.
fn refresh_gauges(parts: &Parts) {
    for site in parts.sites.iter() {
        let active = parts.sessions.count(parts.now(), &site.portal.name);
        parts.metrics.portal(site.index).sessions_active(whole(active));
    }
}

/// Forgets what is over, and reads numbers off, now and then.
async fn sweep(parts: Arc<Parts>, store: Arc<dyn Store>, stopped: watch::Receiver<bool>) {
    let stop = wait_for(stopped);
    tokio::pin!(stop);
    let mut every = tokio::time::interval(SWEEP_EVERY);
    let mut often = tokio::time::interval(GAUGES_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {
                let now = parts.now();
                parts.sessions.sweep(now);
                if let Err(error) = store.sweep(now, SWEEP_GRACE, SWEEP_BUDGET).await {
                    tracing::error!(%error, "what is over could not be removed from the store");
                }
            }
            _ = often.tick() => refresh_gauges(&parts),
            () = &mut stop => return,
        }
    }
}

/// Ready means that the store takes writes.
struct StoreReadiness(Arc<dyn Store>);

#[async_trait::async_trait]
impl Readiness for StoreReadiness {
    async fn ready(&self) -> Result<(), String> {
        match self.0.health().await.writable {
            true => Ok(()),
            false => Err("the store takes no writes".to_owned()),
        }
    }
}
