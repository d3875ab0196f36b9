//! Whose request it is, where it comes through proxies that ops trusts. What a proxy says is
//! worth as much as the proxy: nothing here is read unless the peer itself is trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// Proxies that stand behind each other; nobody has so many.
const MOST_HOPS: usize = 32;
/// The longest address with its brackets and port; anything longer is not looked at.
const LONGEST_HOP: usize = 64;

/// The networks of the proxies in front of us.
#[derive(Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts these and nobody else.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether a peer at this address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client, given the peer that speaks to us and all `X-Forwarded-For` lines of its
    /// request, in their order.
    ///
    /// Every proxy writes on the right whom it was spoken to by. So we go from the right, as
    /// long as whoever wrote a hop is trusted: the peer, and then each hop that is a trusted
    /// proxy itself. The first hop that is none is the client; what stands left of it is the
    /// client's own word, and is not read. Where a hop is no address, its writer is the nearest
    /// that we know for sure: the client is that trusted proxy, and never what is further left.
    /// The same holds where nothing is left to read, and beyond 32 proxies.
    ///
    /// A hop is an IP address, or one with a port, as Azure writes it: `192.0.2.1:5000`,
    /// `[2001:db8::1]:5000`. An IPv4 address in IPv6 is the IPv4 address.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = from_the_right(lines).take(MOST_HOPS);
        while self.contains(client) {
            let Some(address) = hops.next().and_then(address) else { break };
            client = address;
        }
        client
    }

    /// Whether the client came over TLS, as the peer says in `X-Forwarded-Proto`: the right-most
    /// word, `http` or `https`. Nothing if it says neither, or is not trusted.
    pub fn over_tls<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Option<bool> {
        if !self.contains(peer) {
            return None;
        }
        let word = from_the_right(lines).next()?;
        match word {
            word if word.eq_ignore_ascii_case(b"https") => Some(true),
            word if word.eq_ignore_ascii_case(b"http") => Some(false),
            _ => None,
        }
    }
}

/// The words of a list that may be spread over several lines, the last one first.
fn from_the_right<'a>(
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok().filter(|text| text.len() <= LONGEST_HOP)?;
    let bare: Option<IpAddr> = text.parse().ok();
    let address = bare.or_else(|| in_brackets(text)).or_else(|| with_port(text))?;
    Some(address.to_canonical())
}

fn in_brackets(text: &str) -> Option<IpAddr> {
    let inner: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(IpAddr::V6(inner))
}

fn with_port(text: &str) -> Option<IpAddr> {
    let (address, port) = text.rsplit_once(':')?;
    // The zone of a link is none of ours.
    let known = address.parse::<Ipv4Addr>().is_ok() || in_brackets(address).is_some();
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let whole: SocketAddr = text.parse().ok().filter(|_| known && digits)?;
    Some(whole.ip())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::TrustedProxies;

    fn proxies() -> TrustedProxies {
        let networks = ["10.0.0.0/8", "2001:db8:5::/48"];
        TrustedProxies::new(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn client(peer: &str, lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| line.as_bytes());
        proxies().client(peer.parse().unwrap(), lines).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_peer_is_believed() {
        for peer in ["192.0.2.1", "2001:db8::1", "::1", "11.0.0.1"] {
            for line in ["203.0.113.9", "10.0.0.1", "203.0.113.9, 10.0.0.1", "a", "", "::"] {
                assert_eq!(client(peer, &[line]), peer, "{line}");
            }
        }
        assert_eq!(
            TrustedProxies::default()
                .client("10.0.0.1".parse().unwrap(), [&b"192.0.2.1"[..]].into_iter()),
            "10.0.0.1".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        for (lines, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            (&["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
            (&["203.0.113.9 ,192.0.2.1\t,  10.0.0.9"], "192.0.2.1"),
            (&["203.0.113.9,192.0.2.1", "10.0.0.9,10.1.1.1", "2001:db8:5::1"], "192.0.2.1"),
            (&["a,192.0.2.1,10.0.0.9"], "192.0.2.1"),
            (&["10.0.0.7, 10.0.0.9"], "10.0.0.7"),
            (&["192.0.2.1:567"], "192.0.2.1"),
            (&["[2001:db8::1]:5"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:DB8::1"], "2001:db8::1"),
            (&["192.0.2.1, ::ffff:10.0.0.9"], "192.0.2.1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            (&["[::ffff:192.0.2.1]:80"], "192.0.2.1"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(client("::ffff:10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(client("2001:db8:5::9", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_its_writers() {
        let long = "1".repeat(5_000);
        for odd in [
            "a",
            "",
            " ",
            "unknown",
            "_hidden",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:a",
            "1.2.3.4:65536",
            "1.2.3.4:+5",
            "[1.2.3.4]",
            "[::1",
            "[::1]:",
            "[::1]5",
            "fe80::1%eth0",
            "[fe80::1%3]:5",
            "\"1.2.3.4\"",
            "for=1.2.3.4",
            "1.2.3.4 5.6.7.8",
            "\u{a0}1.2.3.4",
            &long,
        ] {
            let chain = format!("192.0.2.1,{odd}");
            assert_eq!(client("10.0.0.1", &[&chain]), "10.0.0.1", "{odd}");
            assert_eq!(client("10.0.0.1", &["192.0.2.1", odd]), "10.0.0.1", "{odd}");
            let chain = format!("{chain},10.0.0.9");
            assert_eq!(client("10.0.0.1", &[&chain]), "10.0.0.9", "{odd}");
        }
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        let many = format!("192.0.2.1{}", ",10.0.0.9".repeat(1000));
        assert_eq!(client("10.0.0.1", &[&many]), "10.0.0.9");
    }

    #[test]
    fn a_trusted_peer_says_whether_the_client_came_over_tls() {
        let said = |peer: &str, lines: &[&str]| {
            proxies().over_tls(peer.parse().unwrap(), lines.iter().map(|line| line.as_bytes()))
        };
        for (lines, expected) in [
            (&["https"][..], Some(true)),
            (&["HTTP"], Some(false)),
            (&["https, http"], Some(false)),
            (&["http", " https "], Some(true)),
            (&["https,"], None),
            (&["https", ""], None),
            (&["wss"], None),
            (&["on"], None),
            (&[], None),
        ] {
            assert_eq!(said("10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(said("192.0.2.1", lines), None, "{lines:?}");
        }
    }

    proptest! {
        /// Whatever an outsider wrote, it is the hop that a trusted proxy wrote that counts.
        #[test]
        fn what_stands_left_of_the_client_is_not_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            last in any::<[u8; 4]>(),
        ) {
            let client = IpAddr::from(last);
            prop_assume!(!proxies().contains(client));
            let appended = [&bytes[..], b",", client.to_string().as_bytes()].concat();
            let peer = "10.0.0.1".parse().unwrap();
            prop_assert_eq!(proxies().client(peer, [&appended[..]].into_iter()), client);
            let second = client.to_string().into_bytes();
            prop_assert_eq!(proxies().client(peer, [&bytes[..], &second].into_iter()), client);
            let outsider = IpAddr::from([192, 0, 2, 1]);
            prop_assert_eq!(proxies().client(outsider, [&bytes[..]].into_iter()), outsider);
        }
    }
}
