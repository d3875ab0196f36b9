//! A WebSocket as a browser's page opens it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Browser, Gateway, client};

/// How long to listen before nothing counts as nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<TlsStream<TcpStream>>);

impl Socket {
    /// Opens one with the browser's cookies; gives the status where that is refused.
    pub async fn open(gateway: &Gateway, browser: &Browser, path: &str) -> Result<Self, u16> {
        let host = &browser.host;
        let stream = client::tls(gateway.https(), gateway.trusted(), host, false).await;
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
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message; nothing once it is closed or cut.
    pub async fn hear(&mut self) -> Option<String> {
        let heard = tokio::time::timeout(PATIENCE, self.0.next()).await;
        match heard.expect("nothing was heard")? {
            Ok(Message::Text(text)) => Some(text.to_string()),
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(other) => panic!("not expected: {other:?}"),
        }
    }
}
