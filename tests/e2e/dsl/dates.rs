//! Dates of a rollout, counted from when the gateway started.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The date so many days from now, as the YAML has it.
pub fn in_days(days: i64) -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds.as_secs()).unwrap());
    (now.unwrap() + time::Duration::days(days)).format(&Rfc3339).unwrap()
}

/// `enforcement` with this mode, the date in so many days, and more lines of it.
pub fn enforcement(mode: &str, days: i64, more: &str) -> String {
    let from =
        if mode == "required" { format!("from: {}, ", in_days(days)) } else { String::new() };
    format!("enforcement: {{ mode: {mode}, {from}reminder: 1d{more} }}")
}
