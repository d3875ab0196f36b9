//! `/authenticators`: the apps and phones whose codes count; another label, and the end of one.
//! Only for who gave a factor a moment ago.

use super::fresh::{changing, changing_by, refused};
use super::render::{AuthenticatorLine, Done};
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, field, new_phone, times};
use crate::account::{Changing, MOST_AUTHENTICATORS, NewPhone};
use crate::audit::{Detail, Event};
use crate::net::cookie_line;
use crate::session::SessionRecord;
use crate::user::Opaque;

const HERE: &str = "/authenticators";

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match changing(request, HERE) {
        Ok(_) => list(request, StatusCode::OK, None).await,
        Err(elsewhere) => Ok(*elsewhere),
    }
}

pub(super) async fn send(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let who = match changing_by(request, form, HERE).await {
        Ok(who) => who,
        Err(sent) => return sent.answer(request),
    };
    let id = field(form, "id").and_then(Opaque::decode);
    match (field(form, "action"), id) {
        (Some("add"), _) => new_phone::begin(request, &who, NewPhone::OneMore, form).await,
        (Some("move"), Some(id)) => {
            new_phone::begin(request, &who, NewPhone::InPlaceOf(id), form).await
        }
        (Some("rename"), Some(id)) => rename(request, &who, id, form).await,
        (Some("remove"), Some(id)) => remove(request, &who, id).await,
        _ => {
            let text = "Nothing was changed. Go back, reload the page and try again.";
            request.error(StatusCode::BAD_REQUEST, "This cannot be done", text)
        }
    }
}

/// The list, with what was wrong above it.
pub(super) async fn list(
    request: &PageRequest<'_>,
    status: StatusCode,
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    let Some(session) = request.visit.session() else {
        return Ok(request.go_to_login());
    };
    let lines = lines(request, session).await?;
    let account = request.site.account(session);
    let recovery_left = request.parts.accounts.recovery_codes_left(request.now, account).await?;
    let page = Page::Authenticators {
        authenticators: &lines,
        room: lines.len() < MOST_AUTHENTICATORS,
        recovery_left: u32::try_from(recovery_left).unwrap_or(u32::MAX),
        done: field(&request.query, "done").and_then(Done::read).filter(|_| fault.is_none()),
        fault,
    };
    request.page(status, &page)
}

/// The user's authenticators as a page shows them.
pub(super) async fn lines(
    request: &PageRequest<'_>,
    session: &SessionRecord,
) -> Result<Vec<AuthenticatorLine>, PageError> {
    let account = request.site.account(session);
    let factor = request.parts.accounts.authenticators(request.now, account).await?;
    let all = factor.into_iter().flat_map(|factor| factor.authenticators);
    Ok(all
        .map(|one| AuthenticatorLine {
            id: one.id.encode(),
            label: one.label,
            added: times::moment(one.added),
        })
        .collect())
}

/// The way to the list, which then says what was done.
pub(super) fn done(request: &PageRequest<'_>, what: Done) -> PageAnswer {
    let prefix = &request.site.portal.prefix;
    let answer = PageAnswer::to(format!("{prefix}{HERE}?done={}", what.as_str()));
    match what {
        // No device is remembered any more; the browser need not keep what it was known by.
        Done::Removed | Done::Moved => answer.with_cookie(cookie_line::clear_device()),
        Done::Added | Done::Renamed => answer,
    }
}

async fn rename(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    id: Opaque,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    let label = field(form, "label").unwrap_or_default();
    match request.parts.accounts.rename(request.now, who, id, label).await {
        Ok(label) => {
            let entry = request.entry(Event::AuthenticatorRenamed, who.session());
            request.note(entry.with(Detail::Label, label)).await?;
            Ok(done(request, Done::Renamed))
        }
        Err(fault) => {
            let (status, text) = refused(request, fault).await?;
            list(request, status, Some(text)).await
        }
    }
}

async fn remove(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    id: Opaque,
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    match request.parts.accounts.remove(request.now, who, id).await {
        Ok(label) => {
            let entry = request.entry(Event::AuthenticatorRemoved, who.session());
            request.note(entry.with(Detail::Label, label)).await?;
            Ok(done(request, Done::Removed))
        }
        Err(fault) => {
            let (status, text) = refused(request, fault).await?;
            list(request, status, Some(text)).await
        }
    }
}
