//! HTTP as a client speaks it, with full control of every line; and raw bytes, for what no
//! library would send.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn;
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub target: String,
    /// The name in the TLS handshake.
    pub server_name: String,
    /// Lines in order, `host` included.
    pub lines: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Whether to speak HTTP/2.
    pub http2: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub lines: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    pub fn new(method: &str, host: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            server_name: host.to_owned(),
            lines: vec![("host".to_owned(), host.as_bytes().to_vec())],
            body: Vec::new(),
            http2: false,
        }
    }

    pub fn get(host: &str, target: &str) -> Self {
        Self::new("GET", host, target)
    }

    /// A form as browsers send it.
    pub fn post(host: &str, target: &str, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        Self::new("POST", host, target)
            .line("content-type", "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    /// One more line; the same name twice is two lines.
    pub fn line(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.lines.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// As a browser that navigates asks.
    pub fn page(self) -> Self {
        self.line("accept", "text/html").line("sec-fetch-mode", "navigate")
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Another `Host` than the name in the handshake.
    pub fn host(mut self, host: &str) -> Self {
        self.lines[0].1 = host.as_bytes().to_vec();
        self
    }

    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    fn whole(&self) -> Full<Bytes> {
        Full::new(Bytes::from(self.body.clone()))
    }

    fn request<B>(&self, body: B) -> hyper::Request<B> {
        let target = match self.http2 {
            // In HTTP/2 the host is the authority.
            true => format!("https://{}{}", String::from_utf8_lossy(&self.lines[0].1), self.target),
            false => self.target.clone(),
        };
        let mut request = hyper::Request::builder()
            .method(self.method.as_str())
            .uri(target)
            .body(body)
            .unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let skipped = usize::from(self.http2);
        for (name, value) in self.lines.iter().skip(skipped) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request
    }
}

impl Answer {
    /// The one value of a line; more than one is a fault of the test's subject.
    pub fn line(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} came {} times", values.len());
        values.first().copied()
    }

    /// All values of a line.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let here = |line: &&(String, String)| line.0 == name;
        self.lines.iter().filter(here).map(|(_, value)| value.as_str()).collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// Sends one request over TLS on a connection of its own.
pub async fn send(address: SocketAddr, trusted: Arc<rustls::ClientConfig>, call: Call) -> Answer {
    try_send(address, trusted, call).await.unwrap()
}

/// The same, for requests that the server may cut off.
pub async fn try_send(
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    call: Call,
) -> Result<Answer, hyper::Error> {
    let mut connection = connect(address, trusted, &call.server_name, call.http2).await;
    connection.send(call).await
}

/// A connection over which requests go: one after the other, or in HTTP/2 all at once
/// through clones.
pub enum Connection {
    One(conn::http1::SendRequest<Full<Bytes>>),
    Two(conn::http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// The same connection, for another request at the same time.
    pub fn share(&self) -> Self {
        match self {
            Self::One(_) => panic!("HTTP/1.1 answers one request at a time"),
            Self::Two(sender) => Self::Two(sender.clone()),
        }
    }

    pub async fn send(&mut self, call: Call) -> Result<Answer, hyper::Error> {
        read(self.try_begin(&call).await?).await
    }

    /// Gives the answer as soon as its head is there.
    pub async fn begin(&mut self, call: &Call) -> hyper::Response<Incoming> {
        self.try_begin(call).await.unwrap()
    }

    async fn try_begin(&mut self, call: &Call) -> Result<hyper::Response<Incoming>, hyper::Error> {
        let request = call.request(call.whole());
        match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Two(sender) => sender.send_request(request).await,
        }
    }
}

/// Opens a connection over TLS.
pub async fn connect(
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    server_name: &str,
    http2: bool,
) -> Connection {
    connect_from(Ipv4Addr::LOCALHOST, address, trusted, server_name, http2).await
}

/// The same from another address of this machine.
pub async fn connect_from(
    from: Ipv4Addr,
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    server_name: &str,
    http2: bool,
) -> Connection {
    let stream = TokioIo::new(tls_from(from, address, trusted, server_name, http2).await);
    if http2 {
        let handshake = conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, driver) = handshake.unwrap();
        tokio::spawn(driver);
        return Connection::Two(sender);
    }
    let (sender, driver) = conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(driver);
    Connection::One(sender)
}

/// Sends one request with a body of any kind; gives the answer as soon as its head is there.
pub async fn begin<B>(
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    call: &Call,
    body: B,
) -> Result<hyper::Response<Incoming>, hyper::Error>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(tls(address, trusted, &call.server_name, call.http2).await);
    if call.http2 {
        let (mut sender, driver) = conn::http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(driver);
        sender.send_request(call.request(body)).await
    } else {
        let (mut sender, driver) = conn::http1::handshake(stream).await?;
        tokio::spawn(driver);
        sender.send_request(call.request(body)).await
    }
}

/// Sends one request without TLS.
pub async fn plain(address: SocketAddr, call: Call) -> Answer {
    let mut connection = connect_plainly(address).await.unwrap();
    connection.send(call).await.unwrap()
}

/// Opens a connection without TLS, where somebody listens.
pub async fn connect_plainly(address: SocketAddr) -> std::io::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let begun = conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, driver) = begun.map_err(std::io::Error::other)?;
    tokio::spawn(driver);
    Ok(Connection::One(sender))
}

/// Writes bytes as they are over TLS, and gives all that comes back before the end or before
/// the server has been silent for a while.
pub async fn raw(
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    server_name: &str,
    bytes: &[u8],
) -> String {
    let mut stream = tls(address, trusted, server_name, false).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    let silence = std::time::Duration::from_secs(3);
    while let Ok(Ok(read)) = tokio::time::timeout(silence, stream.read(&mut chunk)).await {
        answer.extend_from_slice(&chunk[..read]);
        if read == 0 || answer.ends_with(b"\r\n\r\n") || is_complete(&answer) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A TLS connection to the gateway.
pub async fn tls(
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    server_name: &str,
    http2: bool,
) -> TlsStream<TcpStream> {
    tls_from(Ipv4Addr::LOCALHOST, address, trusted, server_name, http2).await
}

/// The same from another address of this machine.
pub async fn tls_from(
    from: Ipv4Addr,
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    server_name: &str,
    http2: bool,
) -> TlsStream<TcpStream> {
    let mut config = (*trusted).clone();
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let stream = socket.connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Makes `tls.crt` and `tls.key` in `folder`, and a client that trusts them.
pub fn certificate(folder: &Path, hosts: &[String]) -> Arc<rustls::ClientConfig> {
    let made = rcgen::generate_simple_self_signed(hosts.to_vec()).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Reads an answer to its end.
pub async fn read(response: hyper::Response<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Answer {
        status: head.status.as_u16(),
        lines: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Whether an answer of known length is all there.
fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.trim().parse().ok()).is_some_and(|length| body.len() >= length)
}
