//! Certificates and their keys: there, readable, and belonging together, so that a wrong
//! file is told at start and not to the first visitor.

use std::path::Path;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{all, keeping, some};
use crate::config::CertificateFiles;
use crate::config::fault::Findings;
use crate::config::file::{CertificateFile, TlsFile};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;

/// The certificates of a listener.
pub(super) fn tls(
    written: TlsFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<CertificateFiles>> {
    let mend = "add one, such as - { certificate: tls/site.crt, key: tls/site.key }";
    let written = some(written.certificates, &at.key("certificates"), mend, findings)?;
    let checked = written.into_iter().map(|(at, written)| pair(written, &at, around, findings));
    all(checked.collect())
}

fn pair(
    written: CertificateFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<CertificateFiles> {
    let (chain_at, key_at) = (at.key("certificate"), at.key("key"));
    let certificate = findings.required(&chain_at, written.certificate, "name the PEM file");
    let key = findings.required(&key_at, written.key, "name the PEM file of the private key");
    let certificate = certificate.map(|path| around.locate(&path));
    let key = key.map(|path| around.locate(&path));
    let chain = certificate.as_deref().and_then(|path| read_chain(path, &chain_at, findings));
    let private = key.as_deref().and_then(|path| read_key(path, &key_at, findings));
    belong_together(chain?, private?, &key_at, findings)?;
    Some(CertificateFiles { certificate: certificate?, key: key? })
}

fn read_chain(
    path: &Path,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Some(chain),
        Ok(_) => {
            let what = format!("{} holds no certificate", path.display());
            findings.fault(at, what, "name the PEM file of the chain, leaf first");
            None
        }
        Err(error) => {
            note_unreadable(path, &error, at, findings);
            None
        }
    }
}

fn read_key(path: &Path, at: &KeyPath, findings: &mut Findings) -> Option<PrivateKeyDer<'static>> {
    match PrivateKeyDer::from_pem_file(path) {
        Ok(key) => {
            keeping::warn_if_open(path, at, findings);
            Some(key)
        }
        Err(pem::Error::NoItemsFound) => {
            let what = format!("{} holds no private key", path.display());
            findings.fault(at, what, "name the PEM file of the key, without password");
            None
        }
        Err(error) => {
            note_unreadable(path, &error, at, findings);
            None
        }
    }
}

fn note_unreadable(path: &Path, error: &pem::Error, at: &KeyPath, findings: &mut Findings) {
    match error {
        pem::Error::Io(error) => {
            let what = format!("{} cannot be read: {error}", path.display());
            findings.fault(at, what, "name a file that this user can read");
        }
        other => {
            let what = format!("{} is not PEM: {other}", path.display());
            findings.fault(at, what, "convert it to PEM");
        }
    }
}

/// Loads the pair as a server would.
fn belong_together(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<()> {
    let loaded = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let Err(error) = loaded else {
        return Some(());
    };
    let what = format!("cannot be used with this certificate: {error}");
    findings.fault(at, what, "name the key that the certificate was issued for");
    None
}
