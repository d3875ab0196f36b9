//! Engines of the store, and what each is told.

use portcullis::config::{PostgresTls, StoreConfig};

use crate::cases::{Folder, check, edited};

const PATH: &str = "  path: data/store";
const FORM: &str =
    "write postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full";

/// What is wrong with a store whose url is `url`.
fn faults_of(url: &str) -> Vec<String> {
    let mut folder = Folder::new();
    folder.set("STORE_URL", url);
    folder.faults(&edited(&[(PATH, "  engine: postgres\n  url: env:STORE_URL")]))
}

#[test]
fn a_database_is_named_by_the_url_in_a_secret() {
    let folder = Folder::new();
    folder.put("secrets/url", "postgres://gate:s3cret@one,two:5433/mfa?sslrootcert=tls/ca.pem\n");
    let written = "  engine: postgres\n  url: file:secrets/url";
    let StoreConfig::Postgres(config) = folder.config(&edited(&[(PATH, written)])).store else {
        panic!("it is on another engine");
    };
    assert_eq!(config.place, "postgres://gate@one:5432,two:5433/mfa");
    assert!(config.require_sync_replication);
    let roots = Some(folder.path().join("tls/ca.pem"));
    assert_eq!(config.tls, PostgresTls::Verified { roots });
    let alone = format!("{written}\n  require_sync_replication: false");
    let StoreConfig::Postgres(config) = folder.config(&edited(&[(PATH, &alone)])).store else {
        panic!("it is on another engine");
    };
    assert!(!config.require_sync_replication);
}

#[test]
fn a_folder_is_the_default() {
    let folder = Folder::new();
    for written in [PATH, "  engine: sled\n  path: data/store"] {
        let config = folder.config(&edited(&[(PATH, written)]));
        assert_eq!(config.store.folder(), Some(folder.path().join("data/store").as_path()));
    }
}

#[test]
fn a_url_with_a_fault_is_refused_and_not_repeated() {
    for (url, what) in [
        ("", "is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE"),
        (
            "mysql://u:s3cret@db/mfa",
            "is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        ("postgres://u:s3cret@db", "names no database"),
        ("postgres://db/mfa", "names no user"),
        (
            "postgres://u:s3cret@db/mfa?sslmode=prefer",
            "has sslmode=\"prefer\"; take disable, require or verify-full",
        ),
        ("postgres://u:s3cret@db/mfa?a=b", "has the setting \"a\", which is not taken"),
    ] {
        let line = format!("gateway.yaml:7:3: store.url: {what}; {FORM}");
        assert_eq!(faults_of(url), [line], "{url}");
    }
}

#[test]
fn a_url_that_is_not_there_is_missed() {
    check(
        &[(PATH, "  engine: postgres")],
        &["gateway.yaml:5:1: store.url: is missing; say where the url is: file:PATH or env:NAME"],
    );
    check(
        &[(PATH, "  engine: postgres\n  url: env:NOT_SET")],
        &["gateway.yaml:7:3: store.url: the environment variable NOT_SET is not set; set it, or \
           name another"],
    );
}

#[test]
fn what_another_engine_takes_is_refused() {
    let mend = "remove it, or name the engine that it is for";
    check(
        &[(PATH, "  path: data/store\n  url: file:x\n  require_sync_replication: true")],
        &[
            &format!("gateway.yaml:7:3: store.url: is nothing that the engine sled takes; {mend}"),
            &format!(
                "gateway.yaml:8:3: store.require_sync_replication: is nothing that the engine \
                 sled takes; {mend}"
            ),
        ],
    );
    let mut folder = Folder::new();
    folder.set("STORE_URL", "postgres://u@db/mfa");
    let both = "  engine: postgres\n  path: data/store\n  url: env:STORE_URL";
    assert_eq!(
        folder.faults(&edited(&[(PATH, both)])),
        [format!(
            "gateway.yaml:7:3: store.path: is nothing that the engine postgres takes; {mend}"
        )]
    );
}

#[test]
#[cfg(not(feature = "etcd"))]
fn an_engine_that_is_not_in_this_build_is_named() {
    check(
        &[(PATH, "  engine: etcd\n  url: file:x")],
        &["gateway.yaml:6:3: store.engine: is etcd, which this build does not have; use a build \
           with the feature etcd, or the engine postgres"],
    );
}

#[test]
#[cfg(feature = "etcd")]
fn a_store_on_etcd_is_read_from_its_url() {
    let mut folder = Folder::new();
    let url = "https://gate:s3cret@one,two:2380/mfa?ca=tls/ca.pem\n";
    folder.put("secrets/url", url);
    let config = folder.config(&edited(&[(PATH, "  engine: etcd\n  url: file:secrets/url")]));
    let StoreConfig::Etcd(config) = config.store else { panic!("not on etcd") };
    assert_eq!(config.endpoints, ["https://one:2379", "https://two:2380"]);
    assert_eq!(config.place, "etcd at one:2379, two:2380, keys that begin with /mfa/");
    assert!(config.authorities.is_some_and(|file| file.is_absolute()));
    let form = "write https://USER:PASSWORD@HOST:PORT,HOST:PORT/PREFIX?ca=FILE";
    for (url, what) in [
        ("etcd://one", "begins neither with https:// nor, for this machine alone, with http://"),
        ("https://gate@one", "names a user without a password"),
        ("https://gate:s3cret@one?ssl=off", "has the setting \"ssl\", which is not taken"),
    ] {
        let mut folder = Folder::new();
        folder.set("STORE_URL", url);
        let written = edited(&[(PATH, "  engine: etcd\n  url: env:STORE_URL")]);
        assert_eq!(
            folder.faults(&written),
            [format!("gateway.yaml:7:3: store.url: {what}; {form}")]
        );
    }
    folder.set("STORE_URL", "https://one");
    let both = "  engine: etcd\n  url: env:STORE_URL\n  path: data/store";
    assert_eq!(
        folder.faults(&edited(&[(PATH, both)])),
        [
            "gateway.yaml:8:3: store.path: is nothing that the engine etcd takes; remove it, or name \
          the engine that it is for"
        ]
    );
}

#[test]
fn an_engine_that_nobody_knows_is_named() {
    check(
        &[(PATH, "  engine: oracle\n  path: data/store")],
        &[
            "gateway.yaml:6:3: store.engine: is not a word that is known here; write sled or postgres or etcd",
        ],
    );
}
