//! The way into the API of a running gateway.

use std::fs;
use std::time::Duration;

use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{DeskError, Way};
use crate::cli::http::{Client, Extra, Page};
use crate::cli::jar::Jar;

/// What holds the token where no file is named.
const VARIABLE: &str = "PORTCULLIS_ADMIN_TOKEN";
/// What a segment of a path may hold as it is (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a request is sent again that came too soon after others, and the longest wait.
const TRIES: u32 = 100;
const LONGEST_WAIT: u64 = 60;

/// The API, or one portal's part of it.
pub(super) struct Gate {
    client: Client,
    /// Where that begins.
    base: String,
    authorization: Zeroizing<String>,
}

impl Gate {
    /// Finds the gateway and the token.
    pub(super) fn open(way: &Way, portal: Option<&str>) -> Result<Self, DeskError> {
        let is_web = matches!(way.admin.scheme(), "http" | "https");
        if !is_web || way.admin.host_str().is_none() {
            return Err(DeskError::NoGateway(way.admin.clone()));
        }
        let token = token(way)?;
        let admin = way.admin.as_str().trim_end_matches('/');
        let part = portal.map(|portal| format!("/portals/{}", escaped(portal)));
        Ok(Self {
            client: Client::new(&way.admin, None),
            base: format!("{admin}/api/v1{}", part.unwrap_or_default()),
            authorization: Zeroizing::new(format!("Bearer {}", *token)),
        })
    }

    /// Asks for what is at `path` below the portal, or below the API.
    pub(super) async fn get(&self, path: &str) -> Result<Value, DeskError> {
        self.send(&Method::GET, path, None).await
    }

    /// Does what is at `path` there.
    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, DeskError> {
        self.send(&Method::POST, path, body).await
    }

    /// Ends what is at `path` there.
    pub(super) async fn delete(&self, path: &str) -> Result<Value, DeskError> {
        self.send(&Method::DELETE, path, None).await
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, DeskError> {
        let address = format!("{}{path}", self.base);
        let url =
            Url::parse(&address).map_err(|_| DeskError::NoGateway(self.client.origin().clone()))?;
        let body = body.map(ToString::to_string);
        let extra = Extra {
            authorization: Some(&self.authorization),
            accept: Some("application/json"),
            body: body.as_ref().map(|body| ("application/json", body.as_bytes())),
        };
        let mut page = self.client.send(&mut Jar::default(), method, &url, extra).await?;
        let mut said: Option<Value> = serde_json::from_slice(&page.body).ok();
        // Work on thousands of users goes on as fast as the gateway lets it.
        for _ in 0..TRIES {
            let Some(wait) = too_soon(&page, said.as_ref()) else { break };
            tokio::time::sleep(wait).await;
            page = self.client.send(&mut Jar::default(), method, &url, extra).await?;
            said = serde_json::from_slice(&page.body).ok();
        }
        match said {
            Some(said) if matches!(page.status, StatusCode::OK | StatusCode::CREATED) => Ok(said),
            Some(said) => Err(refusal(&said, page.status)),
            None => Err(DeskError::Strange(page.status.as_u16())),
        }
    }
}

/// How long to wait, where the token asked too often and nothing else is wrong.
fn too_soon(page: &Page, said: Option<&Value>) -> Option<Duration> {
    let is_pace = said?.get("reason")?.as_str()? == "too_often";
    let wait: u64 = page.header("retry-after")?.parse().ok()?;
    is_pace.then(|| Duration::from_secs(wait.clamp(1, LONGEST_WAIT)))
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

fn token(way: &Way) -> Result<Zeroizing<String>, DeskError> {
    let text = match &way.token_file {
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
