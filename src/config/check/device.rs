//! Remembered devices: how long, and from where.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{all, placed};
use crate::config::RememberDevice;
use crate::config::fault::Findings;
use crate::config::file_device::RememberDeviceFile;
use crate::config::key_path::KeyPath;
use crate::config::units::{Span, show_duration};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Checks `remember_device`, and says what it costs.
pub(super) fn remember_device(
    written: RememberDeviceFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<RememberDevice> {
    let lifetime = written.lifetime.map_or(30 * DAY, |Span(lifetime)| lifetime);
    let range = HOUR..=90 * DAY;
    let lifetime = findings.in_range(&at.key("lifetime"), lifetime, range, show_duration);
    let place = at.key("networks");
    let is_limited = written.networks.as_ref().is_some_and(|networks| !networks.is_empty());
    // Lost with its line, the limit would be gone and the devices would count everywhere.
    if is_limited && findings.line_of(&place) != findings.line_of(at) {
        let mend =
            "write it on one line: remember_device: { lifetime: 30d, networks: [10.1.0.0/16] }";
        findings.fault(
            &place,
            "is on a line of its own, and all would count if it were lost",
            mend,
        );
        return None;
    }
    let networks = placed(written.networks.unwrap_or_default(), &place);
    let networks = networks.into_iter().map(|(at, text)| network(&text, &at, findings));
    let networks = all(networks.collect());
    findings.warn(
        at,
        "lets the password alone in on a device that is remembered, which is weaker than a code \
         each time",
        "leave it out where that counts (NIST SP 800-63B-4 section 5.1)",
    );
    Some(RememberDevice { lifetime: lifetime?, networks: networks? })
}

fn network(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        findings.fault(at, format!("'{text}' is no network"), "write one, such as 10.0.0.0/8");
        return None;
    };
    if network.prefix_len() == 0 {
        findings.fault(at, "is every network", "leave the list empty: []");
        return None;
    }
    Some(network)
}
