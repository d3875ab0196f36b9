//! What a portal is told of a proven visitor, signed: a token under EdDSA that lives for one
//! minute. To sign takes longer than all else on a proven request's way, so a token is
//! remembered for as long as it is worth sending.

use std::time::Duration;

use http::HeaderValue;
use papaya::HashMap;
use serde_json::json;

use super::assertion_keys::{AssertionKeys, AssertionsRotated};
use super::keys::{KeyRingError, Rotation};
use super::record::{FactorUsed, Learned, Level, SessionRecord};
use crate::clock::UnixMillis;
use crate::config::Portal;
use crate::store::{Key, Store};
use crate::user::Opaque;

/// How long an assertion counts.
const LIFETIME: Duration = Duration::from_secs(60);
/// What a remembered one has left at least, for the portal to read it in.
const LEFT: Duration = Duration::from_secs(20);
/// How many are remembered; more are signed for each request.
const MOST: usize = 16_384;

/// Makes the assertions of all portals.
pub struct Assertions {
    keys: AssertionKeys,
    /// By stretch of session, which ends with each sign-in and each proof.
    made: HashMap<Opaque, Made>,
}

/// An assertion that was made. It has no `Debug`: whoever has it is taken for the user.
struct Made {
    sub: Opaque,
    given: UnixMillis,
    at: UnixMillis,
    line: HeaderValue,
}

impl Assertions {
    /// Assertions under these keys.
    pub fn new(keys: AssertionKeys) -> Self {
        Self { keys, made: HashMap::new() }
    }

    /// What portals verify them with.
    pub fn jwks(&self, now: UnixMillis) -> String {
        self.keys.jwks(now)
    }

    /// Makes another key, as [`AssertionKeys::rotate`] does.
    ///
    /// # Errors
    /// When nothing was changed, or nobody knows whether it was.
    pub async fn rotate(
        &self,
        store: &dyn Store,
        now: UnixMillis,
        how: Rotation,
    ) -> Result<AssertionsRotated, KeyRingError> {
        self.keys.rotate(store, now, how).await
    }

    /// Whether the record of this key is the ring's.
    pub fn are_at(key: &Key) -> bool {
        AssertionKeys::are_at(key)
    }

    /// Takes up what stands in the store, as [`AssertionKeys::refresh`] does.
    ///
    /// # Errors
    /// When the store or the record is in doubt.
    pub async fn refresh(&self, store: &dyn Store, now: UnixMillis) -> Result<(), KeyRingError> {
        self.keys.refresh(store, now).await
    }

    /// The assertion for a session of this portal; nothing unless it is proven.
    pub fn of(
        &self,
        now: UnixMillis,
        portal: &Portal,
        session: &SessionRecord,
    ) -> Option<HeaderValue> {
        let Level::Proven { factor, at: given } = session.level else { return None };
        let made = self.made.pin();
        if let Some(known) = made
            .get(&session.sid)
            .filter(|known| known.sub == session.sub && known.given == given && known.is_fresh(now))
            // What another key signed may be worth nothing to the portal any more.
            .filter(|known| self.keys.signs_like(now, known.line.as_bytes()))
        {
            return Some(known.line.clone());
        }
        let token = self.keys.sign(now, &claims(now, portal, session, (factor, given)));
        let mut line = HeaderValue::try_from(token).ok()?;
        // Kept out of the table by which HTTP/2 remembers lines, and out of `Debug`.
        line.set_sensitive(true);
        if made.len() < MOST || made.contains_key(&session.sid) {
            let new = Made { sub: session.sub, given, at: now, line: line.clone() };
            made.insert(session.sid, new);
        }
        Some(line)
    }

    /// Forgets what is not sent any more.
    pub fn sweep(&self, now: UnixMillis) {
        self.made.pin().retain(|_, made| made.is_fresh(now));
    }
}

impl Made {
    /// A clock that was set back makes none of them younger.
    fn is_fresh(&self, now: UnixMillis) -> bool {
        self.at <= now && now.plus(LEFT) <= self.at.plus(LIFETIME)
    }
}

fn claims(
    now: UnixMillis,
    portal: &Portal,
    session: &SessionRecord,
    (factor, given): (FactorUsed, UnixMillis),
) -> serde_json::Value {
    let issued = now.seconds();
    json!({
        "iss": issuer(portal),
        "sub": session.user.as_str(),
        "aud": portal.name,
        "amr": methods(session.learned, factor),
        "auth_time": given.seconds(),
        "iat": issued,
        "exp": issued.saturating_add(LIFETIME.as_secs()),
    })
}

/// The first host of the portal: the same whichever of them was asked for.
fn issuer(portal: &Portal) -> String {
    format!("https://{}", portal.hosts.first().map_or("", String::as_str))
}

/// Authentication methods by their registered names (RFC 8176), which have none for a recovery
/// code but that there were several factors. Where the portal told us of a session that was
/// there already, nobody here saw a password.
const fn methods(learned: Learned, factor: FactorUsed) -> &'static [&'static str] {
    match (learned, factor) {
        (Learned::Login, FactorUsed::Totp) => &["pwd", "otp"],
        (Learned::Login, FactorUsed::RecoveryCode) => &["pwd", "mfa"],
        // A word of ours, as in the session's own token: no key was proven, no code given.
        (Learned::Login, FactorUsed::Device { .. }) => &["pwd", "device"],
        (Learned::Told, FactorUsed::Device { .. }) => &["device"],
        (Learned::Told, FactorUsed::Totp) => &["otp"],
        (Learned::Told, FactorUsed::RecoveryCode) => &["mfa"],
    }
}

#[cfg(test)]
mod tests;
