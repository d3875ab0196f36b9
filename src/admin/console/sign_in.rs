//! Signing in at the console, the first step: name and password. Whatever is wrong, the answer
//! is the same and takes as long, so that nobody learns who there is.

use std::time::Duration;

use axum::http::StatusCode;
use minijinja::context;

use super::Console;
use super::answer::{Answer, Fault};
use super::cookie;
use super::visit::{Visit, Who};
use crate::config::desk::Person;
use crate::desk::PORTAL;
use crate::password::{self, PasswordHash};
use crate::random;
use crate::session::{Learned, Level, SessionRecord};
use crate::user::Opaque;

/// From sign-in to the end, whatever happens.
const LIFETIME: Duration = Duration::from_secs(8 * 3600);
/// How long somebody waits for a turn to have a password looked at.
const TURN: Duration = Duration::from_secs(10);

/// `GET /desk/sign-in`
pub(super) fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    match visit.who {
        Who::Nobody => {
            let (ended, out) = (visit.asked("ended").is_some(), visit.asked("out").is_some());
            let page = context! { wrong => false, wait => None::<u64>, ended, out, name => "" };
            visit.page(StatusCode::OK, "sign-in.html", page)
        }
        Who::Named(..) | Who::Proven(..) => Ok(visit.elsewhere()),
    }
}

/// `POST /desk/sign-in`
pub(super) async fn send(console: &Console, visit: &Visit<'_>) -> Result<Answer, Fault> {
    let name = visit.field("name").unwrap_or_default().trim().to_lowercase();
    if let Err(wait) = console.wrong.may_try(visit.now, visit.client) {
        visit.refused(None, "throttled");
        let answer = again(visit, StatusCode::TOO_MANY_REQUESTS, &name, Some(wait.0))?;
        return Ok(answer.after(wait.0));
    }
    visit.parts.audit.ready()?;
    let person = visit.parts.desk_people.person(&name);
    let given = visit.field("password").unwrap_or_default();
    match judged(console, visit, person, given).await? {
        Ok(person) => {
            let session = begin(visit, person).await?;
            Ok(Answer::go("/desk/code").with_cookie(visit.cookie_of(person, &session)))
        }
        Err(why) => {
            visit.refused(person, why);
            // It waits from the next try on.
            let _counted = console.wrong.note(visit.now, visit.client);
            again(visit, StatusCode::UNAUTHORIZED, &name, None)
        }
    }
}

/// The person whose password it is, or one word for the log. Each way costs the same.
async fn judged<'a>(
    console: &Console,
    visit: &Visit<'_>,
    person: Option<&'a Person>,
    given: &str,
) -> Result<Result<&'a Person, &'static str>, Fault> {
    let (accounts, desk) = (&visit.parts.accounts, &visit.parts.desk_people);
    let account = desk.account(person.map_or("", |person| &person.staff.name));
    let attempt = accounts.password_attempt(visit.now, account, person.is_some()).await?;
    let Some(compared) = person.or(desk.people().first()) else { return Ok(Err("nobody")) };
    let is_right = is_right(console, &compared.password, given).await?;
    match person {
        None => Ok(Err("password")),
        Some(_) if !attempt.admitted => Ok(Err("locked")),
        Some(_) if !is_right => Ok(Err("password")),
        Some(person) => {
            accounts.forget_password_attempts(visit.now, account).await?;
            Ok(Ok(person))
        }
    }
}

/// Compares on a thread that serves no requests, a few at a time.
async fn is_right(console: &Console, hash: &PasswordHash, given: &str) -> Result<bool, Fault> {
    let turn = tokio::time::timeout(TURN, console.hashers.acquire()).await;
    let _turn = turn.map_err(|_| Fault::Busy)?.map_err(|_| Fault::BrokenOff)?;
    let (hash, fits) = (hash.clone(), given.len() <= password::LONGEST);
    let given = zeroize::Zeroizing::new(
        given.as_bytes().iter().take(password::LONGEST).copied().collect::<Vec<u8>>(),
    );
    let compared = tokio::task::spawn_blocking(move || hash.is_of(&given)).await;
    Ok(compared.map_err(|_| Fault::BrokenOff)?? && fits)
}

/// A session of somebody who gave the password. It is at a place of its own, and moves to
/// another one when a code is given: no cookie from before opens what comes after.
async fn begin(visit: &Visit<'_>, person: &Person) -> Result<SessionRecord, Fault> {
    let (desk, now) = (&visit.parts.desk_people, visit.now);
    let fresh = || random::bytes().map(Opaque);
    let record = SessionRecord {
        portal: PORTAL.to_owned(),
        root: fresh()?,
        sid: fresh()?,
        sub: desk.account(&person.staff.name).sub,
        user: desk.user(&person.staff.name),
        bind: fresh()?,
        parts: Vec::new(),
        scoped: Vec::new(),
        started: now,
        ends: now.plus(LIFETIME),
        level: Level::Password,
        learned: Learned::Told,
        place: visit.place(),
    };
    let begun = visit.parts.sessions.begin(now, record).await?;
    Ok(SessionRecord::clone(&begun))
}

fn again(
    visit: &Visit<'_>,
    status: StatusCode,
    name: &str,
    wait: Option<u64>,
) -> Result<Answer, Fault> {
    let page = context! { wrong => true, wait, ended => false, out => false, name };
    Ok(visit.page(status, "sign-in.html", page)?.with_cookie(cookie::clear()))
}
