//! One user: how the second step stands, what is signed in and remembered, what the desk may
//! do about it, and what happened before. Whoever looks is in the audit log.

use axum::http::StatusCode;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::answer::{Answer, Fault};
use super::history;
use super::users::in_words;
use super::visit::Visit;
use crate::account::{AccountId, Member};
use crate::audit::Event;
use crate::clock::UnixMillis;
use crate::config::desk::Role;
use crate::identity;
use crate::session::{FactorUsed, Level, SessionRecord};
use crate::site::Site;
use crate::user::UserName;

/// Whom a page is about.
pub(super) struct Subject<'a> {
    pub(super) site: &'a Site,
    pub(super) user: UserName,
    pub(super) account: AccountId,
}

/// What a page says of a deed that was just done, or of why it was not.
#[derive(Serialize)]
pub(super) struct Said {
    /// The sentence.
    pub(super) text: String,
    /// Whether it was done.
    pub(super) is_done: bool,
    /// An invitation's code, which is shown this once.
    pub(super) code: Option<String>,
}

impl Said {
    /// It was done.
    pub(super) fn done(text: String) -> Self {
        Self { text, is_done: true, code: None }
    }

    /// It was not.
    pub(super) fn not_done(text: String) -> Self {
        Self { text, is_done: false, code: None }
    }
}

#[derive(Serialize)]
struct Phone {
    label: String,
    added: String,
}

#[derive(Serialize)]
struct Session {
    proof: &'static str,
    started: String,
    ends: String,
    /// What it said that it is, and from where.
    browser: String,
    client: Option<String>,
}

#[derive(Serialize)]
struct Remembered {
    browser: String,
    network: String,
    made: String,
    used: String,
}

/// `GET /desk/user?portal=&user=`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    match named(visit, visit.asked("portal"), visit.asked("user")) {
        Some(subject) => page(visit, &subject, StatusCode::OK, None).await,
        None => unknown(visit),
    }
}

/// The user that a request names, where somebody of that name can be at that portal.
pub(super) fn named<'a>(
    visit: &Visit<'a>,
    portal: Option<&str>,
    user: Option<&str>,
) -> Option<Subject<'a>> {
    let site = visit.sites().find(|site| Some(site.portal.name.as_str()) == portal)?;
    let user = identity::normalise(&site.portal.identity.username, user?)?;
    let account = AccountId { portal: site.tag, sub: site.binder.subject(&user) };
    Some(Subject { site, user, account })
}

pub(super) fn unknown(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let text = "No user of that name can be at that portal, or you do not help its users.";
    visit.refuse(StatusCode::NOT_FOUND, "No such user", text)
}

/// The page about a user, with what was just done.
pub(super) async fn page(
    visit: &Visit<'_>,
    subject: &Subject<'_>,
    status: StatusCode,
    said: Option<Said>,
) -> Result<Answer, Fault> {
    let (accounts, now, account) = (&visit.parts.accounts, visit.now, subject.account);
    let portal = &subject.site.portal;
    let entry = visit.entry(Event::DeskRead).at(&portal.name).to(subject.user.as_str());
    visit.parts.audit.note(now, entry).await?;
    let member = accounts.member(now, account).await?;
    let codes_left = accounts.recovery_codes_left(now, account).await?;
    let mut sessions = visit.parts.sessions.of_user(now, account.sub).await?;
    sessions.sort_by_key(|record| record.started);
    let history = history::of(visit, &portal.name, subject.user.as_str()).await?;
    let page = context! {
        portal => portal.name.as_str(),
        user => subject.user.as_str(),
        known => member.is_some(),
        codes_left,
        sessions => Serde(sessions.iter().map(Session::of).collect::<Vec<_>>()),
        devices => Serde(devices(visit, subject).await?),
        invites => portal.enrolment.invite.as_secs() / 3600,
        has_organisation => portal.organisation.is_some(),
        takes_managers => visit.may(Role::AccountManager),
        history => Serde(history),
        said => Serde(said),
        ..standing(member.as_ref(), now)
    };
    visit.page(status, "user.html", page)
}

/// How the second step of somebody stands, who may be nobody yet.
fn standing(member: Option<&Member>, now: UnixMillis) -> minijinja::Value {
    let state = member.map(|member| member.state(now));
    let phones = member.iter().flat_map(|member| &member.authenticators);
    let phones: Vec<Phone> = phones
        .map(|(label, added)| Phone { label: label.clone(), added: added.in_words() })
        .collect();
    let counter = member.map(|member| member.counter.at(now));
    let sight = member.and_then(|member| member.sight.as_ref());
    context! {
        state => state.map(crate::account::State::as_str),
        state_words => state.map(in_words),
        phones => Serde(phones),
        wrong_codes => counter.map_or(0, |counter| counter.failures),
        locked_until => counter.and_then(|counter| Some(counter.locked_until?.in_words())),
        first_seen => sight.map(|sight| sight.first.in_words()),
        last_seen => sight.map(|sight| sight.last.in_words()),
    }
}

async fn devices(visit: &Visit<'_>, subject: &Subject<'_>) -> Result<Vec<Remembered>, Fault> {
    let lifetime = subject.site.portal.remember_device.as_ref().map(|rule| rule.lifetime);
    let all = visit.parts.accounts.devices(visit.now, subject.account).await?;
    let counting = all.into_iter().filter(|device| visit.now < device.until(lifetime));
    let shown = counting.map(|device| Remembered {
        browser: device.browser,
        network: device.network,
        made: device.made.in_words(),
        used: device.used.in_words(),
    });
    Ok(shown.collect())
}

impl Session {
    fn of(record: &SessionRecord) -> Self {
        let proof = match record.level {
            Level::Password => "password only",
            Level::Proven { factor: FactorUsed::Totp, .. } => "code of the app",
            Level::Proven { factor: FactorUsed::RecoveryCode, .. } => "recovery code",
            Level::Proven { factor: FactorUsed::Device { .. }, .. } => "remembered device",
            Level::Ended => "ended",
        };
        Self {
            proof,
            started: record.started.in_words(),
            ends: record.ends.in_words(),
            browser: record.place.browser.clone(),
            client: record.place.client.map(|client| client.to_string()),
        }
    }
}
