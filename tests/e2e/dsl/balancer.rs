//! A balancer in front of a gateway: it passes bytes on and looks into none of them, and begins
//! each connection with whatever a test wants to be said there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A running balancer.
pub struct Balancer {
    /// Where clients connect.
    pub address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl Balancer {
    /// Passes connections on to `gateway`, from 127.0.0.`last`, each after these bytes.
    pub async fn to(gateway: SocketAddr, last: u8, header: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let header = header.to_vec();
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let header = header.clone();
                tokio::spawn(async move {
                    let mut far = connect(gateway, last).await;
                    // Either side may hang up as it likes.
                    if far.write_all(&header).await.is_ok() {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection from 127.0.0.`last`.
pub async fn connect(to: SocketAddr, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))).unwrap();
    let stream = socket.connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends bytes as they are from 127.0.0.`last`, `pace` at once; gives all that comes back until
/// the gateway hangs up.
pub async fn exchange(to: SocketAddr, last: u8, bytes: &[u8], pace: usize) -> String {
    let mut stream = connect(to, last).await;
    for part in bytes.chunks(pace) {
        // The gateway may have hung up already.
        if stream.write_all(part).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _reset_counts_as_closed = reading.await.expect("the gateway did not hang up");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The line of version 1.
pub fn version_1(client: &str) -> Vec<u8> {
    let client: SocketAddr = client.parse().unwrap();
    let (family, here) = if client.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
    format!("PROXY {family} {} {here} {} 443\r\n", client.ip(), client.port()).into_bytes()
}

/// The binary header of version 2, with an addition as balancers make them.
pub fn version_2(client: &str) -> Vec<u8> {
    let addition = [5, 0, 3, b'a', b'b', b'c'];
    let (family, octets) = match client.parse().unwrap() {
        SocketAddr::V4(client) => (0x11, client.ip().octets().to_vec()),
        SocketAddr::V6(client) => (0x21, client.ip().octets().to_vec()),
    };
    let here = vec![1; octets.len()];
    let rest = [&octets[..], &here, &[0x13, 0x88, 1, 187], &addition].concat();
    binary(0x21, family, &rest)
}

/// A binary header of any kind.
pub fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}
