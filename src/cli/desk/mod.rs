//! The commands of the desk, one file for each noun, over the API of a running gateway. They
//! know no more than the API tells: a token's role and portals rule here as there.

pub(super) mod device;
mod gate;
mod invite;
pub(super) mod keys;
pub(super) mod reset_request;
pub(super) mod rollout;
pub(super) mod session;
pub(super) mod store;
mod table;
pub(super) mod user;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;
use url::Url;

use super::http::HttpError;
use gate::Gate;
use table::Table;

/// Which portal of which gateway.
#[derive(Args)]
pub(super) struct Desk {
    /// The portal.
    #[arg(long, value_name = "NAME")]
    portal: String,
    #[command(flatten)]
    door: Door,
}

/// Which gateway, by what right, and how to print what it says.
#[derive(Args)]
pub(super) struct Door {
    /// The admin listener of the gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9443")]
    admin: Url,
    /// A file with the token; unless named, it is in the variable PORTCULLIS_ADMIN_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// For whom it is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// For scripts.
    Json,
}

/// What came of a command: for scripts and for people.
struct Told {
    json: Value,
    table: Table,
}

impl Told {
    /// Everything was printed already.
    fn nothing() -> Self {
        Self { json: Value::Null, table: Table::sentence("") }
    }
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
enum DeskError {
    #[error("there is no token; set PORTCULLIS_ADMIN_TOKEN, or name a file by --token-file")]
    NoToken,
    #[error("{0} is no address of a gateway; write http://HOST:PORT")]
    NoGateway(Url),
    #[error("{} cannot be read: {error}", file.display())]
    TokenFile { file: PathBuf, error: io::Error },
    #[error("there is nobody to invite; name users, or a file of them by --from-file")]
    Nobody,
    #[error("{} cannot be read: {error}", file.display())]
    UsersFile { file: PathBuf, error: io::Error },
    #[error("not invited:\n{0}")]
    NotAll(String),
    #[error("there is {} already; name a file that is not there yet", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be written: {error}", file.display())]
    Unwritable { file: PathBuf, error: io::Error },
    #[error("the gateway broke the export off, and its log says why; nothing was kept, try again")]
    BrokenOff,
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{0}")]
    Refused(String),
    #[error("the answer is none of a gateway's (status {0}); is --admin its admin listener?")]
    Strange(u16),
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    #[error("it cannot be printed: {0}")]
    Output(io::Error),
}

impl DeskError {
    /// 2 for what was asked wrongly, 1 for what failed.
    const fn code(&self) -> u8 {
        match self {
            Self::NoToken | Self::NoGateway(_) | Self::Nobody | Self::Exists(_) => 2,
            Self::TokenFile { .. }
            | Self::UsersFile { .. }
            | Self::NotAll(_)
            | Self::Unwritable { .. }
            | Self::BrokenOff
            | Self::Http(_)
            | Self::Refused(_)
            | Self::Strange(_)
            | Self::Runtime(_)
            | Self::Output(_) => 1,
        }
    }
}

/// Carries a command for one portal out through the gate, prints what came of it, and gives the
/// exit code.
fn run(desk: &Desk, command: impl AsyncFnOnce(Gate) -> Result<Told, DeskError>) -> u8 {
    run_at(&desk.door, Some(&desk.portal), command)
}

/// The same for what concerns all portals.
fn run_for_all(door: &Door, command: impl AsyncFnOnce(Gate) -> Result<Told, DeskError>) -> u8 {
    run_at(door, None, command)
}

fn run_at(
    door: &Door,
    portal: Option<&str>,
    command: impl AsyncFnOnce(Gate) -> Result<Told, DeskError>,
) -> u8 {
    let done = || {
        let gate = Gate::open(door, portal)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let told = runtime.map_err(DeskError::Runtime)?.block_on(command(gate))?;
        print(door.output, &told).map_err(DeskError::Output)
    };
    match done() {
        Ok(()) => 0,
        Err(error) => {
            super::serve::failed(&error);
            error.code()
        }
    }
}

fn print(output: Output, told: &Told) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if told.json.is_null() {
        return Ok(());
    }
    match output {
        Output::Table => out.write_all(told.table.drawn(table::takes_colours()).as_bytes()),
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, &told.json)?;
            writeln!(out)
        }
    }
}
