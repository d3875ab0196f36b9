//! What a request of a proven visitor costs the gateway, to be counted in instructions by
//! valgrind: `scripts/instructions` runs this once for each size of a gateway, and counts only what
//! happens within `counted_way` and `counted_record`.

// A bench may panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod gate;

use gate::{Arrived, Gate, Sizes};
use mimalloc::MiMalloc;

/// That of the gateway.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// So many requests come before those that count: what is remembered is met in them.
const BEFORE: usize = 50;

fn main() {
    let words: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let [portals, rules, sessions, requests] = words[..] else {
        // Without sizes it is part of a run of all benches, and counts nothing.
        return;
    };
    let gate = Gate::new(Sizes { portals, rules, sessions });
    for _ in 0..BEFORE {
        let mut arrived = gate.arrived();
        gate.way(&mut arrived);
        gate.answered(&mut arrived);
        gate.record(&mut arrived);
    }
    for _ in 0..requests {
        let mut arrived = gate.arrived();
        counted_way(&gate, &mut arrived);
        gate.answered(&mut arrived);
        counted_record(&gate, &mut arrived);
    }
}

/// All that we do about a request, but for its line and its numbers.
#[inline(never)]
fn counted_way(gate: &Gate, arrived: &mut Arrived) {
    gate.way(arrived);
}

/// Its line in the access log, and the metrics.
#[inline(never)]
fn counted_record(gate: &Gate, arrived: &mut Arrived) {
    gate.record(arrived);
}
