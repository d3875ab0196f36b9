//! The script's own book of a rollout: who did what on which day. What the gateway says in its
//! metrics and in every form of its report has to follow from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::script::{EVERYBODY, PILOT};
use crate::dsl::Gateway;
use crate::dsl::desk::{DESK, command};

const DAY: u64 = 24 * 3600;
/// Letters of the longest bar.
const WIDEST: usize = 40;
/// Of the pilot group's names, beside one that is listed.
pub const PATTERN: &str = "member1[01]";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Report,
    Required,
}

/// Times are seconds since 1970.
pub struct Book {
    portal: &'static str,
    begin: u64,
    pub mode: Mode,
    /// By name: the first and the last sign-in.
    seen: BTreeMap<&'static str, (u64, u64)>,
    enrolled: BTreeMap<&'static str, u64>,
    told: BTreeMap<&'static str, u64>,
    held: BTreeMap<&'static str, u64>,
    reported: BTreeSet<&'static str>,
    /// By what was missing.
    would_block: BTreeMap<&'static str, u32>,
    /// By verdict and reason.
    requests: BTreeMap<(&'static str, &'static str), u32>,
}

impl Book {
    pub fn begin(portal: &'static str, begin: u64) -> Self {
        Self {
            portal,
            begin,
            mode: Mode::Report,
            seen: BTreeMap::new(),
            enrolled: BTreeMap::new(),
            told: BTreeMap::new(),
            held: BTreeMap::new(),
            reported: BTreeSet::new(),
            would_block: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// An hour of a day of the script.
    pub fn moment(&self, (day, hour): (u64, u64)) -> u64 {
        self.begin / DAY * DAY + day * DAY + hour * 3600
    }

    /// The same as the YAML has it.
    pub fn date(&self, at: (u64, u64)) -> String {
        written(self.moment(at))
    }

    /// As people are told.
    pub fn in_words(&self, at: (u64, u64)) -> String {
        let at = parts(self.moment(at));
        format!("{} {} {}, {:02}:00 UTC", at.day(), at.month(), at.year(), at.hour())
    }

    /// From when on a user needs a second factor.
    pub fn required_from(&self, who: &str) -> (u64, u64) {
        if ["member10", "member11", "member12"].contains(&who) { PILOT } else { EVERYBODY }
    }

    pub fn signed_in(&mut self, who: &'static str, now: u64) {
        self.seen.entry(who).or_insert((now, now)).1 = now;
    }

    pub fn enrolled(&mut self, who: &'static str, now: u64) {
        self.enrolled.insert(who, now);
    }

    pub fn reset(&mut self, who: &'static str) {
        self.enrolled.remove(who).unwrap();
        self.held.remove(who);
    }

    pub fn told(&mut self, who: &'static str, now: u64) {
        self.told.insert(who, now);
    }

    pub fn held(&mut self, who: &'static str, now: u64) {
        self.held.entry(who).or_insert(now);
    }

    /// A request of a user that went on without a second factor.
    pub fn went_on(&mut self, who: &'static str) {
        match (self.mode, self.enrolled.contains_key(who)) {
            (Mode::Required, false) => self.count("forward", "grace"),
            (Mode::Required, true) => panic!("{who} has to give a code"),
            (Mode::Report, true) => self.would_block("not_proven"),
            (Mode::Report, false) => {
                self.reported.insert(who);
                self.would_block("not_enrolled");
            }
        }
    }

    pub fn would_block(&mut self, lack: &'static str) {
        *self.would_block.entry(lack).or_default() += 1;
        self.count("forward", "report");
    }

    pub fn count(&mut self, verdict: &'static str, reason: &'static str) {
        *self.requests.entry((verdict, reason)).or_default() += 1;
    }

    /// Asks the gateway in every way.
    pub async fn agrees(&self, gateway: &Gateway) {
        self.metrics_agree(gateway).await;
        let report = ["rollout", "--portal", self.portal];
        let said = |more: &[&str]| {
            let said = command(gateway, DESK, &[&report, more].concat());
            assert_eq!((said.code, said.complaint.as_str()), (0, ""), "{said:?}");
            said.out
        };
        let told: Value = serde_json::from_str(&said(&["--output", "json"])).unwrap();
        self.json_agrees(&told, gateway.now());
        assert_eq!(said(&[]), self.drawn(&told, gateway.now()));
        self.csv_agrees(&said(&["--csv"]), gateway.now());
    }

    async fn metrics_agree(&self, gateway: &Gateway) {
        let here = ("portal", self.portal);
        for (name, count) in [
            ("seen", self.seen.len()),
            ("enrolled", self.enrolled.len()),
            ("reminded", self.told.len()),
            ("would_block", self.reported.len()),
        ] {
            let shown = gateway.metric(&format!("portcullis_{name}_users"), &[here]).await;
            assert_eq!(shown, count as f64, "{name}");
        }
        for lack in ["unknown", "not_enrolled", "not_proven", "stale", "locked"] {
            let labels = [here, ("reason", lack)];
            let shown = gateway.metric("portcullis_would_block_total", &labels).await;
            assert_eq!(
                shown,
                f64::from(self.would_block.get(lack).copied().unwrap_or(0)),
                "{lack}"
            );
        }
        for (verdict, reason) in [
            ("forward", "report"),
            ("forward", "grace"),
            ("notice", "grace"),
            ("enrol", "not_enrolled"),
            ("refuse", "locked"),
        ] {
            let labels = [here, ("verdict", verdict), ("reason", reason)];
            let shown = gateway.metric("portcullis_requests_total", &labels).await;
            let counted = self.requests.get(&(verdict, reason)).copied().unwrap_or(0);
            assert_eq!(shown, f64::from(counted), "{verdict}, {reason}");
        }
    }

    fn json_agrees(&self, told: &Value, now: u64) {
        let (blocked, waiting): (Vec<&str>, Vec<&str>) =
            self.missing().partition(|who| self.is_required(who, now));
        let count = |found: &dyn Fn(&&str) -> bool| self.missing().filter(|who| found(who)).count();
        let mut expected = json!({
            "portal": self.portal,
            "at": told["at"],
            "mode": self.mode(),
            "seen": self.seen.len(),
            "enrolled": self.enrolled.len(),
            "waiting": waiting.len(),
            "blocked": blocked.len(),
            "reminded": count(&|who| self.told.contains_key(*who)),
            "would_block": count(&|who| self.reported.contains(*who)),
            "days": self.days().iter().map(|(day, seen, enrolled)| {
                json!({ "day": day, "seen": seen, "enrolled": enrolled })
            }).collect::<Vec<_>>(),
        });
        if self.mode == Mode::Required {
            expected["from"] = self.date(EVERYBODY).into();
            expected["groups"] = json!([
                { "from": self.date(PILOT), "users": 1, "pattern": PATTERN }
            ]);
        }
        if let Some(since) = self.blocked_since(now) {
            assert!(is_about(told["blocked_since"].as_str().unwrap(), since), "{told}");
            expected["blocked_since"] = told["blocked_since"].clone();
        }
        assert_eq!(*told, expected);
    }

    /// The report as a terminal shows it.
    fn drawn(&self, told: &Value, now: u64) -> String {
        let minute = |at: u64| format!("{} UTC", written(at)[..16].replace('T', " "));
        let is_dated = self.mode == Mode::Required;
        let date = if is_dated {
            format!(" from {}", minute(self.moment(EVERYBODY)))
        } else {
            String::new()
        };
        let (seen, enrolled) = (self.seen.len(), self.enrolled.len());
        let blocked = self.missing().filter(|who| self.is_required(who, now)).count();
        let since = told["blocked_since"].as_str().map(|at| at[..16].replace('T', " "));
        let since = since.map(|at| format!(", since {at} UTC")).unwrap_or_default();
        let mut drawn = format!(
            "portal       {}\nmode         {}{date}\nseen         {seen}\nenrolled     {enrolled}  {} %\nwaiting      {}\nblocked      {blocked}{since}\ntold         {} of who is missing\nwould block  {}\n",
            self.portal,
            self.mode(),
            enrolled * 100 / seen,
            self.missing().count() - blocked,
            self.missing().filter(|who| self.told.contains_key(who)).count(),
            self.missing().filter(|who| self.reported.contains(who)).count(),
        );
        if is_dated {
            let from = minute(self.moment(PILOT));
            drawn.push_str(&format!("group        1 user and '{PATTERN}' from {from}\n"));
        }
        let (mut all, mut with) = (0, 0);
        for (day, first, factors) in self.days() {
            (all, with) = (all + first, with + factors);
            let (full, whole) = ((with * WIDEST).div_ceil(seen), (all * WIDEST).div_ceil(seen));
            let bar = "█".repeat(full) + &"░".repeat(whole - full);
            drawn.push_str(&format!("{day}  {bar} {with} of {all}\n"));
        }
        drawn + "Who is missing: --csv\n"
    }

    /// The list of who is missing says of each what the script knows.
    fn csv_agrees(&self, csv: &str, now: u64) {
        let mut lines = csv.split_terminator("\r\n");
        let heads = "user,first_seen,last_seen,reminded_at,required_from,blocked_since";
        assert_eq!(lines.next(), Some(heads));
        let rows: Vec<&str> = lines.collect();
        assert_eq!(rows.len(), self.missing().count(), "{csv}");
        for (row, who) in rows.into_iter().zip(self.missing()) {
            let is_dated = self.mode == Mode::Required;
            let expected = [
                self.seen.get(who).map(|seen| seen.0),
                self.seen.get(who).map(|seen| seen.1),
                self.told.get(who).copied(),
                is_dated.then(|| self.moment(self.required_from(who))),
                self.held.get(who).copied().filter(|_| self.is_required(who, now)),
            ];
            let cells: Vec<&str> = row.split(',').collect();
            assert_eq!((cells.len(), cells[0]), (6, who), "{row}");
            for (cell, expected) in cells[1..].iter().zip(expected) {
                match expected {
                    Some(at) => assert!(is_about(cell, at), "{row}: {cell} is not {}", written(at)),
                    None => assert_eq!(*cell, "", "{row}"),
                }
            }
        }
    }

    fn mode(&self) -> &'static str {
        match self.mode {
            Mode::Report => "report",
            Mode::Required => "required",
        }
    }

    fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.seen.keys().copied().filter(|who| !self.enrolled.contains_key(who))
    }

