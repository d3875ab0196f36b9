//! The remembered devices of one user at one portal. What is shown names a device and opens
//! nothing.

use axum::response::Response;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::{Person, told, view};
use crate::account;
use crate::audit::{Detail, Event};
use crate::user::Opaque;

#[derive(Serialize)]
struct Devices {
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct Device {
    /// Names it, to end it.
    series: String,
    /// What it said that it is. Nobody vouches for it.
    browser: String,
    /// The network it was used from last.
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remembered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

#[derive(Serialize)]
struct Ended<'a> {
    portal: &'a str,
    user: &'a str,
    devices_ended: usize,
}

/// `GET /portals/{portal}/users/{user}/devices`
pub(super) async fn list(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let lifetime = person.site.portal.remember_device.as_ref().map(|rule| rule.lifetime);
    let all = asked.parts.accounts.devices(asked.now, person.account()).await?;
    asked.note_reading(&person.site.portal.name, person.user.as_str()).await?;
    let counting = all.iter().filter(|device| asked.now < device.until(lifetime));
    let shown = counting.map(|device: &account::Device| Device {
        series: device.series.encode(),
        browser: device.browser.clone(),
        network: device.network.clone(),
        remembered_at: view::moment(device.made),
        last_used_at: view::moment(device.used),
        expires: view::moment(device.until(lifetime)),
    });
    view::json(&Devices { devices: shown.collect() })
}

/// `DELETE /portals/{portal}/users/{user}/devices`
pub(super) async fn end_all(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let count = asked.parts.accounts.end_devices(asked.now, person.account()).await?;
    let entry = asked.entry(Event::DeviceForgotten);
    told(asked, person, entry.with(Detail::Count, count.to_string())).await?;
    ended(person, count)
}

/// `DELETE /portals/{portal}/users/{user}/devices/{series}`. It can be repeated: what is gone
/// already is none that was ended.
pub(super) async fn end(
    asked: &Asked<'_>,
    person: &Person<'_>,
    series: Option<&str>,
) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let series = series.and_then(Opaque::decode);
    let series = series.ok_or_else(|| Problem::not_found("no device has such a name"))?;
    let found = asked.parts.accounts.end_device(asked.now, person.account(), series).await?;
    let count = usize::from(found);
    let entry = asked.entry(Event::DeviceForgotten);
    told(asked, person, entry.with(Detail::Count, count.to_string())).await?;
    ended(person, count)
}

fn ended(person: &Person<'_>, devices_ended: usize) -> Result<Response, Problem> {
    let (portal, user) = (person.site.portal.name.as_str(), person.user.as_str());
    view::json(&Ended { portal, user, devices_ended })
}
