//! A request to the console, read whole: who sends it, from where, and its form. A form that
//! the console itself did not show does nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{header, request};

use super::answer::Fault;
use super::cookie::{self, Claimed};
use crate::account::AccountId;
use crate::admin::deeds::Acting;
use crate::audit::{By, Detail, Entry, Event};
use crate::clock::UnixMillis;
use crate::config::desk::{Person, Role, Staff};
use crate::net::agent;
use crate::session::{Level, Place, SessionRecord};
use crate::site::{Parts, Site};

/// The longest form, in bytes.
const LONGEST: usize = 16 * 1024;
/// How long a form may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the password alone counts: the time to give a code, or to enrol.
const BETWEEN_STEPS: Duration = Duration::from_secs(10 * 60);

/// A request with all that is known of its sender.
pub(super) struct Visit<'a> {
    pub(super) parts: &'a Parts,
    pub(super) now: UnixMillis,
    pub(super) client: Option<IpAddr>,
    pub(super) who: Who<'a>,
    agent: Option<String>,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

/// Who sends it.
pub(super) enum Who<'a> {
    /// Somebody who is not known.
    Nobody,
    /// Somebody who gave the password alone.
    Named(&'a Person, Arc<SessionRecord>),
    /// Somebody who gave a code too.
    Proven(&'a Person, Arc<SessionRecord>),
}

impl<'a> Visit<'a> {
    /// Reads a request. Nothing is given for a form that is too long or too slow.
    pub(super) async fn read(
        parts: &'a Parts,
        now: UnixMillis,
        head: &request::Parts,
        body: Body,
    ) -> Result<Option<Self>, Fault> {
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, LONGEST)).await;
        let Ok(Ok(body)) = body else { return Ok(None) };
        let pairs = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect();
        let query = pairs(head.uri.query().unwrap_or_default().as_bytes());
        let client = super::super::api::client(head);
        let who = known(parts, now, head).await?;
        let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.map(str::to_owned);
        Ok(Some(Self { parts, now, client, who, agent, query, form: pairs(&body) }))
    }

    /// From where and with what it is sent, as a session remembers it.
    pub(super) fn place(&self) -> Place {
        Place { client: self.client, browser: agent::in_words(self.agent.as_deref()) }
    }

    /// The one value of a field of the query.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        one(&self.query, name)
    }

    /// The one value of a field of the form.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        one(&self.form, name)
    }

    /// Whether the console showed this form in this stretch of the session.
    pub(super) fn is_our_form(&self) -> bool {
        let given = self.field("csrf").unwrap_or_default();
        self.session().is_some_and(|session| {
            cookie::is_form_token(self.parts.desk_people.key(), session.sid, given)
        })
    }

    /// The hidden field of the forms that are shown now.
    pub(super) fn form_token(&self) -> Option<String> {
        let key = self.parts.desk_people.key();
        self.session().map(|session| cookie::form_token(key, session.sid))
    }

    /// The session, however well it is proven.
    pub(super) fn session(&self) -> Option<&SessionRecord> {
        match &self.who {
            Who::Nobody => None,
            Who::Named(_, session) | Who::Proven(_, session) => Some(session),
        }
    }

    /// Whoever signed in whole.
    pub(super) fn staff(&self) -> Option<&'a Staff> {
        match self.who {
            Who::Nobody | Who::Named(..) => None,
            Who::Proven(person, _) => Some(&person.staff),
        }
    }

    /// Whether the sender may do what needs this role.
    pub(super) fn may(&self, needs: Role) -> bool {
        self.staff().is_some_and(|staff| staff.role >= needs)
    }

    /// The sender as somebody who does something, where the role allows it.
    pub(super) fn acting(&self, needs: Role) -> Option<Acting<'a>> {
        let staff = self.staff().filter(|staff| staff.role >= needs)?;
        Some(Acting { parts: self.parts, now: self.now, staff, client: self.client })
    }

    /// The portals whose users the sender may see.
    pub(super) fn sites(&self) -> impl Iterator<Item = &'a Site> {
        let (parts, staff) = (self.parts, self.staff());
        let is_for =
            move |site: &&Arc<Site>| staff.is_some_and(|staff| staff.is_for(&site.portal.name));
        parts.sites.iter().filter(is_for).map(AsRef::as_ref)
    }

    /// The account of somebody at the desk.
    pub(super) fn account(&self, person: &Person) -> AccountId {
        self.parts.desk_people.account(&person.staff.name)
    }

    /// The line that keeps the session from growing idle.
    pub(super) fn cookie(&self) -> Option<String> {
        match &self.who {
            Who::Nobody => None,
            Who::Named(person, session) | Who::Proven(person, session) => {
                Some(self.cookie_of(person, session))
            }
        }
    }

    /// The line for a session that has just begun or was proven.
    pub(super) fn cookie_of(&self, person: &Person, session: &SessionRecord) -> String {
        cookie::set(self.parts.desk_people.key(), person, session.bind, self.now)
    }

    /// Something that the sender did, for the audit log.
    pub(super) fn entry(&self, event: Event) -> Entry<'a> {
        let by = self.staff().map_or(By::Nobody, |staff| By::Person(&staff.name));
        Entry::new(event, by).from(self.client, None)
    }

    /// Writes down that somebody did not get in, and why, in one word. It is the name of a
    /// person or nothing: what was typed may be a password.
    pub(super) fn refused(&self, person: Option<&Person>, why: &str) {
        let entry = Entry::new(Event::DeskSignInRefused, By::Nobody).from(self.client, None);
        let entry = entry.with(Detail::Refusal, why);
        let entry = match person {
            Some(person) => entry.with(Detail::Name, &*person.staff.name),
            None => entry,
        };
        self.parts.audit.mention(self.now, entry);
        tracing::warn!(why, "somebody did not get into the desk's console");
    }
}

/// Whose the request is, by its cookie.
async fn known<'a>(
    parts: &'a Parts,
    now: UnixMillis,
    head: &request::Parts,
) -> Result<Who<'a>, Fault> {
    let Some(claimed) = Claimed::read(&head.headers) else { return Ok(Who::Nobody) };
    let Some(session) = parts.sessions.look(now, claimed.bind).await? else {
        return Ok(Who::Nobody);
    };
    let desk = &parts.desk_people;
    let person = desk.of(&session).filter(|person| claimed.is_of(desk.key(), person));
    let Some(person) = person else { return Ok(Who::Nobody) };
    if !claimed.is_fresh(now) {
        return Ok(Who::Nobody);
    }
    Ok(match session.level {
        Level::Proven { .. } => Who::Proven(person, session),
        Level::Password if now.since(session.started) < BETWEEN_STEPS => {
            Who::Named(person, session)
        }
        Level::Password | Level::Ended => Who::Nobody,
    })
}

/// The one value of a name; what came twice has none.
fn one<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let value = values.next();
    if values.next().is_some() { None } else { value }
}
