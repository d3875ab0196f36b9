//! The session cookie's value: a JWT under HS256. Who reads it learns opaque identifiers and
//! times. Everything in it is checked before anything in it is believed (RFC 8725).

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use super::keys::{KeyRing, Ring};
use super::read_token::ReadToken;
use super::record::{FactorUsed, Level, SessionRecord};
use super::{GUEST_LIFETIME, hs256};
use crate::clock::UnixMillis;
use crate::config::SessionLimits;
use crate::user::Opaque;

/// The longest token that is looked at, in bytes; ours are shorter than 600.
const LONGEST: usize = 1024;
const ISSUER: &str = "portcullis";
const TYPE: &str = "mfa-session+jwt";
/// How far a clock of another gateway may be ahead of ours.
const LEEWAY_SECONDS: u64 = 30;

/// Why a token counts for nothing. The reason is for the log; the visitor is just unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours, or changed.
    #[error("the token is not one of ours")]
    Foreign,
    /// Too old.
    #[error("the token has expired")]
    Expired,
    /// Unused for too long, and nothing else: who it speaks of may give the second factor
    /// again ([`Token::read_idle`]).
    #[error("the token was unused for too long")]
    Idle,
    /// No token could be made.
    #[error("no token could be signed")]
    Unsigned,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The user, opaque; for a guest a random value.
    pub sub: Opaque,
    /// The stretch of the session.
    pub sid: Opaque,
    /// When this token was made, in seconds.
    pub iat: u64,
    /// From when on it is too old: idle or overall, whichever is first.
    pub exp: u64,
    /// When the portal took the password.
    pub auth_time: u64,
    /// What was seen, in the words of RFC 8176, `rc` for a recovery code, and `device` for a
    /// remembered device.
    pub amr: Vec<Amr>,
    /// When the second factor was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_time: Option<u64>,
    /// The portal session it belongs to.
    pub bind: Opaque,
}

/// Authentication methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amr {
    /// The portal's password.
    Pwd,
    /// A one-time password.
    Otp,
    /// A recovery code.
    Rc,
    /// A remembered device: what the browser keeps is no key of RFC 8176 (`hwk`, `swk`), since
    /// it is shown whole, and no code was given (`otp`); so the word is ours.
    Device,
}

/// How much a token claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// The portal session began before our eyes, and nobody had signed in.
    Guest,
    /// Somebody signed in; the record says how well it is proven.
    SignedIn,
}

impl Claims {
    /// What the token claims.
    pub fn grade(&self) -> Grade {
        if self.amr.is_empty() { Grade::Guest } else { Grade::SignedIn }
    }

    /// Whether the token speaks of this very record.
    pub fn agrees_with(&self, record: &SessionRecord) -> bool {
        let same = self.sid == record.sid && self.sub == record.sub && self.bind == record.bind;
        same && (self.amr.as_slice(), self.mfa_time) == proof_of(record.level)
    }
}

/// Makes and reads the tokens of one portal.
pub struct Token {
    portal: String,
    limits: SessionLimits,
    validation: Validation,
}

