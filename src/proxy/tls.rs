//! TLS on the public listeners: certificates by SNI, and which name a connection was made for.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
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

use super::in_force::InForce;
use crate::config::{CertificateFiles, Config, Listener};
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

/// Settings for the listener at this place in the configuration: TLS 1.2 and 1.3, HTTP/2 and
/// HTTP/1.1. Each handshake gets a certificate of the moment.
///
/// # Errors
/// When the framework refuses.
pub fn settings(in_force: &InForce, listener: usize) -> Result<TlsSettings, TlsError> {
    let settings = TlsSettings::with_callbacks(Box::new(NotesName));
    let mut settings = settings.map_err(|error| TlsError::Listener(error.to_string()))?;
    settings.set_cert_resolver(Arc::new(OfTheMoment { in_force: in_force.clone(), listener }));
    settings.enable_h2();
    Ok(settings)
}

/// The certificates of each listener, read from their files.
///
/// # Errors
/// When one of them cannot be used.
pub fn certificates(config: &Config) -> Result<Vec<Option<Certificates>>, TlsError> {
    let hosts = || config.portals.iter().flat_map(|portal| &portal.hosts);
    let of_listener = |listener: &Listener| {
        let files = listener.tls.as_deref();
        files.map(|files| Certificates::load(files, hosts())).transpose()
    };
    config.listeners.iter().map(of_listener).collect()
}

/// Certificates by host. A client that names no host, or an unknown one, gets the first: it
/// then learns from the answer that nobody is there.
#[derive(Debug)]
pub struct Certificates {
    by_host: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Certificates {
    fn load<'a>(
        files: &[CertificateFiles],
        hosts: impl Iterator<Item = &'a String> + Clone,
    ) -> Result<Self, TlsError> {
        let mut by_host = HashMap::new();
        let mut first = None;
        for pair in files {
            let key = Arc::new(read(pair)?);
            for host in hosts.clone().filter(|host| covers(&key, host)) {
                by_host.entry(host.clone()).or_insert_with(|| Arc::clone(&key));
            }
            first.get_or_insert(key);
        }
        let first =
            first.ok_or_else(|| TlsError::Listener("no certificate is named".to_owned()))?;
        Ok(Self { by_host, first })
    }
}

/// Finds the certificate for a handshake among those that are in force.
struct OfTheMoment {
    in_force: InForce,
    listener: usize,
}

impl fmt::Debug for OfTheMoment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OfTheMoment({})", self.listener)
    }
}

impl ResolvesServerCert for OfTheMoment {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let gateway = self.in_force.now();
        let certificates = gateway.certificates.get(self.listener)?.as_ref()?;
        let named = hello.server_name().and_then(|name| Host::parse(name).ok());
        let found = named.and_then(|host| certificates.by_host.get(host.as_str()));
        Some(Arc::clone(found.unwrap_or(&certificates.first)))
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
