//! How the store stands, and a copy of all of it that goes out as it is made. Without the master
//! key nobody reads anything in it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use http_body::Frame;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc;

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::audit::Event;
use crate::store::Shared;
use crate::store::backup::BackupError;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoreStanding")]
pub(super) struct Standing<'a> {
    engine: &'a str,
    /// Whether it takes writes now.
    writable: bool,
    path: &'a str,
    format: u16,
    /// When a write counts as done.
    durability: &'a str,
    /// What lies in it, what has expired and was not swept yet included.
    records_total: u64,
    bytes: u64,
    /// What counts in it, by kind.
    records: Vec<Records>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_export: Option<String>,
    /// How a store fares that several gateways share.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Together<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoreShared")]
struct Together<'a> {
    /// The server that is asked now.
    server: &'a str,
    /// How many others have each write before it counts as done.
    replicas_in_sync: u32,
    /// How long ago this gateway had heard of all that others changed, in milliseconds; beyond
    /// a second it does not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    /// How often another server took over since this gateway started.
    failovers: u64,
    /// What ought to be mended.
    warnings: &'a [String],
}

impl<'a> Together<'a> {
    fn of(shared: &'a Shared) -> Self {
        let millis = |lag: Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        Self {
            server: &shared.server,
            replicas_in_sync: shared.replicas_in_sync,
            lag_ms: shared.lag.map(millis),
            failovers: shared.failovers,
            warnings: &shared.warnings,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoreRecords")]
struct Records {
    what: &'static str,
    count: u64,
}

/// `GET /store`
pub(super) async fn show(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.everywhere()?;
    asked.nothing_more()?;
    let status = asked.parts.backup.status(asked.now).await?;
    let records = status.records.iter();
    let records = records.map(|(space, count)| Records { what: space.in_words(), count: *count });
    let health = &status.health;
    view::json(&Standing {
        engine: health.engine,
        writable: health.writable,
        path: &health.place,
        format: health.format,
        durability: health.durability,
        records_total: health.records,
        bytes: health.bytes,
        records: records.collect(),
        last_export: status.last_export.and_then(view::moment),
        shared: health.shared.as_ref().map(Together::of),
    })
}

/// `POST /store/export`
pub(super) async fn export(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.everywhere()?;
    asked.nothing_more()?;
    asked.parts.audit.ready()?;
    let mut pieces = asked.parts.backup.export(asked.now);
    // The first piece tells whether there is an export at all. No piece goes out before it is
    // written down that somebody gets it.
    let first = pieces.recv().await.unwrap_or(Err(BackupError::NobodyThere))?;
    asked.note(asked.entry(Event::StoreExported)).await?;
    tracing::info!(by = asked.staff.name, "an export of the store goes out");
    let body = Body::new(Pieces { first: Some(first), rest: pieces });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// The body of an export. It breaks off where making it does.
struct Pieces {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes, BackupError>>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BackupError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BackupError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.rest.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
