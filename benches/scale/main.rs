//! What many of everything cost one gateway: people in its own store, sessions, portals and rules,
//! open connections and sockets. All are real processes on this machine. Sizes come from
//! `SCALE_PEOPLE`, `SCALE_SESSIONS`, `SCALE_SECONDS`, `SCALE_PORTALS`, `SCALE_RULES`,
//! `SCALE_CONNECTIONS` and `SCALE_SOCKETS`, and are small unless set; 0 leaves a part out.

// A bench may panic and print: that is how it fails, and what it is for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    dead_code
)]

#[path = "../../tests/e2e/dsl/mod.rs"]
mod dsl;
#[path = "../shared/figures.rs"]
mod figures;
#[path = "../shared/people.rs"]
mod people;

mod connections;
mod desk;
mod enrolled;
mod portals;

#[tokio::main]
async fn main() {
    enrolled::measure().await;
    portals::measure().await;
    connections::measure().await;
}
