//! A remembered device at the page that asks for a code: offered there, taken there in place
//! of a code, and nowhere else. Whoever gave a code already is never let further by it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{Action, PageAnswer, PageError, PageRequest, Standing, Who, field, reset, verify};
use crate::account::{DeviceSecret, Looks, Presented, Remembered, Taken, Verified};
use crate::config::RememberDevice;
use crate::net::return_to::ReturnTo;
use crate::net::{agent, cookie_line, cookies};
use crate::notify::Addressee;
use crate::session::SessionRecord;
use crate::telemetry::label::{FactorLabel, VerificationLabel};
use crate::visit::Visit;

/// What the portal allows, if it does so for a client at this address.
pub(super) fn allowed<'a>(request: &PageRequest<'a>) -> Option<&'a RememberDevice> {
    let rule = request.site.portal.remember_device.as_ref()?;
    rule.counts_at(request.caller.client).then_some(rule)
}

/// What the browser shows of its being remembered.
pub(super) fn shown(request: &PageRequest<'_>) -> Option<DeviceSecret> {
    request.visit.read.value(cookies::DEVICE).and_then(DeviceSecret::decode)
}

/// Lets a visitor through whose password was taken, who may give a code now, and whose device
/// stands in for it; nothing where the code is to be asked for as always. This includes a session that was idle (NIST SP 800-63B-4 section 5.1).
pub(super) async fn pass(
    request: &PageRequest<'_>,
    session: &Arc<SessionRecord>,
    standing: Standing,
    return_to: &ReturnTo,
) -> Result<Option<PageAnswer>, PageError> {
    let (Some(rule), Some(secret)) = (allowed(request), shown(request)) else {
        return Ok(None);
    };
    if standing != Standing::Enrolled {
        return Ok(None);
    }
    let account = request.site.account(session);
    let accounts = &request.parts.accounts;
    let looks = looks(request);
    let owner = Addressee::at(&request.site.portal, &session.user);
    let presented = Presented { secret: &secret, looks: &looks, owner: &owner };
    let taken =
        accounts.take_device(request.now, account, session, &presented, rule.lifetime).await?;
    let metrics = &request.site.metrics;
    match taken {
        Taken::Proven { session, next } => {
            metrics.verification(FactorLabel::Device, VerificationLabel::Accepted);
            let token = request.site.token.mint(&request.parts.keys, request.now, &session)?;
            let detour = reset::detour(request, &session, return_to).await?;
            let answer = detour.unwrap_or_else(|| PageAnswer::to(return_to.as_str().to_owned()));
            let mut answer = answer.with_cookie(cookie_line::set_session(&token));
            answer.cookies.extend(next.as_ref().map(line));
            Ok(Some(answer))
        }
        Taken::Nothing => Ok(None),
        Taken::Copied { instead } => {
            alarm(request, session, &secret);
            after_copy(request, session, instead.as_ref(), standing, return_to).await.map(Some)
        }
    }
}

/// The page that asks for the code and says why, in the session as it is now. Only one that
/// lost its proof gets a new token: for an idle one that a code had proven, a new token would
/// be a proof.
async fn after_copy(
    request: &PageRequest<'_>,
    session: &Arc<SessionRecord>,
    instead: Option<&Arc<SessionRecord>>,
    standing: Standing,
    return_to: &ReturnTo,
) -> Result<PageAnswer, PageError> {
    let session = instead.unwrap_or(session);
    let who = Who::Named(Arc::clone(session), standing);
    let visit = Visit { who, ..request.visit.clone() };
    let request = PageRequest {
        visit: &visit,
        action: Action::Show,
        query: request.query.clone(),
        caller: request.caller.clone(),
        ..*request
    };
    let mut cookies = vec![cookie_line::clear_device()];
    if let Some(instead) = instead {
        let token = request.site.token.mint(&request.parts.keys, request.now, instead)?;
        cookies.push(cookie_line::set_session(&token));
    }
    let shown = verify::ask_after_copy(&request, session, return_to).await?;
    Ok(PageAnswer { cookies, ..shown })
}

/// Remembers the device that a code was just given on, where its user asked for that and the
/// portal allows it; gives the line that says so.
pub(super) async fn remember(
    request: &PageRequest<'_>,
    form: &[(String, String)],
    verified: &Verified,
) -> Result<Option<String>, PageError> {
    let wanted = field(form, "remember").is_some_and(|value| !value.is_empty());
    let Some(rule) = allowed(request).filter(|_| wanted) else {
        return Ok(None);
    };
    let account = request.site.account(&verified.session);
    let (before, looks) = (shown(request), looks(request));
    let made = request.parts.accounts.remember_device(
        request.now,
        account,
        verified,
        looks,
        rule.lifetime,
        before.as_ref(),
    );
    Ok(made.await?.as_ref().map(line))
}

/// How long a device would be remembered, in words, where that is offered.
pub(super) fn offer(request: &PageRequest<'_>) -> Option<String> {
    allowed(request).map(|rule| in_words(rule.lifetime))
}

/// Tells ops of a copy; the owner was told in the step that ended the device.
fn alarm(request: &PageRequest<'_>, session: &SessionRecord, secret: &DeviceSecret) {
    let metrics = &request.site.metrics;
    metrics.device_alarm();
    metrics.verification(FactorLabel::Device, VerificationLabel::Replayed);
    tracing::warn!(
        portal = %request.site.portal.name,
        user = ?session.sub,
        device = ?secret.series(),
        request_id = request.request_id,
        "a copy of a remembered device was shown; the device and what it proved have ended"
    );
}

fn line(kept: &Remembered) -> String {
    cookie_line::set_device(&kept.secret.encode(), kept.for_how_long)
}

fn looks(request: &PageRequest<'_>) -> Looks {
    Looks {
        browser: agent::in_words(request.caller.agent.as_deref()),
        network: request.caller.client.and_then(network).unwrap_or_default(),
    }
}

/// The network around an address: enough for a user to recognise it by.
fn network(client: IpAddr) -> Option<String> {
    let length = if client.is_ipv4() { 24 } else { 48 };
    IpNet::new(client, length).ok().map(|network| network.trunc().to_string())
}

/// Whole days, or hours where it is not that long.
fn in_words(lifetime: Duration) -> String {
    const HOUR: u64 = 3_600;
    let seconds = lifetime.as_secs();
    match (seconds / (24 * HOUR), seconds / HOUR) {
        (0 | 1, 1) => "1 hour".to_owned(),
        (0 | 1, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{in_words, network};

    #[test]
    fn a_lifetime_is_told_in_days_or_hours() {
        for (hours, words) in
            [(1, "1 hour"), (12, "12 hours"), (24, "24 hours"), (48, "2 days"), (720, "30 days")]
        {
            assert_eq!(in_words(Duration::from_secs(3_600 * hours)), words);
        }
    }

    #[test]
    fn an_address_is_told_as_its_network() {
        let of = |address: &str| network(address.parse().unwrap());
        assert_eq!(of("192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(of("2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
    }
}
