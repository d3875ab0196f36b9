//! Whose word on a client's address is believed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{all, placed};
use crate::config::Listener;
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::key_path::KeyPath;

/// A network with fewer fixed bits than 10.0.0.0/8 holds more than anybody's own machines.
const SHORTEST_IPV4: u8 = 8;
/// The same for IPv6, of which all private networks together are fc00::/7.
const SHORTEST_IPV6: u8 = 7;

/// The networks of the proxies in front of us.
pub(super) fn trusted(
    written: Option<List<String>>,
    findings: &mut Findings,
) -> Option<Vec<IpNet>> {
    let at = KeyPath::root().key("trusted_proxies");
    let written = placed(written.unwrap_or_default(), &at);
    all(written.into_iter().map(|(at, text)| network(&text, &at, findings)).collect())
}

fn network(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        findings.fault(at, format!("'{text}' is no network"), "write one, such as 10.0.0.5/32");
        return None;
    };
    let mend = "name the proxies' own addresses, such as 10.0.0.5/32";
    // Addresses are compared in their IPv4 form, so such a network would hold nobody, or all.
    if matches!(network, IpNet::V6(six) if six.addr().to_ipv4_mapped().is_some()) {
        findings.fault(at, format!("'{text}' is IPv4 written as IPv6"), mend);
        return None;
    }
    if network.prefix_len() == 0 {
        let what = "is everybody, who could all say that they are any client";
        findings.fault(at, what, mend);
        return None;
    }
    let shortest = if matches!(network, IpNet::V4(_)) { SHORTEST_IPV4 } else { SHORTEST_IPV6 };
    if network.prefix_len() < shortest {
        let what = "holds much of the Internet, and whoever is in it can say to be any client";
        findings.warn(at, what, mend);
    }
    Some(network)
}

/// A PROXY header is taken from trusted proxies alone: without any, nobody could connect.
pub(super) fn headers_have_senders(
    listeners: Option<&[Listener]>,
    trusted: Option<&[IpNet]>,
    findings: &mut Findings,
) {
    if !trusted.is_some_and(<[IpNet]>::is_empty) {
        return;
    }
    let listeners = listeners.unwrap_or_default().iter().enumerate();
    for (index, _) in listeners.filter(|(_, listener)| listener.proxy_protocol) {
        let at = KeyPath::root().key("listeners").index(index).key("proxy_protocol");
        let what = "takes connections of trusted proxies alone, and there are none";
        findings.fault(&at, what, "name the balancer in trusted_proxies, or leave this out");
    }
}