    fn is_required(&self, who: &str, now: u64) -> bool {
        self.mode == Mode::Required && self.moment(self.required_from(who)) <= now
    }

    fn blocked_since(&self, now: u64) -> Option<u64> {
        let blocked = self.missing().filter(|who| self.is_required(who, now));
        blocked.filter_map(|who| self.held.get(who).copied()).min()
    }

    /// Each day on which somebody was seen first or enrolled, and how many of either.
    fn days(&self) -> Vec<(String, usize, usize)> {
        let mut days: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for (first, _) in self.seen.values() {
            days.entry(first / DAY).or_default().0 += 1;
        }
        for at in self.enrolled.values() {
            days.entry(at / DAY).or_default().1 += 1;
        }
        let named = |day: u64| written(day * DAY)[..10].to_owned();
        days.into_iter().map(|(day, (seen, enrolled))| (named(day), seen, enrolled)).collect()
    }
}

fn parts(at: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(at).unwrap()).unwrap()
}

/// Whether a moment is this one, of which the script's clock was read a little later.
fn is_about(shown: &str, at: u64) -> bool {
    let shown = OffsetDateTime::parse(shown, &Rfc3339).unwrap().unix_timestamp();
    at.abs_diff(u64::try_from(shown).unwrap()) < 60
}

fn written(at: u64) -> String {
    parts(at).format(&Rfc3339).unwrap()
}
