//! The people of the desk's console: who has set up a second factor, and help for one of them.
//! Who they are stands in the configuration alone.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::admin::deeds::people::{self, PersonFault, Standing};
use crate::config::desk::Person;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PeopleList")]
pub(super) struct People<'a> {
    people: Vec<Row<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonRow")]
pub(super) struct Row<'a> {
    name: &'a str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    portals: Option<&'a [String]>,
    /// As a user's: missing, enrolled, locked, disabled.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<String>,
    /// Wrong passwords since the last right one.
    wrong_passwords: u32,
    /// Wrong codes since the last right one.
    wrong_codes: u32,
    recovery_codes_left: usize,
    sessions: usize,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonInvited")]
pub(super) struct Invited<'a> {
    name: &'a str,
    code: &'a str,
    expires: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonUnlocked")]
pub(super) struct Unlocked<'a> {
    name: &'a str,
    was_locked: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonReset")]
pub(super) struct Done<'a> {
    name: &'a str,
    was_enrolled: bool,
    sessions_ended: usize,
}

/// `GET /people`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    asked.everywhere()?;
    let mut rows = Vec::new();
    for person in asked.parts.desk_people.people() {
        rows.push(row(person, &people::standing(asked.acting(), person).await?));
    }
    view::json(&People { people: rows })
}

/// `POST /people/{name}/invite`
pub(super) async fn invite(asked: &Asked<'_>, name: Option<&str>) -> Result<Response, Problem> {
    let person = named(asked, name)?;
    let invitation = people::invite(asked.acting(), person).await?;
    let expires = view::moment(invitation.until);
    view::created(&Invited { name: &person.staff.name, code: &invitation.code, expires })
}

/// `POST /people/{name}/unlock`
pub(super) async fn unlock(asked: &Asked<'_>, name: Option<&str>) -> Result<Response, Problem> {
    let person = named(asked, name)?;
    let was_locked = people::unlock(asked.acting(), person).await?;
    view::json(&Unlocked { name: &person.staff.name, was_locked })
}

/// `POST /people/{name}/reset`
pub(super) async fn reset(asked: &Asked<'_>, name: Option<&str>) -> Result<Response, Problem> {
    let person = named(asked, name)?;
    let done = people::reset(asked.acting(), person).await?;
    view::json(&Done {
        name: &person.staff.name,
        was_enrolled: done.was_enrolled,
        sessions_ended: done.sessions_ended,
    })
}

fn row<'a>(person: &'a Person, standing: &Standing) -> Row<'a> {
    Row {
        name: &person.staff.name,
        role: person.staff.role.as_str(),
        portals: person.staff.portals.as_deref(),
        state: standing.state.as_str(),
        enrolled_at: standing.enrolled.and_then(view::moment),
        locked_until: standing.locked_until.and_then(view::moment),
        wrong_passwords: standing.wrong_passwords,
        wrong_codes: standing.wrong_codes,
        recovery_codes_left: standing.recovery_codes_left,
        sessions: standing.sessions,
    }
}

fn named<'a>(asked: &Asked<'a>, name: Option<&str>) -> Result<&'a Person, Problem> {
    asked.nothing_more()?;
    // Whoever lets somebody into the console lets them do what that person may.
    asked.everywhere()?;
    let person = name.and_then(|name| asked.parts.desk_people.person(name));
    person.ok_or_else(|| Problem::not_found("nobody of that name is in admin.people"))
}

impl From<PersonFault> for Problem {
    fn from(fault: PersonFault) -> Self {
        let detail = fault.to_string();
        match fault {
            PersonFault::Enrolled => Self::new(StatusCode::CONFLICT, detail).because("enrolled"),
            PersonFault::Disabled => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).because("disabled")
            }
            PersonFault::Account(error) => error.into(),
            PersonFault::Audit(error) => error.into(),
        }
    }
}
