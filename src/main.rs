//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use portcullis::cli::{self, Arguments};

/// Requests are many small pieces of memory, which the system's allocator gives and takes slowly.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
