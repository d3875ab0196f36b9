//! The way into the API of a running gateway.

use std::time::Duration;
use std::{fs, io};

use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{DeskError, Door};
use crate::cli::http::{Client, Extra};
use crate::cli::jar::Jar;

/// What holds the token where no file is named.
const VARIABLE: &str = "PORTCULLIS_ADMIN_TOKEN";
/// For what ends many sessions or gives much.
const LONG: Duration = Duration::from_secs(600);
/// What a segment of a path may hold as it is (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The API, or one portal's part of it.
pub(super) struct Gate {
    client: Client,
    /// Where that part begins.
    base: String,
    authorization: Zeroizing<String>,
}

impl Gate {
    /// Finds the gateway and the token; for one portal's part, or for what concerns all.
    pub(super) fn open(door: &Door, portal: Option<&str>) -> Result<Self, DeskError> {
        let is_web = matches!(door.admin.scheme(), "http" | "https");
        if !is_web || door.admin.host_str().is_none() {
            return Err(DeskError::NoGateway(door.admin.clone()));
        }
        let token = token(door)?;
        let admin = door.admin.as_str().trim_end_matches('/');
        Ok(Self {
            client: Client::new(&door.admin, None),
            base: match portal {
                Some(portal) => format!("{admin}/api/v1/portals/{}", escaped(portal)),
                None => format!("{admin}/api/v1"),
            },
            authorization: Zeroizing::new(format!("Bearer {}", *token)),
        })
    }

    /// Asks for what is at `path` below that part.
    pub(super) async fn get(&self, path: &str) -> Result<Value, DeskError> {
        self.send(&Method::GET, path, None).await
    }

    /// Does what is at `path` below that part.
    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, DeskError> {
        self.send(&Method::POST, path, body).await
    }

    /// Ends what is at `path` below that part.
    pub(super) async fn delete(&self, path: &str) -> Result<Value, DeskError> {
        self.send(&Method::DELETE, path, None).await
    }

    /// The same gate for what may take minutes.
    pub(super) fn patient(mut self) -> Self {
        self.client = self.client.patient_for(LONG);
        self
    }

    /// Does what is at `path`, whose answer may be long: its pieces go to `take`.
    pub(super) async fn download(
        &self,
        path: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<(), io::Error>,
    ) -> Result<(), DeskError> {
        let url = self.url(path)?;
        let extra = Extra { authorization: Some(&self.authorization), ..Extra::default() };
        let page = self.client.download(&Method::POST, &url, extra, take).await?;
        if page.status == StatusCode::OK {
            return Ok(());
        }
        match serde_json::from_slice(&page.body) {
            Ok(said) => Err(refusal(&said, page.status)),
            Err(_) => Err(DeskError::Strange(page.status.as_u16())),
        }
    }

    fn url(&self, path: &str) -> Result<Url, DeskError> {
        let address = format!("{}{path}", self.base);
        Url::parse(&address).map_err(|_| DeskError::NoGateway(self.client.origin().clone()))
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, DeskError> {
        let url = self.url(path)?;
        let body = body.map(ToString::to_string);
        let extra = Extra {
            authorization: Some(&self.authorization),
            accept: Some("application/json"),
            body: body.as_ref().map(|body| ("application/json", body.as_bytes())),
        };
        let page = self.client.send(&mut Jar::default(), method, &url, extra).await?;
        let said: Option<Value> = serde_json::from_slice(&page.body).ok();
        match said {
            Some(said) if is_done(page.status) => Ok(said),
            Some(said) => Err(refusal(&said, page.status)),
            None => Err(DeskError::Strange(page.status.as_u16())),
        }
    }
}

/// What was accepted is under way: the answer says what it waits for.
fn is_done(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED)
}

fn refusal(said: &Value, status: StatusCode) -> DeskError {
    match said.get("detail").and_then(Value::as_str) {
        Some(detail) => DeskError::Refused(super::table::shown(detail)),
        None => DeskError::Strange(status.as_u16()),
    }
}

/// The path of a user below the portal.
pub(super) fn user_path(user: &str) -> String {
    format!("/users/{}", escaped(user))
}

/// A text as one segment, or as one value of a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn token(door: &Door) -> Result<Zeroizing<String>, DeskError> {
    let text = match &door.token_file {
        Some(file) => {
            let unreadable = |error| DeskError::TokenFile { file: file.clone(), error };
            fs::read_to_string(file).map_err(unreadable)?
        }
        None => variable().ok_or(DeskError::NoToken)?,
    };
    let text = Zeroizing::new(text);
    let token = Zeroizing::new(text.trim().to_owned());
    if token.is_empty() { Err(DeskError::NoToken) } else { Ok(token) }
}

fn variable() -> Option<String> {
    // A command takes its token from where scripts keep theirs.
    #[allow(clippy::disallowed_methods)]
    std::env::var(VARIABLE).ok()
}

#[cfg(test)]
mod tests {
    use super::{escaped, user_path};

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(user_path("alice"), "/users/alice");
        assert_eq!(escaped("a/b?c#d e%@x"), "a%2Fb%3Fc%23d%20e%25%40x");
        assert_eq!(escaped("é"), "%C3%A9");
    }
}
