//! Who sent a request: the peer that speaks to us, and the client that it may speak for.

use std::net::IpAddr;

use http::HeaderValue;
use pingora_proxy::Session;

use crate::net::client::TrustedProxies;

/// The address that speaks to us, or that the balancer named which passes its bytes on.
pub(super) fn address(session: &Session) -> Option<IpAddr> {
    let address = session.client_addr().and_then(|address| address.as_inet());
    address.map(|address| address.ip().to_canonical())
}

/// The address of the client, which is the peer's unless that is a trusted proxy.
pub(super) fn client(session: &Session, proxies: &TrustedProxies) -> Option<IpAddr> {
    address(session).map(|peer| proxies.client(peer, lines(session, "x-forwarded-for")))
}

/// Whether the client came over TLS.
pub(super) fn over_tls(session: &Session, proxies: &TrustedProxies) -> bool {
    let told = address(session)
        .and_then(|peer| proxies.over_tls(peer, lines(session, "x-forwarded-proto")));
    told.unwrap_or_else(|| session.digest().is_some_and(|digest| digest.ssl_digest.is_some()))
}

fn lines<'a>(
    session: &'a Session,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    session.req_header().headers.get_all(name).iter().map(HeaderValue::as_bytes)
}
