//! `/spa.js`: the script that leads a single-page application to the page it needs and back.
//! No template may replace it: a browser runs it only as it was when the gateway started.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest as _, Sha384};

use super::{PageAnswer, PageRequest};

/// The script, as it is sent.
pub const SCRIPT: &str = include_str!("../../templates/spa.js");

/// What stands in the pages of a portal whose own pages of ours are below `prefix`. It neither
/// waits nor is put off: a call that is made before the script runs would not be seen by it.
pub fn tag(prefix: &str) -> Bytes {
    let hash = STANDARD.encode(Sha384::digest(SCRIPT));
    let prefix = prefix.replace('&', "&amp;").replace('"', "&quot;");
    Bytes::from(format!("<script src=\"{prefix}/spa.js\" integrity=\"sha384-{hash}\"></script>"))
}

pub(super) fn show() -> PageAnswer {
    PageAnswer {
        content_type: "text/javascript; charset=utf-8",
        body: SCRIPT.to_owned(),
        ..PageAnswer::empty(StatusCode::OK)
    }
}

/// Whether the portal has the script at all.
pub(super) fn is_here(request: &PageRequest<'_>) -> bool {
    request.site.script_tag.is_some()
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, tag};

    #[test]
    fn the_script_is_small_and_needs_nothing_else() {
        assert!(SCRIPT.len() < 6 * 1024, "{} bytes", SCRIPT.len());
        assert!(SCRIPT.is_ascii());
        for word in ["eval(", "import ", "innerHTML", "document.write", "http:", "https:"] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }

    #[test]
    fn the_tag_names_the_script_and_its_hash_alone() {
        let text = String::from_utf8(tag("/.mfa").to_vec()).unwrap();
        let hash = text
            .strip_prefix("<script src=\"/.mfa/spa.js\" integrity=\"sha384-")
            .and_then(|rest| rest.strip_suffix("\"></script>"));
        assert_eq!(hash.map(str::len), Some(64), "{text}");
        assert!(tag("/a\"b&c").starts_with(b"<script src=\"/a&quot;b&amp;c/spa.js\""));
    }
}
