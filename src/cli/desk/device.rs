//! `portcullis device`: the browsers that need no code for a while, and the end of that.

use clap::Subcommand;

use super::gate::{Gate, escaped, user_path};
use super::table::{Table, cell, list, moment};
use super::user::counted;
use super::{Desk, DeskError, Told};

/// What to do about remembered devices.
#[derive(Subcommand)]
pub(in crate::cli) enum DeviceCommand {
    /// List the remembered devices of a user.
    List {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
    },
    /// Forget a remembered device of a user, or all: the next sign-in asks for a code. Sessions
    /// go on; end them by `session revoke`.
    Revoke {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
        /// The one device, as `device list` names it.
        #[arg(long, value_name = "ID", allow_hyphen_values = true)]
        series: Option<String>,
    },
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &DeviceCommand) -> u8 {
    match command {
        DeviceCommand::List { desk, user } => super::run(desk, async |gate| all(&gate, user).await),
        DeviceCommand::Revoke { desk, user, series } => {
            super::run(desk, async |gate| revoke(&gate, user, series.as_deref()).await)
        }
    }
}

async fn all(gate: &Gate, user: &str) -> Result<Told, DeskError> {
    let json = gate.get(&format!("{}/devices", user_path(user))).await?;
    let devices = list(&json, "devices");
    let rows = devices.iter().map(|device| {
        let what = ["series", "browser", "network"].map(|key| cell(device, key));
        let times = ["remembered_at", "last_used_at", "expires"].map(|key| moment(device, key));
        [what, times].concat()
    });
    let heads = ["series", "browser", "network", "remembered at", "last used at", "expires"];
    let table = Table::new(&heads, rows.collect(), counted(devices.len(), "device"));
    Ok(Told { table, json })
}

async fn revoke(gate: &Gate, user: &str, series: Option<&str>) -> Result<Told, DeskError> {
    let path = format!("{}/devices", user_path(user));
    let json = match series {
        Some(series) => gate.delete(&format!("{path}/{}", escaped(series))).await?,
        None => gate.delete(&path).await?,
    };
    let (user, portal) = (cell(&json, "user"), cell(&json, "portal"));
    let ended = cell(&json, "devices_ended");
    let sentence = match (series, ended.as_str()) {
        (Some(_), "0") => format!("{user} has no such device at {portal}"),
        _ => format!("devices of {user} forgotten at {portal}: {ended}"),
    };
    Ok(Told { json, table: Table::sentence(sentence) })
}
