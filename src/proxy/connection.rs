//! One client connection: how many a client may hold, how long a head may take, and the end
//! of whatever runs on it when the session that carries it ends.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::net::TcpStream;

use super::in_force::InForce;
use super::proxy_header::{self, Refused};
use crate::clock::{Stopwatch, UnixMillis};
use crate::config::Limits;
use crate::telemetry::label::ThrottleScope;
use crate::user::Opaque;

/// How long an idle connection stays open.
pub const KEEP_ALIVE_SECONDS: u64 = 60;
/// How soon a stream ends after its session: within a second.
const LOOK: Duration = Duration::from_millis(500);

tokio::task_local! {
    static THIS: Arc<State>;
}

/// What happens on this connection at the moment. HTTP/2 runs many requests on one
/// connection, each in a task of its own: there it is what happens on one stream.
#[derive(Default)]
struct State {
    inner: Mutex<Now>,
    requests: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct Now {
    /// Whether a request is under way, past its head.
    busy: bool,
    /// The session that carries it.
    carrier: Option<Opaque>,
    /// Since when.
    since: Option<Stopwatch>,
    /// From when on that session alone does not suffice.
    until: Option<UnixMillis>,
}

/// Notes that the head of a request is complete.
pub fn head_complete() {
    note(|now| *now = Now { busy: true, ..Now::default() });
}

/// Notes which session carries the request under way, and until when it does.
pub fn carries(carrier: Option<Opaque>, until: Option<UnixMillis>) {
    let since = carrier.map(|_| Stopwatch::start());
    note(|now| *now = Now { carrier, since, until, ..*now });
}

/// Notes that the request under way is done; the time for the next head runs.
pub fn request_done() {
    note(|now| *now = Now::default());
    let _outside_a_connection =
        THIS.try_with(|state| state.requests.fetch_add(1, Ordering::Relaxed));
}

fn note(change: impl FnOnce(&mut Now)) {
    let _outside_a_connection = THIS
        .try_with(|state| change(&mut state.inner.lock().unwrap_or_else(PoisonError::into_inner)));
}

impl State {
    fn now(&self) -> Now {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server of public connections, round the framework's own.
pub struct Front {
    streams: Arc<Streams>,
    in_force: InForce,
    clients: Arc<Clients>,
}

impl Front {
    /// Serves connections for `proxy`, by what is in force.
    pub fn new(proxy: Arc<HttpProxy<InForce>>, in_force: InForce) -> Self {
        let clients = Arc::new(Clients { open: Mutex::default() });
        let streams = Arc::new(Streams { proxy, in_force: in_force.clone() });
        Self { streams, in_force, clients }
    }

    /// The address that the header of a new connection names; nothing where the connection has
    /// to be closed.
    pub(super) async fn named(
        &self,
        stream: &mut TcpStream,
        peer: SocketAddr,
    ) -> Option<SocketAddr> {
        let gateway = self.in_force.now();
        match proxy_header::read(stream, peer, &gateway.parts.proxies).await {
            Ok(named) => Some(named),
            // A balancer that only looks whether somebody listens leaves at once.
            Err(Refused::Gone) => None,
            Err(refused @ (Refused::Untrusted | Refused::Malformed(_) | Refused::Late)) => {
                tracing::info!(peer = %peer.ip(), %refused, "a connection was closed");
                gateway.parts.metrics.connection_refused();
                None
            }
        }
    }

    async fn watch(&self, state: &State, http2: bool) {
        let limits = self.in_force.now().parts.limits;
        let mut waiting_since = Stopwatch::start();
        let mut requests = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state.now();
            if ended(&self.in_force, now) {
                tracing::info!("a connection was cut: the session that carried it ended");
                return;
            }
            let done = state.requests.load(Ordering::Relaxed);
            if now.busy || done != requests {
                requests = done;
                waiting_since = Stopwatch::start();
            } else if !http2 && waiting_since.elapsed() > patience(&limits, done) {
                tracing::info!("a connection was closed: no complete head came in time");
                return;
            }
        }
    }
}

/// The first head has its deadline; later ones may first be waited for.
fn patience(limits: &Limits, requests: u64) -> Duration {
    let idle = if requests == 0 { 0 } else { KEEP_ALIVE_SECONDS };
    limits.header_deadline + Duration::from_secs(idle)
}

fn ended(in_force: &InForce, now: Now) -> bool {
    let gateway = in_force.now();
    let (sessions, at) = (&gateway.parts.sessions, gateway.parts.now());
    let late = now.until.is_some_and(|until| until <= at);
    let goes_on = |(root, since)| sessions.carries(at, root, since);
    late || now.carrier.zip(now.since).is_some_and(|carrier| !goes_on(carrier))
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let peer = stream
            .get_socket_digest()
            .and_then(|digest| digest.peer_addr().and_then(|peer| peer.as_inet().copied()))
            .map(|peer| peer.ip().to_canonical());
        let gateway = self.in_force.now();
        // All clients behind a proxy would share the allowance of one.
        let client = peer.filter(|peer| !gateway.parts.proxies.contains(*peer));
        let limit = gateway.parts.limits.connections_per_client;
        let Some(_place) = self.clients.enter(client, limit) else {
            gateway.parts.metrics.nowhere().throttled(ThrottleScope::Client);
            return None;
        };
        // A connection may last for days, and must not hold on to what was in force when it began.
        drop(gateway);
        let state = Arc::new(State::default());
        let http2 = matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        let served = THIS.scope(Arc::clone(&state), self.streams.process_new(stream, shutdown));
        tokio::select! {
            left = served => left,
            () = self.watch(&state, http2) => None,
        }
    }

    async fn cleanup(&self) {
        self.streams.http_cleanup().await;
    }
}

/// The framework's proxy, with a watch over each stream of HTTP/2: one that carries nothing
/// for a while would outlive its session, since the framework asks us at each part alone.
struct Streams {
    proxy: Arc<HttpProxy<InForce>>,
    in_force: InForce,
}

impl Streams {
    async fn session_ended(&self, state: &State) {
        loop {
            tokio::time::sleep(LOOK).await;
            if ended(&self.in_force, state.now()) {
                tracing::info!("a stream was cut: the session that carried it ended");
                return;
            }
        }
    }
}

#[async_trait]
impl HttpServerApp for Streams {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !session.is_http2() {
            return self.proxy.process_new_http(session, shutdown).await;
        }
        let state = Arc::new(State::default());
        let served = THIS.scope(Arc::clone(&state), self.proxy.process_new_http(session, shutdown));
        // Whatever is dropped unfinished is reset, and the streams beside it go on.
        tokio::select! {
            left = served => left,
            () = self.session_ended(&state) => None,
        }
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }
}

/// How many connections each client holds.
struct Clients {
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A place among a client's connections, given back when it is dropped.
struct Place {
    clients: Arc<Clients>,
    client: Option<IpAddr>,
}

impl Clients {
    fn enter(self: &Arc<Self>, client: Option<IpAddr>, limit: usize) -> Option<Place> {
        if let Some(client) = client {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(client).or_default();
            if *count >= limit {
                return None;
            }
            *count += 1;
        }
        Some(Place { clients: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut open = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&client);
            }
        }
    }
}
