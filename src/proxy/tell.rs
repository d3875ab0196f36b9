//! What happens on a request's way, as the audit log has it. All of it is only mentioned: none
//! of it proves anything, and no request waits for it.

use super::context::{Incoming, Origin};
use crate::audit::{By, Detail, Entry, Event};
use crate::identity::Attempt;
use crate::site::{Parts, Site};
use crate::telemetry::label::LoginOutcomeLabel;
use crate::user::UserName;

/// Something that a user did.
pub(super) fn of_user(parts: &Parts, site: &Site, origin: &Origin, event: Event, user: &UserName) {
    mention(parts, entry(site, origin, event, By::User).to(user.as_str()));
}

/// A session ended, since the portal's is not that user's any more.
pub(super) fn not_theirs(parts: &Parts, site: &Site, origin: &Origin, user: &UserName) {
    let ended = entry(site, origin, Event::SessionsEnded, By::Gateway).to(user.as_str());
    mention(parts, ended.with(Detail::Refusal, "other_user"));
}

/// A rule takes nobody there.
pub(super) fn denied(parts: &Parts, site: &Site, incoming: &Incoming, user: Option<&UserName>) {
    let by = if user.is_some() { By::User } else { By::Nobody };
    let denied = entry(site, &incoming.origin, Event::AccessDenied, by);
    let target = format!("{} {}", incoming.method, incoming.path.as_str());
    mention(
        parts,
        Entry { user: user.map(UserName::as_str), ..denied }.with(Detail::Target, target),
    );
}

/// A login that nobody was learned from. Who was named is told only if that user was seen here
/// before: what somebody typed into the wrong field may be a password.
pub(super) async fn no_login(
    parts: &Parts,
    site: &Site,
    origin: &Origin,
    outcome: LoginOutcomeLabel,
    attempt: &Attempt,
) {
    let event = match outcome {
        // Whoever was learned is told of where the session begins.
        LoginOutcomeLabel::Success => return,
        LoginOutcomeLabel::Failure => Event::LoginFailed,
        LoginOutcomeLabel::NoName
        | LoginOutcomeLabel::NoSession
        | LoginOutcomeLabel::Unreadable => Event::LoginRefused,
    };
    let mut user = None;
    if let Some(name) = attempt.user() {
        let account =
            crate::account::AccountId { portal: site.tag, sub: site.binder.subject(name) };
        let sight = parts.accounts.sight(parts.now(), account).await;
        user = sight.ok().flatten().map(|_| name.as_str());
    }
    let told = Entry { user, ..entry(site, origin, event, By::Nobody) };
    mention(parts, told.with(Detail::Refusal, outcome.as_str()));
}

fn entry<'a>(site: &'a Site, origin: &'a Origin, event: Event, by: By<'a>) -> Entry<'a> {
    Entry::new(event, by).at(&site.portal.name).from(origin.ends.client, Some(&origin.request))
}

fn mention(parts: &Parts, entry: Entry<'_>) {
    parts.audit.mention(parts.now(), entry);
}
