//! A WebSocket as a browser's page opens it; and its handshake by hand, which is a request
//! like any other, for a test that looks at the very answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::{Browser, Gateway, client};

/// How long to listen before nothing counts as nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub struct Socket(WebSocketStream<TlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket; the handshake must be answered with 101.
    pub async fn open(gateway: &Gateway, browser: &Browser, path: &str) -> Self {
        let to = (gateway.https(), gateway.trusted());
        Self::open_by(to, browser, path).await
    }

    /// The same at this gateway itself, past any balancer.
    pub async fn open_at(gateway: &Gateway, browser: &Browser, path: &str) -> Self {
        let to = (gateway.own_https(), gateway.own_trusted());
        Self::open_by(to, browser, path).await
    }

    async fn open_by(
        (address, trusted): (SocketAddr, Arc<rustls::ClientConfig>),
        browser: &Browser,
        path: &str,
    ) -> Self {
        let host = &browser.host;
        let stream = client::tls(address, trusted, host, false).await;
        let mut request = format!("wss://{host}{path}").into_client_request().unwrap();
        let mut line = |name: &'static str, value: String| {
            request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
        };
        line("origin", format!("https://{host}"));
        let pairs = browser.jar.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        if !cookies.is_empty() {
            line("cookie", cookies);
        }
        Self(tokio_tungstenite::client_async(request, stream).await.unwrap().0)
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next text, or nothing when the socket has ended.
    pub async fn next(&mut self) -> Option<String> {
        let heard = tokio::time::timeout(PATIENCE, self.0.next()).await;
        match heard.expect("nothing was heard")? {
            Ok(Message::Text(text)) => Some(text.to_string()),
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(other) => panic!("not expected: {other:?}"),
        }
    }
}

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
