//! The line between a gateway and a portal: it counts the bytes that pass each way, and can
//! hold the portal's. So a test knows what has gone on while a request is still under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Portal;
use super::gateway::Fronted;

/// A line to one portal.
pub struct Line {
    entry: String,
    portal: SocketAddr,
    address: SocketAddr,
    up: Way,
    down: Way,
    opened: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

/// One direction of a line.
#[derive(Clone)]
struct Way {
    passed: watch::Sender<u64>,
    limit: watch::Sender<u64>,
}

impl Line {
    /// Lays a line to `portal`.
    pub async fn to(portal: &Portal) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, down, portal_address) = (Way::open(), Way::open(), portal.address);
        let (upwards, downwards) = (up.clone(), down.clone());
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(portal_address).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(upwards.clone().carry(near_in, far_out));
                tokio::spawn(downwards.clone().carry(far_in, near_out));
            }
        });
        let entry = portal.entry("HOST");
        Self { entry, portal: portal.address, address, up, down, opened, accepting }
    }

    /// How many connections the gateway has made so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// How many bytes the portal got so far.
    pub fn up(&self) -> u64 {
        *self.up.passed.borrow()
    }

    /// How many bytes the portal sent so far.
    pub fn down(&self) -> u64 {
        *self.down.passed.borrow()
    }

    /// Waits until the portal has got that many bytes.
    pub async fn carried_up(&self, bytes: u64) {
        let mut passed = self.up.passed.subscribe();
        let waiting = passed.wait_for(|passed| *passed >= bytes);
        let arrived = tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok();
        assert!(arrived, "the portal got {} of {bytes} bytes", self.up());
    }

    /// Lets the portal say that much more and no more.
    pub fn hold_after(&self, bytes: u64) {
        self.down.limit.send_replace(self.down() + bytes);
    }

    /// Lets the portal say whatever it likes.
    pub fn let_go(&self) {
        self.down.limit.send_replace(u64::MAX);
    }
}

impl Fronted for Line {
    fn entry(&self, host: &str) -> String {
        let here = self.entry.replace(&self.portal.to_string(), &self.address.to_string());
        here.replace("[HOST]", &format!("[{host}]"))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Way {
    fn open() -> Self {
        Self { passed: watch::Sender::new(0), limit: watch::Sender::new(u64::MAX) }
    }

    /// Carries one connection's bytes until either end has had enough.
    async fn carry(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut limit = self.limit.subscribe();
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let mut rest = &chunk[..read];
            while !rest.is_empty() {
                let passed = self.passed.borrow().to_owned();
                let allowed = *limit.wait_for(|limit| *limit > passed).await.unwrap() - passed;
                let part = rest.len().min(usize::try_from(allowed).unwrap());
                if to.write_all(&rest[..part]).await.is_err() {
                    return;
                }
                self.passed.send_modify(|passed| *passed += part as u64);
                rest = &rest[part..];
            }
        }
        let _ = to.shutdown().await;
    }
}
