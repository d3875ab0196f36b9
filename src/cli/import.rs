//! `portcullis store import`: puts an export back where no store is, without any gateway. It asks
//! for the same configuration and the same master key.

use std::fs::File;
use std::io::{self, Write as _, stderr, stdout};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::desk::Output;
use super::progress::Progress;
use super::serve::failed;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config};
use crate::store::backup::{self, BackupError, COPIED, Taken};
use crate::store::keyring::{Keyring, KeyringError};

/// What to put back, and where.
#[derive(Args)]
pub(in crate::cli) struct ImportArguments {
    /// The configuration: it says where the store is to lie and where the master key is.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The export.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Only read the export and say whether it is whole; nothing is written.
    #[arg(long)]
    check: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("{} cannot be read: {error}", file.display())]
    File { file: PathBuf, error: io::Error },
    #[error("the master key of the export is needed: {0}")]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    #[error("it cannot be printed: {0}")]
    Output(io::Error),
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(arguments: &ImportArguments) -> u8 {
    let loaded = match config::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            let _nobody_listens = write!(stderr().lock(), "{faults}");
            return 3;
        }
    };
    match import(arguments, &loaded.config) {
        Ok(()) => 0,
        Err(error) => failed(&error),
    }
}

fn import(arguments: &ImportArguments, config: &Config) -> Result<(), ImportError> {
    let unreadable = |error| ImportError::File { file: arguments.from.clone(), error };
    let file = File::open(&arguments.from).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    // A key that is made now opens nothing that was sealed before.
    let keyring = Keyring::existing(&config.master_key)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ImportError::Runtime)?;
    let shows = arguments.output == Output::Table;
    let taken = {
        let what = if arguments.check { "reading" } else { "importing" };
        let mut progress = Progress::begin(what, whole(length), shows);
        let mut far = |bytes: u64| progress.at(whole(bytes));
        match arguments.check {
            true => backup::read_whole(&file, &keyring, &mut far)?,
            false => {
                let (store, now) = (&config.store, SystemClock.now());
                runtime.block_on(backup::put_back(&file, store, &keyring, now, &mut far))?
            }
        }
    };
    print(arguments, &taken).map_err(ImportError::Output)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn print(arguments: &ImportArguments, taken: &Taken) -> io::Result<()> {
    let counts = COPIED.map(|space| (space.in_words(), taken.counts.of(space)));
    let mut out = stdout().lock();
    if arguments.output == Output::Json {
        let records = counts.map(|(what, count)| json!({ "what": what, "count": count }));
        let told = json!({
            "imported": !arguments.check,
            "made_ms": taken.made.0,
            "records_total": taken.counts.total(),
            "records": records,
        });
        return writeln!(out, "{told:#}");
    }
    writeln!(out, "an export of {}, whole:", taken.made.in_words())?;
    for (what, count) in counts {
        writeln!(out, "{count:>9}  {what}")?;
    }
    match arguments.check {
        true => writeln!(out, "nothing was imported"),
        false => writeln!(
            out,
            "imported. Everybody signs in again, with a code of their phone. Do now what was done since: resets and changed phones are in the audit log."
        ),
    }
}
