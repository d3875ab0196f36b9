//! Tests of the keyring: its file, its keys, and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::Secret;

const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn given(text: &str) -> Result<Keyring, KeyringError> {
    Keyring::load(&MasterKey::Given(Secret::new(STANDARD.decode(text).unwrap_or_default())))
}

fn refusal(path: &Path) -> String {
    Keyring::load(&MasterKey::File(path.to_owned())).err().expect("a refusal").to_string()
}

fn written(folder: &tempfile::TempDir, text: &str, mode: u32) -> PathBuf {
    let path = folder.path().join("master.key");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn the_first_start_makes_a_private_key_and_the_next_one_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets/master.key");
    let source = MasterKey::File(path.clone());
    let first = Keyring::load(&source).unwrap().derive("x");
    assert_eq!(*Keyring::load(&source).unwrap().derive("x"), *first);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(STANDARD.decode(fs::read_to_string(&path).unwrap().trim()).unwrap().len(), 32);
}

#[test]
fn two_installations_never_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| MasterKey::File(folder.path().join(name)));
    assert_ne!(*Keyring::load(&a).unwrap().derive("x"), *Keyring::load(&b).unwrap().derive("x"));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o660, 0o601] {
        let path = written(&folder, TEXT, mode);
        let text = refusal(&path);
        assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
        assert!(text.contains(&format!("{mode:04o}")), "{text}");
    }
}

#[test]
fn a_malformed_key_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "AAEC", "not base64 at all", &TEXT.repeat(2), &format!("{TEXT}\0")] {
        let path = written(&folder, text, 0o600);
        assert!(refusal(&path).contains("master.key is not 32 bytes"));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(given(text).is_err());
    }
}

#[test]
fn a_given_key_and_the_same_key_in_a_file_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, &format!("{TEXT}\n"), 0o400);
    let from_file = Keyring::load(&MasterKey::File(path)).unwrap();
    assert_eq!(*given(TEXT).unwrap().derive("x"), *from_file.derive("x"));
}

#[test]
fn keys_follow_rfc_5869() {
    // HMAC-SHA256(HMAC-SHA256("portcullis v1", 00..1f), "session" | 01), computed apart.
    let salt = {
        let mut block = [0; 64];
        block[..13].copy_from_slice(b"portcullis v1");
        block
    };
    let mut extract = Hmac::<Sha256>::new(&salt.into());
    extract.update(&(0..32).collect::<Vec<u8>>());
    let prk: [u8; 32] = extract.finalize().into_bytes().into();
    let mut step = mac(&Zeroizing::new(prk));
    step.update(b"session\x01");
    let expected: [u8; 32] = step.finalize().into_bytes().into();
    assert_eq!(*given(TEXT).unwrap().derive("session"), expected);
}

#[test]
fn each_label_and_each_name_has_its_own_bytes() {
    let keyring = given(TEXT).unwrap();
    assert_ne!(*keyring.derive("a"), *keyring.derive("b"));
    assert_eq!(keyring.id(&[b"wiki", b"ann"]), keyring.id(&[b"wiki", b"ann"]));
    assert_ne!(keyring.id(&[b"wiki", b"ann"]), keyring.id(&[b"wik", b"iann"]));
    assert_ne!(keyring.id(&[b"wiki"]), keyring.id(&[b"wiki", b""]));
}

#[test]
fn a_ring_knows_the_key_it_was_made_from_and_makes_none_to_compare_with() {
    let folder = tempfile::tempdir().unwrap();
    let source = MasterKey::File(written(&folder, TEXT, 0o600));
    let ring = Keyring::load(&source).unwrap();
    assert!(ring.is_of(&source));
    assert!(ring.is_of(&MasterKey::Given(Secret::new(STANDARD.decode(TEXT).unwrap()))));
    assert!(!ring.is_of(&MasterKey::Given(Secret::new(vec![7; 32]))));
    let absent = folder.path().join("absent.key");
    assert!(!ring.is_of(&MasterKey::File(absent.clone())));
    assert!(!absent.exists());
    written(&folder, TEXT, 0o644);
    assert!(!ring.is_of(&source), "others can read it now");
}
