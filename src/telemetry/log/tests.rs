//! What a log line looks like, and what never gets into one.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::telemetry::AccessLine;
use crate::telemetry::label::{ReasonLabel, VerdictLabel};

/// Where the events of a test go.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn telemetry(format: LogFormat) -> Telemetry {
    let node = "gateway-1".to_owned();
    Telemetry { node, format, level: Level::INFO, access_log: true, audit: None }
}

fn logged(telemetry: &Telemetry, act: impl FnOnce()) -> String {
    let paper = Paper::default();
    let handle = paper.clone();
    let subscriber: tracing::Dispatch = subscriber(telemetry, move || handle.clone()).0.into();
    tracing::dispatcher::with_default(&subscriber, act);
    paper.text()
}

fn line<'a>() -> AccessLine<'a> {
    AccessLine {
        request_id: "00112233445566778899aabbccddeeff",
        portal: Some("wiki"),
        method: "GET",
        path: "/page?token=hidden",
        status: Some(200),
        verdict: VerdictLabel::Forward,
        reason: ReasonLabel::Proven,
        duration: Duration::from_micros(1_234),
        bytes: 42,
        client: Some([192, 0, 2, 7].into()),
        user: Some("9f86d081"),
    }
}

/// What is written of a request.
fn written(format: LogFormat, line: &AccessLine<'_>) -> String {
    match format {
        LogFormat::Json => String::from_utf8(AsJson::of("gateway-1").line(line)).unwrap(),
        LogFormat::Text => logged(&telemetry(format), || line.as_event()),
    }
}

#[test]
fn an_access_line_is_one_json_object_without_the_query() {
    let text = written(LogFormat::Json, &line());
    assert!(!text.contains("hidden"), "{text}");
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(event["target"], "access");
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["request_id"], "00112233445566778899aabbccddeeff");
    assert_eq!(event["portal"], "wiki");
    assert_eq!(event["method"], "GET");
    assert_eq!(event["path"], "/page");
    assert_eq!(event["status"], 200);
    assert_eq!(event["verdict"], "forward");
    assert_eq!(event["reason"], "proven");
    assert_eq!(event["duration_ms"], 1.234);
    assert_eq!(event["bytes"], 42);
    assert_eq!(event["client"], "192.0.2.7");
    assert_eq!(event["user"], "9f86d081");
    let time = event["timestamp"].as_str().unwrap();
    assert!(time.contains('T') && time.ends_with('Z'), "{time}");
}

/// The line of a request is not an event, and still has its form.
#[test]
fn an_access_line_has_the_fields_that_an_event_would_have() {
    let whole = AccessLine { duration: Duration::from_micros(1_500), ..line() };
    let fields = |text: &str| {
        let mut json: Value = serde_json::from_str(text).unwrap();
        json.as_object_mut().unwrap().remove("timestamp").unwrap();
        json
    };
    let event = logged(&telemetry(LogFormat::Json), || whole.as_event());
    assert_eq!(fields(&written(LogFormat::Json, &whole)), fields(&event));
}

#[test]
fn each_line_says_which_gateway_wrote_it() {
    let act = || tracing::info!(target: "portcullis::server", "stopping");
    let event: Value = serde_json::from_str(&logged(&telemetry(LogFormat::Json), act)).unwrap();
    assert_eq!(event["node"], "gateway-1");
    assert_eq!(event["message"], "stopping");
    let text = logged(&telemetry(LogFormat::Text), act);
    assert!(text.ends_with(" node=gateway-1\n"), "{text}");
}

#[test]
fn what_is_not_known_is_left_out() {
    let unknown = AccessLine { portal: None, status: None, client: None, user: None, ..line() };
    let text = written(LogFormat::Json, &unknown);
    let event: Value = serde_json::from_str(&text).unwrap();
    for field in ["portal", "status", "client", "user"] {
        assert_eq!(event.get(field), None, "{field} in {text}");
    }
}

#[test]
fn a_path_cannot_forge_a_second_line_in_either_format() {
    let forged = "/a\n{\"event\":\"mfa_success\"}\u{1b}[2J\u{202e}";
    for format in [LogFormat::Json, LogFormat::Text] {
        let text = written(format, &AccessLine { path: forged, ..line() });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[test]
fn an_event_of_any_part_stays_one_line() {
    let name = "a\nb\u{1b}[31m";
    for format in [LogFormat::Json, LogFormat::Text] {
        let text = logged(&telemetry(format), || {
            tracing::info!(target: "portcullis::account", user = name, "said {name}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn a_huge_path_makes_a_small_line() {
    let path = format!("/{}", "x".repeat(100_000));
    let method = "M".repeat(100_000);
    let huge = AccessLine { path: &path, method: &method, ..line() };
    let text = written(LogFormat::Json, &huge);
    assert!(text.len() < 2_000, "{} bytes", text.len());
}

#[test]
fn the_access_log_can_be_switched_off_alone() {
    let off = Telemetry { access_log: false, ..telemetry(LogFormat::Json) };
    let text = logged(&off, || {
        line().as_event();
        tracing::info!(target: "portcullis::server", "listening");
    });
    assert!(!text.contains("\"access\""), "{text}");
    assert!(text.contains("listening"), "{text}");
}

#[test]
fn access_lines_do_not_depend_on_the_level() {
    let quiet = Telemetry { level: Level::ERROR, ..telemetry(LogFormat::Json) };
    assert!(logged(&quiet, || line().as_event()).contains("\"access\""));
}

#[test]
fn crates_below_us_are_held_back_at_every_level() {
    let loud = targets(&Telemetry { level: Level::TRACE, ..telemetry(LogFormat::Json) });
    assert!(loud.would_enable("portcullis::proxy::gateway", &Level::TRACE));
    for target in ["h2::codec", "pingora_core::protocols", "rustls::client", "hyper"] {
        assert!(!loud.would_enable(target, &Level::INFO), "{target}");
        assert!(loud.would_enable(target, &Level::WARN), "{target}");
    }
    for target in ["pingora_proxy", "pingora_proxy::proxy_h1", "pingora_core::connectors"] {
        assert!(!loud.would_enable(target, &Level::ERROR), "{target}");
    }
}

#[test]
fn how_much_is_said_can_change_meanwhile() {
    let quiet = Telemetry { level: Level::ERROR, access_log: false, ..telemetry(LogFormat::Json) };
    let paper = Paper::default();
    let handle = paper.clone();
    let (subscriber, log) = subscriber(&quiet, move || handle.clone());
    tracing::dispatcher::with_default(&subscriber.into(), || {
        tracing::info!(target: "portcullis::server", "too soon");
        log.follow(&telemetry(LogFormat::Json));
        tracing::info!(target: "portcullis::server", "in time");
        line().as_event();
    });
    let text = paper.text();
    assert!(!text.contains("too soon") && text.contains("in time"), "{text}");
    assert!(text.contains("\"access\""), "{text}");
}
