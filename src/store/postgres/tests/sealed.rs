//! TLS on the way to a real server: every connection is sealed, and to nobody but the one that was
//! asked for.

use std::path::Path;

use super::*;
use crate::store::{Key, Space, Write};

/// A database that is reached by TLS, at `host`, whose certificate has to be one of `roots`.
fn sealed(database: &Database, host: &str, roots: &Path) -> PostgresConfig {
    let url = database.url().replace("127.0.0.1", host);
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", roots.display());
    PostgresConfig::parse(&url, true).unwrap()
}

#[tokio::test]
async fn every_connection_is_sealed_where_that_is_wanted() {
    let database = Database::new();
    let config = sealed(&database, "127.0.0.1", &database.certificate());
    let store = PostgresStore::open(&config, &keyring(1), NOW).await.unwrap();
    let ann = Key::new(Space::Factor, &b"ann"[..]);
    store.commit(NOW, vec![Write::put(ann.clone(), &b"secret"[..], None)]).await.unwrap();
    assert_eq!(store.get(NOW, &ann).await.unwrap().unwrap().value, "secret");
    let counted = database.sql(
        "SELECT count(*), count(*) FILTER (WHERE ssl)
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE usename = 'portcullis' AND datname = current_database()",
    );
    let (all, sealed) = counted.split_once('|').unwrap();
    assert!(all == sealed && all != "0", "{sealed} of {all} connections are sealed");
}

#[tokio::test]
async fn whoever_cannot_show_that_it_is_the_server_gets_no_password() {
    let database = Database::new();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pem");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    // Its certificate is for 127.0.0.1 alone.
    for (host, roots) in [("localhost", database.certificate()), ("127.0.0.1", other)] {
        let config = sealed(&database, host, &roots);
        let refused = PostgresStore::open(&config, &keyring(1), NOW).await.err().unwrap();
        assert!(refused.to_string().contains("certificate"), "{host}: {refused}");
    }
}
