//! HAProxy in front of the gateway: as the end of TLS that tells the client in a line, and as a
//! balancer that passes TLS on and tells it in a PROXY header.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use crate::dsl::steps::enrol_with;
use crate::dsl::{ALICE, Browser, Gateway, Portal, eventually, free_port, gateway, portal};
use crate::real::RealPortal;

/// HAProxy speaks from 127.0.0.3; its visitor is at 2.
const TRUSTED: &str = "trusted_proxies: [127.0.0.3/32]";
const VISITOR: u8 = 2;
const REFUSED: &str = "portcullis_connections_refused_total";

const HEAD: &str = "global
  maxconn 200
defaults
  timeout connect 5s
  timeout client 20s
  timeout server 20s
";

/// Runs HAProxy with these sections, in which it has to listen on `port`.
fn haproxy(gateway: &Gateway, port: u16, sections: &str) -> RealPortal {
    let file = gateway.folder().join("haproxy.cfg");
    fs::write(&file, format!("{HEAD}{sections}")).unwrap();
    RealPortal::start_at(port, "haproxy", &[&file])
}

fn visitor(haproxy: SocketAddr, gateway: &Gateway) -> Browser {
    Browser::new(haproxy, gateway.trusted(), "wiki.test").from(VISITOR)
}

/// Alice enrols by this way, comes back over both protocols with whatever a visitor may claim,
/// and the portal and the log learn her address.
async fn visits(portal: &Portal, gateway: &Gateway, browser: Browser) {
    let alice = enrol_with(gateway, browser, ALICE).await.browser;
    for http2 in [false, true] {
        for claim in [None, Some("203.0.113.7"), Some("127.0.0.3"), Some("a")] {
            let mut browser = alice.clone().over(http2);
            if let Some(claim) = claim {
                browser = browser
                    .with_line("x-forwarded-for", claim)
                    .with_line("x-forwarded-host", "evil.test");
            }
            portal.take_seen();
            let shown = browser.open("/home").await;
            assert!(shown.body.contains("for alice alone"), "{claim:?}: {:?}", shown.answer);
            let mut seen = portal.take_seen();
            seen.retain(|seen| seen.target == "/home");
            assert_eq!(seen.len(), 1, "{claim:?}: {seen:?}");
            let seen = seen.remove(0);
            assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.2"], "{claim:?}");
            assert_eq!(seen.all("x-forwarded-proto"), ["https"], "{claim:?}");
            assert_eq!(seen.all("x-forwarded-host"), ["wiki.test"], "{claim:?}");
        }
    }
    assert_eq!(clients_of(gateway, "/home"), BTreeSet::from(["127.0.0.2".to_owned()]));
}

/// Whom the log names for the requests for this path.
fn clients_of(gateway: &Gateway, path: &str) -> BTreeSet<String> {
    let log = gateway.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let here = lines.filter(|line| line["path"] == path);
    here.map(|line| line["client"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_at_the_end_of_tls_tells_the_client() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().yaml(TRUSTED).portal("wiki", &portal).run().await;
    let pem = gateway.folder().join("haproxy.pem");
    let part = |name: &str| fs::read_to_string(gateway.folder().join(name)).unwrap();
    fs::write(&pem, part("tls.crt") + &part("tls.key")).unwrap();
    let port = free_port();
    let sections = format!(
        "listen web
  mode http
  bind 127.0.0.1:{port} ssl crt {} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  server gateway {} source 127.0.0.3
",
        pem.display(),
        gateway.http()
    );
    let haproxy = haproxy(&gateway, port, &sections);
    visits(&portal, &gateway, visitor(haproxy.address(), &gateway)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_that_passes_tls_on_names_the_client() {
    for header in ["send-proxy-v2", "send-proxy"] {
        let portal = portal::form().run().await;
        let gateway =
            gateway::new().yaml(TRUSTED).behind_balancer().portal("wiki", &portal).run().await;
        let (port, watched) = (free_port(), free_port());
        let sections = format!(
            "listen pass
  mode tcp
  bind 127.0.0.1:{port}
  server gateway {https} source 127.0.0.3 {header}
listen health
  mode http
  bind 127.0.0.1:{watched}
  option httpchk
  http-check send meth GET uri /public/health ver HTTP/1.1 hdr Host wiki.test
  server gateway {http} source 127.0.0.3 {header} check check-send-proxy inter 200ms
",
            https = gateway.https(),
            http = gateway.http()
        );
        let haproxy = haproxy(&gateway, port, &sections);
        visits(&portal, &gateway, visitor(haproxy.address(), &gateway)).await;
        // Its own health checks come from itself, and are answered.
        let health = "/public/health";
        eventually("a health check", async || portal.seen_at(health).pop()).await;
        eventually("its line", async || clients_of(&gateway, health).pop_first()).await;
        assert_eq!(clients_of(&gateway, health), BTreeSet::from(["127.0.0.3".to_owned()]));
        assert_eq!(gateway.metric(REFUSED, &[]).await, 0.0, "{header}");
    }
}
