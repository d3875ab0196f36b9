//! `portcullis token`: the tokens of the API itself. A new one is printed once, and kept nowhere
//! but as a hash.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::gate::{Gate, escaped};
use super::table::{Table, cell, list, moment, shown};
use super::user::{counted, word};
use super::{DeskError, Door, Told};

/// What to do about tokens.
#[derive(Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token and print it, this once. It may do no more than the one that asks for it.
    Make {
        #[command(flatten)]
        door: Door,
        /// Who will hold it, as the audit log will say: 1 to 32 of a-z, 0-9, '-' and '_'.
        #[arg(long)]
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// The only portals where it may act, such as wiki,shop; all of your own unless set.
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        portals: Option<Vec<String>>,
        /// For how long it holds, such as 90d; until it is ended unless set.
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
    },
    /// List the tokens, of the configuration and made by command.
    List {
        #[command(flatten)]
        door: Door,
    },
    /// End a token that was made by command: it opens nothing from then on.
    End {
        #[command(flatten)]
        door: Door,
        /// The token's name.
        name: String,
    },
}

/// What a token may do.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Role {
    Viewer,
    Desk,
    #[value(name = "account_manager", alias = "account-manager")]
    AccountManager,
    Admin,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &TokenCommand) -> u8 {
    match command {
        TokenCommand::Make { door, name, role, portals, expires } => {
            let mut wish = json!({ "name": name, "role": word(role) });
            if let Some(members) = wish.as_object_mut() {
                let portals = portals.as_ref().map(|portals| ("portals", json!(portals)));
                let valid = expires.as_ref().map(|valid| ("valid", json!(valid)));
                let more = portals.into_iter().chain(valid);
                members.extend(more.map(|(key, value)| (key.to_owned(), value)));
            }
            super::run_for_all(door, async |gate| make(&gate, &wish).await)
        }
        TokenCommand::List { door } => super::run_for_all(door, async |gate| all(&gate).await),
        TokenCommand::End { door, name } => {
            super::run_for_all(door, async |gate| end(&gate, name).await)
        }
    }
}

/// The secret stands on a line of its own, where people copy it from.
async fn make(gate: &Gate, wish: &Value) -> Result<Told, DeskError> {
    let json = gate.post("/tokens", Some(wish)).await?;
    let (name, role) = (cell(&json, "name"), cell(&json, "role"));
    let until = match moment(&json, "expires") {
        never if never.is_empty() => format!("until: portcullis token end {name}"),
        until => format!("until {until}"),
    };
    let sentence = format!(
        "{}\nThis is the token {name}, shown this once. Its role is {role}, at {}, {until}",
        cell(&json, "token"),
        portals(&json),
    );
    Ok(Told { table: Table::sentence(sentence), json })
}

async fn all(gate: &Gate) -> Result<Told, DeskError> {
    let json = gate.get("/tokens").await?;
    let tokens = list(&json, "tokens");
    let rows = tokens.iter().map(|token| {
        let counts = token.get("in_force").and_then(Value::as_bool).unwrap_or_default();
        let source = match counts {
            true => cell(token, "source"),
            false => "none: the configuration has its name".to_owned(),
        };
        let what = vec![cell(token, "name"), cell(token, "role"), portals(token), source];
        let times = ["made_at", "expires", "last_used"].map(|key| moment(token, key));
        [what, vec![cell(token, "made_by")], times.to_vec()].concat()
    });
    let heads = ["name", "role", "portals", "source", "made by", "made at", "expires", "last used"];
    let table = Table::new(&heads, rows.collect(), counted(tokens.len(), "token"));
    Ok(Told { table, json })
}

async fn end(gate: &Gate, name: &str) -> Result<Told, DeskError> {
    let json = gate.delete(&format!("/tokens/{}", escaped(name))).await?;
    let sentence = format!("the token {} opens nothing any more", cell(&json, "name"));
    Ok(Told { json, table: Table::sentence(sentence) })
}

fn portals(token: &Value) -> String {
    match token.get("portals").and_then(Value::as_array) {
        None => "all portals".to_owned(),
        Some(named) => {
            let names = named.iter().filter_map(Value::as_str).map(shown);
            names.collect::<Vec<_>>().join(", ")
        }
    }
}
