//! The threads that serve public connections: one for each processor, each with a runtime of its
//! own. A connection stays with its worker, and so does all that it waits for: what wakes it
//! never crosses to another thread, which costs about an eighth of a request.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Sooner than any timer of a request.
const SOON: Duration = Duration::from_secs(1);

thread_local! {
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The worker that runs what asks, counted from one; 0 elsewhere.
pub(super) fn number() -> u64 {
    NUMBER.get()
}

/// All workers. They end when this is dropped, with what they still do.
pub struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    /// How many connections it has.
    load: Arc<AtomicUsize>,
    /// Dropped, it lets the thread end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many, at least one.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(count: usize) -> io::Result<Self> {
        (1..=count.max(1)).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    /// Has `served` run by the worker with the fewest connections, of those that still work.
    pub(super) fn serve(
        &self,
        among: &mut JoinSet<()>,
        served: impl Future<Output = ()> + Send + 'static,
    ) {
        let working = self.0.iter().filter(|worker| worker.works());
        let idlest = working.min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        let Some(worker) = idlest else { return };
        let place = Place::of(&worker.load);
        let counted = async move {
            let _place = place;
            served.await;
        };
        among.spawn_on(counted, &worker.runtime);
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            NUMBER.set(u64::try_from(number).unwrap_or(u64::MAX));
            runtime.block_on(until(stopped));
        };
        let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(work)?;
        Ok(Self { runtime: handle, load: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }

    /// Nothing is known that ends its thread; but one that ended would have no connections, and
    /// so get all that come.
    fn works(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

/// Waits until the other half is dropped; nothing is ever sent. A timer that would ring before all
/// others wakes its runtime by a call to the system, as that of an idle connection to a portal
/// did with a third of all requests; one that always rings soon spares the call.
async fn until(mut stopped: oneshot::Receiver<()>) {
    let mut soon = interval(SOON);
    soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            _ = soon.tick() => {}
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of its own has been told of where it happened.
            let _ended = thread.join();
        }
    }
}

/// One of the connections of a worker.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn of(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::{Notify, mpsc};

    use super::*;

    #[tokio::test]
    async fn who_has_the_fewest_connections_gets_the_next() {
        let workers = Workers::start(3).unwrap();
        let mut connections = JoinSet::new();
        let (seen, mut by) = mpsc::unbounded_channel();
        let mut ends = Vec::new();
        let mut numbers = Vec::new();
        for _ in 0..6 {
            let (seen, end) = (seen.clone(), Arc::new(Notify::new()));
            ends.push(Arc::clone(&end));
            workers.serve(&mut connections, async move {
                seen.send(number()).unwrap();
                end.notified().await;
            });
            numbers.push(by.recv().await.unwrap());
        }
        let (mut first, mut second) = (numbers[..3].to_vec(), numbers[3..].to_vec());
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!((first, second), (vec![1, 2, 3], vec![1, 2, 3]));
        // The one that loses a connection gets the next.
        let freed = numbers[4];
        ends[4].notify_one();
        connections.join_next().await.unwrap().unwrap();
        workers.serve(&mut connections, async move { seen.send(number()).unwrap() });
        assert_eq!(by.recv().await, Some(freed));
        assert_eq!(number(), 0);
    }

    #[tokio::test]
    async fn a_worker_that_ended_gets_no_connection() {
        let mut workers = Workers::start(2).unwrap();
        drop(workers.0[0].stop.take());
        let ended = async {
            while workers.0[0].works() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON * 30, ended).await.expect("it works on");
        let (seen, mut by) = mpsc::unbounded_channel();
        let mut connections = JoinSet::new();
        for _ in 0..2 {
            let seen = seen.clone();
            workers.serve(&mut connections, async move {
                seen.send(number()).unwrap();
                std::future::pending().await
            });
            assert_eq!(by.recv().await, Some(2));
        }
    }

    #[test]
    fn what_workers_still_do_ends_with_them() {
        struct Told(Arc<Mutex<bool>>);
        impl Drop for Told {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = true;
            }
        }
        let workers = Workers::start(1).unwrap();
        let (ended, mut connections) = (Arc::new(Mutex::new(false)), JoinSet::new());
        let told = Told(Arc::clone(&ended));
        workers.serve(&mut connections, async move {
            let _told = told;
            std::future::pending().await
        });
        drop(workers);
        assert!(*ended.lock().unwrap());
    }
}
