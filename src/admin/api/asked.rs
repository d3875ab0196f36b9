//! What a request asks for besides its path: its query and its body, read strictly. What is
//! not known is refused rather than passed over: a typo must not do something else.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{StatusCode, header, request};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::admin::deeds::Acting;
use crate::audit::{Entry, Event};
use crate::clock::UnixMillis;
use crate::config::desk::Staff;
use crate::site::Parts;

/// The longest body, in bytes.
const LONGEST: usize = 16 * 1024;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request of somebody who may make it.
pub(super) struct Asked<'a> {
    pub(super) parts: &'a Parts,
    pub(super) now: UnixMillis,
    /// Who asks.
    pub(super) staff: &'a Staff,
    /// From where.
    client: Option<IpAddr>,
    query: Vec<(String, String)>,
    is_json: bool,
    body: Bytes,
}

impl<'a> Asked<'a> {
    /// Reads all of a request.
    pub(super) async fn read(
        parts: &'a Parts,
        now: UnixMillis,
        staff: &'a Staff,
        head: &request::Parts,
        body: Body,
    ) -> Result<Self, Problem> {
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, LONGEST)).await;
        let body = body.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come within 10 s")
        })?;
        let body = body.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 16 KiB, or broken")
        })?;
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        let is_json = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
        let client = super::client(head);
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let query = form_urlencoded::parse(query).into_owned().collect();
        Ok(Self { parts, now, staff, client, query, is_json, body })
    }

    /// Something that this request did, for the audit log.
    pub(super) fn entry(&self, event: Event) -> Entry<'_> {
        Entry::new(event, self.acting().by()).from(self.client, None)
    }

    /// Who asks, as somebody who does something at the desk.
    pub(super) fn acting(&self) -> Acting<'a> {
        let Self { parts, now, staff, client, .. } = *self;
        Acting { parts, now, staff, client }
    }

    /// Makes sure that whoever asks may act at every portal, where what is asked for concerns
    /// all of them.
    pub(super) fn everywhere(&self) -> Result<(), Problem> {
        if self.staff.portals.is_none() { Ok(()) } else { Err(Problem::not_for_all()) }
    }

    /// Writes it down: on disk when this returns.
    pub(super) async fn note(&self, entry: Entry<'_>) -> Result<(), Problem> {
        Ok(self.parts.audit.note(self.now, entry).await?)
    }

    /// The values of the query, in the order of `names`; no other name may be there, and none
    /// twice.
    pub(super) fn query<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[Option<&str>; N], Problem> {
        let mut values = [None; N];
        for (name, value) in &self.query {
            let place = names.iter().position(|known| known == name);
            match place.and_then(|place| values.get_mut(place)) {
                Some(place @ None) => *place = Some(value.as_str()),
                Some(Some(_)) => return Err(Problem::bad(format!("the query has {name} twice"))),
                None => {
                    let known = names.join(", ");
                    let known = if N == 0 { "nothing" } else { &known };
                    let detail = format!("the query may hold {known}, and has something else");
                    return Err(Problem::bad(detail));
                }
            }
        }
        Ok(values)
    }

    /// Makes sure that there is nothing besides the path.
    pub(super) fn nothing_more(&self) -> Result<(), Problem> {
        let [] = self.query([])?;
        self.no_body()
    }

    /// Makes sure that there is no body.
    pub(super) fn no_body(&self) -> Result<(), Problem> {
        if self.body.is_empty() { Ok(()) } else { Err(Problem::bad("this takes no body")) }
    }

    /// The same where there may be no body at all, which says nothing.
    pub(super) fn json_if_any<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { self.nothing_more().map(|()| T::default()) } else { self.json() }
    }

    /// The body as JSON of this form, and of no other.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let [] = self.query([])?;
        if !self.is_json {
            let detail = "the body has to be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        // A list would be taken for an object whose members come in their order.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::bad("the body is not as it has to be: it is no JSON object"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::bad(format!("the body is not as it has to be: {error}")))
    }
}
