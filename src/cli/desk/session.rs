//! `portcullis session`: where one user is signed in at a portal, and the end of it.

use clap::Subcommand;

use super::gate::{Gate, user_path};
use super::table::{Table, cell, list, moment};
use super::user::counted;
use super::{Desk, DeskError, Told};

/// What to do about sessions.
#[derive(Subcommand)]
pub(in crate::cli) enum SessionCommand {
    /// List the sessions of a user.
    List {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
    },
    /// End every session of a user, open streams with them.
    Revoke {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
    },
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &SessionCommand) -> u8 {
    match command {
        SessionCommand::List { desk, user } => {
            super::run(desk, async |gate| all(&gate, user).await)
        }
        SessionCommand::Revoke { desk, user } => {
            super::run(desk, async |gate| revoke(&gate, user).await)
        }
    }
}

async fn all(gate: &Gate, user: &str) -> Result<Told, DeskError> {
    let json = gate.get(&format!("{}/sessions", user_path(user))).await?;
    let sessions = list(&json, "sessions");
    let rows = sessions.iter().map(|session| {
        let times = ["started", "proven_at", "ends"].map(|key| moment(session, key));
        let what = vec![cell(session, "level"), cell(session, "factor")];
        let place = vec![cell(session, "client"), cell(session, "browser")];
        [what, times.to_vec(), place].concat()
    });
    let heads = ["level", "factor", "started", "proven at", "ends", "from", "browser"];
    let table = Table::new(&heads, rows.collect(), counted(sessions.len(), "session"));
    Ok(Told { table, json })
}

async fn revoke(gate: &Gate, user: &str) -> Result<Told, DeskError> {
    let json = gate.delete(&format!("{}/sessions", user_path(user))).await?;
    let (user, portal) = (cell(&json, "user"), cell(&json, "portal"));
    let ended = cell(&json, "sessions_ended");
    let sentence = format!("{user} is signed out at {portal}; sessions ended: {ended}");
    Ok(Told { json, table: Table::sentence(sentence) })
}
