//! `portcullis keys`: other keys for the gateway's signatures.

use clap::Subcommand;
use serde_json::{Value, json};

use super::gate::Gate;
use super::table::{Table, cell, list, moment};
use super::{DeskError, Door, Told};

/// What to do about keys.
#[derive(Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// Make new keys. Nobody is signed out: what the keys before signed counts until no session
    /// of theirs can be left.
    Rotate {
        #[command(flatten)]
        door: Door,
        /// The keys may be known to somebody: they end at once, and every session of every
        /// portal with them.
        #[arg(long)]
        emergency: bool,
    },
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &KeysCommand) -> u8 {
    match command {
        KeysCommand::Rotate { door, emergency } => {
            super::run_for_all(door, async |gate| rotate(&gate.patient(), *emergency).await)
        }
    }
}

async fn rotate(gate: &Gate, emergency: bool) -> Result<Told, DeskError> {
    let json = gate.post("/keys/rotate", Some(&json!({ "emergency": emergency }))).await?;
    let nothing = Value::Null;
    let [sessions, assertions] =
        ["sessions", "assertions"].map(|what| json.get(what).unwrap_or(&nothing));
    let row =
        |what: &str, key: &Value, state: String| vec![what.to_owned(), cell(key, "kid"), state];
    let mut rows = vec![row("sessions", sessions, "signs".to_owned())];
    rows.extend(
        list(sessions, "previous")
            .iter()
            .map(|key| row("sessions", key, format!("counts until {}", moment(key, "until")))),
    );
    rows.push(row("assertions", assertions, "signs".to_owned()));
    if let Some(next) = assertions.get("next") {
        rows.push(row("assertions", next, format!("signs from {}", moment(next, "from"))));
    }
    if let Some(key) = assertions.get("previous") {
        rows.push(row("assertions", key, format!("published until {}", moment(key, "until"))));
    }
    let foot = match emergency {
        true => format!("the keys before count no more; sessions ended: {}", ended(&json)),
        false => "nobody was signed out".to_owned(),
    };
    Ok(Told { table: Table::new(&["for", "key", "state"], rows, foot), json })
}

fn ended(json: &Value) -> String {
    cell(json, "sessions_ended")
}
