//! What the portal sends and takes in parts: uploads, downloads, drops, sockets.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::ws::Message;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};

use super::{Inner, page};

pub(super) async fn upload(portal: &Inner, body: Body) -> Response {
    let mut body = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(Ok(part)) = body.next().await {
        bytes.extend_from_slice(&part);
    }
    let answer = page(StatusCode::OK, &format!("{} bytes", bytes.len()));
    *portal.uploaded.lock().unwrap() = bytes;
    answer
}

pub(super) fn big() -> Response {
    let chunks = (0..320)
        .map(|number: u32| Ok::<_, std::io::Error>(Bytes::from(vec![number as u8; 64 * 1024])));
    Body::from_stream(stream::iter(chunks)).into_response()
}

/// Counts what comes, and keeps none of it.
pub(super) async fn sink(body: Body) -> Response {
    let mut body = body.into_data_stream();
    let mut count = 0_u64;
    while let Some(Ok(part)) = body.next().await {
        count += part.len() as u64;
    }
    page(StatusCode::OK, &format!("{count} bytes"))
}

/// As many parts as are asked for, of which it holds one.
pub(super) fn flood(parts: usize) -> Response {
    let part = Bytes::from(vec![b'f'; 64 * 1024]);
    let parts = std::iter::repeat_n(part, parts).map(Ok::<_, std::io::Error>);
    Body::from_stream(stream::iter(parts)).into_response()
}

/// How often a long page says whose it is.
pub const LINES: usize = 1024;

/// A long page of one user's. Where it is to be held, its second half is never sent.
pub(super) fn mine(user: &str, held: bool) -> Response {
    let part = Bytes::from(format!("for {user} alone\n").repeat(LINES / 16));
    let half =
        move || stream::iter(std::iter::repeat_n(part.clone(), 8).map(Ok::<_, std::io::Error>));
    if !held {
        return Body::from_stream(half().chain(half())).into_response();
    }
    Body::from_stream(half().chain(stream::pending())).into_response()
}

/// Greets a listener, who hears nothing more for as long as they stay.
pub(super) fn events(user: &str) -> Response {
    let greeting = Bytes::from(format!("event: hello\ndata: {user}\n\n"));
    let once = stream::iter([Ok::<_, std::io::Error>(greeting)]);
    let body = Body::from_stream(once.chain(stream::pending()));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Sends its first word at once, and the last when it is let go.
pub(super) fn drip(portal: Arc<Inner>) -> Response {
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from("first"))]);
    let last = stream::once(async move {
        portal.held.notified().await;
        Ok(Bytes::from("last"))
    });
    Body::from_stream(first.chain(last)).into_response()
}

pub(super) async fn echo(mut socket: axum::extract::ws::WebSocket, user: Option<String>) {
    let greeting = format!("hello {}", user.unwrap_or_else(|| "nobody".to_owned()));
    if socket.send(Message::Text(greeting.into())).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}
