//! The public listeners: accept, shake hands, serve; and stop without breaking off what is
//! under way.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::apps::{HttpServerOptions, ServerApp};
use pingora_core::listeners::tls::Acceptor;
use pingora_core::protocols::http::v2::server::default_h2_options;
use pingora_core::protocols::l4::stream::Stream as TcpStream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest, Stream};
use pingora_core::server::ShutdownWatch;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use pingora_timeout::fast_timeout::set_fast_timeout_to_tokio_threshold;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::buffered::Buffered;
use super::connection::Front;
use super::in_force::InForce;
use super::watch::KEEP_ALIVE_SECONDS;
use super::workers::Workers;

/// How long a client may take over the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long requests under way may take to end after the signal to stop.
const GRACE: Duration = Duration::from_secs(30);
/// What all streams of an HTTP/2 connection may have under way together, in bytes; each has
/// 64 KiB.
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How long to wait when the system has no room for another connection.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// What says whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerNamed {
    /// Its socket.
    BySocket,
    /// The PROXY header that a trusted proxy begins it with.
    ByHeader,
}

/// The server of all public listeners, which goes by what is in force.
pub fn front(in_force: &InForce) -> Arc<Front> {
    // The framework's own timers stay until they would have rung, an answer's for five minutes, in
    // tables that a thread goes through a hundred times a second. tokio's are taken back.
    set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
    // One more try, for a pooled connection that the portal closed just then; the framework
    // tries only what changes nothing a second time.
    let conf = ServerConf { max_retries: 2, ..ServerConf::default() };
    let mut proxy = HttpProxy::new(in_force.clone(), Arc::new(conf));
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(Duration::from_secs(KEEP_ALIVE_SECONDS));
    proxy.server_options = Some(options);
    let mut http2 = default_h2_options();
    http2.initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
    proxy.h2_options = Some(http2);
    proxy.handle_init_modules();
    Arc::new(Front::new(Arc::new(proxy), in_force.clone()))
}

/// Serves one listener until `shutdown`, then waits for what is under way, for a while.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Acceptor>>,
    named: PeerNamed,
    front: Arc<Front>,
    workers: Arc<Workers>,
    mut shutdown: ShutdownWatch,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept(&listener) => match accepted {
                Ok((stream, peer)) => {
                    let served = connection(stream, peer, tls.clone(), named, Arc::clone(&front), shutdown.clone());
                    workers.serve(&mut connections, served);
                }
                Err(error) => {
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(OUT_OF_ROOM).await;
                }
            },
            Some(_done) = connections.join_next() => {}
            _ = shutdown.changed() => break,
        }
    }
    drop(listener);
    front.cleanup().await;
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::warn!("requests under way were broken off after {} s", GRACE.as_secs());
    }
}

/// The next connection, not waited on by this thread any more.
async fn accept(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    Ok((stream.into_std()?, peer))
}

async fn connection(
    stream: std::net::TcpStream,
    mut peer: SocketAddr,
    tls: Option<Arc<Acceptor>>,
    named: PeerNamed,
    front: Arc<Front>,
    shutdown: ShutdownWatch,
) {
    let mut stream = match tokio::net::TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::error!(%error, "a connection could not be served");
            return;
        }
    };
    // Small answers leave at once; without it they are only later.
    let _later_then = stream.set_nodelay(true);
    if named == PeerNamed::ByHeader {
        let Some(client) = front.named(&mut stream, peer).await else { return };
        peer = client;
    }
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    // Whoever asks for the peer's address from now on gets this one.
    let _the_first_word_counts = digest.peer_addr.set(Some(peer.into()));
    let mut stream = TcpStream::from(stream);
    stream.set_socket_digest(digest);
    let stream = Buffered::new(stream);
    let stream: Stream = match tls {
        None => Box::new(stream),
        Some(acceptor) => {
            match tokio::time::timeout(HANDSHAKE, acceptor.tls_handshake(stream)).await {
                Ok(Ok(stream)) => Box::new(stream),
                Ok(Err(_)) | Err(_) => {
                    tracing::debug!(client = %peer.ip(), "a TLS handshake failed");
                    return;
                }
            }
        }
    };
    front.process_new(stream, &shutdown).await;
}
