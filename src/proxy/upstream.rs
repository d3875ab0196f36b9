//! Where a portal is: its address, and how long it may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pingora_core::protocols::ALPN;
use pingora_core::upstreams::peer::{H1UpgradePolicy, HttpPeer, HttpUpstreamRequestPolicy};

use super::fail::Failure;
use super::turns::TakingTurns;
use super::workers;
use crate::clock::UnixMillis;
use crate::config::Upstream;
use crate::net::lines::{Line, Lines};

const CONNECT: Duration = Duration::from_secs(5);
/// How long a portal may be silent while it answers.
pub(super) const ANSWER: Duration = Duration::from_secs(300);
/// How long a WebSocket may be silent.
pub(super) const SOCKET: Duration = Duration::from_secs(24 * 3600);
/// How long a connection is kept for the next request; many portals close theirs soon.
const IDLE: Duration = Duration::from_secs(10);
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
    pub async fn peer(
        &self,
        now: UnixMillis,
        patience: Duration,
    ) -> Result<Box<HttpPeer>, Failure> {
        let address = self.address(now).await?;
        let host = self.upstream.host.clone();
        let mut peer = Box::new(HttpPeer::new(address, self.upstream.tls, host));
        let options = &mut peer.options;
        options.connection_timeout = Some(CONNECT);
        options.total_connection_timeout = Some(CONNECT * 2);
        options.read_timeout = Some(patience);
        options.write_timeout = Some(patience);
        options.idle_timeout = Some(IDLE);
        options.verify_cert = true;
        options.verify_hostname = true;
        options.alpn = ALPN::H1;
        // A connection is woken by the worker that made it, and so is for none other.
        peer.group_key = workers::number();
        Ok(peer)
    }

    /// The peer of a request that was cleaned and has these `lines`.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when its name does not resolve.
    pub(super) async fn peer_for(
        &self,
        now: UnixMillis,
        lines: Lines,
    ) -> Result<Box<HttpPeer>, Failure> {
        let mut peer = self.peer(now, ANSWER).await?;
        peer.options.http_upstream_request_policy = policy(lines);
        Ok(peer)
    }

    /// The peer of a WebSocket, which may be silent for long.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when its name does not resolve.
    pub async fn socket_peer(&self, now: UnixMillis) -> Result<Box<HttpPeer>, Failure> {
        let mut peer = self.peer(now, SOCKET).await?;
        peer.options.custom_l4 = Some(Arc::new(TakingTurns(CONNECT)));
        // No other request's connection may serve it.
        peer.group_key = !peer.group_key;
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

/// What the framework has to take from a cleaned request that has these `lines`. What concerns a
/// connection alone was taken away before, but for these three; to look for all of it once more
/// is a fortieth of a request's work.
fn policy(lines: Lines) -> HttpUpstreamRequestPolicy {
    let nothing = HttpUpstreamRequestPolicy::preserve();
    if lines.has(Line::TransferEncoding) || lines.has(Line::Upgrade) {
        HttpUpstreamRequestPolicy::standard()
    } else if lines.has(Line::Connection) {
        HttpUpstreamRequestPolicy { h1_upgrade: H1UpgradePolicy::Deny, ..nothing }
    } else {
        nothing
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use pingora_core::upstreams::peer::Peer as _;

    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn door(host: &str, tls: bool) -> Door {
        Door::new(&Upstream { host: host.to_owned(), port: 8443, tls })
    }

    #[tokio::test]
    async fn a_portal_is_spoken_to_by_the_name_that_ops_wrote() {
        let peer = door("localhost", true).peer(NOW, ANSWER).await.unwrap();
        assert!(peer.is_tls() && peer.sni() == "localhost");
        let options = peer.get_peer_options().unwrap();
        assert!(options.verify_cert && options.verify_hostname);
        assert_eq!(options.alpn, ALPN::H1);
        assert!(!door("127.0.0.1", false).peer(NOW, ANSWER).await.unwrap().is_tls());
    }

    #[tokio::test]
    async fn no_wait_for_a_portal_is_without_end() {
        for patience in [ANSWER, SOCKET] {
            let peer = door("[::1]", false).peer(NOW, patience).await.unwrap();
            assert_eq!(peer.address().to_string(), "[::1]:8443");
            let options = peer.get_peer_options().unwrap();
            assert_eq!(options.read_timeout, Some(patience));
            assert_eq!(options.write_timeout, Some(patience));
            assert_eq!(options.connection_timeout, Some(CONNECT));
            assert_eq!(options.total_connection_timeout, Some(CONNECT * 2));
            assert_eq!(options.idle_timeout, Some(IDLE));
        }
    }

    #[test]
    fn the_framework_takes_away_what_is_left() {
        let policy = |names: &[&'static str]| {
            let lines = names.iter().map(|name| HeaderName::from_static(name));
            let headers = lines.map(|name| (name, HeaderValue::from_static("x"))).collect();
            policy(Lines::of(&headers))
        };
        assert_eq!(policy(&["cookie", "te", "x-real-ip"]), HttpUpstreamRequestPolicy::preserve());
        for names in [&["upgrade", "connection"][..], &["transfer-encoding"]] {
            assert_eq!(policy(names), HttpUpstreamRequestPolicy::standard(), "{names:?}");
        }
        let connection = policy(&["connection", "cookie"]);
        assert_eq!(connection.h1_upgrade, H1UpgradePolicy::Deny);
        assert!(!connection.strip_hop_by_hop && !connection.strip_connection_nominated);
    }

    #[tokio::test]
    async fn a_websocket_shares_no_connection_with_other_requests() {
        let door = door("127.0.0.1", true);
        let (socket, other) =
            (door.socket_peer(NOW).await.unwrap(), door.peer(NOW, SOCKET).await.unwrap());
        assert_ne!(socket.reuse_hash(), other.reuse_hash());
        let options = socket.get_peer_options().unwrap();
        assert_eq!(options.read_timeout, Some(SOCKET));
        assert!(options.verify_cert && options.verify_hostname);
    }

    #[tokio::test]
    async fn an_address_is_kept_for_a_while_and_then_asked_for_again() {
        let door = door("127.0.0.1", false);
        let kept: SocketAddr = "192.0.2.7:1".parse().unwrap();
        let found: SocketAddr = "127.0.0.1:8443".parse().unwrap();
        door.resolved.store(Some(Arc::new((NOW, kept))));
        let almost = NOW.plus(RESOLVED_FOR).minus(Duration::from_millis(1));
        assert_eq!(door.address(almost).await.unwrap(), kept);
        assert_eq!(door.address(NOW.plus(RESOLVED_FOR)).await.unwrap(), found);
        assert_eq!(door.address(almost).await.unwrap(), found, "the new one was not kept");
    }

    /// A name with an empty label is none that can be asked for, so this needs no network.
    #[tokio::test]
    async fn a_portal_without_an_address_is_unreachable() {
        let peer = door("a..b", false).peer(NOW, ANSWER).await;
        assert!(matches!(peer, Err(Failure::Unreachable(_))));
    }
}
