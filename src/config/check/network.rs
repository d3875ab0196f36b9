//! Where Portcullis listens.

use std::net::{IpAddr, SocketAddr};

use super::{all, certificate, optional, some};
use crate::config::fault::Findings;
use crate::config::file::{AdminFile, List, ListenerFile};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;
use crate::config::{Admin, Listener};

/// Requests of one token in a minute: ten a second is more than a person or a script needs.
const PACE: u32 = 600;

/// The public addresses.
pub(super) fn listeners(
    written: Option<List<ListenerFile>>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<Listener>> {
    let mend = "add one, such as - address: 0.0.0.0:443";
    let written = some(written, at, mend, findings)?;
    let checked = written.into_iter().map(|(at, written)| listener(written, &at, around, findings));
    all(checked.collect())
}

fn listener(
    written: ListenerFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Listener> {
    let place = at.key("address");
    let address = address(written.address, &place, findings);
    let is_plain = written.tls.is_none() && !findings.knows_fault_within(&at.key("tls"));
    if is_plain && address.is_some_and(|address| !address.ip().is_loopback()) {
        findings.warn(
            &place,
            "takes plain HTTP from other machines, so passwords and codes can be read on the way",
            "add tls, or bind to 127.0.0.1 behind a proxy that speaks TLS",
        );
    }
    let tls = optional(written.tls, |tls| certificate::tls(tls, &at.key("tls"), around, findings));
    let proxy_protocol = written.proxy_protocol.unwrap_or(false);
    Some(Listener { address: address?, tls: tls?, proxy_protocol })
}

/// The admin address.
pub(super) fn admin(written: AdminFile, at: &KeyPath, findings: &mut Findings) -> Option<Admin> {
    let place = at.key("address");
    let address = address(written.address, &place, findings);
    if address.is_some_and(|address| !address.ip().is_loopback()) {
        findings.warn(
            &place,
            "can be reached from other machines, and asks nobody who they are",
            "bind to 127.0.0.1, or keep others out by a firewall",
        );
    }
    let pace = written.requests_per_minute.unwrap_or(PACE);
    let place = at.key("requests_per_minute");
    let pace = findings.in_range(&place, pace, 60..=60_000, |count| count.to_string());
    Some(Admin {
        address: address?,
        tokens: Vec::new(),
        people: Vec::new(),
        requests_per_minute: pace?,
    })
}

fn address(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<SocketAddr> {
    let text = findings.required(at, written, "write an IP address and a port")?;
    let address = text.parse().ok();
    if address.is_none() {
        let mend = "write both, such as 127.0.0.1:8080 or [::1]:8080";
        findings.fault(at, format!("'{text}' is not an IP address and a port"), mend);
    }
    address
}

/// Every address that is taken. No two may want the same port of the same machine.
pub(super) fn addresses_differ(
    listeners: Option<&[Listener]>,
    admin: Option<&Option<Admin>>,
    findings: &mut Findings,
) -> Vec<SocketAddr> {
    let root = KeyPath::root();
    let listeners = listeners.unwrap_or_default().iter().enumerate();
    let places = listeners.map(|(index, listener)| {
        (root.key("listeners").index(index).key("address"), listener.address)
    });
    let admin = admin.and_then(Option::as_ref);
    let admin = admin.map(|admin| (root.key("admin").key("address"), admin.address));
    let mut taken: Vec<(KeyPath, SocketAddr)> = Vec::new();
    for (at, address) in places.chain(admin) {
        if let Some((first, _)) = taken.iter().find(|(_, other)| collide(address, *other)) {
            let what = format!("{address} is taken already by {first}");
            findings.fault(&at, what, "choose another port, or remove one of them");
        }
        taken.push((at, address));
    }
    taken.into_iter().map(|(_, address)| address).collect()
}

/// Port 0 lets the machine choose, so it never collides. An unspecified address takes the
/// port of every address.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers =
        |a: IpAddr, b: IpAddr| a == b || (a.is_unspecified() && a.is_ipv4() == b.is_ipv4());
    let same_port = one.port() != 0 && one.port() == other.port();
    same_port && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}
