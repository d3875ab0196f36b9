//! The sessions of one user at one portal. What names them to us is not shown.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::{Person, view};
use crate::admin::deeds::help;
use crate::session::{FactorUsed, Level, SessionRecord};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionList")]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Session {
    /// How well it is proven.
    level: &'static str,
    /// With what, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// The browser that signed in, as it calls itself: its name and the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<String>,
    /// The address that it signed in from.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionsEnded")]
pub(super) struct Ended<'a> {
    portal: &'a str,
    user: &'a str,
    sessions_ended: usize,
}

/// `GET /portals/{portal}/users/{user}/sessions`
pub(super) async fn list(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let mut records = asked.parts.sessions.of_user(asked.now, person.sub).await?;
    asked.note_reading(&person.site.portal.name, person.user.as_str()).await?;
    records.sort_by_key(|record| record.started);
    view::json(&Sessions { sessions: records.iter().map(shown).collect() })
}

/// `DELETE /portals/{portal}/users/{user}/sessions`
pub(super) async fn end(asked: &Asked<'_>, person: &Person<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let sessions_ended = help::end_sessions(asked.acting(), person.whom()).await?;
    let (portal, user) = (person.site.portal.name.as_str(), person.user.as_str());
    view::json(&Ended { portal, user, sessions_ended })
}

fn shown(record: &SessionRecord) -> Session {
    let (level, factor, proven_at) = match record.level {
        Level::Password => ("password", None, None),
        Level::Proven { factor, at } => ("proven", Some(word(factor)), view::moment(at)),
        Level::Ended => ("ended", None, None),
    };
    let (started, ends) = (view::moment(record.started), view::moment(record.ends));
    let browser = Some(record.place.browser.clone()).filter(|browser| !browser.is_empty());
    let client = record.place.client.map(|client| client.to_string());
    Session { level, factor, started, proven_at, ends, browser, client }
}

/// A device is named by nothing that its cookie holds.
const fn word(factor: FactorUsed) -> &'static str {
    match factor {
        FactorUsed::Totp => "totp",
        FactorUsed::RecoveryCode => "recovery_code",
        FactorUsed::Device { .. } => "device",
    }
}
