//! Certificates, keys and secrets that a configuration names.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::config::MasterKey;

use crate::cases::{Folder, edited};

/// A certificate and its key in PEM, made anew.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["wiki.example.com".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn put_private(folder: &Folder, name: &str, content: &str) {
    let path = folder.put(name, content);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn with_tls() -> String {
    let tls =
        "address: 0.0.0.0:443\n    tls: { certificates: [{ certificate: a.crt, key: a.key }] }";
    edited(&[("address: 127.0.0.1:8080", tls)])
}

#[test]
fn a_certificate_with_its_key_is_taken() {
    let folder = Folder::new();
    let (chain, key) = certificate();
    folder.put("a.crt", chain);
    put_private(&folder, "a.key", &key);
    let config = folder.config(&with_tls());
    let files = &config.listeners[0].tls.as_ref().unwrap()[0];
    assert_eq!(files.certificate, folder.path().join("a.crt"));
    assert_eq!(files.key, folder.path().join("a.key"));
    assert_eq!(folder.warnings(&with_tls()), [""; 0]);
}

#[test]
fn a_key_that_others_can_read_is_a_warning() {
    let folder = Folder::new();
    let (chain, key) = certificate();
    folder.put("a.crt", chain);
    let path = folder.put("a.key", key);
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let warning = "gateway.yaml:3:49: warning: listeners[0].tls.certificates[0].key: a.key is open \
                   to other users of this machine; take their rights away: chmod 600";
    assert_eq!(folder.warnings(&with_tls()), [warning]);
}

