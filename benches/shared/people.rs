//! Many people who have enrolled, as an export that a store takes in: each with a phone, recovery
//! codes and a sign-in that was seen, as real ones have them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use portcullis::account::{Authenticator, FactorRecord, PortalTag, Sight};
use portcullis::clock::UnixMillis;
use portcullis::factor::recovery::{Code, HashedCodes};
use portcullis::session::Binder;
use portcullis::store::backup::{ExportKey, Writer};
use portcullis::store::keyring::Keyring;
use portcullis::store::{Copied, Key, Leaf, Sort, Space};
use portcullis::user::{Opaque, UserName};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::dsl::member;
use crate::figures::{self, say, size};

/// Records of each of them at one portal.
const RECORDS: usize = 3;
/// Long enough ago that another sign-in is worth a note.
const SEEN_BEFORE: Duration = Duration::from_secs(48 * 3600);

/// The keys of one portal.
pub struct House {
    pub portal: String,
    pub binder: Binder,
    pub tag: PortalTag,
}

impl House {
    pub fn new(keyring: &Keyring, portal: &str) -> Self {
        let binder = Binder::new(portal, &keyring.derive("portal binding"));
        let mut tag = [0; 8];
        tag.copy_from_slice(&keyring.id(&[b"portal", portal.as_bytes()])[..8]);
        Self { portal: portal.to_owned(), binder, tag: PortalTag(tag) }
    }

    /// What one of them is to the store.
    pub fn subject(&self, number: usize) -> Opaque {
        self.binder.subject(&name(number))
    }

    fn record(&self, space: Space, number: usize, value: &impl Serialize) -> Copied {
        let id = [&self.tag.0[..], &self.subject(number).0[..]].concat();
        let payload = Zeroizing::new(serde_json::to_vec(value).unwrap());
        let leaf = Leaf { sort: Sort::Value, payload, expires_at: None };
        Copied::New(Key::new(space, id), leaf)
    }
}

/// The keys of this file.
pub fn keyring(master: &Path) -> Keyring {
    Keyring::existing(&portcullis::config::MasterKey::File(master.to_owned())).unwrap()
}

/// Writes everybody at each of these portals into an export, and has the gateway at `yaml` import
/// it. The master key lies at `master`.
pub fn fill(yaml: &Path, master: &Path, portals: &[&str], people: usize) {
    let export = yaml.with_file_name("people.export");
    let begun = Instant::now();
    write_export(master, &export, portals, people);
    say("written as an export", format!("{} in {:.0?}", size(&export), begun.elapsed()));
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["store", "import", "--config", yaml.to_str().unwrap()])
        .args(["--from", export.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(done.success());
    let records = people * portals.len() * RECORDS;
    let pace = records as f64 / begun.elapsed().as_secs_f64();
    say("records imported", format!("{records} in {:.0?}, {pace:.0} a second", begun.elapsed()));
    fs::remove_file(export).unwrap();
}

fn write_export(master: &Path, to: &Path, portals: &[&str], people: usize) {
    let keyring = keyring(master);
    let key = ExportKey::new(&keyring);
    let mut out = BufWriter::new(File::create(to).unwrap());
    let now = UnixMillis::from_seconds(figures::now());
    let (mut writer, head) = Writer::begin(&key, now).unwrap();
    out.write_all(&head).unwrap();
    let codes = HashedCodes::new(&[Code::from_random([7; 10])], [5; 16], &[9; 32]).unwrap();
    let mut codes = serde_json::to_value(&codes).unwrap();
    // Ten that look alike, since nobody gives one.
    codes["hashes"] = json!(vec![codes["hashes"][0].clone(); 10]);
    for portal in portals {
        let house = House::new(&keyring, portal);
        for number in 0..people {
            for step in [
                house.record(Space::Factor, number, &factor(portal, number, now)),
                house.record(Space::Recovery, number, &codes),
                house.record(Space::Sight, number, &sight(number, now.minus(SEEN_BEFORE))),
            ] {
                out.write_all(&writer.step(&step).unwrap()).unwrap();
            }
        }
    }
    out.write_all(&writer.end().unwrap().0).unwrap();
    out.flush().unwrap();
}

fn factor(portal: &str, number: usize, now: UnixMillis) -> FactorRecord {
    let secret = secret(portal, number);
    let key = json!({ "secret": secret, "algorithm": "sha1", "digits": 6, "period": 30 });
    let one = Authenticator {
        id: Opaque([7; 16]),
        label: "Authenticator app".to_owned(),
        added: now.minus(SEEN_BEFORE),
        key: serde_json::from_value(key).unwrap(),
    };
    FactorRecord { user: name(number), authenticators: vec![one] }
}

fn sight(number: usize, at: UnixMillis) -> Sight {
    Sight {
        user: name(number),
        first: at,
        last: at,
        quiet: 0,
        reminded: None,
        held: None,
        reported: None,
        language: None,
    }
}

pub fn name(number: usize) -> UserName {
    serde_json::from_value(json!(member(number).0)).unwrap()
}

fn secret(portal: &str, number: usize) -> Vec<u8> {
    Sha256::digest(format!("{portal} {number}"))[..20].to_vec()
}

/// What the phone of one of them shows.
pub fn code(portal: &str, number: usize, at: u64) -> String {
    let totp: Totp = Builder::new()
        .with_secret(secret(portal, number))
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .build()
        .unwrap();
    totp.generate(at).to_string()
}
