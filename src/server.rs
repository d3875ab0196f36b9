//! Builds the house from a configuration and keeps it running: store, keys, portals, public
//! listeners, the admin listener, and what is done now and then.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::account::AccountError;
use crate::admin::{self, Readiness};
use crate::audit::{AuditError, By, Detail, Entry, Event, OpenAuditError};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Fixed};
use crate::notify::{LetterError, NotifyError};
use crate::pages::render::RenderError;
use crate::proxy::in_force::InForce;
use crate::proxy::service::PeerNamed;
use crate::proxy::workers::Workers;
use crate::proxy::{service, tls};
use crate::session::KeyRingError;
use crate::site::Parts;
use crate::store::backup;
use crate::store::keyring::{Keyring, KeyringError};
use crate::store::{self, OpenError, Store, StoreError};
use crate::telemetry::metered::Metered;
use crate::telemetry::metrics::{Metrics, MetricsError};

mod counting;
mod files;
mod follow;
mod lasting;
mod mails;
mod reload;
mod upkeep;

use counting::{Counting, Uncounted};
use follow::Follower;
use lasting::{Lasting, Prepared};
use mails::Mailing;
use reload::Reload;
pub use reload::Source;

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
    /// What had to be in the audit log cannot be written there.
    #[error(transparent)]
    Unwritten(#[from] AuditError),
    /// Accounts.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A template.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A template of a mail.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// The server of mails.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] OpenAuditError),
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

/// Runs the gateway until a signal to stop, its public connections on `workers`. Where it has a
/// `source`, another configuration may come from there meanwhile. `ready` hears one line for each
/// listener, once all of them take requests.
///
/// # Errors
/// When it cannot start; or when the store cannot be closed cleanly in the end.
pub async fn run(
    config: Config,
    source: Option<Source>,
    workers: &Arc<Workers>,
    ready: impl FnOnce(&[String]),
) -> Result<(), ServerError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keyring = Keyring::load(&config.master_key)?;
    let metrics = Arc::new(Metrics::new()?);
    let opened = store::open(&config.store, &keyring, clock.now()).await?;
    let (engine, shown) = (config.store.engine(), Arc::clone(&metrics));
    let store: Arc<dyn Store> = Arc::new(Metered::new(opened, engine, shown)?);
    let fixed = Fixed::of(&config);
    let served = match House::build(config, keyring, Arc::clone(&store), clock, metrics).await {
        Ok((house, orders)) => {
            let reload = source.map(|source| house.reload(source, fixed.clone()));
            let served = serve(&house, orders, &fixed, reload, workers, ready).await;
            house.ends(&served).await;
            served
        }
        Err(error) => Err(error),
    };
    // What was opened is left as it was found, whatever happened.
    store.close().await?;
    served
}

