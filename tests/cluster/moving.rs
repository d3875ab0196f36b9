//! A store moves from the folder of one gateway to an engine that gateways share, and back: who
//! has enrolled goes on with the same phone, and no code counts twice on the way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::dsl::client::{self, Call};
use crate::dsl::desk::{ADMIN, command};
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, Gateway, gateway, portal};
use crate::engine::{Engine, Kind};

on_each_engine!(who_has_enrolled_signs_in_wherever_the_store_moves);

const OWN: &str = "{ engine: sled, path: data/store }";

async fn who_has_enrolled_signs_in_wherever_the_store_moves(engine: &Engine) {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(ADMIN).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let own = gateway.yaml();
    let entry = engine.entry(&engine.new_store(), &engine.addresses(), gateway.folder());
    let shared = own.replace(OWN, &entry);
    assert_ne!(own, shared);
    moves(&mut gateway, "out", &shared).await;
    passes(&mut gateway, &mut alice).await;
    let standing = standing(&gateway);
    let wanted = match engine.kind {
        Kind::Sled => panic!("nothing moved"),
        Kind::Postgres => "postgres",
        #[cfg(feature = "etcd")]
        Kind::Etcd => "etcd",
    };
    assert_eq!(standing["engine"], wanted);
    assert!(standing["shared"]["replicas_in_sync"].as_u64().unwrap() >= 1, "{standing}");
    assert!(standing["shared"]["lag_ms"].as_u64().unwrap() < 1000, "{standing}");
    assert!(gateway.metric("portcullis_store_feed_lag_seconds", &[("engine", wanted)]).await < 1.0);
    let ready = client::plain(gateway.admin(), Call::get("localhost", "/readyz")).await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    // What is there already is not written over.
    let again = import(&gateway, &gateway.folder().join("out"));
    assert_eq!(again.0, 1, "{again:?}");
    assert!(again.1.contains("already"), "{again:?}");
    fs::rename(gateway.folder().join("data"), gateway.folder().join("old")).unwrap();
    fs::create_dir(gateway.folder().join("data")).unwrap();
    moves(&mut gateway, "back", &own).await;
    passes(&mut gateway, &mut alice).await;
    assert_eq!(self::standing(&gateway)["engine"], "sled");
}

/// Exports the store of a gateway into the file `name`, and imports that where `yaml` says.
async fn moves(gateway: &mut Gateway, name: &str, yaml: &str) {
    let file = gateway.folder().join(name);
    let done = command(gateway, ADMIN, &["store", "export", "--to", path(&file)]);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    assert_eq!(gateway.stop(), 0);
    gateway.write_yaml(yaml);
    let done = import(gateway, &file);
    assert_eq!(done.0, 0, "{done:?}");
    assert!(done.1.contains("1  users with a second factor"), "{done:?}");
    gateway.start().await;
}

/// Gives the exit code and all that was said.
fn import(gateway: &Gateway, file: &Path) -> (i32, String) {
    let done = gateway.offline(&["store", "import", "--from", path(file)]);
    (done.code, done.out + &done.complaint)
}

/// Signs in with a code that was not spent before, and not with one of before the move.
async fn passes(gateway: &mut Gateway, alice: &mut Enrolled) {
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let old = alice.phone.code(alice.spent);
    assert_eq!(give_code(&mut browser, &page, &old).await.status, 401, "an old code counts");
    gateway.advance(Duration::from_secs(120));
    let page = sign_in_again(&mut browser, ALICE).await;
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("secret-page"));
    alice.spent = gateway.now();
}

fn standing(gateway: &Gateway) -> Value {
    let said = command(gateway, ADMIN, &["store", "status", "--output", "json"]);
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
