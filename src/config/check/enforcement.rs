//! `enforcement`: dates, and who has one of their own.

use std::collections::HashSet;
use std::time::Duration;

use super::identity::whole_pattern;
use super::{all, placed};
use crate::clock::UnixMillis;
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_enforcement::{EnforcementFile, GroupFile};
use crate::config::identity::UsernameRule;
use crate::config::key_path::KeyPath;
use crate::config::patterns;
use crate::config::units::{Span, show_duration};
use crate::identity::normalise;
use crate::policy::{Enforcement, Group, Mode};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// From when on a portal asks whom for a second factor.
pub(super) fn enforcement(
    written: Option<EnforcementFile>,
    at: &KeyPath,
    names: Option<&UsernameRule>,
    findings: &mut Findings,
) -> Option<Enforcement> {
    let written = written.unwrap_or_default();
    let mode = written.mode.unwrap_or(Mode::Required);
    let place = at.key("from");
    warn_of_mode(mode, written.from.is_some(), at, findings);
    let from = written.from.map_or(Some(None), |text| moment(&text, &place, findings).map(Some));
    let reminder = written.reminder.map_or(DAY, |Span(reminder)| reminder);
    let range = HOUR..=90 * DAY;
    let reminder = findings.in_range(&at.key("reminder"), reminder, range, show_duration);
    let groups = groups(written.groups.unwrap_or_default(), mode, at, names, findings);
    Some(Enforcement { mode, from: from?, reminder: reminder?, groups: groups? })
}

fn warn_of_mode(mode: Mode, has_date: bool, at: &KeyPath, findings: &mut Findings) {
    let place = at.key("mode");
    let mend = "set required when everybody is ready";
    match mode {
        Mode::Required => {}
        Mode::Optional => {
            findings.warn(&place, "lets everybody in who has not enrolled", mend);
        }
        Mode::Report => {
            findings.warn(&place, "holds nobody: whoever would be held is counted alone", mend);
        }
        Mode::Off => findings.warn(&place, "asks nobody for a second factor", mend),
    }
    if has_date && mode != Mode::Required {
        let what = "has no effect: the mode does not change on a date";
        findings.warn(&at.key("from"), what, "set mode: required, or leave the date out");
    }
}

fn groups(
    written: List<GroupFile>,
    mode: Mode,
    at: &KeyPath,
    names: Option<&UsernameRule>,
    findings: &mut Findings,
) -> Option<Vec<Group>> {
    let at = at.key("groups");
    if !written.is_empty() && matches!(mode, Mode::Report | Mode::Off) {
        let what = "have no effect: this mode holds nobody";
        findings.warn(&at, what, "set mode: required or optional, or leave the groups out");
    }
    let checked = placed(written, &at).into_iter();
    all(checked.map(|(at, written)| group(written, &at, names, findings)).collect())
}

fn group(
    written: GroupFile,
    at: &KeyPath,
    names: Option<&UsernameRule>,
    findings: &mut Findings,
) -> Option<Group> {
    if written.users.is_none() && written.pattern.is_none() {
        findings.fault(at, "names nobody", "list users, or give a pattern for their names");
        return None;
    }
    let place = at.key("users");
    let users = placed(written.users.unwrap_or_default(), &place).into_iter();
    let users = all(users.map(|(at, text)| user(&text, &at, names, findings)).collect());
    let place = at.key("pattern");
    let pattern = match written.pattern {
        None => Some(None),
        Some(text) => {
            let pattern = whole_pattern(patterns::whole(&text), &place, findings);
            pattern.map(|pattern| Some(pattern.regex))
        }
    };
    let place = at.key("from");
    let mend = "write a date with its zone, such as 2026-12-01T00:00:00+01:00";
    let from = findings.required(&place, written.from, mend);
    let from = from.and_then(|text| moment(&text, &place, findings));
    let users: HashSet<String> = users?.into_iter().collect();
    Some(Group { users, pattern: pattern?, from: from? })
}

/// A name as the portal's own rule makes it: another spelling would never be met.
fn user(
    text: &str,
    at: &KeyPath,
    names: Option<&UsernameRule>,
    findings: &mut Findings,
) -> Option<String> {
    let name = normalise(names?, text);
    if name.is_none() {
        let what = format!("'{text}' does not fit identity.username, so nobody has this name");
        findings.fault(at, what, "write a name as users type it");
    }
    name.map(|name| name.as_str().to_owned())
}

/// A date without its zone is a different moment on each machine.
fn moment(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<UnixMillis> {
    let moment = UnixMillis::from_rfc3339(text);
    if moment.is_none() {
        let mend = "write date, time and zone, such as 2026-12-01T00:00:00+01:00";
        findings.fault(at, format!("'{text}' is no moment"), mend);
    }
    moment
}
