//! What every engine has to do, as one suite. An engine says how it is opened and runs all of
//! it by `conformance!(its_engine)`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::*;

mod counters;
mod races;
mod reading;
mod transactions;

pub(in crate::store) use {counters::*, races::*, reading::*, transactions::*};

/// How a store is opened, and opened again once the one before was closed or dropped.
pub(in crate::store) trait Engine {
    /// What is opened.
    type Store: Store;
    /// Opens it at [`NOW`].
    async fn open(&self) -> Self::Store;
}

/// When all cases play.
pub(in crate::store) const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

const LATER: UnixMillis = UnixMillis::from_seconds(1_800_100_000);

/// Makes a test of each case, each with an engine of its own.
macro_rules! conformance {
    ($engine:expr) => {
        conformance!(@each $engine;
            a_record_is_read_as_it_was_written
            a_deleted_record_is_absent
            expectations_decide_whether_anything_is_written
            a_version_never_comes_back
            a_transaction_is_all_or_nothing
            an_expired_record_counts_as_absent
            ill_formed_requests_are_refused_and_change_nothing
            the_largest_transaction_is_taken
            a_register_only_moves_forward
            a_register_is_kept_as_long_as_was_ever_asked
            registers_and_counters_cannot_be_overwritten
            a_login_is_one_transaction
            the_counter_climbs_its_ladder
            a_success_forgets_the_failures
            parallel_failures_admit_no_more_than_are_free
            racing_writers_have_exactly_one_winner
            racing_raises_have_exactly_one_winner
            mixed_raises_never_go_backwards
            what_was_answered_is_read
            a_scan_is_ordered_and_complete
            a_scan_keeps_to_prefix_space_and_limit
            a_scan_of_many_pages_misses_nothing
            watchers_are_told_of_watched_changes_alone
            a_sweep_keeps_its_grace_and_its_budget
            everything_is_there_after_opening_again
            a_closed_store_refuses
            health_counts_records
        );
    };
    (@each $engine:expr; $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store::conformance::$case(&$engine).await;
            }
        )+
    };
}
pub(in crate::store) use conformance;

pub(in crate::store) fn key(space: Space, id: &str) -> Key {
    Key::new(space, id.as_bytes().to_vec())
}

pub(in crate::store) fn factor(id: &str) -> Key {
    key(Space::Factor, id)
}

pub(in crate::store) fn put(key: &Key, value: &'static str) -> Write {
    Write::put(key.clone(), value.as_bytes(), None)
}

async fn value(store: &impl Store, key: &Key) -> Option<Bytes> {
    store.get(NOW, key).await.unwrap().map(|record| record.value)
}

/// The next event of a change. A store that gateways share is heard beating in between.
fn next_change(events: &mut broadcast::Receiver<Event>) -> Result<Event, TryRecvError> {
    loop {
        match events.try_recv() {
            Ok(Event::Beat { .. }) => {}
            other => return other,
        }
    }
}

async fn commit_one(store: &impl Store, write: Write) -> Version {
    store.commit(NOW, vec![write]).await.unwrap()[0]
}
