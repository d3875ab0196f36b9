//! What a request of a proven visitor costs the gateway beyond what the framework does for it, in
//! time: its way from its head to the answer's last byte, and its line with the metrics by itself.

// A bench may panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod gate;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gate::{Gate, Sizes};
use mimalloc::MiMalloc;

/// That of the gateway.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn benches(criterion: &mut Criterion) {
    let gate = Gate::new(Sizes { portals: 10, rules: 10, sessions: 10 });
    let mut group = criterion.benchmark_group("whole gate");
    group.bench_function("way", |bencher| {
        let way = |mut arrived| {
            gate.way(&mut arrived);
            arrived
        };
        bencher.iter_batched(|| gate.arrived(), way, BatchSize::SmallInput);
    });
    group.bench_function("line and metrics", |bencher| {
        let answered = || {
            let mut arrived = gate.arrived();
            gate.way(&mut arrived);
            gate.answered(&mut arrived);
            arrived
        };
        let record = |mut arrived| {
            gate.record(&mut arrived);
            arrived
        };
        bencher.iter_batched(answered, record, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(whole, benches);
criterion_main!(whole);
