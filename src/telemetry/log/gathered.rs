//! Lines that may wait a moment: those of the access log are written many at a time, since each
//! write of its own would cost more than all else about the line. None is ever left out: where they
//! cannot be taken as fast as they come, requests wait for it, as they would for each line.

use std::io;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::access::ACCESS;

/// How long a line may wait for others.
const WAIT: Duration = Duration::from_millis(10);
/// From how many bytes on nobody waits any longer.
const MUCH: usize = 256 * 1024;

/// The lines of this process. There is one log, as there is one standard error.
static LINES: Lines = Lines::new();

/// Writes down whatever still waits. Whoever ends the process does this first.
pub fn write_out() {
    LINES.write_out(&mut io::stderr().lock());
}

/// Takes a line that may wait for others.
pub(super) fn add(line: &[u8]) {
    if LINES.add(line) {
        write_out();
    }
}

/// Starts the thread that writes them.
///
/// # Errors
/// When there can be no thread.
pub(super) fn start() -> io::Result<()> {
    thread::Builder::new().name("access log".to_owned()).spawn(|| LINES.keep()).map(drop)
}

/// Lines in their order, and who writes them.
struct Lines {
    waiting: Mutex<Vec<u8>>,
    some: Condvar,
    /// Held while lines are on their way, so that they keep their order.
    writing: Mutex<Vec<u8>>,
}

impl Lines {
    const fn new() -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            some: Condvar::new(),
            writing: Mutex::new(Vec::new()),
        }
    }

    /// Takes a line, and says whether there is so much now that nobody should wait.
    #[must_use]
    fn add(&self, line: &[u8]) -> bool {
        let mut waiting = self.waiting.lock();
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let much = waiting.len() > MUCH;
        drop(waiting);
        if is_first {
            self.some.notify_one();
        }
        much
    }

    fn keep(&self) {
        loop {
            let mut waiting = self.waiting.lock();
            self.some.wait_while(&mut waiting, |waiting| waiting.is_empty());
            drop(waiting);
            thread::park_timeout(WAIT);
            write_out();
        }
    }

    fn write_out(&self, to: &mut dyn io::Write) {
        let mut writing = self.writing.lock();
        std::mem::swap(&mut *writing, &mut *self.waiting.lock());
        // Nobody is left to tell that standard error takes nothing any more.
        let _nobody_listens = to.write_all(&writing);
        writing.clear();
    }
}

/// Where lines go: those of the access log may wait, all others are written at once.
#[derive(Clone, Copy)]
pub(super) struct ToStderr;

/// The way of one line.
pub(super) enum Way {
    /// At once.
    Now(io::Stderr),
    /// With others.
    Later,
}

impl<'a> MakeWriter<'a> for ToStderr {
    type Writer = Way;

    fn make_writer(&'a self) -> Way {
        Way::Now(io::stderr())
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Way {
        if meta.target() == ACCESS { Way::Later } else { self.make_writer() }
    }
}

impl io::Write for Way {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::Now(stderr) => stderr.write(line),
            Self::Later => {
                add(line);
                Ok(line.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_in_their_order_and_not_for_ever() {
        let lines = Lines::new();
        for number in 0..3 {
            assert!(!lines.add(format!("{number}\n").as_bytes()));
        }
        let mut paper = Vec::new();
        lines.write_out(&mut paper);
        assert_eq!(paper, b"0\n1\n2\n");
        assert!(lines.add(&b" ".repeat(MUCH + 1)), "it could grow without end");
        lines.write_out(&mut paper);
        assert_eq!(paper.len(), MUCH + 7);
        assert!(!lines.add(b"3\n"));
    }
}
