//! How far a portal is on the way from the announcement to the day nobody gets in without a
//! second factor. The day is a date of ops: no sign-in and no reset renews it.

use std::collections::HashSet;
use std::time::Duration;

use regex::Regex;

use crate::clock::UnixMillis;

/// What a portal asks of its users, and from when on.
#[derive(Clone, Debug)]
pub struct Enforcement {
    /// How far it goes.
    pub mode: Mode,
    /// From when on nobody gets in without a second factor; nothing means since ever.
    pub from: Option<UnixMillis>,
    /// How long after one notice the next is due.
    pub reminder: Duration,
    /// Users with a date of their own, such as a pilot group; the first that names a user counts.
    pub groups: Vec<Group>,
}

/// How far a portal goes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum Mode {
    /// Everybody gives a second factor, from the date on.
    Required,
    /// Who has one gives it; everybody else is told and goes on.
    Optional,
    /// Nobody is held; who would be is counted.
    Report,
    /// Nobody is asked.
    Off,
}

/// Users with a date of their own.
#[derive(Clone, Debug)]
pub struct Group {
    /// Canonical names.
    pub users: HashSet<String>,
    /// What the whole of a canonical name fits.
    pub pattern: Option<Regex>,
    /// From when on they need a second factor.
    pub from: UnixMillis,
}

/// What is asked of one visitor at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A second factor, of everybody.
    Required,
    /// A second factor of who has one. Everybody else is told of the date, where there is one.
    Announced(Option<UnixMillis>),
    /// Nothing, but what would be missing is counted.
    Report,
    /// Nothing.
    Off,
}

impl Enforcement {
    /// What is asked at `now` of the user with this canonical name, or of nobody we know.
    pub fn stage(&self, user: Option<&str>, now: UnixMillis) -> Stage {
        let from = match (self.mode, user.and_then(|user| self.group(user))) {
            (Mode::Off, _) => return Stage::Off,
            (Mode::Report, _) => return Stage::Report,
            (Mode::Required | Mode::Optional, Some((_, group))) => Some(group.from),
            (Mode::Required, None) => self.from,
            (Mode::Optional, None) => return Stage::Announced(None),
        };
        match from {
            Some(from) if now < from => Stage::Announced(Some(from)),
            Some(_) | None => Stage::Required,
        }
    }

    /// From when on the user with this canonical name needs a second factor, where there is a
    /// date.
    pub fn date(&self, user: &str) -> Option<UnixMillis> {
        let group = self.group(user).map(|(_, group)| group.from);
        match self.mode {
            Mode::Required => group.or(self.from),
            Mode::Optional => group,
            Mode::Report | Mode::Off => None,
        }
    }

    /// The group whose date counts for a user, with its place counted from zero.
    pub fn group(&self, user: &str) -> Option<(usize, &Group)> {
        self.groups.iter().enumerate().find(|(_, group)| group.names(user))
    }
}

impl Stage {
    /// Whether everybody gets everywhere, whatever is missing.
    pub const fn holds_nobody(self) -> bool {
        match self {
            Self::Required | Self::Announced(_) => false,
            Self::Report | Self::Off => true,
        }
    }
}

impl Default for Enforcement {
    /// Since ever, of everybody.
    fn default() -> Self {
        let reminder = Duration::from_secs(24 * 3600);
        Self { mode: Mode::Required, from: None, reminder, groups: Vec::new() }
    }
}

impl Group {
    fn names(&self, user: &str) -> bool {
        let fits = self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(user));
        fits || self.users.contains(user)
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::{Enforcement, Group, Mode, Stage};
    use crate::clock::UnixMillis;

    const EARLY: UnixMillis = UnixMillis(100);
    const LATE: UnixMillis = UnixMillis(200);

    fn rollout(mode: Mode) -> Enforcement {
        let pilot = Group {
            users: ["alice".to_owned()].into(),
            pattern: Some(Regex::new("^(?:ict-.*)$").unwrap()),
            from: EARLY,
        };
        Enforcement { mode, from: Some(LATE), groups: vec![pilot], ..Enforcement::default() }
    }

    #[test]
    fn the_date_counts_to_the_millisecond() {
        let rollout = rollout(Mode::Required);
        for (user, now, stage) in [
            (Some("bob"), 199, Stage::Announced(Some(LATE))),
            (Some("bob"), 200, Stage::Required),
            (None, 199, Stage::Announced(Some(LATE))),
            (None, 200, Stage::Required),
            (Some("alice"), 99, Stage::Announced(Some(EARLY))),
            (Some("alice"), 100, Stage::Required),
            (Some("ict-7"), 100, Stage::Required),
            (Some("not-ict-7"), 100, Stage::Announced(Some(LATE))),
        ] {
            assert_eq!(rollout.stage(user, UnixMillis(now)), stage, "{user:?} at {now}");
        }
    }

    #[test]
    fn a_pilot_group_goes_first_where_all_others_may_choose() {
        let rollout = rollout(Mode::Optional);
        assert_eq!(rollout.stage(Some("bob"), UnixMillis(300)), Stage::Announced(None));
        assert_eq!(rollout.stage(Some("alice"), UnixMillis(300)), Stage::Required);
    }

    #[test]
    fn without_a_date_it_is_since_ever() {
        assert_eq!(Enforcement::default().stage(None, UnixMillis(0)), Stage::Required);
        for (mode, stage) in [(Mode::Report, Stage::Report), (Mode::Off, Stage::Off)] {
            assert_eq!(rollout(mode).stage(Some("alice"), UnixMillis(300)), stage);
        }
    }
}
