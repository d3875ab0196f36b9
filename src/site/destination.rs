//! What a request is for at its portal, told by its method, path and query alone. Whoever
//! judges a request and whoever explains a judgement read it here.

use std::net::IpAddr;

use crate::config::Portal;
use crate::identity::{is_login_address, names_a_user};
use crate::net::path::RequestPath;
use crate::policy::rules::{Asked, Because, Judged};
use crate::policy::{Demand, Destination};

/// What of a request says what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The method, as it came.
    pub method: &'a str,
    /// The path.
    pub path: &'a RequestPath,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
}

/// Where a request comes from and which name it asks for: what rules look at beside its target.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The address of the client, where it is known.
    pub client: Option<IpAddr>,
    /// The host, in lower case and without port.
    pub host: &'a str,
}

/// What a request is for, and what the rules of ops ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// What it is for.
    pub destination: Destination,
    /// What is asked for it, and why.
    pub judged: Judged<'a>,
}

/// What the request is for at its portal, and what is asked for it.
pub fn purpose<'a>(portal: &'a Portal, target: Target<'_>, origin: Origin<'_>) -> Purpose<'a> {
    let Target { method, path, query } = target;
    let Origin { client, host } = origin;
    let judged = portal.rules.judge(&Asked { method, path, query, client, host });
    Purpose { destination: destination(portal, target, &judged), judged }
}

fn destination(portal: &Portal, target: Target<'_>, judged: &Judged<'_>) -> Destination {
    if own_page(portal, target.path).is_some() {
        return Destination::OwnPage;
    }
    if is_login_page(portal, target) {
        return Destination::Login;
    }
    match (judged.demand, judged.because) {
        (Demand::None, Because::Public(_) | Because::Default) => Destination::Public,
        (Demand::None, Because::Rule(..)) => Destination::Bypass,
        (Demand::Service | Demand::Mfa | Demand::Fresh(_) | Demand::Deny, _) => {
            Destination::Protected
        }
    }
}

/// The part of the path below our own prefix, where it is below it. Ours is whatever could
/// be read as below it, so that no portal ever answers there.
pub fn own_page<'a>(portal: &Portal, path: &'a RequestPath) -> Option<&'a str> {
    let rest = path.as_str().strip_prefix(&portal.prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether the portal takes a password at this address.
pub fn takes_password(portal: &Portal, target: Target<'_>) -> bool {
    is_login_address(&portal.identity, target.method, target.path)
}

/// Whether the request signs the user out of the portal.
pub fn signs_out(portal: &Portal, target: Target<'_>) -> bool {
    let Some(logout) = &portal.identity.logout else {
        return false;
    };
    let here = target.path.canonical() == Some(logout.path.as_str());
    here && carries(target.query, &logout.query)
}

/// The login page: its path, and every query key of `login_url` once and with its value.
fn is_login_page(portal: &Portal, target: Target<'_>) -> bool {
    let Some(login_url) = portal.identity.login_url.as_deref() else {
        return false;
    };
    let (path, query) = login_url.split_once('?').unwrap_or((login_url, ""));
    let reads = matches!(target.method, "GET" | "HEAD");
    if !reads || target.path.canonical() != Some(path) {
        return false;
    }
    let wanted: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let given = target.query.unwrap_or_default().as_bytes();
    carries(target.query, &wanted) && !names_a_user(&portal.identity, given)
}

fn carries(query: Option<&str>, wanted: &[(String, String)]) -> bool {
    let given: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    wanted.iter().all(|(name, value)| {
        let mut values = given.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        values.next() == Some(value) && values.next().is_none()
    })
}

#[cfg(test)]
mod tests;
