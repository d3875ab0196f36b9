//! How events are written as JSON: those of the access log by this file, as each request leaves
//! one; all others by the library, in the same form.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, format};
use tracing_subscriber::registry::LookupSpan;

use crate::telemetry::access::ACCESS;

/// One object of JSON for each event, its fields beside the others.
pub(super) struct AsJson(Format<Json>);

impl AsJson {
    pub(super) fn new() -> Self {
        // Only events: a field of a span could be written again on each line inside it.
        let events = format().json().flatten_event(true);
        Self(events.with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for AsJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != ACCESS {
            return self.0.format_event(context, writer, event);
        }
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level().as_str())?;
        let mut fields = Fields { writer, written: Ok(()) };
        event.record(&mut fields);
        fields.written?;
        writeln!(fields.writer, ",\"target\":\"{ACCESS}\"}}")
    }
}

/// Writes fields, one after the other.
struct Fields<'a> {
    writer: Writer<'a>,
    written: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, put: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let writer = &mut self.writer;
        let begun = writer.write_str(",\"").and_then(|()| writer.write_str(field.name()));
        let named = begun.and_then(|()| writer.write_str("\":"));
        self.written = self.written.and(named).and_then(|()| put(writer));
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |writer| match value.is_finite() {
            true => write!(writer, "{value:?}"),
            false => writer.write_str("null"),
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| quoted(writer, |text| text.write_str(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| quoted(writer, |text| write!(text, "{value:?}")));
    }
}

/// A string of JSON (RFC 8259 section 7).
fn quoted(
    writer: &mut Writer<'_>,
    put: impl FnOnce(&mut Escaped<'_, '_>) -> fmt::Result,
) -> fmt::Result {
    writer.write_char('"')?;
    put(&mut Escaped(writer))?;
    writer.write_char('"')
}

struct Escaped<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Without an early end, so that many bytes are looked at in one step.
        let special = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\');
        if !text.bytes().fold(false, |any, byte| any | special(byte)) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|sign| match sign {
            '"' | '\\' => write!(self.0, "\\{sign}"),
            '\0'..='\u{1f}' => write!(self.0, "\\u{:04x}", u32::from(sign)),
            _ => self.0.write_char(sign),
        })
    }
}
