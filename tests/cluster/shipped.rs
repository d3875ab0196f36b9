//! What ops start from is taken by the programs that it is for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cluster, dsl::client};

const STORE: &str = "postgres://portcullis:a@primary,standby/portcullis?sslmode=disable";

/// A file of the repository.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn haproxy_takes_the_configurations_that_are_shipped() {
    for path in ["deploy/cluster/haproxy.cfg", "deploy/compose/haproxy.cfg"] {
        let said = Command::new("/usr/sbin/haproxy").args(["-c", "-f"]).arg(shipped(path)).output();
        let said = said.expect("haproxy is missing: apt-get install haproxy");
        assert!(said.status.success(), "{path}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

/// Each beside the secrets and certificates that ops put there.
#[test]
fn the_gateway_takes_the_configurations_that_are_shipped() {
    for path in ["deploy/compose/cluster.yaml", "deploy/cluster/portcullis.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        let tls = folder.path().join("tls");
        fs::create_dir(&tls).unwrap();
        client::certificate(&tls, &["wiki.example.com".to_owned()]);
        for (from, to) in [("tls.crt", "wiki.crt"), ("tls.key", "wiki.key")] {
            fs::rename(tls.join(from), tls.join(to)).unwrap();
        }
        cluster::make_key(&folder.path().join("master.key"));
        fs::write(folder.path().join("store.url"), STORE).unwrap();
        let file = folder.path().join("portcullis.yaml");
        fs::copy(shipped(path), &file).unwrap();
        let said = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["check", "--config", file.to_str().unwrap()])
            .env("STORE_URL", STORE)
            .env("CREDENTIALS_DIRECTORY", folder.path())
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{path}: {complaint}");
    }
}
