//! The framework's own proxy with nothing of ours, for `scripts/compare`: what the gateway costs is
//! what it needs beyond this. Built, allocated and run as the gateway is; it guards nothing.

use std::error::Error;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use async_trait::async_trait;
use mimalloc::MiMalloc;
use pingora_core::apps::{HttpServerOptions, ServerApp as _};
use pingora_core::listeners::tls::{Acceptor, TlsSettings};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::l4::stream::Stream as TcpStream;
use pingora_core::protocols::{GetSocketDigest as _, SocketDigest, Stream};
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{HttpProxy, ProxyHttp, Session};
use tokio::net::TcpListener;
use tokio::sync::watch;

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

/// The same way of a connection as in the gateway's `service.rs`.
async fn connection(
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Acceptor>>,
    proxy: Arc<HttpProxy<Bare>>,
    shutdown: watch::Receiver<bool>,
) {
    let _later_then = stream.set_nodelay(true);
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let _first = digest.peer_addr.set(Some(peer.into()));
    let mut stream = TcpStream::from(stream);
    stream.set_socket_digest(digest);
    let stream: Stream = match tls {
        None => Box::new(stream),
        Some(acceptor) => match acceptor.tls_handshake(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    proxy.process_new(stream, &shutdown).await;
}

async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Acceptor>>,
    proxy: Arc<HttpProxy<Bare>>,
    shutdown: watch::Receiver<bool>,
) {
    while let Ok((stream, peer)) = listener.accept().await {
        let (tls, proxy, shutdown) = (tls.clone(), Arc::clone(&proxy), shutdown.clone());
        tokio::spawn(connection(stream, peer, tls, proxy, shutdown));
    }
}

/// Arguments: the portal, an address for HTTP, and for TLS an address, a certificate and its key.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [portal, http, https, certificate, key] = words.as_slice() else {
        return Err("bare PORTAL HTTP HTTPS CERTIFICATE KEY".into());
    };
    let mut proxy = HttpProxy::new(Bare(portal.parse()?), Arc::new(ServerConf::default()));
    proxy.server_options = Some(HttpServerOptions::default());
    proxy.handle_init_modules();
    let proxy = Arc::new(proxy);
    let mut settings = TlsSettings::intermediate(certificate, key)?;
    settings.enable_h2();
    let (_never, shutdown) = watch::channel(false);
    let (plain, secure) = (TcpListener::bind(http).await?, TcpListener::bind(https).await?);
    let tls = Some(Arc::new(settings.build()));
    tokio::join!(
        serve(plain, None, Arc::clone(&proxy), shutdown.clone()),
        serve(secure, tls, proxy, shutdown),
    );
    Ok(())
}