#[test]
fn certificates_that_no_server_could_use_are_faults() {
    let folder = Folder::new();
    let at = "gateway.yaml:3:29: listeners[0].tls.certificates[0].certificate:";
    let key_at = "gateway.yaml:3:49: listeners[0].tls.certificates[0].key:";
    let absent = "cannot be read: No such file or directory (os error 2); name a file that this \
                  user can read";
    assert_eq!(
        folder.faults(&with_tls()),
        [format!("{at} a.crt {absent}"), format!("{key_at} a.key {absent}")]
    );
    let (chain, _) = certificate();
    let (_, other_key) = certificate();
    folder.put("a.crt", "");
    folder.put("a.key", &chain);
    assert_eq!(
        folder.faults(&with_tls()),
        [
            format!("{at} a.crt holds no certificate; name the PEM file of the chain, leaf first"),
            format!(
                "{key_at} a.key holds no private key; name the PEM file of the key, without password"
            ),
        ]
    );
    folder.put("a.crt", &chain);
    put_private(&folder, "a.key", &other_key);
    let lines = folder.faults(&with_tls());
    assert!(
        lines[0].starts_with(&format!("{key_at} cannot be used with this certificate")),
        "{lines:?}"
    );
    folder.put("a.crt", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
    let lines = folder.faults(&with_tls());
    assert!(lines[0].starts_with(&format!("{at} a.crt is not PEM")), "{lines:?}");
}

#[test]
fn a_listener_with_tls_names_its_certificates() {
    let edits = |tls: &str| {
        edited(&[("address: 127.0.0.1:8080", &format!("address: 127.0.0.1:8080\n    tls: {tls}"))])
    };
    let mend = "add one, such as - { certificate: tls/site.crt, key: tls/site.key }";
    assert_eq!(
        Folder::new().faults(&edits("{}")),
        [format!("gateway.yaml:3:5: listeners[0].tls.certificates: is missing; {mend}")]
    );
    assert_eq!(
        Folder::new().faults(&edits("{ certificates: [] }")),
        [format!("gateway.yaml:3:12: listeners[0].tls.certificates: is an empty list; {mend}")]
    );
    assert_eq!(
        Folder::new().faults(&edits("{ certificates: [{}] }")),
        [
            "gateway.yaml:3:27: listeners[0].tls.certificates[0].certificate: is missing; name the PEM file",
            "gateway.yaml:3:27: listeners[0].tls.certificates[0].key: is missing; name the PEM file of the private key",
        ]
    );
}

fn master_key() -> String {
    STANDARD.encode([7; 32])
}

#[test]
fn a_master_key_that_is_absent_is_made_later() {
    let folder = Folder::new();
    let MasterKey::File(path) = folder.config(&edited(&[])).master_key else {
        panic!("the key is a file");
    };
    assert_eq!(path, folder.path().join("secrets/master.key"));
    assert!(!path.exists());
}

#[test]
fn a_master_key_that_is_there_has_to_be_one() {
    let folder = Folder::new();
    put_private(&folder, "secrets/master.key", &format!("{}\n", master_key()));
    assert_eq!(folder.warnings(&edited(&[])), [""; 0]);
    let long = STANDARD.encode([7; 33]);
    for wrong in ["", "hunter2", &long, "AAAA"] {
        put_private(&folder, "secrets/master.key", wrong);
        let fault = "gateway.yaml:8:3: keys.master: is not 32 bytes in base64; restore the key; a \
                     new store may take: openssl rand -base64 32";
        assert_eq!(folder.faults(&edited(&[])), [fault]);
    }
    put_private(&folder, "secrets/master.key", &"A".repeat(70_000));
    let fault = "gateway.yaml:8:3: keys.master: secrets/master.key is longer than any secret; name \
                 the right file";
    assert_eq!(folder.faults(&edited(&[])), [fault]);
}

#[test]
fn a_master_key_that_others_can_read_is_a_warning() {
    let folder = Folder::new();
    let path = folder.put("secrets/master.key", master_key());
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    let warning = "gateway.yaml:8:3: warning: keys.master: secrets/master.key is open to other \
                   users of this machine; take their rights away: chmod 600";
    assert_eq!(folder.warnings(&edited(&[])), [warning]);
}

#[test]
fn a_master_key_comes_from_the_environment_or_systemd_too() {
    let mut folder = Folder::new();
    let given = |folder: &Folder, source: &str| {
        let config = folder.config(&edited(&[("file:secrets/master.key", source)]));
        let MasterKey::Given(secret) = config.master_key else {
            panic!("the key is given");
        };
        secret.reveal().to_vec()
    };
    let env = edited(&[("file:secrets/master.key", "env:MASTER")]);
    let credential = edited(&[("file:secrets/master.key", "credential:master")]);
    assert_eq!(
        folder.faults(&env),
        ["gateway.yaml:8:3: keys.master: the environment variable MASTER is not set; set it, or \
          name another"]
    );
    assert_eq!(
        folder.faults(&credential),
        ["gateway.yaml:8:3: keys.master: there is no $CREDENTIALS_DIRECTORY; load it with \
          LoadCredential= in the unit"]
    );
    folder.set("MASTER", master_key());
    folder.set("CREDENTIALS_DIRECTORY", folder.path().join("credentials"));
    folder.put("credentials/master", STANDARD.encode([9; 32]));
    assert_eq!(given(&folder, "env:MASTER"), [7; 32]);
    assert_eq!(given(&folder, "credential:master"), [9; 32]);
}

#[test]
fn a_master_key_inside_the_store_is_a_warning() {
    let warning = "gateway.yaml:8:3: warning: keys.master: is inside the store's folder, so whoever \
                   copies the store has its key; keep it elsewhere";
    let folder = Folder::new();
    let inside = ["file:data/store/master.key", "file:data/x/../store/keys/master.key"];
    for source in inside {
        let yaml = edited(&[("file:secrets/master.key", source)]);
        assert_eq!(folder.warnings(&yaml), [warning], "{source}");
    }
    put_private(&folder, "data/store/master.key", &master_key());
    symlink(folder.path().join("data"), folder.path().join("link")).unwrap();
    let yaml = edited(&[("file:secrets/master.key", "file:link/store/master.key")]);
    assert_eq!(folder.warnings(&yaml), [warning]);
    let beside = edited(&[("file:secrets/master.key", "file:data/store.key")]);
    assert_eq!(folder.warnings(&beside), [""; 0]);
}

#[test]
fn folders_have_to_be_folders() {
    let folder = Folder::new();
    folder.put("data/store", "");
    assert_eq!(
        folder.faults(&edited(&[])),
        ["gateway.yaml:6:3: store.path: data/store is not a folder; name a folder"]
    );
    let yaml =
        edited(&[("data/store", "other"), ("limits:", "branding:\n  templates: none\nlimits:")]);
    assert_eq!(
        folder.faults(&yaml),
        ["gateway.yaml:47:3: branding.templates: none cannot be read: No such file or directory \
          (os error 2); name a folder of templates, or remove the key"]
    );
}

/// Whoever changes one of them offers another configuration.
#[test]
fn all_that_a_configuration_is_made_of_is_named() {
    let folder = Folder::new();
    let (chain, key) = certificate();
    folder.put("a.crt", chain);
    put_private(&folder, "a.key", &key);
    put_private(&folder, "secrets/master.key", &master_key());
    folder.put("templates/style.css", "");
    let branded =
        |yaml: String| yaml.replace("limits:", "branding:\n  templates: templates\nlimits:");
    let named = |files: &[std::path::PathBuf]| {
        let names = files.iter().map(|path| path.strip_prefix(folder.path()).unwrap());
        names.map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let files = folder.load(&branded(with_tls())).unwrap().files;
    assert_eq!(named(&files), ["gateway.yaml", "a.crt", "a.key", "templates"]);
    // So is what was looked for in vain: to put it there is the mend.
    fs::remove_file(folder.path().join("a.key")).unwrap();
    let faults = folder.load(&branded(with_tls())).unwrap_err();
    assert_eq!(named(faults.files()), ["gateway.yaml", "a.crt", "a.key", "templates"]);
}
