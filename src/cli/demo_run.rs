//! `demo`: the gateway and a portal in one process, in a folder that is gone afterwards.

use std::fs;
use std::io::{self, Write, stderr, stdout};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::demo::{Demo, DemoError, HTTPS_PORT, portal};
use super::serve::{self, failed};
use crate::clock::SystemClock;
use crate::telemetry::log;
use crate::{config, hex, random};

/// Runs the demo until Ctrl-C.
pub(super) fn run() -> u8 {
    let folder = match Folder::make() {
        Ok(folder) => folder,
        Err(error) => return failed(&error),
    };
    // The portal needs no more.
    let runtime = match serve::runtime(1) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let demo = match runtime.block_on(start_portal(&folder.0)) {
        Ok(demo) => demo,
        Err(error) => return failed(&error),
    };
    let loaded = match config::load(&demo.config) {
        Ok(loaded) => loaded,
        Err(faults) => return failed(&faults),
    };
    if let Err(error) = log::init(&loaded.config.telemetry) {
        return failed(&error);
    }
    serve::start(loaded.config, None, |_| {
        let _nobody_listens = write!(stdout().lock(), "{demo}").and_then(|()| stdout().flush());
    })
}

async fn start_portal(folder: &Path) -> Result<Demo, DemoError> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(DemoError::NoFreePort)?;
    let address = listener.local_addr().map_err(DemoError::NoFreePort)?;
    let demo = Demo::prepare(&SystemClock, HTTPS_PORT, address, folder)?;
    tokio::spawn(async move {
        if let Err(error) = portal::serve(listener, Arc::new(SystemClock)).await {
            let _nobody_listens = writeln!(stderr().lock(), "the demo's portal is gone: {error}");
        }
    });
    Ok(demo)
}

/// A folder of our own that is removed in the end, with what the demo kept.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let name: [u8; 8] = random::bytes().map_err(io::Error::other)?;
        let path = std::env::temp_dir().join(format!("portcullis-demo-{}", hex::text(&name)));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's folder for such things.
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}
