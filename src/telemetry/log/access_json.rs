//! How a line of the access log is written as JSON, in the form that the library gives to all other
//! events. Each request leaves one, and with an event it would cost several times as much.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::{self, UnixMillis};
use crate::net::address;
use crate::telemetry::access::{ACCESS, AccessLine};

/// `2026-11-24T14:05:00`: what is the same for all lines of a second.
const SECOND: usize = 19;

/// What lines of this process have in common.
pub(super) struct AsJson {
    /// All that comes before the time.
    start: String,
    /// All that comes after the last field.
    end: String,
}

impl AsJson {
    /// Lines of the gateway with this name. It is made of letters that need no escaping.
    pub(super) fn of(node: &str) -> Self {
        let start = format!("{{\"node\":\"{node}\",\"timestamp\":\"");
        Self { start, end: format!(",\"target\":\"{ACCESS}\"}}\n") }
    }

    /// The line, with its end.
    pub(super) fn line(&self, line: &AccessLine<'_>) -> Vec<u8> {
        let mut to = Vec::with_capacity(512);
        to.extend_from_slice(self.start.as_bytes());
        stamp(&mut to, clock::since_epoch());
        to.extend_from_slice(b"Z\",\"level\":\"INFO\",\"message\":\"request\"");
        let mut fields = Fields(&mut to);
        fields.plain("request_id", line.request_id);
        if let Some(portal) = line.portal {
            fields.text("portal", portal);
        }
        fields.text("method", &line.shown_method());
        fields.text("path", &line.shown_path());
        if let Some(status) = line.status {
            fields.number("status", u64::from(status));
        }
        fields.plain("verdict", line.verdict.as_str());
        fields.plain("reason", line.reason.as_str());
        fields.milliseconds("duration_ms", line.duration);
        fields.number("bytes", line.bytes);
        if let Some(client) = line.client {
            fields.address("client", client);
        }
        if let Some(user) = line.user {
            fields.text("user", user);
        }
        to.extend_from_slice(self.end.as_bytes());
        to
    }
}

/// Writes `2026-11-24T14:05:00.123456`.
fn stamp(to: &mut Vec<u8>, since_epoch: Duration) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != since_epoch.as_secs() {
            *second = since_epoch.as_secs();
            *text = UnixMillis::from_seconds(*second).rfc3339_seconds().unwrap_or_default();
            text.truncate(SECOND);
        }
        to.extend_from_slice(text.as_bytes());
    });
    to.push(b'.');
    digits(to, since_epoch.subsec_micros(), 6);
}

/// Writes so many digits of a number, the last ones.
fn digits(to: &mut Vec<u8>, number: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        to.push(b'0'.saturating_add(u8::try_from(digit).unwrap_or_default()));
    }
}

/// Writes fields, one after the other.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A text of ours, in which nothing needs escaping.
    fn plain(&mut self, name: &str, text: &str) {
        self.name(name);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }

    /// A string (RFC 8259 section 7).
    fn text(&mut self, name: &str, text: &str) {
        // Without an early end, so that many bytes are looked at in one step.
        let special = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\');
        if !text.bytes().fold(false, |any, byte| any | special(byte)) {
            return self.plain(name, text);
        }
        self.name(name);
        // Nothing fails that writes into memory, and no text is without its JSON.
        let _written = serde_json::to_writer(&mut *self.0, text);
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Microseconds are as fine as anyone reads it.
    fn milliseconds(&mut self, name: &str, duration: Duration) {
        let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.number(name, whole);
        self.0.push(b'.');
        digits(self.0, duration.subsec_micros(), 3);
    }

    fn address(&mut self, name: &str, address: IpAddr) {
        self.name(name);
        self.0.push(b'"');
        address::write(self.0, address);
        self.0.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_does() {
        let written = |seconds, micros: u32| {
            let mut to = Vec::new();
            stamp(&mut to, Duration::new(seconds, micros * 1000));
            String::from_utf8(to).unwrap()
        };
        assert_eq!(written(1_795_615_500, 120_003), "2026-11-25T14:05:00.120003");
        assert_eq!(written(1_795_615_500, 999_999), "2026-11-25T14:05:00.999999");
        assert_eq!(written(1_795_615_501, 0), "2026-11-25T14:05:01.000000");
        assert_eq!(written(0, 7), "1970-01-01T00:00:00.000007");
    }

    #[test]
    fn numbers_and_addresses_are_json() {
        let mut to = b"{\"first\":0".to_vec();
        let mut fields = Fields(&mut to);
        fields.number("least", 0);
        fields.number("most", u64::MAX);
        fields.milliseconds("short", Duration::from_nanos(4_999));
        fields.milliseconds("long", Duration::from_micros(86_400_000_056));
        fields.address("v4", [192, 0, 2, 7].into());
        fields.address("v6", std::net::Ipv6Addr::LOCALHOST.into());
        fields.text("said", "a\"b\\c\n\u{1}é");
        to.push(b'}');
        let json: serde_json::Value = serde_json::from_slice(&to).unwrap();
        assert_eq!((&json["least"], &json["most"]), (&0.into(), &u64::MAX.into()));
        assert_eq!((&json["short"], &json["long"]), (&0.004.into(), &86_400_000.056.into()));
        assert_eq!((&json["v4"], &json["v6"]), (&"192.0.2.7".into(), &"::1".into()));
        assert_eq!(json["said"], "a\"b\\c\n\u{1}é");
    }
}
