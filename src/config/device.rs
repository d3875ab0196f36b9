//! Remembered devices, as used: for how long, and from where.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// That a portal's users may have a device remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberDevice {
    /// From the code to the end, whatever happens.
    pub lifetime: Duration,
    /// The clients' networks in which a device is remembered and counts; empty for all.
    pub networks: Vec<IpNet>,
}

impl RememberDevice {
    /// Whether a device counts in a request from this address.
    pub fn counts_at(&self, client: Option<IpAddr>) -> bool {
        let within = |client: IpAddr| self.networks.iter().any(|network| network.contains(&client));
        self.networks.is_empty() || client.is_some_and(within)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::RememberDevice;

    #[test]
    fn a_device_counts_in_its_networks_alone() {
        let lifetime = Duration::from_secs(3600);
        let client: Option<IpAddr> = Some("10.1.2.3".parse().unwrap());
        let anywhere = RememberDevice { lifetime, networks: Vec::new() };
        assert!(anywhere.counts_at(client) && anywhere.counts_at(None));
        let networks = vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let within = RememberDevice { lifetime, networks };
        assert!(within.counts_at(client) && within.counts_at(Some("2001:db8::1".parse().unwrap())));
        assert!(!within.counts_at(Some("10.2.2.3".parse().unwrap())));
        assert!(!within.counts_at(None), "an address that nobody knows is in no network");
    }
}
