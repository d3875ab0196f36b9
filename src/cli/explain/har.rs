//! A browser's recorded session as its file has it (HAR 1.2). Browsers leave out what they
//! like, so nothing but the list of entries has to be there. It holds passwords and cookies:
//! nothing here can be printed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

/// The longest file that is read.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub(super) enum HarFault {
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is too long.
    #[error("the recording is longer than 64 MiB; record the sign-in and a few pages alone")]
    TooLong,
    /// It is something else.
    #[error("the recording is no HAR file, by line {line}, column {column}")]
    Malformed { line: usize, column: usize },
}

/// Reads a file.
///
/// # Errors
/// When it is no recording. What is wrong is told by its place: its text may be a secret.
pub(super) fn read(file: &Path) -> Result<Vec<Entry>, HarFault> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(HarFault::TooLong);
    }
    parse(&bytes)
}

/// Reads the text of a file.
///
/// # Errors
/// When it is no recording.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, HarFault> {
    // Some browsers put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let har: Har = serde_json::from_slice(bytes)
        .map_err(|error| HarFault::Malformed { line: error.line(), column: error.column() })?;
    Ok(har.log.entries)
}

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

/// A request and its answer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Entry {
    /// When it began (RFC 3339).
    pub started_date_time: String,
    /// The request.
    pub request: Request,
    /// The answer.
    pub response: Response,
}

/// A request.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request {
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Header lines.
    pub headers: Vec<Pair>,
    /// Cookies, where no header line has them.
    pub cookies: Vec<Pair>,
    /// The body.
    pub post_data: Option<PostData>,
}

/// An answer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Response {
    /// The status; none or 0 where there was no answer.
    pub status: i64,
    /// Header lines.
    pub headers: Vec<Pair>,
    /// Cookies, where no header line has them.
    pub cookies: Vec<SetCookie>,
    /// The body.
    pub content: Content,
}

/// A name and a value.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Zeroizing<String>,
}

/// A cookie as an answer sets it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SetCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Zeroizing<String>,
    /// The path it is for.
    pub path: Option<String>,
}

/// The body of a request.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PostData {
    /// Its kind.
    pub mime_type: String,
    /// As it was sent.
    pub text: Option<Zeroizing<String>>,
    /// Its fields, where the browser wrote those down instead.
    pub params: Vec<Pair>,
}

/// The body of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    /// How long it is.
    pub size: i64,
    /// The text, decoded.
    pub text: Option<Zeroizing<String>>,
    /// `base64`, where the text is written so.
    pub encoding: Option<String>,
}

impl PostData {
    /// The body in bytes.
    pub(super) fn bytes(&self) -> Zeroizing<Vec<u8>> {
        if let Some(text) = &self.text {
            return Zeroizing::new(text.as_bytes().to_vec());
        }
        let mut fields = form_urlencoded::Serializer::new(String::new());
        fields.extend_pairs(self.params.iter().map(|pair| (&pair.name, pair.value.as_str())));
        Zeroizing::new(fields.finish().into_bytes())
    }
}

impl Content {
    /// The body in bytes; nothing when the browser did not write it down.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.text, self.encoding.as_deref()) {
            (Some(text), Some("base64")) => STANDARD.decode(text.as_bytes()).ok(),
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, _) => (self.size <= 0).then(Vec::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HarFault, parse};

    #[test]
    fn browsers_may_leave_out_nearly_everything() {
        let entries = parse(
            br#"{"log":{"entries":[{},{"request":{"method":"GET","_x":1},
            "response":{"status":-1,"content":{"text":"YQ==","encoding":"base64"}}}]}}"#,
        );
        let entries = entries.ok().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].response.content.bytes().as_deref(), Some(&b""[..]));
        assert_eq!(entries[1].response.content.bytes().as_deref(), Some(&b"a"[..]));
    }

    #[test]
    fn fields_are_a_body_where_no_text_was_written_down() {
        let entries = parse(
            br#"{"log":{"entries":[{"request":{"postData":{"mimeType":"x",
            "params":[{"name":"u ser","value":"a&b"},{"name":"file"}]}}}]}}"#,
        );
        let entries = entries.ok().unwrap();
        let body = entries[0].request.post_data.as_ref().unwrap().bytes();
        assert_eq!(body.as_slice(), b"u+ser=a%26b&file=");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        for text in [&b"{\"log\": hunter2"[..], b"{}", b"[1]", b"", b"{\"log\":{\"entries\":1}}"] {
            let fault = parse(text).err().unwrap();
            assert!(matches!(fault, HarFault::Malformed { .. }));
            assert!(!fault.to_string().contains("hunter2"));
        }
    }
}
