//! TLS on the way to a server: rustls with ring, chain and name always verified. What PostgreSQL
//! calls `sslmode=require` elsewhere, sealed to whoever answers, is not to be had.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Sealed;

use super::refusal::OpenError;
use crate::config::PostgresTls;

/// Makes the sealed way of each connection. Where it is off, it is never asked.
#[derive(Clone)]
pub(super) struct Tls(Option<Arc<ClientConfig>>);

impl Tls {
    /// Reads the roots.
    pub(super) fn new(wanted: &PostgresTls) -> Result<Self, OpenError> {
        match wanted {
            PostgresTls::Off => Ok(Self(None)),
            PostgresTls::Verified { roots } => {
                let roots = match roots {
                    Some(path) => from_file(path)?,
                    None => of_the_system()?,
                };
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let versions = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| OpenError::Tls(error.to_string()))?;
                let config = versions.with_root_certificates(roots).with_no_client_auth();
                Ok(Self(Some(Arc::new(config))))
            }
        }
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, OpenError> {
    let unusable = |what: String| OpenError::Tls(format!("{}: {what}", path.display()));
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn of_the_system() -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let (_taken, _left) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(OpenError::Tls(
            "this system trusts no certificates; name a file as sslrootcert in the url".to_owned(),
        ));
    }
    Ok(roots)
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = TlsSocket;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, name: &str) -> io::Result<Handshake> {
        Ok(Handshake { config: self.0.clone(), name: name.to_owned() })
    }
}

/// A handshake to come.
pub(super) struct Handshake {
    config: Option<Arc<ClientConfig>>,
    name: String,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = TlsSocket;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TlsSocket>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let off = || io::Error::other("TLS is off");
            let connector = TlsConnector::from(self.config.ok_or_else(off)?);
            let name = ServerName::try_from(self.name).map_err(io::Error::other)?;
            Ok(TlsSocket(connector.connect(name, socket).await?))
        })
    }
}

/// A sealed connection.
pub(super) struct TlsSocket(Sealed<Socket>);

impl TlsStream for TlsSocket {
    // The name was verified: whoever sits in between has no certificate for it.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
