//! One line of the log: how it is written, and what of it the chain needs to be read again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::chain::Hash;
use super::{By, Entry, Event};
use crate::clock::UnixMillis;
use crate::telemetry::escape;

/// Letters of one value. What is longer was made to fill a log.
const LONGEST_VALUE: usize = 512;

/// A line as far as it is known before it has its place in the chain.
#[derive(Debug)]
pub(super) struct Draft {
    /// The members of the object between `seq` and `before`, safe to write.
    members: String,
    /// How many lines went missing before this one.
    pub(super) lost: u64,
}

impl Draft {
    /// What is to be written of `entry`, which happened at `now`.
    pub(super) fn of(now: UnixMillis, entry: &Entry<'_>) -> Self {
        let members = Members {
            at: now.rfc3339_millis().unwrap_or_default(),
            event: entry.event,
            by: Doer::of(entry.by),
            portal: entry.portal.map(cut),
            user: entry.user.map(cut),
            client: entry.client,
            request: entry.request.map(cut),
            with: entry.with.iter().map(|(detail, text)| (detail.as_str(), cut(text))).collect(),
        };
        // Text, addresses and closed lists: nothing of it can fail to be written.
        let whole = serde_json::to_string(&members).unwrap_or_default();
        let inner = whole.strip_prefix('{').and_then(|whole| whole.strip_suffix('}'));
        Self { members: escape::on_one_line(inner.unwrap_or_default()), lost: 0 }
    }

    /// The line at its place, without a line break.
    pub(super) fn placed(&self, seq: u64, before: Hash) -> String {
        let Self { members, lost } = self;
        match lost {
            0 => format!("{{\"seq\":{seq},{members},\"before\":\"{before}\"}}"),
            lost => {
                format!("{{\"seq\":{seq},{members},\"lost\":{lost},\"before\":\"{before}\"}}")
            }
        }
    }
}

fn cut(text: &str) -> String {
    let mut signs = text.char_indices();
    match signs.nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[derive(Serialize)]
struct Members<'a> {
    at: String,
    event: Event,
    by: Doer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(flatten)]
    with: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Doer<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> Doer<'a> {
    const fn of(by: By<'a>) -> Self {
        let (kind, name) = match by {
            By::Nobody => ("nobody", None),
            By::User => ("user", None),
            By::Colleague(name) => ("colleague", Some(name)),
            By::Token(name) => ("token", Some(name)),
            By::Person(name) => ("person", Some(name)),
            By::Gateway => ("gateway", None),
        };
        Self { kind, name }
    }
}

/// What the chain needs of a line that was read.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    /// Its number.
    pub(super) seq: u64,
    /// What happened.
    pub(super) event: String,
    /// At which portal.
    #[serde(default)]
    pub(super) portal: Option<String>,
    /// To which of its users.
    #[serde(default)]
    pub(super) user: Option<String>,
    /// The hash of the line before it, in hexadecimal digits.
    pub(super) before: String,
}

impl Link {
    /// Reads a line; nothing where it is none of ours.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Detail;

    fn written(entry: &Entry<'_>) -> String {
        Draft::of(UnixMillis(1_795_529_100_045), entry).placed(7, Hash::NONE)
    }

    #[test]
    fn a_line_says_all_there_is_to_say() {
        let entry = Entry::new(Event::ResetDone, By::Token("desk")).at("wiki").to("alice");
        let entry = entry.from(Some("192.0.2.7".parse().unwrap()), Some("0a1b"));
        let line = written(&entry.with(Detail::Ticket, "T-17"));
        let zeros = "0".repeat(64);
        assert_eq!(
            line,
            format!(
                "{{\"seq\":7,\"at\":\"2026-11-24T14:05:00.045Z\",\"event\":\"reset_done\",\
                 \"by\":{{\"kind\":\"token\",\"name\":\"desk\"}},\"portal\":\"wiki\",\
                 \"user\":\"alice\",\"client\":\"192.0.2.7\",\"request\":\"0a1b\",\
                 \"ticket\":\"T-17\",\"before\":\"{zeros}\"}}"
            )
        );
        assert_eq!(Link::read(line.as_bytes()).unwrap().portal.as_deref(), Some("wiki"));
    }

    #[test]
    fn nothing_that_somebody_typed_makes_a_line_or_a_member() {
        for typed in [
            "a\n{\"event\":\"code_accepted\"}",
            "a\",\"event\":\"code_accepted\",\"x\":\"",
            "\u{1b}[2J\u{9b}31m\r\u{0}",
            "\u{202e}live\u{2066}\u{200b}\u{feff}\u{e0041}\u{ad}",
            "\u{2028}\u{2029}\u{85}",
        ] {
            let entry = Entry::new(Event::Enrolled, By::Colleague(typed)).at(typed).to(typed);
            let line = written(&entry.from(None, Some(typed)).with(Detail::Label, typed));
            let is_plain = |sign: char| matches!(sign, ' '..='~' | '…') || sign.is_alphabetic();
            assert!(line.chars().all(is_plain), "{line:?}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&read["event"], &read["label"]), (&"enrolled".into(), &typed.into()));
            assert_eq!(read["by"]["name"], typed);
            assert_eq!(read.as_object().unwrap().len(), 9, "{read}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = "é".repeat(100_000);
        let line = written(&Entry::new(Event::Enrolled, By::User).with(Detail::Label, long));
        assert!(line.len() < 2_000, "{}", line.len());
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["label"], format!("{}…", "é".repeat(512)));
    }

    #[test]
    fn no_detail_takes_the_place_of_another_member() {
        let own =
            ["seq", "at", "event", "by", "portal", "user", "client", "request", "lost", "before"];
        let mut words: Vec<&str> = Detail::ALL.map(Detail::as_str).into();
        assert!(words.iter().all(|word| !own.contains(word)), "{words:?}");
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Detail::ALL.len());
        for detail in Detail::ALL {
            assert_eq!(serde_json::to_value(detail).unwrap(), detail.as_str());
        }
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
            assert_eq!(Event::named(event.as_str()), Some(event));
        }
    }
}
