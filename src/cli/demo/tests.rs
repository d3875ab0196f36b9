//! The demo's folder and what is printed about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::clock::MovableClock;

fn clock() -> MovableClock {
    MovableClock::at(UnixMillis::from_seconds(1_790_000_000))
}

fn free_port() -> u16 {
    free_address(0).unwrap().port()
}

fn portal() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4711))
}

#[test]
fn the_configuration_names_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let demo = Demo::prepare(&clock(), port, portal(), folder.path()).unwrap();
    let text = fs::read_to_string(&demo.config).unwrap();
    assert!(!text.contains('@'), "{text}");
    let yaml: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let listener = &yaml["listeners"][0];
    assert_eq!(listener["address"], format!("127.0.0.1:{port}"));
    for file in ["certificate", "key"] {
        let name = listener["tls"]["certificates"][0][file].as_str().unwrap();
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    assert_eq!(yaml["admin"]["address"], demo.admin.to_string());
    assert_eq!(yaml["portals"]["intranet"]["upstreams"][0], "http://127.0.0.1:4711");
}

#[test]
fn without_ipv6_there_is_one_listener() {
    let address = SocketAddr::from(([127, 0, 0, 1], 9443));
    for (ipv6, listeners) in [(Ipv6::Absent, 1), (Ipv6::Present, 2)] {
        let yaml: serde_yaml::Value =
            serde_yaml::from_str(&filled(8443, address, portal(), ipv6)).unwrap();
        assert_eq!(yaml["listeners"].as_sequence().unwrap().len(), listeners);
    }
}

#[test]
fn files_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    Demo::prepare(&clock(), free_port(), portal(), folder.path()).unwrap();
    for file in ["localhost.key", "localhost.crt", "portcullis.yaml"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn the_certificate_is_one_that_rustls_takes() {
    let (certificate, key) = certificate(clock().now()).unwrap();
    let certificate = pem(&certificate, "CERTIFICATE");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(pem(&key, "PRIVATE KEY"));
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.into())
        .unwrap();
}

/// The bytes in the armour of RFC 7468.
fn pem(text: &str, label: &str) -> Vec<u8> {
    use base64::Engine as _;
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----")).unwrap();
    let (body, _) = rest.split_once("-----END").unwrap();
    let body: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let error = Demo::prepare(&clock(), port, portal(), folder.path()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("port {port} is taken: ")), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_taken_admin_port_gives_way_to_a_free_one() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let address = free_address(taken.port()).unwrap();
    assert_ne!(address, taken);
    assert_ne!(address.port(), 0);
}

#[test]
fn the_greeting_says_all_that_a_visitor_needs() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::prepare(&clock(), free_port(), portal(), folder.path()).unwrap();
    let text = demo.to_string();
    let address = format!("https://localhost:{}\n", demo.https_port);
    for needed in [
        address.as_str(),
        "alice  Correct-Horse-9",
        "bob    Battery-Staple-7",
        "oathtool --totp -b",
    ] {
        assert!(text.contains(needed), "{needed} in {text}");
    }
}
