//! One client connection: whose it is, how many a client may hold, and what of it is watched.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::net::TcpStream;

use super::in_force::InForce;
use super::proxy_header::{self, Refused};
use super::recall::Recall;
use super::watch::{Of, Watch};
use crate::telemetry::label::ThrottleScope;

/// The server of public connections, round the framework's own.
pub struct Front {
    proxy: Arc<HttpProxy<InForce>>,
    in_force: InForce,
    clients: Arc<Clients>,
    watch: Arc<Watch>,
}

impl Front {
    /// Serves connections for `proxy`, by what is in force. The watch over them begins.
    pub fn new(proxy: Arc<HttpProxy<InForce>>, in_force: InForce) -> Self {
        let clients = Arc::new(Clients { open: Mutex::default() });
        let watch = Watch::begin(in_force.clone());
        Self { proxy, in_force, clients, watch }
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
        let http2 = matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        // A connection may last for days, and must not hold on to what was in force when it began.
        drop(gateway);
        let recall = Arc::<Recall>::default();
        match http2 {
            // Each of its streams is watched, and the framework ends it when none comes.
            true => Streams::of(self, recall).process_new(stream, shutdown).await,
            false => {
                let served = recall.over(self.proxy.process_new(stream, shutdown));
                self.watch.over(Of::Connection, served).await.flatten()
            }
        }
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

/// The framework's proxy as one connection of HTTP/2 sees it, with a watch over each stream: one
/// that carries nothing for a while would outlive its session, since the framework asks us at
/// each part alone.
struct Streams {
    proxy: Arc<HttpProxy<InForce>>,
    watch: Arc<Watch>,
    recall: Arc<Recall>,
}

impl Streams {
    fn of(front: &Front, recall: Arc<Recall>) -> Arc<Self> {
        let (proxy, watch) = (Arc::clone(&front.proxy), Arc::clone(&front.watch));
        Arc::new(Self { proxy, watch, recall })
    }
}

#[async_trait]
impl HttpServerApp for Streams {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let served = Arc::clone(&self.recall).over(self.proxy.process_new_http(session, shutdown));
        // Whatever is dropped unfinished is reset, and the streams beside it go on.
        self.watch.over(Of::Stream, served).await.flatten()
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
            let mut open = self.open.lock();
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
        let mut open = self.clients.open.lock();
        if let Some(count) = open.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&client);
            }
        }
    }
}
