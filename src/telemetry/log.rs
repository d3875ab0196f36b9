//! Sets the log up: one event per line on standard error, JSON or text, times in RFC 3339 and
//! UTC. Our own events follow the configured level; those of the crates below us are held
//! back, since at their lower levels they print heads of requests, cookies included.

use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::Layered;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, reload};

use crate::config::{LogFormat, Telemetry};
use crate::telemetry::access::{ACCESS, AccessLine};
use crate::telemetry::escape::{Around, OneLine};
use access_json::AsJson;
use gathered::ToStderr;
pub use gathered::write_out;

mod access_json;
mod gathered;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another part of the process has set one up already.
    #[error("the log is already set up")]
    AlreadySetUp,
    /// The system gives no thread to write the lines of the access log.
    #[error("the access log cannot be written: {0}")]
    NoThread(std::io::Error),
}

/// The log of this process. Its form stays as it is; how much it says may change.
pub struct Log(reload::Handle<Targets, Lines>);

impl Log {
    /// Says as much as `telemetry` wants from now on.
    pub fn follow(&self, telemetry: &Telemetry) {
        if let Err(error) = self.0.reload(targets(telemetry)) {
            tracing::error!(%error, "the log goes on as it was");
        }
    }
}

/// How this process writes lines of the access log, where their form is JSON.
static ACCESS_AS_JSON: OnceLock<AsJson> = OnceLock::new();

/// Writes a line of the access log. Whether there is one is not asked here.
pub fn access(line: &AccessLine<'_>) {
    match ACCESS_AS_JSON.get() {
        Some(form) => gathered::add(&form.line(line)),
        None => line.as_event(),
    }
}

/// Starts logging for the whole process, records of the `log` crate included.
///
/// # Errors
/// When it was started before, or there can be no thread for the access log.
pub fn init(telemetry: &Telemetry) -> Result<Log, LogError> {
    let (subscriber, log) = subscriber(telemetry, ToStderr);
    subscriber.try_init().map_err(|_| LogError::AlreadySetUp)?;
    gathered::start().map_err(LogError::NoThread)?;
    if telemetry.format == LogFormat::Json {
        // The first word counts, and there is none before: a second log was refused above.
        let _first = ACCESS_AS_JSON.set(AsJson::of(&telemetry.node));
    }
    Ok(log)
}

/// Where records go, below the filter.
type Lines = Layered<Box<dyn Layer<Registry> + Send + Sync>, Registry>;

fn subscriber<W>(telemetry: &Telemetry, writer: W) -> (impl Subscriber + Send + Sync, Log)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The filter is a layer of its own and not one of the output's, so that records which come
    // through the `log` crate are judged by the target that they name.
    let (filter, handle) = reload::Layer::new(targets(telemetry));
    let subscriber = tracing_subscriber::registry().with(lines(telemetry, writer));
    (subscriber.with(filter), Log(handle))
}

fn lines<W>(telemetry: &Telemetry, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let around = match telemetry.format {
        LogFormat::Json => Around::json(&telemetry.node),
        LogFormat::Text => Around::text(&telemetry.node),
    };
    let layer = fmt::layer().with_ansi(false).with_writer(EachLine { writer, around });
    match telemetry.format {
        // Only events: a field of a span could be written again on each line inside it.
        LogFormat::Json => {
            let events = layer.json().flatten_event(true);
            events.with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Text => layer.boxed(),
    }
}

fn targets(telemetry: &Telemetry) -> Targets {
    let access = if telemetry.access_log { LevelFilter::INFO } else { LevelFilter::OFF };
    let below_us = Level::WARN.min(telemetry.level);
    Targets::new()
        .with_default(below_us)
        .with_target("portcullis", telemetry.level)
        .with_target(ACCESS, access)
        // Its error lines carry a summary of the request, query included; what happened to a
        // request is told by our own access line.
        .with_target("pingora_proxy", LevelFilter::OFF)
        // It calls it an error when a kept connection is being given up as a request asks for it;
        // the request takes a new one, and nothing is wrong.
        .with_target("pingora_core::connectors", LevelFilter::OFF)
}

/// Hands out writers that keep each event on one line, with the gateway's name.
struct EachLine<W> {
    writer: W,
    around: Around,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for EachLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine::new(self.writer.make_writer(), self.around.clone())
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        OneLine::new(self.writer.make_writer_for(meta), self.around.clone())
    }
}

#[cfg(test)]
mod tests;
