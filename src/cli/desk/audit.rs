//! `portcullis audit`: what happened, and whether the log that says so is whole. A log can also
//! be judged without the gateway that wrote it, by its files alone.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::gate::Gate;
use super::table::{self, Table, cell, list, moment};
use super::{DeskError, Door, Output, Told};
use crate::audit::{Broken, Whole, verify_files};
use crate::telemetry::escape;

/// How often it is asked what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to do about the audit log.
#[derive(Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Show its last lines.
    Tail {
        #[command(flatten)]
        door: Door,
        /// How many, up to 500.
        #[arg(long, value_name = "COUNT", default_value_t = 20,
            value_parser = clap::value_parser!(u64).range(..=500))]
        lines: u64,
        /// Go on with what happens from now on, until interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// Find out whether it is as it was written, and name the first line that is not.
    Verify {
        #[command(flatten)]
        door: Door,
        /// Tell nothing of lines up to this number: what is wrong there is known.
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
        /// All files of a log, to judge it without its gateway.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &AuditCommand) -> u8 {
    match command {
        AuditCommand::Tail { door, lines, follow } => {
            super::run_for_all(door, async |gate| tail(&gate, door.output, *lines, *follow).await)
        }
        AuditCommand::Verify { door, after, files } if files.is_empty() => {
            super::run_for_all(door, async |gate| verify(&gate, door.output, *after).await)
        }
        AuditCommand::Verify { door, after, files } => alone(door.output, *after, files),
    }
}

async fn tail(gate: &Gate, output: Output, lines: u64, follow: bool) -> Result<Told, DeskError> {
    let mut page = gate.get(&format!("/audit?last={lines}")).await?;
    let mut heads = HEADS;
    loop {
        print(output, heads, list(&page, "lines")).map_err(DeskError::Output)?;
        if !follow {
            return Ok(Told::nothing());
        }
        heads = if list(&page, "lines").is_empty() { heads } else { &[] };
        let number = |key: &str| page.get(key).and_then(Value::as_u64);
        let shown = list(&page, "lines").last().and_then(|line| line.get("seq")?.as_u64());
        // Where no line was for us there may still be some that were looked at.
        let after = number("next").or(shown).or(number("last")).unwrap_or_default();
        if number("next").is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        page = gate.get(&format!("/audit?after={after}")).await?;
    }
}

const HEADS: &[&str] = &["line", "at", "event", "by", "portal", "user", "client", "details"];
/// Members that have a column of their own, or are for machines.
const COLUMNS: &[&str] =
    &["seq", "at", "event", "by", "portal", "user", "client", "request", "before"];

fn print(output: Output, heads: &'static [&'static str], lines: &[Value]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Table => {
            let rows = lines.iter().map(row).collect();
            let table = Table::new(heads, rows, "");
            out.write_all(table.drawn(table::takes_colours()).as_bytes())?;
        }
        Output::Json => {
            for line in lines {
                // What is read is not escaped any more.
                writeln!(out, "{}", escape::on_one_line(&line.to_string()))?;
            }
        }
    }
    out.flush()
}

fn row(line: &Value) -> Vec<String> {
    let by = line.get("by").unwrap_or(&Value::Null);
    let by = format!("{} {}", cell(by, "kind"), cell(by, "name")).trim_end().to_owned();
    let members = line.as_object().into_iter().flatten();
    let details = members
        .filter(|(name, _)| !COLUMNS.contains(&name.as_str()))
        .map(|(name, _)| format!("{}={}", table::shown(name), cell(line, name)));
    let details = details.collect::<Vec<_>>().join(" ");
    let text = |key: &str| cell(line, key);
    let at = seconds(line).unwrap_or_else(|| moment(line, "at"));
    vec![text("seq"), at, text("event"), by, text("portal"), text("user"), text("client"), details]
}

/// `2026-11-24 14:05:07`: what happened within a minute is worth telling apart.
fn seconds(line: &Value) -> Option<String> {
    Some(cell(line, "at").get(..19)?.replace('T', " "))
}

async fn verify(gate: &Gate, output: Output, after: u64) -> Result<Told, DeskError> {
    let json = gate.get(&format!("/audit/verify?after={after}")).await?;
    judged(output, json)
}

/// What came of it, or the first line that is not as it was written.
fn judged(output: Output, json: Value) -> Result<Told, DeskError> {
    if let Some(broken) = json.get("broken") {
        if output == Output::Json {
            let told = Told { json: json.clone(), table: Table::sentence("") };
            super::print(output, &told).map_err(DeskError::Output)?;
        }
        let [file, line, says] = ["file", "line", "says"].map(|key| cell(broken, key));
        return Err(DeskError::NotWhole(format!("{file}:{line}: {says}")));
    }
    let [lines, from, to] = ["lines", "from", "to"].map(|key| cell(&json, key));
    let sentence = match lines.as_str() {
        "0" => "the audit log is whole: it has no lines yet".to_owned(),
        _ => format!("the audit log is whole: {lines} lines, {from} to {to}"),
    };
    Ok(Told { table: Table::sentence(sentence), json })
}

/// Judges files alone.
fn alone(output: Output, after: u64, files: &[PathBuf]) -> u8 {
    let found = verify_files(files, after).map_err(DeskError::from);
    let told = found.and_then(|found| {
        judged(
            output,
            match found {
                Ok(Whole { lines, from, to }) => {
                    json!({ "whole": true, "lines": lines, "from": from, "to": to })
                }
                Err(Broken { file, line, what }) => json!({
                    "whole": false,
                    "broken": {
                        "file": file.display().to_string(),
                        "line": line,
                        "what": what.as_str(),
                        "says": what.to_string(),
                    },
                }),
            },
        )
    });
    let printed = told.and_then(|told| super::print(output, &told).map_err(DeskError::Output));
    match printed {
        Ok(()) => 0,
        Err(error) => {
            crate::cli::serve::failed(&error);
            error.code()
        }
    }
}
