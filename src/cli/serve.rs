//! `serve`: the gateway itself.

use std::io::{self, Write, stderr, stdout};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::config;
use crate::proxy::workers::Workers;
use crate::server::{self, Source};
use crate::telemetry::log;

/// Runs the gateway until a signal to stop.
pub(super) fn run(file: &Path) -> u8 {
    let loaded = match config::load(file) {
        Ok(loaded) => loaded,
        Err(faults) => {
            let _nobody_listens = write!(stderr().lock(), "{faults}");
            return 3;
        }
    };
    let log = match log::init(&loaded.config.telemetry) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "the configuration is weaker than it could be");
    }
    let source = Source::new(file, loaded.files, log);
    start(loaded.config, Some(source), |lines| {
        let mut out = stdout().lock();
        for line in lines {
            let _nobody_listens = writeln!(out, "{line}");
        }
        let _nobody_listens = out.flush();
    })
}

/// Runs a configuration; says on stderr in one line why it does not start.
pub(super) fn start(
    config: config::Config,
    source: Option<Source>,
    ready: impl FnOnce(&[String]),
) -> u8 {
    let count = match config::workers() {
        Ok(count) => count,
        Err(error) => return failed(&error),
    };
    let runtime = match runtime(count) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    // They outlive the store, which one of them may have connected.
    let workers = match Workers::start(count) {
        Ok(workers) => Arc::new(workers),
        Err(error) => return failed(&error),
    };
    let served = runtime.block_on(server::run(config, source, &workers, ready));
    log::write_out();
    match served {
        Ok(()) => 0,
        Err(error) => failed(&error),
    }
}

/// A runtime of so many threads, which take work from each other.
pub(super) fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

pub(super) fn failed(error: &dyn std::error::Error) -> u8 {
    let _nobody_listens = writeln!(stderr().lock(), "portcullis: {error}");
    1
}
