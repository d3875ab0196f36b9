//! Where a portal is: its address, and how long it may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pingora_core::protocols::ALPN;
use pingora_core::upstreams::peer::HttpPeer;

use super::fail::Failure;
use crate::clock::UnixMillis;
use crate::config::Upstream;

const CONNECT: Duration = Duration::from_secs(5);
/// How long a portal may be silent while it answers.
pub(super) const ANSWER: Duration = Duration::from_secs(300);
/// How long a WebSocket may be silent.
pub(super) const SOCKET: Duration = Duration::from_secs(24 * 3600);
const IDLE: Duration = Duration::from_secs(60);
/// How long an answer of the resolver is used.
const RESOLVED_FOR: Duration = Duration::from_secs(10);

/// A portal's address, resolved now and then.
pub struct Door {
    upstream: Upstream,
    resolved: ArcSwapOption<(UnixMillis, SocketAddr)>,
}

impl Door {
    /// The way to `upstream`.
    pub fn new(upstream: &Upstream) -> Self {
        Self { upstream: upstream.clone(), resolved: ArcSwapOption::empty() }
    }

    /// The peer to connect to, silent for `patience` at most, every timeout set; over TLS its chain and name are verified.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when its name does not resolve.
    pub async fn peer(&self, now: UnixMillis, patience: Duration) -> Result<HttpPeer, Failure> {
        let address = self.address(now).await?;
        let mut peer = HttpPeer::new(address, self.upstream.tls, self.upstream.host.clone());
        let options = &mut peer.options;
        options.connection_timeout = Some(CONNECT);
        options.total_connection_timeout = Some(CONNECT * 2);
        options.read_timeout = Some(patience);
        options.write_timeout = Some(patience);
        options.idle_timeout = Some(IDLE);
        options.verify_cert = true;
        options.verify_hostname = true;
        options.alpn = ALPN::H1;
        Ok(peer)
    }

    async fn address(&self, now: UnixMillis) -> Result<SocketAddr, Failure> {
        if let Some(resolved) = self.resolved.load().as_deref()
            && now.since(resolved.0) < RESOLVED_FOR
        {
            return Ok(resolved.1);
        }
        let host = self.upstream.host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, self.upstream.port)).await;
        let address = found
            .map_err(|error| Failure::Unreachable(error.kind().to_string()))?
            .next()
            .ok_or_else(|| Failure::Unreachable("its name has no address".to_owned()))?;
        self.resolved.store(Some(Arc::new((now, address))));
        Ok(address)
    }
}
