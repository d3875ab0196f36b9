//! `/devices`: what of the user's is remembered, and the end of it. Only where the portal
//! allows it, and only for who has proven to be that user.

use super::render::DeviceLine;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field, remembered, times};
use crate::audit::{Detail, Event};
use crate::net::cookie_line;
use crate::user::Opaque;

/// Whether this portal has such a page.
pub(super) fn is_here(request: &PageRequest<'_>) -> bool {
    request.site.portal.remember_device.is_some()
}

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let session = match &request.visit.who {
        Who::Proven(session, _) => session,
        Who::Named(..) => return Ok(request.go("/verify", &request.return_to(&[]))),
        Who::Unknown => return Ok(request.go_to_login()),
    };
    let account = request.site.account(session);
    let devices = request.parts.accounts.devices(request.now, account).await?;
    let here = remembered::shown(request).map(|secret| secret.series());
    let lifetime = request.site.portal.remember_device.as_ref().map(|rule| rule.lifetime);
    let lines: Vec<DeviceLine> = devices
        .iter()
        .filter(|device| request.now < device.until(lifetime))
        .map(|device| DeviceLine {
            series: device.series.encode(),
            browser: device.browser.clone(),
            network: device.network.clone(),
            made: times::moment(device.made),
            used: times::moment(device.used),
            until: times::moment(device.until(lifetime)),
            here: Some(device.series) == here,
        })
        .collect();
    request.page(StatusCode::OK, &Page::Devices { devices: &lines })
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    if !request.is_our_form(session, form) {
        return request.not_our_form();
    }
    if !matches!(request.visit.who, Who::Proven(..)) {
        return Ok(request.go("/verify", &request.return_to(&[])));
    }
    let account = request.site.account(session);
    let accounts = &request.parts.accounts;
    request.parts.audit.ready()?;
    let here = remembered::shown(request).map(|secret| secret.series());
    let (count, ended_here) =
        match (field(form, "action"), field(form, "series").and_then(Opaque::decode)) {
            (Some("end"), Some(series)) => {
                let found = accounts.end_device(request.now, account, series).await?;
                (usize::from(found), here == Some(series))
            }
            (Some("end_all"), _) => {
                (accounts.end_devices(request.now, account).await?, here.is_some())
            }
            _ => {
                let text = "Nothing was changed. Go back, reload the page and try again.";
                return request.error(StatusCode::BAD_REQUEST, "This cannot be done", text);
            }
        };
    if count > 0 {
        let entry = request.entry(Event::DeviceForgotten, session);
        request.note(entry.with(Detail::Count, count.to_string())).await?;
    }
    let back = PageAnswer::to(format!("{}/devices", request.site.portal.prefix));
    Ok(if ended_here { back.with_cookie(cookie_line::clear_device()) } else { back })
}
