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

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_is_json_that_ends_its_line() {
        let mut out = Vec::new();
        super::write(&mut out).unwrap();
        assert!(out.ends_with(b"}\n"));
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, crate::config::schema());
    }
}
