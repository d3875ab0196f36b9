//! Whose word on a client's address is believed, and where a PROXY header is expected.

use crate::cases::{Folder, check, edited};

fn trusting(networks: &str) -> Vec<(&'static str, String)> {
    vec![("limits:", format!("trusted_proxies: {networks}\nlimits:"))]
}

fn faults(edits: &[(&str, String)], expected: &[&str]) {
    let edits: Vec<_> = edits.iter().map(|(from, to)| (*from, to.as_str())).collect();
    check(&edits, expected);
}

#[test]
fn trusted_proxies_are_networks_or_addresses() {
    let good = "[10.0.0.5/32, 10.0.0.6, \"2001:db8::/32\", \"fc00::/7\", \"::1\", 10.0.0.0/8]";
    let written = edited(&[("limits:", &format!("trusted_proxies: {good}\nlimits:"))]);
    assert_eq!(Folder::new().warnings(&written), [""; 0]);
    let config = Folder::new().config(&written);
    let networks: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    let expected =
        ["10.0.0.5/32", "10.0.0.6/32", "2001:db8::/32", "fc00::/7", "::1/128", "10.0.0.0/8"];
    assert_eq!(networks, expected);
    faults(&trusting("[]"), &[]);
    for (network, sentence) in [
        ("proxy.example.com", "'proxy.example.com' is no network; write one, such as 10.0.0.5/32"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no network; write one, such as 10.0.0.5/32"),
        ("\"*\"", "'*' is no network; write one, such as 10.0.0.5/32"),
        (
            "0.0.0.0/0",
            "is everybody, who could all say that they are any client; name the proxies' own \
             addresses, such as 10.0.0.5/32",
        ),
        (
            "\"::/0\"",
            "is everybody, who could all say that they are any client; name the proxies' own \
             addresses, such as 10.0.0.5/32",
        ),
        (
            "\"::ffff:10.0.0.0/104\"",
            "'::ffff:10.0.0.0/104' is IPv4 written as IPv6; name the proxies' own addresses, such \
             as 10.0.0.5/32",
        ),
    ] {
        let expected = format!("gateway.yaml:46:29: trusted_proxies[1]: {sentence}");
        faults(&trusting(&format!("[10.0.0.5, {network}]")), &[&expected]);
    }
}

#[test]
fn a_wide_network_of_proxies_is_told() {
    for wide in ["0.0.0.0/1", "10.0.0.0/7", "\"2000::/3\""] {
        let written = edited(&[("limits:", &format!("trusted_proxies: [{wide}]\nlimits:"))]);
        let warning = "gateway.yaml:46:19: warning: trusted_proxies[0]: holds much of the Internet, \
                       and whoever is in it can say to be any client; name the proxies' own \
                       addresses, such as 10.0.0.5/32";
        assert_eq!(Folder::new().warnings(&written), [warning], "{wide}");
    }
}

#[test]
fn a_proxy_header_needs_somebody_who_may_send_it() {
    let header = ("127.0.0.1:8080", "127.0.0.1:8080\n    proxy_protocol: true".to_owned());
    let fault = "gateway.yaml:3:5: listeners[0].proxy_protocol: takes connections of trusted \
                 proxies alone, and there are none; name the balancer in trusted_proxies, or leave \
                 this out";
    faults(std::slice::from_ref(&header), &[fault]);
    let mut edits = trusting("[10.0.0.5]");
    edits.push(header);
    faults(&edits, &[]);
    let edits: Vec<_> = edits.iter().map(|(from, to)| (*from, to.as_str())).collect();
    assert!(Folder::new().config(&edited(&edits)).listeners[0].proxy_protocol);
    let off = [("127.0.0.1:8080", "127.0.0.1:8080\n    proxy_protocol: false")];
    assert!(!Folder::new().config(&edited(&off)).listeners[0].proxy_protocol);
}
