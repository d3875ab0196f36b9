//! Where something secret may have been left behind, and in which spellings.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// How much of a spelling is enough to look more closely.
const START: usize = 8;

/// A heap of bytes in which secrets are looked for.
pub struct Traces {
    heap: Vec<u8>,
    /// Every eight bytes that follow each other in it: almost every spelling begins with others.
    starts: HashSet<[u8; START]>,
}

impl Traces {
    pub fn of(heap: impl Into<Vec<u8>>) -> Self {
        let heap = heap.into();
        let starts = heap.windows(START).map(|window| window.try_into().unwrap()).collect();
        Self { heap, starts }
    }

    /// The spelling in which a secret stands there, if it does.
    pub fn found(&self, secret: impl AsRef<[u8]>) -> Option<String> {
        let stands = |text: &Vec<u8>| {
            let start: [u8; START] = text[..START].try_into().unwrap();
            self.starts.contains(&start) && self.heap.windows(text.len()).any(|part| part == text)
        };
        let spelling = spellings(secret.as_ref()).into_iter().find(stands);
        spelling.map(|spelling| String::from_utf8_lossy(&spelling).into_owned())
    }
}

/// A secret as it is and as it is often written. At least ten bytes: what is shorter is found
/// anywhere.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    assert!(secret.len() >= 10, "too short to be looked for");
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = secret.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form: String = form_urlencoded::byte_serialize(secret).collect();
    let base32 = to_base32(secret);
    let mut all = vec![
        secret.to_vec(),
        secret.to_ascii_lowercase(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        escaped.to_lowercase().into_bytes(),
        escaped.into_bytes(),
        form.into_bytes(),
        base32.to_lowercase().into_bytes(),
        base32.into_bytes(),
    ];
    // In base64 the same bytes look different at each of three places, and their ends depend on
    // what stands around them.
    for place in 0..3 {
        let padded = [&vec![0; place][..], secret].concat();
        for text in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)]
        {
            all.push(text.as_bytes()[(place * 8).div_ceil(6)..text.len() - 1].to_vec());
        }
    }
    all
}

/// Whether a few digits stand in `text` by themselves, not as a part of a longer word.
pub fn holds_word(text: &str, word: &str) -> bool {
    let is_part = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !is_part(before) && !is_part(text[at + word.len()..].chars().next())
    })
}

/// All bytes of all files below a folder.
pub fn contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            bytes.extend(fs::read(&path).unwrap());
        }
    }
    bytes
}

pub fn to_base32(bytes: &[u8]) -> String {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let sign = |five: &[u8]| {
        let index = (0..5).fold(0, |index, at| index << 1 | five.get(at).unwrap_or(&0));
        char::from(BASE32[usize::from(index)])
    };
    bits.chunks(5).map(sign).collect()
}

pub fn from_base32(text: &str) -> Vec<u8> {
    let mut bits = text.bytes().flat_map(|sign| {
        let value = BASE32.iter().position(|known| *known == sign).unwrap();
        (0..5).rev().map(move |bit| value >> bit & 1 == 1)
    });
    let mut bytes = Vec::new();
    loop {
        let byte: Vec<bool> = bits.by_ref().take(8).collect();
        if byte.len() < 8 {
            return bytes;
        }
        bytes.push(byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    }
}
