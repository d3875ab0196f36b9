//! Stage 2: which portal a request is for, and what in it.

use std::sync::Arc;

use pingora_proxy::Session;

use super::context::Incoming;
use super::fail::Failure;
use super::tls::ServerName;
use crate::identity::{is_login_address, names_a_user};
use crate::net::host::Host;
use crate::policy::Destination;
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
    portal_at(&incoming.origin.host, server_name(session).as_deref(), sites)
}

fn portal_at(host: &Host, server_name: Option<&str>, sites: &Sites) -> Result<Arc<Site>, Failure> {
    let site = sites.at(host).ok_or(Failure::UnknownHost)?;
    let same = server_name.is_none_or(|name| {
        let named = Host::parse(name).ok().and_then(|host| sites.at(&host));
        named.is_some_and(|named| named.index == site.index)
    });
    if same { Ok(Arc::clone(site)) } else { Err(Failure::UnknownHost) }
}

/// What the request is for at its portal.
pub(super) fn destination(site: &Site, incoming: &Incoming) -> Destination {
    if own_page(site, incoming).is_some() {
        return Destination::OwnPage;
    }
    if is_login_page(site, incoming) {
        return Destination::Login;
    }
    let public = site.portal.public.iter().any(|pattern| pattern.matches(&incoming.path));
    if public { Destination::Public } else { Destination::Protected }
}

/// The part of the path below our own prefix, where it is below it. Ours is whatever could
/// be read as below it, so that no portal ever answers there.
pub(super) fn own_page<'a>(site: &Site, incoming: &'a Incoming) -> Option<&'a str> {
    let rest = incoming.path.as_str().strip_prefix(&site.portal.prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether the portal takes a password at this address.
pub(super) fn takes_password(site: &Site, incoming: &Incoming) -> bool {
    is_login_address(&site.portal.identity, &incoming.method, &incoming.path)
}

/// Whether the request signs the user out of the portal.
pub(super) fn signs_out(site: &Site, incoming: &Incoming) -> bool {
    let Some(logout) = &site.portal.identity.logout else {
        return false;
    };
    let here = incoming.path.canonical() == Some(logout.path.as_str());
    here && carries(incoming.query.as_deref(), &logout.query)
}

/// The login page: its path, and every query key of `login_url` once and with its value.
fn is_login_page(site: &Site, incoming: &Incoming) -> bool {
    let Some(login_url) = site.portal.identity.login_url.as_deref() else {
        return false;
    };
    let (path, query) = login_url.split_once('?').unwrap_or((login_url, ""));
    let reads = matches!(incoming.method.as_str(), "GET" | "HEAD");
    let query_names = incoming.query.as_deref().unwrap_or_default().as_bytes();
    if names_a_user(&site.portal.identity, query_names) {
        return false;
    }
    let wanted: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    reads && incoming.path.canonical() == Some(path) && carries(incoming.query.as_deref(), &wanted)
}

fn carries(query: Option<&str>, wanted: &[(String, String)]) -> bool {
    let given: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    wanted.iter().all(|(name, value)| {
        let mut values = given.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        values.next() == Some(value) && values.next().is_none()
    })
}

fn server_name(session: &Session) -> Option<String> {
    let digest = session.digest()?.ssl_digest.as_ref()?;
    digest.extension.get::<ServerName>().map(|name| name.0.clone())
}

#[cfg(test)]
mod tests;
