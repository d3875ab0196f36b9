//! TLS on the public listeners: certificates by SNI, and which name a connection was made for.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::listeners::TlsAccept;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::protocols::tls::TlsRef;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::CertificateFiles;
use crate::net::host::Host;

/// Why a listener has no certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The chain is empty.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// The key is of a kind that cannot sign.
    #[error("{0} holds a key that cannot be used")]
    Key(PathBuf),
    /// The framework refused.
    #[error("the listener cannot be set up: {0}")]
    Listener(String),
}

/// The name that the client asked for in its handshake.
pub struct ServerName(pub String);

/// Settings for a listener with these certificates: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
///
/// # Errors
/// When a certificate cannot be used.
pub fn settings(files: &[CertificateFiles], hosts: &[String]) -> Result<TlsSettings, TlsError> {
    let settings = TlsSettings::with_callbacks(Box::new(NotesName));
    let mut settings = settings.map_err(|error| TlsError::Listener(error.to_string()))?;
    settings.set_cert_resolver(Arc::new(Certificates::load(files, hosts)?));
    settings.enable_h2();
    Ok(settings)
}

/// Certificates by host. A client that names no host, or an unknown one, gets the first: it
/// then learns from the answer that nobody is there.
#[derive(Debug)]
struct Certificates {
    by_host: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Certificates {
    fn load(files: &[CertificateFiles], hosts: &[String]) -> Result<Self, TlsError> {
        let mut by_host = HashMap::new();
        let mut first = None;
        for pair in files {
            let key = Arc::new(read(pair)?);
            for host in hosts.iter().filter(|host| covers(&key, host)) {
                by_host.entry(host.clone()).or_insert_with(|| Arc::clone(&key));
            }
            first.get_or_insert(key);
        }
        let first =
            first.ok_or_else(|| TlsError::Listener("no certificate is named".to_owned()))?;
        Ok(Self { by_host, first })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| Host::parse(name).ok());
        let found = named.and_then(|host| self.by_host.get(host.as_str()));
        Some(Arc::clone(found.unwrap_or(&self.first)))
    }
}

fn read(pair: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    let fault = |path: &PathBuf, error: rustls::pki_types::pem::Error| TlsError::File {
        path: path.clone(),
        reason: error.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(&pair.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(&pair.certificate, error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(pair.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| fault(&pair.key, error))?;
    let key = any_supported_type(&key).map_err(|_| TlsError::Key(pair.key.clone()))?;
    Ok(CertifiedKey::new(chain, key))
}

/// Whether a certificate is for `host`.
fn covers(key: &CertifiedKey, host: &str) -> bool {
    let leaf = key.end_entity_cert().ok();
    let parsed = leaf.and_then(|leaf| rustls::server::ParsedCertificate::try_from(leaf).ok());
    let name = rustls::pki_types::ServerName::try_from(host.trim_matches(['[', ']']));
    match (parsed, name) {
        (Some(parsed), Ok(name)) => rustls::client::verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}

struct NotesName;

#[async_trait]
impl TlsAccept for NotesName {
    async fn handshake_complete_callback(
        &self,
        connection: &TlsRef,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let name = connection.server_name()?;
        Some(Arc::new(ServerName(name.to_owned())))
    }
}
