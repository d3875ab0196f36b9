//! Stage 2: which portal a request is for, and what in it.

use std::sync::Arc;

use pingora_proxy::Session;

use super::context::Incoming;
use super::fail::Failure;
use super::tls::ServerName;
use crate::net::host::Host;
use crate::site::destination::{self, Purpose};
use crate::site::{Site, Sites};

/// Finds the portal by the host.
///
/// # Errors
/// [`Failure::UnknownHost`] when nobody has it, or when the connection was made for another
/// portal: a browser may share one connection between hosts that share a certificate
/// (RFC 9110 section 15.5.20).
pub(super) fn route(
    session: &Session,
    incoming: &Incoming,
    sites: &Sites,
) -> Result<Arc<Site>, Failure> {
    portal_at(&incoming.origin.host, server_name(session), sites)
}

fn portal_at(host: &Host, server_name: Option<&str>, sites: &Sites) -> Result<Arc<Site>, Failure> {
    let site = sites.at(host).ok_or(Failure::UnknownHost)?;
    let same = server_name.is_none_or(|name| {
        if name == host.as_str() {
            return true;
        }
        let named = Host::parse(name).ok().and_then(|host| sites.at(&host));
        named.is_some_and(|named| named.index == site.index)
    });
    if same { Ok(Arc::clone(site)) } else { Err(Failure::UnknownHost) }
}

/// What the request is for at its portal, and what is asked for it.
pub(super) fn purpose<'a>(site: &'a Site, incoming: &Incoming) -> Purpose<'a> {
    let client = incoming.origin.ends.client;
    let origin = destination::Origin { client, host: incoming.origin.host.as_str() };
    destination::purpose(&site.portal, incoming.asks_for(), origin)
}

/// The part of the path below our own prefix, where it is below it.
pub(super) fn own_page<'a>(site: &Site, incoming: &'a Incoming) -> Option<&'a str> {
    destination::own_page(&site.portal, &incoming.path)
}

/// Whether the portal takes a password at this address.
pub(super) fn takes_password(site: &Site, incoming: &Incoming) -> bool {
    destination::takes_password(&site.portal, incoming.asks_for())
}

/// Whether the request signs the user out of the portal.
pub(super) fn signs_out(site: &Site, incoming: &Incoming) -> bool {
    destination::signs_out(&site.portal, incoming.asks_for())
}

fn server_name(session: &Session) -> Option<&str> {
    let digest = session.digest()?.ssl_digest.as_ref()?;
    digest.extension.get::<ServerName>().map(|name| name.0.as_str())
}

#[cfg(test)]
mod tests {
    use super::portal_at;
    use crate::net::host::Host;
    use crate::site::house::sites;

    #[test]
    fn a_host_leads_to_its_portal() {
        let sites = sites();
        let at = |host: &str, name: Option<&str>| {
            let site = portal_at(&Host::parse(host).unwrap(), name, &sites);
            site.map(|site| site.portal.name.clone()).ok()
        };
        assert_eq!(at("wiki.test", None).as_deref(), Some("wiki"));
        assert_eq!(at("wiki.test", Some("WIKI.test")).as_deref(), Some("wiki"));
        assert_eq!(at("wiki.test", Some("pages.test")).as_deref(), Some("wiki"));
        for (host, name) in [
            ("other.test", None),
            ("wiki.test", Some("shop.test")),
            ("wiki.test", Some("other.test")),
            ("wiki.test", Some("not a host")),
        ] {
            assert_eq!(at(host, name), None, "{host} over {name:?}");
        }
    }
}
