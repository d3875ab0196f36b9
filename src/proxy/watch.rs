//! The watch over connections and streams: all of them are looked at twice a second, together. A
//! timer in each would wake ten thousand idle ones to find nothing, and cost every request one.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use parking_lot::Mutex;
use slab::Slab;
use tokio::time::{MissedTickBehavior, interval};

use super::in_force::InForce;
use crate::clock::{Stopwatch, UnixMillis};
use crate::config::Limits;
use crate::site::Parts;
use crate::user::Opaque;

/// How long an idle connection stays open.
pub(super) const KEEP_ALIVE_SECONDS: u64 = 60;
/// How soon what runs ends after its session: within a second.
const LOOK: Duration = Duration::from_millis(500);
/// So many tables that who comes and goes hardly waits for another.
const TABLES: usize = 16;

tokio::task_local! {
    static THIS: Arc<Watched>;
}

/// What is watched.
#[derive(Clone, Copy)]
pub(super) enum Of {
    /// A connection of HTTP/1.1, with one request after the other.
    Connection,
    /// A stream of HTTP/2, with one request.
    Stream,
}

/// A connection or a stream, and what happens on it.
struct Watched {
    of: Of,
    doing: Mutex<Doing>,
    end: AbortHandle,
}

/// What happens on a connection or a stream at the moment.
#[derive(Clone, Copy)]
enum Doing {
    /// It waits for the head of a request.
    Awaits {
        /// Since when.
        since: Stopwatch,
        /// Whether one was served before.
        again: bool,
    },
    /// A request is under way, past its head.
    Serves {
        /// The session that carries it, and since when it does.
        carrier: Option<(Opaque, Stopwatch)>,
        /// From when on that session alone does not suffice.
        until: Option<UnixMillis>,
    },
}

/// Notes that the head of a request is complete.
pub(super) fn head_complete() {
    carries(None, None);
}

/// Notes which session carries the request under way and since when, and until when it does.
pub(super) fn carries(carrier: Option<(Opaque, Stopwatch)>, until: Option<UnixMillis>) {
    note(|_| Doing::Serves { carrier, until });
}

/// Notes that the request under way was done at that moment; the time for the next head runs.
pub(super) fn request_done(since: Stopwatch) {
    note(|of| Doing::between(of, since, true));
}

fn note(doing: impl FnOnce(Of) -> Doing) {
    let _outside_a_connection = THIS.try_with(|this| *this.doing.lock() = doing(this.of));
}

impl Doing {
    /// Before a request, or after one. A stream begins with its head, and no other comes.
    fn between(of: Of, since: Stopwatch, again: bool) -> Self {
        match of {
            Of::Connection => Self::Awaits { since, again },
            Of::Stream => Self::Serves { carrier: None, until: None },
        }
    }
}

impl Watched {
    /// Ends it where nothing carries it any more, or its head does not come.
    fn look(&self, parts: &Parts, now: UnixMillis) {
        let doing = *self.doing.lock();
        match doing {
            Doing::Awaits { since, again } if since.elapsed() > patience(&parts.limits, again) => {
                match again {
                    true => tracing::debug!("an idle connection was closed"),
                    false => {
                        tracing::info!("a connection was closed: no complete head came in time")
                    }
                }
            }
            Doing::Serves { carrier, until } if has_ended(parts, now, carrier, until) => {
                match self.of {
                    Of::Connection => {
                        tracing::info!("a connection was cut: the session that carried it ended");
                    }
                    Of::Stream => {
                        tracing::info!("a stream was cut: the session that carried it ended");
                    }
                }
            }
            Doing::Awaits { .. } | Doing::Serves { .. } => return,
        }
        self.end.abort();
    }
}

/// The first head has its deadline; later ones may first be waited for.
fn patience(limits: &Limits, again: bool) -> Duration {
    let idle = if again { KEEP_ALIVE_SECONDS } else { 0 };
    limits.header_deadline + Duration::from_secs(idle)
}

fn has_ended(
    parts: &Parts,
    now: UnixMillis,
    carrier: Option<(Opaque, Stopwatch)>,
    until: Option<UnixMillis>,
) -> bool {
    let late = until.is_some_and(|until| until <= now);
    late || carrier.is_some_and(|(root, since)| !parts.sessions.carries(now, root, since))
}

/// All that is watched.
pub(super) struct Watch {
    tables: [Mutex<Table>; TABLES],
    next: AtomicUsize,
}

/// Where one sits is a number, so that neither to sit down nor to leave takes a hash.
type Table = Slab<Arc<Watched>>;

impl Watch {
    /// A watch that looks by what is in force, for as long as it is kept.
    pub(super) fn begin(in_force: InForce) -> Arc<Self> {
        let watch = Arc::new(Self { tables: Default::default(), next: AtomicUsize::new(0) });
        tokio::spawn(keep(Arc::downgrade(&watch), in_force));
        watch
    }

    /// Runs `served` to its end. Gives nothing where it was ended before that; it is dropped then.
    pub(super) async fn over<T>(&self, of: Of, served: impl Future<Output = T>) -> Option<T> {
        let (end, registration) = AbortHandle::new_pair();
        let doing = Mutex::new(Doing::between(of, Stopwatch::start(), false));
        let watched = Arc::new(Watched { of, doing, end });
        let _seat = self.seat(Arc::clone(&watched));
        THIS.scope(watched, Abortable::new(served, registration)).await.ok()
    }

    fn seat(&self, watched: Arc<Watched>) -> Seat<'_> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let [first, ..] = &self.tables;
        let table = self.tables.get(turn % TABLES).unwrap_or(first);
        let number = table.lock().insert(watched);
        Seat { table, number }
    }

    /// Those who are there now. Nobody waits while they are looked at.
    fn look(&self, parts: &Parts) {
        let now = parts.now();
        let mut seen = Vec::new();
        for table in &self.tables {
            seen.extend(table.lock().iter().map(|(_, watched)| Arc::clone(watched)));
            for watched in seen.drain(..) {
                watched.look(parts, now);
            }
        }
    }
}

async fn keep(watch: Weak<Watch>, in_force: InForce) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(watch) = watch.upgrade() else { return };
        watch.look(&in_force.now().parts);
    }
}

/// A place in the watch, given back when it is dropped.
struct Seat<'a> {
    table: &'a Mutex<Table>,
    number: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let _watched = self.table.lock().try_remove(self.number);
    }
}
