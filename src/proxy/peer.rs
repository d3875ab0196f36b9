//! Who sent a request: the peer that wrote it, and the client that it may speak for.

use std::net::IpAddr;

use http::HeaderValue;
use pingora_proxy::Session;

use super::proxy_header::NO_PORT;
use crate::net::client::TrustedProxies;

/// Who is at the other end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// The address that wrote the request: the one that speaks to us, or that the balancer named
    /// which passes its bytes on. Nobody's where the balancer named nobody.
    pub peer: Option<IpAddr>,
    /// The address of the client, which is the peer's unless that is a trusted proxy: then it is
    /// the one that the proxy tells.
    pub client: Option<IpAddr>,
    /// Whether the client came over TLS.
    pub tls: bool,
}

impl Ends {
    /// Those of this request.
    pub(super) fn of(session: &Session, proxies: &TrustedProxies) -> Self {
        let socket = session.client_addr().and_then(|address| address.as_inet());
        let address = socket.map(|socket| socket.ip().to_canonical());
        let peer = address.filter(|_| socket.is_some_and(|socket| socket.port() != NO_PORT));
        let client = match peer {
            Some(peer) => Some(proxies.client(peer, lines(session, "x-forwarded-for"))),
            None => address,
        };
        let told =
            peer.and_then(|peer| proxies.over_tls(peer, lines(session, "x-forwarded-proto")));
        let ours = || session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
        Self { peer, client, tls: told.unwrap_or_else(ours) }
    }
}

/// Looked for when the first is asked for: they count from a trusted peer alone.
fn lines<'a>(
    session: &'a Session,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    let found = move || session.req_header().headers.get_all(name).iter();
    std::iter::once_with(found).flatten().map(HeaderValue::as_bytes)
}
