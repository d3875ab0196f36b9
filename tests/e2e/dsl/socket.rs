//! A WebSocket as a browser opens it, by hand: the handshake is a request like any other,
//! and a test looks at its very answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Browser, Gateway, client};

/// An open socket.
pub struct Socket(TlsStream<TcpStream>);

/// The head of a handshake with this browser's cookies, without its empty line.
pub fn handshake(browser: &Browser, path: &str) -> String {
    let cookies: Vec<String> =
        browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = match cookies.is_empty() {
        true => String::new(),
        false => format!("Cookie: {}\r\n", cookies.join("; ")),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}",
        browser.host
    )
}

/// Sends the head of a handshake; gives what is answered.
pub async fn refusal(gateway: &Gateway, browser: &Browser, head: &str) -> (u16, String) {
    let bytes = format!("{head}\r\n");
    let answer =
        client::raw(gateway.https(), gateway.trusted(), &browser.host, bytes.as_bytes()).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), answer)
}

impl Socket {
    /// Opens a socket; the handshake must be answered with 101.
    pub async fn open(gateway: &Gateway, browser: &Browser, path: &str) -> Self {
        let mut stream =
            client::tls(gateway.https(), gateway.trusted(), &browser.host, false).await;
        let head = format!("{}\r\n", handshake(browser, path));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        Self(stream)
    }

    /// The next text, or nothing when the socket has ended.
    pub async fn next(&mut self) -> Option<String> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await.ok()?;
        let [kind, length] = head;
        let mut payload = vec![0; usize::from(length & 0x7f)];
        self.0.read_exact(&mut payload).await.ok()?;
        (kind & 0x0f == 1).then(|| String::from_utf8(payload).unwrap())
    }

    /// Sends a short text. A mask of zeros is a mask too (RFC 6455 section 5.3).
    pub async fn say(&mut self, text: &str) {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }
}
