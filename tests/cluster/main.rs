//! Several gateways on one store: the stories of one, with every request at another gateway, and
//! what becomes of them when something breaks. `scripts/faults` runs the faults alone, and prints
//! what was measured.

// The helpers of a test crate may panic as its tests may, and run the tools of the desk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub
)]

#[path = "../e2e/dsl/mod.rs"]
mod dsl;
// A portal of another binary's; here it is HAProxy.
#[path = "../portals/real.rs"]
#[allow(dead_code)]
mod real;

/// Tells these stories on each engine that gateways can share: all at the same time, or, where
/// something is measured, each alone.
macro_rules! on_each_engine {
    ($($story:ident),+ $(,)?) => {
        on_each_engine!(read: $($story),+);
    };
    (alone: $($story:ident),+) => {
        on_each_engine!(write: $($story),+);
    };
    ($quiet:ident: $($story:ident),+) => {
        mod on_postgres {
            use crate::engine::{Engine, Kind};
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    let _quiet = crate::figures::QUIET.$quiet().await;
                    super::$story(Engine::of_all(Kind::Postgres)).await;
                }
            )+
        }
        #[cfg(feature = "etcd")]
        mod on_etcd {
            use crate::engine::{Engine, Kind};
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    let _quiet = crate::figures::QUIET.$quiet().await;
                    super::$story(Engine::of_all(Kind::Etcd)).await;
                }
            )+
        }
    };
}

// `benches/crowd.rs` uses more of these two.
#[allow(dead_code)]
mod cluster;
mod crowd;
mod engine;
mod fence;
mod figures;
mod history;
mod lane;
mod member;
#[allow(dead_code)]
mod tab;

mod cuts;
mod desk;
mod faults;
mod moving;
mod people;
mod shipped;
