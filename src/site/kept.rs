//! A form that waits for a proof: sealed, it travels in the page that asks for the code, so
//! nothing of it is stored here. It opens in the very stretch of the session that it was sealed
//! in, and in no other: not for somebody else, and not after another proof.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Site;
use crate::random::{self, NoRandomness};
use crate::user::Opaque;

/// The longest body that is kept, in bytes.
pub const LONGEST_KEPT_BODY: usize = 256 * 1024;
/// The most that the lines kept with a body may take, in bytes.
const LONGEST_LINES: usize = 16 * 1024;
/// The longest sealed form, in letters: four for each three bytes, with room for nonce and tag.
pub const LONGEST_SEALED: usize = (LONGEST_KEPT_BODY + LONGEST_LINES + 128) / 3 * 4;

const NONCE: usize = 24;
/// Stands before what the seal is bound to, so that no other use of the key reads the same.
const PURPOSE: &[u8] = b"kept form 1";

/// A form that a portal has not got yet. No `Debug`: it holds what somebody typed.
pub struct KeptForm {
    /// What of the request's head goes along.
    pub lines: KeptLines,
    /// The body as it came.
    pub body: Zeroizing<Vec<u8>>,
}

/// The lines of a kept request that its portal needs to take it for the same. No `Debug`:
/// cookies are in it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptLines {
    /// Path and query.
    pub target: String,
    /// The type of the body, which names the boundary between its parts.
    pub content_type: String,
    /// Portals tell by these two whether a form is their own.
    pub origin: Option<String>,
    /// See `origin`.
    pub referer: Option<String>,
    /// The portal's cookies. Those for a folder alone are not sent with the code.
    pub cookies: Option<String>,
}

/// The key that seals the forms of all portals. It has no `Debug`.
pub(super) struct KeptKey(XChaCha20Poly1305);

impl KeptKey {
    pub(super) fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self(XChaCha20Poly1305::new((&**key).into()))
    }
}

impl Site {
    /// Seals a form into this stretch of a session. Nothing when it is too long to be kept.
    ///
    /// # Errors
    /// When there is no randomness for it.
    pub fn seal_form(&self, sid: Opaque, form: &KeptForm) -> Result<Option<String>, NoRandomness> {
        let Ok(lines) = serde_json::to_vec(&form.lines) else { return Ok(None) };
        if lines.len() > LONGEST_LINES || form.body.len() > LONGEST_KEPT_BODY {
            return Ok(None);
        }
        // JSON as it is written here holds no line feed, so the first one ends it.
        let text = Zeroizing::new([lines.as_slice(), b"\n", &form.body].concat());
        let nonce: [u8; NONCE] = random::bytes()?;
        let bound = self.kept_binding(sid);
        let payload = Payload { msg: &text, aad: &bound };
        let sealed = self.kept_key.0.encrypt(&XNonce::from(nonce), payload).ok();
        Ok(sealed.map(|sealed| URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens a form that was sealed into this stretch of a session. Nothing when it was not.
    pub fn open_form(&self, sid: Opaque, sealed: &str) -> Option<KeptForm> {
        if sealed.len() > LONGEST_SEALED {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let bound = self.kept_binding(sid);
        let payload = Payload { msg: sealed, aad: &bound };
        let text = self.kept_key.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        let text = Zeroizing::new(text);
        let end = text.iter().position(|byte| *byte == b'\n')?;
        let (lines, body) = text.split_at(end);
        Some(KeptForm {
            lines: serde_json::from_slice(lines).ok()?,
            body: Zeroizing::new(body.get(1..)?.to_vec()),
        })
    }

    // The one part of variable length comes last, so no two bindings read the same.
    fn kept_binding(&self, sid: Opaque) -> Vec<u8> {
        [PURPOSE, &sid.0, self.portal.name.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::house;
    use super::{KeptForm, KeptLines, LONGEST_KEPT_BODY, LONGEST_LINES, LONGEST_SEALED};
    use crate::user::Opaque;

    const SID: Opaque = Opaque([1; 16]);

    fn form(body: &[u8]) -> KeptForm {
        let lines = KeptLines {
            target: "/save?id=start\n".to_owned(),
            content_type: "multipart/form-data; boundary=x".to_owned(),
            origin: Some("https://wiki.test".to_owned()),
            referer: None,
            cookies: Some("sid=1".to_owned()),
        };
        KeptForm { lines, body: Zeroizing::new(body.to_vec()) }
    }

    #[test]
    fn a_form_opens_where_it_was_sealed() {
        let sites = house::sites();
        let wiki = sites.named("wiki.test");
        for body in [&b""[..], b"text=typed\n\n\0\xff"] {
            let sealed = wiki.seal_form(SID, &form(body)).unwrap().unwrap();
            let opened = wiki.open_form(SID, &sealed).unwrap();
            assert_eq!(opened.body.as_slice(), body);
            assert_eq!(opened.lines.target, "/save?id=start\n");
            assert_eq!(opened.lines.content_type, "multipart/form-data; boundary=x");
            assert_eq!(opened.lines.origin.as_deref(), Some("https://wiki.test"));
            assert_eq!((opened.lines.referer, opened.lines.cookies), (None, Some("sid=1".into())));
        }
    }

    #[test]
    fn a_form_opens_in_no_other_session_and_at_no_other_portal() {
        let sites = house::sites();
        let (wiki, shop) = (sites.named("wiki.test"), sites.named("shop.test"));
        let sealed = wiki.seal_form(SID, &form(b"a=b")).unwrap().unwrap();
        assert!(wiki.open_form(Opaque([2; 16]), &sealed).is_none());
        assert!(shop.open_form(SID, &sealed).is_none());
        for broken in ["", "x", &sealed[1..], &sealed[..sealed.len() - 2], &format!("{sealed}AA")] {
            assert!(wiki.open_form(SID, broken).is_none(), "{broken}");
        }
        let mut changed = sealed.into_bytes();
        let middle = changed.len() / 2;
        changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
        assert!(wiki.open_form(SID, std::str::from_utf8(&changed).unwrap()).is_none());
    }

    #[test]
    fn what_is_too_long_is_not_kept_and_what_is_kept_fits() {
        let sites = house::sites();
        let wiki = sites.named("wiki.test");
        let mut longest = form(&vec![b'x'; LONGEST_KEPT_BODY]);
        let spare = LONGEST_LINES - serde_json::to_vec(&longest.lines).unwrap().len();
        longest.lines.target.push_str(&"t".repeat(spare));
        let sealed = wiki.seal_form(SID, &longest).unwrap().unwrap();
        assert!(sealed.len() <= LONGEST_SEALED, "{}", sealed.len());
        assert_eq!(wiki.open_form(SID, &sealed).unwrap().body.len(), LONGEST_KEPT_BODY);
        longest.lines.target.push('t');
        assert!(wiki.seal_form(SID, &longest).unwrap().is_none());
        let longer = form(&vec![b'x'; LONGEST_KEPT_BODY + 1]);
        assert!(wiki.seal_form(SID, &longer).unwrap().is_none());
    }
}
