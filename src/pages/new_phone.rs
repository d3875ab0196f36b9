//! `/authenticators/add` and `/authenticators/move`: a new secret is shown, as at the first
//! visit, to who gave a factor a moment ago, and only until it is confirmed (ENR-2).

use super::fresh::{changing, changing_by, refused};
use super::render::{AuthenticatorLine, Done};
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, authenticators, field, qr};
use crate::account::{ChangeFault, Changing, NewPhone};
use crate::audit::{Detail, Event};
use crate::user::Opaque;

const ONE_MORE: &str = "/authenticators/add";
const IN_PLACE: &str = "/authenticators/move";

pub(super) async fn show_add(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match changing(request, ONE_MORE) {
        Ok(who) => offer(request, &who, NewPhone::OneMore, None).await,
        Err(elsewhere) => Ok(*elsewhere),
    }
}

pub(super) async fn show_move(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let id = field(&request.query, "id").and_then(Opaque::decode);
    match changing(request, &page_of(id)) {
        Ok(who) => in_place_of(request, &who, id).await,
        Err(elsewhere) => Ok(*elsewhere),
    }
}

pub(super) async fn send_add(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    match changing_by(request, form, ONE_MORE).await {
        Ok(who) => confirm(request, &who, NewPhone::OneMore, form).await,
        Err(sent) => sent.answer(request),
    }
}

pub(super) async fn send_move(
    request: &PageRequest<'_>,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    let id = field(form, "id").and_then(Opaque::decode);
    let who = match changing_by(request, form, &page_of(id)).await {
        Ok(who) => who,
        Err(sent) => return sent.answer(request),
    };
    match id {
        Some(id) => confirm(request, &who, NewPhone::InPlaceOf(id), form).await,
        None => in_place_of(request, &who, None).await,
    }
}

/// What the list leads to: the page with the secret, or the end of it where the form holds the
/// first code already.
pub(super) async fn begin(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    purpose: NewPhone,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    if field(form, "code").is_some() {
        return confirm(request, who, purpose, form).await;
    }
    let page = match purpose {
        NewPhone::OneMore => ONE_MORE.to_owned(),
        NewPhone::InPlaceOf(id) => page_of(Some(id)),
    };
    Ok(PageAnswer::to(format!("{}{page}", request.site.portal.prefix)))
}

/// Who names no authenticator means the only one; of several one has to be chosen.
async fn in_place_of(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    id: Option<Opaque>,
) -> Result<PageAnswer, PageError> {
    let lines = authenticators::lines(request, who.session()).await?;
    let only = match lines.as_slice() {
        [only] => Opaque::decode(&only.id),
        _ => None,
    };
    match id.or(only) {
        Some(id) => offer(request, who, NewPhone::InPlaceOf(id), None).await,
        None => Ok(PageAnswer::to(format!("{}/authenticators", request.site.portal.prefix))),
    }
}

async fn confirm(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    purpose: NewPhone,
    form: &[(String, String)],
) -> Result<PageAnswer, PageError> {
    request.parts.audit.ready()?;
    let code = field(form, "code").unwrap_or_default();
    let label = field(form, "label").unwrap_or_default();
    let accounts = &request.parts.accounts;
    match accounts.confirm_phone(request.now, who, purpose, code, label).await {
        Ok(label) => {
            let (event, what) = match purpose {
                NewPhone::OneMore => (Event::AuthenticatorAdded, Done::Added),
                NewPhone::InPlaceOf(_) => (Event::AuthenticatorMoved, Done::Moved),
            };
            let entry = request.entry(event, who.session());
            request.note(entry.with(Detail::Label, label)).await?;
            Ok(authenticators::done(request, what))
        }
        Err(fault @ (ChangeFault::WrongCode | ChangeFault::NoOffer)) => {
            let (status, text) = refused(request, fault).await?;
            let page = offer(request, who, purpose, Some(text)).await?;
            Ok(PageAnswer { status, ..page })
        }
        Err(fault) => {
            let (status, text) = refused(request, fault).await?;
            authenticators::list(request, status, Some(text)).await
        }
    }
}

/// The page with the secret.
async fn offer(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    purpose: NewPhone,
    fault: Option<&str>,
) -> Result<PageAnswer, PageError> {
    let offered = request.parts.accounts.offer_phone(request.now, who, purpose).await;
    let offer = match offered {
        Ok(offer) => offer,
        Err(fault) => {
            let (status, text) = refused(request, fault).await?;
            return authenticators::list(request, status, Some(text)).await;
        }
    };
    let before = predecessor(request, who, purpose).await?;
    let page = Page::NewPhone {
        qr_svg: &qr::svg(&offer.link)?,
        secret_groups: &offer.groups,
        otpauth: &offer.link,
        before: before.as_ref(),
        fault,
    };
    request.page(StatusCode::OK, &page)
}

async fn predecessor(
    request: &PageRequest<'_>,
    who: &Changing<'_>,
    purpose: NewPhone,
) -> Result<Option<AuthenticatorLine>, PageError> {
    let NewPhone::InPlaceOf(id) = purpose else { return Ok(None) };
    let (lines, id) = (authenticators::lines(request, who.session()).await?, id.encode());
    Ok(lines.into_iter().find(|line| line.id == id))
}

fn page_of(id: Option<Opaque>) -> String {
    id.map_or_else(|| IN_PLACE.to_owned(), |id| format!("{IN_PLACE}?id={}", id.encode()))
}
