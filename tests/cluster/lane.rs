//! A line between a gateway and something that it needs, which can be made slow: every byte
//! arrives, each way, so much later than it was sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::dsl::Portal;
use crate::dsl::gateway::Fronted;

/// A line to one address.
pub struct Lane {
    /// Where it begins.
    pub address: SocketAddr,
    delay: watch::Sender<Duration>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Lane {
    /// Lays a line from a free port of `near` to `far`.
    pub async fn lay(near: Ipv4Addr, far: SocketAddr) -> Self {
        let listener = TcpListener::bind((near, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let delay = watch::Sender::new(Duration::ZERO);
        let told = delay.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // Who is not there is not there behind a line either.
                let Ok(far) = TcpStream::connect(far).await else { continue };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).unwrap();
                }
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                carry(near_in, far_out, &told);
                carry(far_in, near_out, &told);
            }
        });
        Self { address, delay, accepting }
    }

    /// From now on every byte takes this long.
    pub fn takes(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries the bytes of one direction until either end has had enough.
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: &watch::Sender<Duration>) {
    let (sender, mut queue) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    let delay = delay.subscribe();
    tokio::spawn(async move {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let due = Instant::now() + *delay.borrow();
            if sender.send((due, Bytes::copy_from_slice(&chunk[..read]))).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = queue.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
}

/// A portal that a gateway reaches by a line.
pub struct Reached<'a>(pub &'a Portal, pub SocketAddr);

impl Fronted for Reached<'_> {
    fn entry(&self, host: &str) -> String {
        self.0.entry(host).replace(&self.0.address.to_string(), &self.1.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_delivers_late_and_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lane = Lane::lay(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap()).await;
    let mut near = TcpStream::connect(lane.address).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut heard = [0; 3];
    near.write_all(b"one").await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"one");
    let begun = Instant::now();
    lane.takes(Duration::from_millis(300));
    near.write_all(b"two").await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"two");
    assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
    lane.takes(Duration::ZERO);
    drop(near);
    assert_eq!(far.read(&mut heard).await.unwrap(), 0);
}