/// What all requests share, from its configuration. Tests and benches build the same.
#[doc(hidden)]
pub async fn build(
    config: Config,
    keyring: Keyring,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Parts, ServerError> {
    let telemetry = config.telemetry.clone();
    let lasting = Lasting::load(keyring, store, clock, metrics, &telemetry).await?;
    Ok(lasting.parts(Prepared::read(config)?, None).await?.parts)
}

/// Follows a store that is shared, for as long as a test goes on.
#[cfg(test)]
pub(crate) fn follow_for_ever(parts: &Parts) {
    let follower = Follower::of(parts);
    tokio::spawn(async move {
        let (_never, stopped) = watch::channel(false);
        follower.keep(stopped).await;
    });
}

/// What outlives a configuration, and the one in force.
struct House {
    lasting: Arc<Lasting>,
    in_force: InForce,
    /// What each configuration says of mails goes in here.
    mails: mpsc::UnboundedSender<Mailing>,
    /// The portals that each configuration adds.
    counting: mpsc::UnboundedSender<Vec<Uncounted>>,
}

/// What each configuration orders, beginning with the first.
struct Orders {
    mails: mpsc::UnboundedReceiver<Mailing>,
    counting: Counting,
}

impl House {
    async fn build(
        config: Config,
        keyring: Keyring,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Orders), ServerError> {
        let telemetry = config.telemetry.clone();
        let lasting = Lasting::load(keyring, store, clock, metrics, &telemetry).await?;
        let ready = lasting.parts(Prepared::read(config)?, None).await?;
        let (mails, mail_orders) = mpsc::unbounded_channel();
        let (counting, count_orders) = mpsc::unbounded_channel();
        let _heard = (mails.send(ready.mailing), counting.send(ready.uncounted));
        let orders = Orders { mails: mail_orders, counting: Counting::of(count_orders) };
        let in_force = InForce::new(ready.parts, ready.certificates);
        tell_of_import(&lasting, &in_force).await?;
        Ok((Self { lasting: Arc::new(lasting), in_force, mails, counting }, orders))
    }

    /// The last line of the audit log.
    async fn ends(&self, served: &Result<(), ServerError>) {
        let Lasting { audit, clock, .. } = &*self.lasting;
        let entry = Entry::new(Event::Stopped, By::Gateway);
        audit.mention(
            clock.now(),
            match served {
                Ok(()) => entry,
                Err(error) => entry.with(Detail::Refusal, error.to_string()),
            },
        );
        audit.close().await;
    }

    fn reload(&self, source: Source, fixed: Fixed) -> Reload {
        let (lasting, in_force) = (Arc::clone(&self.lasting), self.in_force.clone());
        let told = (self.mails.clone(), self.counting.clone());
        Reload::of(source, fixed, lasting, in_force, told)
    }
}

async fn serve(
    house: &House,
    orders: Orders,
    fixed: &Fixed,
    reload: Option<Reload>,
    workers: &Arc<Workers>,
    ready: impl FnOnce(&[String]),
) -> Result<(), ServerError> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let House { lasting, in_force, .. } = house;
    let mut services = JoinSet::new();
    let mut lines = listen(in_force, fixed, &mut services, workers, &stopped).await?;
    if let Some(address) = fixed.admin {
        let bound = bind(address).await?;
        lines.push(format!("admin on http://{}", local(&bound, address)));
        let readiness: Arc<dyn Readiness> = Arc::new(HouseReadiness(in_force.clone()));
        let metrics = Arc::clone(&lasting.metrics);
        let in_force = in_force.clone();
        let house: admin::House = Arc::new(move || Arc::clone(&in_force.now().parts));
        services.spawn(watch_over(bound, metrics, readiness, house, stopped.clone()));
    }
    if let Some(reload) = reload {
        let hangup = signal(SignalKind::hangup()).map_err(ServerError::Signals)?;
        services.spawn(reload.keep(hangup, stopped.clone()));
    }
    let (clock, metrics) = (Arc::clone(&lasting.clock), Arc::clone(&lasting.metrics));
    let store = Arc::clone(&lasting.store);
    services.spawn(mails::keep(orders.mails, store, clock, metrics, stopped.clone()));
    let counted = orders.counting.first();
    services.spawn(orders.counting.keep(in_force.clone(), stopped.clone()));
    if lasting.store.is_shared() {
        let follower = Follower::of(&in_force.now().parts);
        services.spawn(follower.keep(stopped.clone()));
    }
    services.spawn(upkeep::keep(in_force.clone(), Arc::clone(&lasting.store), stopped.clone()));
    let started = Entry::new(Event::Started, By::Gateway);
    let started = started.with(Detail::Version, env!("CARGO_PKG_VERSION"));
    lasting.audit.mention(lasting.clock.now(), started);
    counted.await;
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

/// Writes down that an export was taken in while no gateway ran, once.
async fn tell_of_import(lasting: &Lasting, in_force: &InForce) -> Result<(), ServerError> {
    let (store, now) = (&*lasting.store, lasting.clock.now());
    let Some((records, made)) = backup::imported(store, now).await? else { return Ok(()) };
    let made = made.in_words();
    let entry = Entry::new(Event::StoreImported, By::Gateway);
    let entry = entry.with(Detail::Count, records.to_string()).with(Detail::Version, &made);
    in_force.now().parts.audit.note(now, entry).await?;
    tracing::warn!(records, made, "the store was imported; what was done since is not in it");
    Ok(backup::import_told(store, now).await?)
}

/// Opens the public listeners, and gives a line for each.
async fn listen(
    in_force: &InForce,
    fixed: &Fixed,
    services: &mut JoinSet<()>,
    workers: &Arc<Workers>,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<String>, ServerError> {
    let front = service::front(in_force);
    let mut lines = Vec::new();
    for (index, listener) in fixed.listeners.iter().enumerate() {
        let bound = bind(listener.address).await?;
        let acceptor = match listener.speaks_tls {
            false => None,
            true => Some(Arc::new(tls::settings(in_force, index)?.build())),
        };
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        lines.push(format!("listening on {scheme}://{}", local(&bound, listener.address)));
        let named = match listener.proxy_protocol {
            true => PeerNamed::ByHeader,
            false => PeerNamed::BySocket,
        };
        let (front, workers) = (Arc::clone(&front), Arc::clone(workers));
        services.spawn(service::serve(bound, acceptor, named, front, workers, stopped.clone()));
    }
    Ok(lines)
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
    metrics: Arc<Metrics>,
    readiness: Arc<dyn Readiness>,
    house: admin::House,
    stopped: watch::Receiver<bool>,
) {
    if let Err(error) = admin::serve(bound, metrics, readiness, house, wait_for(stopped)).await {
        tracing::error!(%error, "the admin listener is gone");
    }
}

/// Ready means that store and audit log take writes and that the clock did not go back: without
/// one of these, people are refused.
struct HouseReadiness(InForce);

#[async_trait::async_trait]
impl Readiness for HouseReadiness {
    async fn ready(&self) -> Result<(), String> {
        let now = self.0.now();
        if now.parts.is_clock_in_doubt() {
            return Err("the clock went back by more than a minute; set it right".to_owned());
        }
        now.parts.audit.ready().map_err(|error| error.to_string())?;
        now.parts.store.ready().await.map_err(|error| error.to_string())
    }
}