impl Token {
    /// Tokens for `portal`.
    pub fn new(portal: &str, limits: SessionLimits) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[portal]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        // Times are judged below, by the clock that was passed in.
        validation.validate_exp = false;
        Self { portal: portal.to_owned(), limits, validation }
    }

    /// A token for a session that stands.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn mint(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        record: &SessionRecord,
    ) -> Result<String, TokenError> {
        let (amr, mfa_time) = proof_of(record.level);
        let exp = now.plus(self.limits.idle).min(record.ends);
        let (amr, auth_time) = (amr.to_vec(), record.started.seconds());
        self.sign(
            keys,
            now,
            exp,
            Signed {
                sub: record.sub,
                sid: record.sid,
                bind: record.bind,
                auth_time,
                amr,
                mfa_time,
            },
        )
    }

    /// A token that says: this portal session began before our eyes, as nobody's.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn mint_guest(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        id: Opaque,
        bind: Opaque,
    ) -> Result<String, TokenError> {
        let exp = now.plus(GUEST_LIFETIME);
        let guest = Signed {
            sub: id,
            sid: id,
            bind,
            auth_time: now.seconds(),
            amr: Vec::new(),
            mfa_time: None,
        };
        self.sign(keys, now, exp, guest)
    }

    /// Reads a token: form, type, key, signature, issuer, audience, times, in this order.
    ///
    /// # Errors
    /// When anything in it is not as we make it.
    pub fn read(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        token: &str,
    ) -> Result<Arc<ReadToken>, TokenError> {
        let claims = self.read_signed(keys, now, token)?;
        self.check_times(now.seconds(), &claims)?;
        Ok(claims)
    }

    /// Reads a token that was unused for too long and is flawless otherwise. Whatever it says,
    /// it proves no second factor.
    ///
    /// # Errors
    /// When it is fresh, or worth nothing at all.
    pub fn read_idle(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        token: &str,
    ) -> Result<Arc<ReadToken>, TokenError> {
        let claims = self.read_signed(keys, now, token)?;
        match self.check_times(now.seconds(), &claims) {
            Err(TokenError::Idle) => Ok(claims),
            Ok(()) => Err(TokenError::Foreign),
            Err(error) => Err(error),
        }
    }

    /// Everything but the times. A token is verified once for each state of the ring; that its
    /// key may have ended since is seen each time.
    fn read_signed(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        token: &str,
    ) -> Result<Arc<ReadToken>, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Foreign);
        }
        let ring = keys.present();
        if let Some(known) = ring.read_tokens().find(token) {
            let counts = known.aud == self.portal && ring.verifying(now, known.kid()).is_some();
            return if counts { Ok(known) } else { Err(TokenError::Foreign) };
        }
        let known = Arc::new(self.verify(&ring, now, token)?);
        ring.read_tokens().note(&known);
        Ok(known)
    }

    fn verify(&self, ring: &Ring, now: UnixMillis, token: &str) -> Result<ReadToken, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Foreign)?;
        let plain = header.typ.as_deref() == Some(TYPE) && header.crit.is_none();
        let kid = header.kid.as_deref().filter(|_| plain).ok_or(TokenError::Foreign)?;
        let key = ring.verifying(now, kid).ok_or(TokenError::Foreign)?;
        let read = decode::<Claims>(token, key, &self.validation);
        Ok(ReadToken::new(token, kid, read.map_err(|_| TokenError::Foreign)?.claims))
    }

    /// Whether the token may be one of ours that a key signed which is not in this ring: another
    /// gateway may have made that key a moment ago.
    pub fn names_unknown_key(&self, keys: &KeyRing, now: UnixMillis, token: &str) -> bool {
        if token.len() > LONGEST {
            return false;
        }
        let Ok(header) = decode_header(token) else { return false };
        let kid = header.kid.filter(|_| header.typ.as_deref() == Some(TYPE));
        kid.is_some_and(|kid| keys.present().verifying(now, &kid).is_none())
    }

    /// Whether the token is old enough to be made anew, so that an active user is not idle.
    pub fn wants_renewal(&self, now: UnixMillis, claims: &Claims) -> bool {
        let age = Duration::from_secs(now.seconds().saturating_sub(claims.iat));
        claims.grade() == Grade::SignedIn && age > (self.limits.idle / 8).min(RENEW_AFTER)
    }

    fn check_times(&self, now: u64, claims: &Claims) -> Result<(), TokenError> {
        let horizon = now.saturating_add(LEEWAY_SECONDS);
        let latest = claims.mfa_time.unwrap_or(0).max(claims.auth_time).max(claims.iat);
        if latest > horizon || claims.exp < claims.iat {
            return Err(TokenError::Foreign);
        }
        let over = claims.auth_time.saturating_add(self.limits.lifetime.as_secs()) <= now;
        let idle = claims.iat.saturating_add(self.limits.idle.as_secs()) <= now;
        let past = claims.exp <= now;
        match claims.grade() {
            Grade::Guest if past => Err(TokenError::Expired),
            Grade::SignedIn if over => Err(TokenError::Expired),
            Grade::SignedIn if past || idle => Err(TokenError::Idle),
            Grade::Guest | Grade::SignedIn => Ok(()),
        }
    }

    fn sign(
        &self,
        keys: &KeyRing,
        now: UnixMillis,
        exp: UnixMillis,
        signed: Signed,
    ) -> Result<String, TokenError> {
        let ring = keys.present();
        let (kid, key): (&str, &EncodingKey) = ring.signing();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: self.portal.clone(),
            sub: signed.sub,
            sid: signed.sid,
            iat: now.seconds(),
            exp: exp.seconds(),
            auth_time: signed.auth_time,
            amr: signed.amr,
            mfa_time: signed.mfa_time,
            bind: signed.bind,
        };
        encode(&header, &claims, key).map_err(|_| TokenError::Unsigned)
    }
}

/// At most this long a busy user's token goes without being made anew.
const RENEW_AFTER: Duration = Duration::from_secs(300);

struct Signed {
    sub: Opaque,
    sid: Opaque,
    bind: Opaque,
    auth_time: u64,
    amr: Vec<Amr>,
    mfa_time: Option<u64>,
}

const fn proof_of(level: Level) -> (&'static [Amr], Option<u64>) {
    match level {
        Level::Password => (&[Amr::Pwd], None),
        Level::Proven { factor: FactorUsed::Totp, at } => {
            (&[Amr::Pwd, Amr::Otp], Some(at.seconds()))
        }
        Level::Proven { factor: FactorUsed::RecoveryCode, at } => {
            (&[Amr::Pwd, Amr::Rc], Some(at.seconds()))
        }
        Level::Proven { factor: FactorUsed::Device { .. }, at } => {
            (&[Amr::Pwd, Amr::Device], Some(at.seconds()))
        }
        // No token speaks of an ended session, so none can agree with its record.
        Level::Ended => (&[], Some(0)),
    }
}

#[cfg(test)]
pub(super) mod tests;
