//! What ops and Prometheus ask, on a listener of its own that is never a public address:
//! `GET /metrics`, the numbers in Prometheus's text format; `GET /healthz`, 200 while the
//! process lives; `GET /readyz`, 200 while store and audit log take writes and the clock is right,
//! and 503 with the reason when not; `/api/v1`, the API of the desk; `/desk/`,
//! its console.

use std::future::{self, Future};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::Metrics;

mod api;
mod console;
mod deeds;
mod host;

pub use api::House;
use api::{Api, Problem};
use console::Console;

/// How long the store may take to say that it is well. A scraper or an orchestrator gives up
/// after a few seconds and should learn why before it does.
const READY_DEADLINE: Duration = Duration::from_secs(2);

/// How long requests in hand may take once the listener is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Sent with every answer, unless it says so otherwise itself: it is for a program or for one
/// person's eyes, never for a cache, a frame or a page of another origin.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Whatever has to be well before requests are sent here.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Nothing, or one line that says what is wrong.
    async fn ready(&self) -> Result<(), String>;
}

/// Why the admin listener stopped before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The operating system gave the listener up.
    #[error("the admin listener failed: {0}")]
    Listener(#[from] std::io::Error),
}

/// Serves until `shutdown` ends, then lets requests in hand finish.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Arc<dyn Readiness>,
    house: House,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), AdminError> {
    let app = router(Desk::new(metrics, readiness, house));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = stopping.send(());
    });
    // A client that holds its connection open must not hold up the end of the process.
    let overdue = async {
        if stopped.await.is_err() {
            future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN_DEADLINE).await;
    };
    tokio::select! {
        outcome = serving => Ok(outcome?),
        () = overdue => Ok(()),
    }
}

/// What the endpoints are made from.
#[derive(Clone)]
struct Desk {
    metrics: Arc<Metrics>,
    readiness: Arc<dyn Readiness>,
    api: Arc<Api>,
    console: Arc<Console>,
}

impl Desk {
    fn new(metrics: Arc<Metrics>, readiness: Arc<dyn Readiness>, house: House) -> Self {
        let api = Arc::new(Api::new(Arc::clone(&house)));
        Self { metrics, readiness, api, console: Arc::new(Console::new(house)) }
    }
}

fn router(desk: Desk) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(elsewhere)
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "only GET\n")
        })
        .layer(middleware::from_fn(check_host))
        // Outermost, so that refusals carry the headers too.
        .layer(middleware::map_response(harden))
        .with_state(desk)
}

/// What has no route of its own: the API and the console have tables of their own, and the rest
/// is not there.
async fn elsewhere(State(desk): State<Desk>, request: Request) -> Response {
    if desk.console.has(request.uri().path()) {
        // As below.
        let answering = tokio::spawn(async move { desk.console.answer(request).await });
        return answering.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request to the console was broken off");
            (StatusCode::INTERNAL_SERVER_ERROR, "that did not work\n").into_response()
        });
    }
    if !Api::has(request.uri().path()) {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    // In a task of its own: whoever hangs up in the middle does not break off what was begun,
    // and the log says what came of it.
    let answering = tokio::spawn(async move { desk.api.answer(request).await });
    answering.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request to the API was broken off");
        Problem::broken_off().into_response()
    })
}

async fn metrics(State(desk): State<Desk>) -> Response {
    match desk.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics not rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be rendered\n")
                .into_response()
        }
    }
}

async fn healthz() -> &'static str {
    "alive\n"
}

async fn readyz(State(desk): State<Desk>) -> Response {
    let answer = tokio::time::timeout(READY_DEADLINE, desk.readiness.ready()).await;
    let reason = match answer {
        Ok(Ok(())) => return "ready\n".into_response(),
        Ok(Err(reason)) => reason,
        Err(_) => "the store does not answer".to_owned(),
    };
    tracing::warn!(%reason, "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
}

/// Refuses a request whose `Host` is a name that somebody else could own. Without this a web
/// page that rebinds its own name to this address could read the answers in an ops browser.
async fn check_host(request: Request, next: Next) -> Response {
    if host::is_safe(&request) {
        next.run(request).await
    } else if Api::has(request.uri().path()) {
        Problem::misdirected().into_response()
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "ask by address, or as localhost\n").into_response()
    }
}

async fn harden(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
