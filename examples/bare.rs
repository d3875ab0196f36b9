//! The framework's own proxy with nothing of ours, for `scripts/compare`: what the gateway costs is
//! what it needs beyond this. Built and allocated as the gateway is, and served by the framework's
//! own server and listeners, as its users do; it guards nothing.

use std::error::Error;
use std::net::SocketAddr;

use async_trait::async_trait;
use mimalloc::MiMalloc;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::modules::http::HttpModules;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Everything goes to one portal.
struct Bare(SocketAddr);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        (): &mut (),
    ) -> pingora_error::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

/// Arguments: the portal, an address for HTTP, and for TLS an address, a certificate and its key.
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [portal, http, https, certificate, key] = words.as_slice() else {
        return Err("bare PORTAL HTTP HTTPS CERTIFICATE KEY".into());
    };
    let conf = ServerConf {
        threads: 1,
        // Whoever compares has no requests left when it ends this, and would wait for minutes.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare(portal.parse()?));
    service.add_tcp(http);
    let mut settings = TlsSettings::intermediate(certificate, key)?;
    settings.enable_h2();
    service.add_tls_with_settings(https, None, settings);
    server.add_service(service);
    server.run_forever();
}
