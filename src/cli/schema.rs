//! `portcullis schema`: the JSON Schema of the YAML, for editors.

use std::io::{self, Write};

use crate::config;

/// Prints the schema and gives the exit code.
pub fn run() -> u8 {
    match write(&mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "the schema cannot be written: {error}");
            1
        }
    }
}

fn write(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &config::schema())?;
    writeln!(out)
}
