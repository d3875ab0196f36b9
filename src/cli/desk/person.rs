//! `portcullis person`: the people of the desk's console, and help for one of them. Who they are
//! stands in the configuration alone.

use clap::Subcommand;
use serde_json::Value;

use super::gate::{Gate, escaped};
use super::table::{Table, cell, list, moment};
use super::{DeskError, Door, Told};

/// What to do about people of the desk.
#[derive(Subcommand)]
pub(in crate::cli) enum PersonCommand {
    /// List the people who may sign in at the console, and how they stand.
    List {
        #[command(flatten)]
        door: Door,
    },
    /// Make the invitation without which a person cannot set up a second factor. It is shown
    /// this once.
    Invite {
        #[command(flatten)]
        door: Door,
        /// The person's name in the configuration.
        name: String,
    },
    /// Take a person's second factor away and sign that person out; the next sign-in needs an
    /// invitation.
    Reset {
        #[command(flatten)]
        door: Door,
        /// The person's name in the configuration.
        name: String,
    },
    /// Let a person try again who has to wait after wrong passwords or codes.
    Unlock {
        #[command(flatten)]
        door: Door,
        /// The person's name in the configuration.
        name: String,
    },
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &PersonCommand) -> u8 {
    match command {
        PersonCommand::List { door } => super::run_for_all(door, async |gate| all(&gate).await),
        PersonCommand::Invite { door, name } => {
            super::run_for_all(door, async |gate| invite(&gate, name).await)
        }
        PersonCommand::Reset { door, name } => {
            super::run_for_all(door, async |gate| reset(&gate, name).await)
        }
        PersonCommand::Unlock { door, name } => {
            super::run_for_all(door, async |gate| unlock(&gate, name).await)
        }
    }
}

async fn all(gate: &Gate) -> Result<Told, DeskError> {
    let json = gate.get("/people").await?;
    let row = |person: &Value| {
        let mut cells = ["name", "role", "state"].map(|key| cell(person, key)).to_vec();
        cells.push(moment(person, "locked_until"));
        cells.push(cell(person, "sessions"));
        cells
    };
    let people = list(&json, "people");
    let said =
        if people.len() == 1 { "1 person".to_owned() } else { format!("{} people", people.len()) };
    let heads = ["name", "role", "state", "locked until", "sessions"];
    let table = Table::new(&heads, people.iter().map(row).collect(), said);
    Ok(Told { json, table })
}

async fn invite(gate: &Gate, name: &str) -> Result<Told, DeskError> {
    let json = done(gate, name, "invite").await?;
    let (name, code, until) = (cell(&json, "name"), cell(&json, "code"), moment(&json, "expires"));
    let sentence = format!("{name} may set up a second factor until {until} with the code {code}");
    Ok(Told { json, table: Table::sentence(sentence) })
}

async fn reset(gate: &Gate, name: &str) -> Result<Told, DeskError> {
    let json = done(gate, name, "reset").await?;
    let (name, ended) = (cell(&json, "name"), cell(&json, "sessions_ended"));
    let was_enrolled = json.get("was_enrolled").and_then(Value::as_bool).unwrap_or_default();
    let sentence = if was_enrolled {
        format!("{name} has no second factor any more; sessions ended: {ended}")
    } else {
        format!("{name} had no second factor; sessions ended: {ended}")
    };
    Ok(Told { json, table: Table::sentence(sentence) })
}

async fn unlock(gate: &Gate, name: &str) -> Result<Told, DeskError> {
    let json = done(gate, name, "unlock").await?;
    let name = cell(&json, "name");
    let was_locked = json.get("was_locked").and_then(Value::as_bool).unwrap_or_default();
    let sentence = if was_locked {
        format!("{name} can try again")
    } else {
        format!("{name} had given no wrong password or code")
    };
    Ok(Told { json, table: Table::sentence(sentence) })
}

async fn done(gate: &Gate, name: &str, deed: &str) -> Result<Value, DeskError> {
    gate.post(&format!("/people/{}/{deed}", escaped(name)), None).await
}
