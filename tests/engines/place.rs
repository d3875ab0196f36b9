//! Where an engine of the tests keeps what it has.

use std::path::{Path, PathBuf};

/// What the engines of one process take at most, in bytes.
const ROOM: u64 = 3 << 30;

/// In memory where there is room, for whoever harms no engine and measures no disk. A disk that
/// others use too stands still for seconds at times, and a store that stands still is rightly
/// doubted.
pub(crate) fn quick() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match fs2::available_space(memory) {
        Ok(free) if free > ROOM => memory.to_owned(),
        Ok(_) | Err(_) => std::env::temp_dir(),
    }
}
