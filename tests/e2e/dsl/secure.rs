//! A portal over TLS: the same portal behind a door that shows a certificate.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Portal;
use super::gateway::Fronted;

/// A portal at `https://localhost`.
pub struct Secure {
    entry: String,
    /// How many handshakes came to an end.
    trusted: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Secure {
    /// Shows a certificate for `name` that is good until the end of `year`.
    pub async fn to(portal: &Portal, name: &str, year: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("portal.crt"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = portal.address;
        let trusted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&trusted);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(stream).await else { return };
                    count.fetch_add(1, Ordering::SeqCst);
                    let mut far = TcpStream::connect(address).await.unwrap();
                    // Either side may hang up as it likes.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        let plain = format!("http://{address}");
        let entry = portal.entry("HOST").replace(&plain, &format!("https://localhost:{port}"));
        Self { entry, trusted, accepting, folder }
    }

    /// Its certificate, for who vouches for it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("portal.crt")
    }

    /// How often it was trusted so far.
    pub fn trusted(&self) -> usize {
        self.trusted.load(Ordering::SeqCst)
    }
}

impl Fronted for Secure {
    fn entry(&self, host: &str) -> String {
        self.entry.replace("[HOST]", &format!("[{host}]"))
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
