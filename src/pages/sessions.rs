//! `/sessions`: where a user is signed in, and the end of it. Only for who has proven to be that
//! user. A session is named by its sign-in, which is in no cookie and opens nothing.

use std::collections::BTreeMap;

use super::render::SessionLine;
use super::{Page, PageAnswer, PageError, PageRequest, StatusCode, Who, field, times};
use crate::audit::{Detail, Event};
use crate::net::return_to::ReturnTo;
use crate::session::{Level, SessionRecord};
use crate::user::Opaque;

const HERE: &str = "/sessions";

pub(super) async fn show(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    let session = match proven(request) {
        Ok(session) => session,
        Err(elsewhere) => return Ok(*elsewhere),
    };
    let lines = lines(request, session).await?;
    let ended = field(&request.query, "ended").is_some();
    request.page(StatusCode::OK, &Page::Sessions { sessions: &lines, ended })
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
    if let Err(elsewhere) = proven(request) {
        return Ok(*elsewhere);
    }
    request.parts.audit.ready()?;
    let (sessions, now, sub) = (&request.parts.sessions, request.now, session.sub);
    let named = field(form, "session").and_then(Opaque::decode);
    let prefix = &request.site.portal.prefix;
    let ended = match (field(form, "action"), named) {
        // The end of this one is more than that: the portal is told, and cookies go.
        (Some("end"), Some(root)) if root == session.root => {
            return Ok(PageAnswer::to(format!("{prefix}/logout")));
        }
        (Some("end"), Some(root)) => sessions.end_one(now, sub, root).await?,
        (Some("end_others"), _) => sessions.end_others(now, sub, session.root).await?,
        _ => {
            let text = "Nothing was changed. Go back, reload the page and try again.";
            return request.error(StatusCode::BAD_REQUEST, "This cannot be done", text);
        }
    };
    let entry = request.entry(Event::SessionsEnded, session);
    request.note(entry.with(Detail::Count, ended.to_string())).await?;
    Ok(PageAnswer::to(format!("{prefix}{HERE}?ended=yes")))
}

/// The user's sessions, the present one first, then the latest. One that moved a moment ago is
/// there twice and shown once.
pub(super) async fn lines(
    request: &PageRequest<'_>,
    session: &SessionRecord,
) -> Result<Vec<SessionLine>, PageError> {
    let mut by_root: BTreeMap<Opaque, SessionRecord> = BTreeMap::new();
    for one in request.parts.sessions.of_user(request.now, session.sub).await? {
        match by_root.get(&one.root) {
            Some(kept) if kept.ends >= one.ends => {}
            Some(_) | None => _ = by_root.insert(one.root, one),
        }
    }
    let mut all: Vec<SessionRecord> = by_root.into_values().collect();
    all.sort_by_key(|one| (one.root != session.root, std::cmp::Reverse(one.started)));
    Ok(all.iter().map(|one| line(one, one.root == session.root)).collect())
}

fn line(one: &SessionRecord, current: bool) -> SessionLine {
    SessionLine {
        name: one.root.encode(),
        place: one.place.client.map(|client| client.to_string()).unwrap_or_default(),
        browser: one.place.browser.clone(),
        since: times::moment(one.started),
        proven: matches!(one.level, Level::Proven { .. }),
        current,
    }
}

fn proven<'a>(request: &PageRequest<'a>) -> Result<&'a SessionRecord, Box<PageAnswer>> {
    let prefix = &request.site.portal.prefix;
    match &request.visit.who {
        Who::Proven(session, _) => Ok(session),
        Who::Named(..) => {
            let back = ReturnTo::parse_ours(&format!("{prefix}{HERE}"), prefix);
            Err(Box::new(request.go("/verify", &back)))
        }
        Who::Unknown => Err(Box::new(request.go_to_login())),
    }
}
