//! Durations and sizes as the YAML has them: a whole number and a unit, `30s` or `64KiB`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration: `500ms`, `30s`, `15m`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A size in bytes: `512B`, `64KiB`, `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return None,
        };
        number.checked_mul(bytes).and_then(|bytes| usize::try_from(bytes).ok()).map(Self)
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|sign: char| !sign.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

/// The duration in its largest whole unit.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    // A day reads better as 24h: limits here are mostly hours.
    let whole = units.iter().find(|(size, _)| millis >= *size && millis.is_multiple_of(*size));
    match whole {
        Some((_, "d")) if millis == 86_400_000 => "24h".to_owned(),
        Some((size, unit)) => format!("{}{unit}", millis / size),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

/// The size in its largest whole unit.
pub(super) fn show_size(bytes: usize) -> String {
    match bytes {
        0 => "0B".to_owned(),
        mebi if mebi.is_multiple_of(1 << 20) => format!("{}MiB", mebi >> 20),
        kibi if kibi.is_multiple_of(1 << 10) => format!("{}KiB", kibi >> 10),
        _ => format!("{bytes}B"),
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration such as 30s, 15m or 12h")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        let fault = "is not a duration; write a whole number and ms, s, m, h or d, such as 30s";
        Span::parse(text).ok_or_else(|| E::custom(fault))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "description": "A whole number and a unit: 500ms, 30s, 15m, 12h, 30d."
        })
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a size such as 64KiB")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        let fault = "is not a size; write a whole number and B, KiB or MiB, such as 64KiB";
        Size::parse(text).ok_or_else(|| E::custom(fault))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SizeVisitor)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(B|KiB|MiB)$",
            "description": "A whole number and a unit: 512B, 64KiB, 1MiB."
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Size, Span, show_duration, show_size};

    #[test]
    fn a_duration_has_a_whole_number_and_a_unit() {
        let seconds = |text| Span::parse(text).map(|span| span.0.as_secs());
        assert_eq!(Span::parse("500ms"), Some(Span(Duration::from_millis(500))));
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("15m"), Some(900));
        assert_eq!(seconds("12h"), Some(43_200));
        assert_eq!(seconds("30d"), Some(2_592_000));
        let wrong = ["", "30", "s", "-1s", "1.5h", "1h30m", " 1s", "1 s", "1S", "1w", "٣s"];
        for text in wrong.into_iter().chain(["99999999999999999999s", "999999999999999999d"]) {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_has_a_whole_number_and_a_unit() {
        assert_eq!(Size::parse("512B"), Some(Size(512)));
        assert_eq!(Size::parse("64KiB"), Some(Size(65_536)));
        assert_eq!(Size::parse("1MiB"), Some(Size(1_048_576)));
        for text in ["", "64", "64K", "64kb", "64kib", "-1KiB", "18446744073709551615MiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_written() {
        for text in ["500ms", "1500ms", "30s", "90s", "15m", "24h", "12h", "30d"] {
            let Span(duration) = Span::parse(text).unwrap();
            assert_eq!(show_duration(duration), text);
        }
        for text in ["0B", "512B", "1KiB", "1MiB"] {
            let Size(bytes) = Size::parse(text).unwrap();
            assert_eq!(show_size(bytes), text);
        }
    }
}
