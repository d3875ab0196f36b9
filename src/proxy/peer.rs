//! Who sent a request: the peer that wrote it, and the client that it may speak for.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use pingora_proxy::Session;

use super::proxy_header::NO_PORT;
use crate::net::client::TrustedProxies;

/// The address that wrote the request: the one that speaks to us, or that the balancer named
/// which passes its bytes on. Nobody's where the balancer named nobody.
pub(super) fn writer(session: &Session) -> Option<IpAddr> {
    let socket = socket(session).filter(|socket| socket.port() != NO_PORT);
    socket.map(|socket| socket.ip().to_canonical())
}

/// The address of the client, which is the peer's unless that is a trusted proxy.
pub(super) fn client(session: &Session, proxies: &TrustedProxies) -> Option<IpAddr> {
    match writer(session) {
        Some(peer) => Some(proxies.client(peer, lines(session, "x-forwarded-for"))),
        None => socket(session).map(|socket| socket.ip().to_canonical()),
    }
}

/// Whether the client came over TLS.
pub(super) fn over_tls(session: &Session, proxies: &TrustedProxies) -> bool {
    let told = writer(session)
        .and_then(|peer| proxies.over_tls(peer, lines(session, "x-forwarded-proto")));
    told.unwrap_or_else(|| session.digest().is_some_and(|digest| digest.ssl_digest.is_some()))
}

fn socket(session: &Session) -> Option<SocketAddr> {
    session.client_addr().and_then(|address| address.as_inet()).copied()
}

/// Looked for when the first is asked for: they count from a trusted peer alone.
fn lines<'a>(
    session: &'a Session,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    let found = move || session.req_header().headers.get_all(name).iter();
    std::iter::once_with(found).flatten().map(HeaderValue::as_bytes)
}
