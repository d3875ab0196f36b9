//! Other keys for what the gateway signs. No answer holds more of a key than its name.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::account::AccountError;
use crate::audit::{Detail, Event};
use crate::clock::UnixMillis;
use crate::notify::News;
use crate::session::Rotation;

/// What may be asked for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotationWish")]
pub(super) struct Wish {
    /// The keys may be known to somebody.
    #[serde(default)]
    emergency: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeysRotated")]
pub(super) struct Rotated {
    emergency: bool,
    sessions: SessionKeys,
    assertions: AssertionKeys,
    sessions_ended: usize,
}

#[derive(Serialize, JsonSchema)]
struct SessionKeys {
    /// Names the key that signs from now on.
    kid: String,
    /// Those before it, while what they signed counts.
    previous: Vec<Ending>,
}

#[derive(Serialize, JsonSchema)]
struct AssertionKeys {
    /// Names the key that signs now.
    kid: String,
    /// The one that signs from a later moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Coming>,
    /// The one before, while portals still find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Ending>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyEnding")]
struct Ending {
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyComing")]
struct Coming {
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// `POST /keys/rotate`
pub(super) async fn rotate(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.everywhere()?;
    let Wish { emergency } = asked.json_if_any()?;
    let (parts, now) = (asked.parts, asked.now);
    parts.audit.ready()?;
    let lifetime = parts.session_limits.lifetime;
    let how = if emergency { Rotation::Emergency } else { Rotation::Calm { lifetime } };
    let sessions = parts.keys.rotate(&*parts.store, now, how).await?;
    // Whatever becomes of the rest, what the old keys opened ends.
    let ended = if emergency { parts.sessions.end_everybody(now).await } else { Ok(0) };
    let assertions = parts.assertions.rotate(&*parts.store, now, how).await;
    let entry = asked.entry(Event::KeysRotated).with(Detail::Name, &sessions.kid);
    let reason = if emergency { "emergency" } else { "rotation" };
    asked.note(entry.with(Detail::Reason, reason)).await?;
    tell(asked).await?;
    tracing::info!(by = asked.staff.name, emergency, kid = sessions.kid, "the keys were rotated");
    let (sessions_ended, assertions) = (ended?, assertions?);
    let ending = |(kid, until): (String, UnixMillis)| Ending { kid, until: view::moment(until) };
    let coming = |(kid, from): (String, UnixMillis)| Coming { kid, from: view::moment(from) };
    view::json(&Rotated {
        emergency,
        sessions: SessionKeys {
            kid: sessions.kid,
            previous: sessions.previous.into_iter().map(ending).collect(),
        },
        assertions: AssertionKeys {
            kid: assertions.kid,
            next: assertions.next.map(coming),
            previous: assertions.previous.map(ending),
        },
        sessions_ended,
    })
}

/// Another system hears of it, where there is one.
async fn tell(asked: &Asked<'_>) -> Result<(), Problem> {
    let Some(post) = &asked.parts.post else { return Ok(()) };
    let told = post.tell(&*asked.parts.store, asked.now, News::KeysRotated, None).await;
    Ok(told.map_err(AccountError::from)?)
}
