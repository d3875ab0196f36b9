//! What a portal says of its own sessions when it is asked, and who that is. Answers are kept
//! for a while under a keyed hash of all that was asked with, and whoever asks the same at the
//! same moment waits for the same answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::clock::UnixMillis;
use crate::config::Identity;
use crate::config::source::NameInAnswer;
use crate::identity::normalise;
use crate::user::{Opaque, UserName};

/// The longest answer that is looked at, in bytes.
pub const LONGEST_ANSWER: usize = 64 * 1024;
/// Answers that are kept for one portal; more people than that seldom come within seconds.
const MOST_KEPT: usize = 20_000;

/// Why nobody can say whose a session is. Then nobody passes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskFault {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It takes too long.
    #[error("it does not answer in time")]
    TooSlow,
    /// It answers, but not to the question.
    #[error("it answers with status {0}")]
    Status(u16),
    /// It shows what it was asked for to somebody who does not exist.
    #[error("it shows the probe whatever the password is, so the probe proves none")]
    ProvesNothing,
    /// Its answer is longer than we look.
    #[error("its answer is too long")]
    TooLong,
    /// Its answer is compressed although it was asked for in plain.
    #[error("its answer is compressed")]
    Compressed,
}

/// An answer, as far as it is looked at.
#[derive(Debug)]
pub struct Told<'a> {
    /// The status code.
    pub status: StatusCode,
    /// All header lines.
    pub headers: &'a HeaderMap,
    /// The body, where it was within the limit.
    pub body: Option<&'a [u8]>,
}

/// Whose a session is by this answer; nothing when it is nobody's.
///
/// # Errors
/// When the answer says neither.
pub fn user_of(
    identity: &Identity,
    name: &NameInAnswer,
    told: &Told<'_>,
) -> Result<Option<UserName>, AskFault> {
    if says_nobody(told.status) {
        return Ok(None);
    }
    if !told.status.is_success() {
        return Err(AskFault::Status(told.status.as_u16()));
    }
    let text = match name {
        NameInAnswer::Header(name) => only_header(told.headers, name.as_str()),
        NameInAnswer::Json(pointer) => json_text(plain_body(told)?, pointer),
        NameInAnswer::Pattern(pattern) => only_group(plain_body(told)?, pattern),
    };
    Ok(text.and_then(|text| normalise(&identity.username, &text)))
}

/// Whom the portal names by itself in an answer: nothing where it does not, and no user where
/// what it says is no name.
pub fn announced(identity: &Identity, headers: &HeaderMap) -> Option<Option<UserName>> {
    let name = identity.announce.as_ref()?;
    let is_there = headers.contains_key(name);
    let user =
        only_header(headers, name.as_str()).and_then(|text| normalise(&identity.username, &text));
    is_there.then_some(user)
}

/// The `Authorization` line of a session whose token the portal gave in this body.
pub fn bearer_of(body: &[u8], pointer: &str) -> Option<String> {
    let token = json_text(body, pointer)?;
    let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| format!("Bearer {token}"))
}

/// Whether an answer means that the credentials asked with are nobody's: the portal sends on
/// to its login, or says so.
pub fn says_nobody(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 400 | 401 | 403 | 404)
}

fn plain_body<'a>(told: &Told<'a>) -> Result<&'a [u8], AskFault> {
    if told.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(AskFault::Compressed);
    }
    told.body.ok_or(AskFault::TooLong)
}

fn only_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

/// A text, or a number as some portals give for a name. Anything else names nobody.
fn json_text(body: &[u8], pointer: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    match value.pointer(pointer)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// The group of the one match; of several only if all say the same.
fn only_group(body: &[u8], pattern: &regex::bytes::Regex) -> Option<String> {
    let mut found = pattern.captures_iter(body).filter_map(|all| all.get(1));
    let first = found.next()?.as_bytes();
    if found.any(|other| other.as_bytes() != first) {
        return None;
    }
    std::str::from_utf8(first).ok().map(str::to_owned)
}

type Word = Result<Option<UserName>, AskFault>;

/// What one portal has said.
#[derive(Default)]
pub struct Answers {
    kept: papaya::HashMap<Opaque, (UnixMillis, Option<UserName>)>,
    under_way: Mutex<HashMap<Opaque, Arc<OnceCell<Word>>>>,
}

impl Answers {
    /// What was said about `session` within the last `age`, from memory alone.
    fn kept(&self, now: UnixMillis, age: Duration, session: Opaque) -> Option<Option<UserName>> {
        let kept = self.kept.pin();
        let (at, user) = kept.get(&session)?;
        // An answer from the future is none: the clock went back.
        (*at <= now && now.since(*at) < age).then(|| user.clone())
    }

    /// What was said, or is said now: `ask` is called by one of all who wait for it.
    ///
    /// # Errors
    /// When it cannot be said. That is not kept.
    pub async fn ask(
        &self,
        now: UnixMillis,
        age: Duration,
        session: Opaque,
        ask: impl Future<Output = Word>,
    ) -> Word {
        if let Some(user) = self.kept(now, age, session) {
            return Ok(user);
        }
        let cell = Arc::clone(self.under_way.lock().entry(session).or_default());
        let word = cell.get_or_init(|| ask).await.clone();
        // The first to come back takes it away; whoever comes later asks anew. One that was
        // forgotten meanwhile is not kept: it may be older than what made it doubtful.
        let mut under_way = self.under_way.lock();
        if under_way.get(&session).is_some_and(|there| Arc::ptr_eq(there, &cell)) {
            under_way.remove(&session);
            if let Ok(user) = &word {
                self.keep(now, age, session, user.clone());
            }
        }
        word
    }

    /// Forgets what was said about `session`: something happened that may have changed it.
    pub fn forget(&self, session: Opaque) {
        self.kept.pin().remove(&session);
        // An answer that is on its way may be older than that.
        self.under_way.lock().remove(&session);
    }

    /// Forgets all that was said: it may be asked for in another way from now on.
    pub fn forget_all(&self) {
        self.kept.pin().clear();
        self.under_way.lock().clear();
    }

    fn keep(&self, now: UnixMillis, age: Duration, session: Opaque, user: Option<UserName>) {
        let kept = self.kept.pin();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (at, _)| *at <= now && now.since(*at) < age);
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(session, (now, user));
    }
}

#[cfg(test)]
mod tests;
