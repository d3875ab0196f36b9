//! The language in which stories are told: a portal, a gateway in front of it, a browser, a
//! phone. Every server takes a free port and is gone when it is dropped; nobody sleeps.

// Each test binary uses its own part of the language.
#![allow(dead_code, unused_imports)]

pub mod browser;
pub mod client;
pub mod gateway;
pub mod html;
pub mod phone;
pub mod portal;
pub mod socket;
pub mod steps;

pub use browser::Browser;
pub use client::{Answer, Call};
pub use gateway::Gateway;
pub use phone::Phone;
pub use portal::Portal;
pub use socket::Socket;

/// Two people whom every portal knows.
pub const ALICE: (&str, &str) = ("alice", "Correct-Horse-9");
pub const BOB: (&str, &str) = ("bob", "Battery-Staple-7");

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Polls until `ready` gives something, by yielding to whatever it waits for.
pub async fn eventually<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(found) = ready().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
