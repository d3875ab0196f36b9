//! Where a portal stands on the way to the day nobody gets in without a second factor.

use axum::response::Response;
use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::account::rollout::Day;
use crate::clock::UnixMillis;
use crate::policy::{Group, Mode};
use crate::site::Site;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Rollout")]
pub(super) struct Standing<'a> {
    portal: &'a str,
    at: Option<String>,
    mode: Mode,
    /// The date for everybody who is in no group.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupDate<'a>>,
    seen: u64,
    enrolled: u64,
    /// Users without a second factor who may go on for now.
    waiting: u64,
    /// Users without one who were told of the date.
    reminded: u64,
    /// Users without one who do not get in.
    blocked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<String>,
    /// Users without one who were let through because the portal reports alone.
    would_block: u64,
    days: Vec<DayShown>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GroupDate<'a> {
    from: Option<String>,
    /// How many users it names one by one.
    users: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
}

/// What happened on a day of UTC.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RolloutDay")]
pub(super) struct DayShown {
    day: String,
    seen: u64,
    enrolled: u64,
}

/// `GET /portals/{portal}/rollout`
pub(super) async fn show(asked: &Asked<'_>, site: &Site) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let enforcement = &site.portal.enforcement;
    let found = asked.parts.accounts.rollout(asked.now, site.tag, enforcement).await?;
    view::json(&Standing {
        portal: &site.portal.name,
        at: view::moment(asked.now),
        mode: enforcement.mode,
        from: enforcement.from.and_then(view::moment),
        groups: enforcement.groups.iter().map(group).collect(),
        seen: found.seen,
        enrolled: found.enrolled,
        waiting: found.waiting,
        reminded: found.reminded,
        blocked: found.blocked,
        blocked_since: found.blocked_since.and_then(view::moment),
        would_block: found.reported,
        days: found.days.iter().filter_map(day).collect(),
    })
}

fn group(group: &Group) -> GroupDate<'_> {
    GroupDate {
        from: view::moment(group.from),
        users: group.users.len(),
        pattern: group.pattern.as_ref().map(as_written),
    }
}

/// The pattern as the YAML has it, which is made to fit whole names.
fn as_written(pattern: &Regex) -> &str {
    let whole = pattern.as_str();
    let inner = whole.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
    inner.unwrap_or(whole)
}

fn day((day, happened): (&u64, &Day)) -> Option<DayShown> {
    let at = UnixMillis::from_seconds(day.checked_mul(24 * 3600)?);
    let day = view::moment(at)?.split('T').next()?.to_owned();
    Some(DayShown { day, seen: happened.seen, enrolled: happened.enrolled })
}
