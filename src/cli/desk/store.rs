//! `portcullis store`: how the store stands, copies of it, and the tables that it may need.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::gate::Gate;
use super::table::{Table, cell, list, moment};
use super::{DeskError, Door, Output, Told};
use crate::cli::import::{self, ImportArguments};
use crate::cli::progress::Progress;
use crate::cli::serve::failed;
use crate::store::postgres::{GRANTS, SCHEMA};

/// The checksum at the end of an export, in bytes.
const SUM: usize = 32;

/// What to do about the store.
#[derive(Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Show how the store of a running gateway stands.
    Status {
        #[command(flatten)]
        door: Door,
    },
    /// Copy the store of a running gateway into a file, sealed under the master key.
    Export {
        #[command(flatten)]
        door: Door,
        /// The file, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a copy back where no store is, while no gateway runs there.
    Import(ImportArguments),
    /// Print what an administrator of a PostgreSQL database runs for a role that may not make
    /// the tables of the store itself.
    Schema,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &StoreCommand) -> u8 {
    match command {
        StoreCommand::Status { door } => {
            super::run_for_all(door, async |gate| status(&gate.patient()).await)
        }
        StoreCommand::Export { door, to } => {
            let shows = door.output == Output::Table;
            super::run_for_all(door, async |gate| export(&gate.patient(), to, shows).await)
        }
        StoreCommand::Import(arguments) => import::run(arguments),
        StoreCommand::Schema => schema(),
    }
}

fn schema() -> u8 {
    match writeln!(io::stdout().lock(), "{SCHEMA}\n-- For the role of store.url.\n{GRANTS}") {
        Ok(()) => 0,
        Err(error) => failed(&error),
    }
}

async fn status(gate: &Gate) -> Result<Told, DeskError> {
    let json = gate.get("/store").await?;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let takes_writes = json.get("writable").and_then(serde_json::Value::as_bool) == Some(true);
    let last = moment(&json, "last_export");
    let mut rows = vec![
        line("engine", cell(&json, "engine")),
        line("where", cell(&json, "path")),
        line("format", cell(&json, "format")),
        line("takes writes", if takes_writes { "yes" } else { "no" }.to_owned()),
        line("a write is done", cell(&json, "durability")),
        line("bytes on disk", cell(&json, "bytes")),
        line("last export", if last.is_empty() { "none yet".to_owned() } else { last }),
    ];
    if let Some(shared) = json.get("shared") {
        rows.extend([
            line("server", cell(shared, "server")),
            line("replicas in step", cell(shared, "replicas_in_sync")),
            line("behind others, ms", cell(shared, "lag_ms")),
            line("servers that took over", cell(shared, "failovers")),
        ]);
        let warnings = list(shared, "warnings").iter().filter_map(serde_json::Value::as_str);
        let shown = |warning: &str| cell(&json!({ "it": warning }), "it");
        rows.extend(warnings.map(|warning| line("to be mended", shown(warning))));
    }
    let counted = list(&json, "records").iter();
    rows.extend(counted.map(|space| line(&cell(space, "what"), cell(space, "count"))));
    Ok(Told { table: Table::new(&[], rows, ""), json })
}

async fn export(gate: &Gate, to: &Path, shows: bool) -> Result<Told, DeskError> {
    if to.exists() {
        return Err(DeskError::Exists(to.to_owned()));
    }
    let unwritable = |error| DeskError::Unwritable { file: to.to_owned(), error };
    let draft = Draft::beside(to).map_err(unwritable)?;
    let bytes = {
        let mut out = BufWriter::new(&draft.file);
        let (mut bytes, mut progress) = (0, Progress::begin("exporting", 0, shows));
        let mut take = |piece: &[u8]| {
            bytes += piece.len();
            progress.at(bytes);
            out.write_all(piece)
        };
        gate.download("/store/export", &mut take).await?;
        out.flush().map_err(unwritable)?;
        bytes
    };
    draft.file.sync_all().map_err(unwritable)?;
    // Read again from where it lies: what counts is what is there.
    if !is_whole(&draft.path).map_err(unwritable)? {
        return Err(DeskError::BrokenOff);
    }
    draft.keep_as(to).map_err(unwritable)?;
    let table = format!(
        "the store is in {}, {bytes} bytes; it opens under the master key alone",
        to.display()
    );
    let json = json!({ "file": to.display().to_string(), "bytes": bytes });
    Ok(Told { json, table: Table::sentence(table) })
}

/// A file on its way to its name. Dropped before, it is gone.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn beside(to: &Path) -> io::Result<Self> {
        let mut name = to.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let path = to.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    /// A link, unlike a rename, fails where somebody made a file of that name meanwhile. Some
    /// disks for backups know no links.
    fn keep_as(self, to: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, to) {
            Ok(()) => fs::remove_file(&self.path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => fs::rename(&self.path, to)?,
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _gone_already = fs::remove_file(&self.path);
    }
}

/// Whether a file ends in the checksum of what it holds before.
fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let Some(mut left) = length.checked_sub(SUM) else { return Ok(false) };
    let (mut sum, mut piece) = (Sha256::new(), vec![0; 64 * 1024]);
    while left > 0 {
        let room = left.min(piece.len());
        let Some(room) = piece.get_mut(..room) else { return Ok(false) };
        file.read_exact(room)?;
        sum.update(&*room);
        left -= room.len();
    }
    let mut written = [0; SUM];
    file.read_exact(&mut written)?;
    Ok(left == 0 && written == <[u8; SUM]>::from(sum.finalize()))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::is_whole;

    #[test]
    fn a_file_is_whole_when_its_sum_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export");
        let text = vec![7; 200_000];
        let whole = [text.as_slice(), &Sha256::digest(&text)].concat();
        std::fs::write(&path, &whole).unwrap();
        assert!(is_whole(&path).unwrap());
        for cut in [0, 31, 32, 100, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(!is_whole(&path).unwrap(), "{cut}");
        }
    }
}
