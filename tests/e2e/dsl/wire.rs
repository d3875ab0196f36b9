//! A request whose every byte the test chooses, over HTTP/1.1 and over HTTP/2: no library on
//! this side mends or refuses it.

use std::net::Ipv4Addr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::{Browser, Gateway, client};

/// What a server that hangs up without an answer counts as.
pub const CUT: u16 = 0;

/// Which protocol carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Both protocols.
pub const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Wire {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    /// `Host` or `:authority`.
    pub host: Vec<u8>,
    /// The name in the TLS handshake.
    pub server_name: String,
    pub lines: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where it comes from.
    pub from: Ipv4Addr,
}

impl Wire {
    pub fn get(host: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: b"GET".to_vec(),
            target: target.as_ref().to_vec(),
            host: host.as_bytes().to_vec(),
            server_name: host.to_owned(),
            lines: Vec::new(),
            from: Ipv4Addr::LOCALHOST,
        }
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.as_bytes().to_vec();
        self
    }

    /// Another host than the name in the handshake.
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.host = host.as_ref().to_vec();
        self
    }

    pub fn line(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.lines.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// From another address, 127.0.0.x.
    pub fn from(mut self, last: u8) -> Self {
        self.from = Ipv4Addr::new(127, 0, 0, last);
        self
    }

    /// As a browser that navigates asks.
    pub fn page(self) -> Self {
        self.line("accept", "text/html").line("sec-fetch-mode", "navigate")
    }

    /// With the cookies of a browser, in one line.
    pub fn cookies_of(self, browser: &Browser) -> Self {
        let pairs = browser.jar.iter().map(|(name, value)| format!("{name}={value}"));
        self.line("cookie", pairs.collect::<Vec<_>>().join("; "))
    }

    /// Sends it on a connection of its own; gives the status, or [`CUT`].
    pub async fn send(&self, gateway: &Gateway, protocol: Protocol) -> u16 {
        let http2 = protocol == Protocol::Http2;
        let (address, trusted) = (gateway.https(), gateway.trusted());
        let name = &self.server_name;
        let mut stream = client::tls_from(self.from, address, trusted, name, http2).await;
        let bytes = if http2 { self.frames() } else { self.text() };
        stream.write_all(&bytes).await.unwrap();
        match protocol {
            Protocol::Http1 => status_line(&mut stream).await,
            Protocol::Http2 => status_field(&mut stream, 1).await,
        }
    }

    /// The request in HTTP/1.1.
    pub fn text(&self) -> Vec<u8> {
        let host = (b"host".to_vec(), self.host.clone());
        let mut text = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        for (name, value) in std::iter::once(&host).chain(&self.lines) {
            text.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        text
    }

    /// The opening of a connection in HTTP/2, and the request as its first stream.
    pub fn frames(&self) -> Vec<u8> {
        let settings = frame(4, 0, 0, &[]);
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &self.stream(1)].concat()
    }

    /// The request as one stream.
    pub fn stream(&self, id: u32) -> Vec<u8> {
        let mut block = Vec::new();
        let fields: [(&[u8], &[u8]); 4] = [
            (b":method", &self.method),
            (b":scheme", b"https"),
            (b":authority", &self.host),
            (b":path", &self.target),
        ];
        for (name, value) in fields {
            field(&mut block, name, value);
        }
        for (name, value) in &self.lines {
            field(&mut block, &name.to_ascii_lowercase(), value);
        }
        const END_OF_HEADERS_AND_STREAM: u8 = 0x4 | 0x1;
        frame(1, END_OF_HEADERS_AND_STREAM, id, &block)
    }
}

/// Sends bytes as they are and gives the status of each answer until the server hangs up.
pub async fn statuses(gateway: &Gateway, host: &str, bytes: &[u8]) -> Vec<u16> {
    let mut stream = client::tls(gateway.https(), gateway.trusted(), host, false).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let patience = std::time::Duration::from_secs(20);
    // A server that hangs up without the closing words of TLS is as gone as any other.
    let _ = tokio::time::timeout(patience, reading).await.expect("the server did not hang up");
    let text = String::from_utf8_lossy(&answer);
    let heads = text.match_indices("HTTP/1.1 ").map(|(at, mark)| &text[at + mark.len()..]);
    heads.map(|rest| rest[..3].parse().unwrap()).collect()
}

/// The status of the first answer in HTTP/1.1.
async fn status_line(stream: &mut (impl AsyncRead + Unpin)) -> u16 {
    let mut line = [0; 12];
    match stream.read_exact(&mut line).await {
        Ok(_) => std::str::from_utf8(&line[9..]).unwrap().parse().unwrap(),
        Err(_) => CUT,
    }
}

/// The status of a stream in HTTP/2.
pub async fn status_field(stream: &mut (impl AsyncRead + Unpin), wanted: u32) -> u16 {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const GO_AWAY: u8 = 7;
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return CUT;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        let whole = stream.read_exact(&mut payload).await.is_ok();
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match head[3] {
            HEADERS if whole && id == wanted => return status_of(&payload),
            RESET if id == wanted => return CUT,
            GO_AWAY => return CUT,
            _ if whole => {}
            _ => return CUT,
        }
    }
}

/// The first field of a block of header fields, which is the status (RFC 7541).
fn status_of(mut block: &[u8]) -> u16 {
    // Changes of the table's size may come first.
    while block[0] & 0xe0 == 0x20 {
        block = &block[1..];
    }
    match block[0] {
        indexed @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        0x48 | 0x08 | 0x18 => {
            let length = usize::from(block[1] & 0x7f);
            let value = &block[2..2 + length];
            if block[1] & 0x80 == 0 {
                return std::str::from_utf8(value).unwrap().parse().unwrap();
            }
            digits(value)
        }
        other => panic!("a block that does not begin with a status: {other:#x}"),
    }
}

/// Three digits in the code of RFC 7541, appendix B.
fn digits(value: &[u8]) -> u16 {
    let bits: String = value.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut rest = bits.as_str();
    let mut number = 0;
    for _ in 0..3 {
        let short = u16::from_str_radix(&rest[..5], 2).unwrap();
        let (digit, length) = match short {
            0..=2 => (short, 5),
            _ => (u16::from_str_radix(&rest[..6], 2).unwrap() - 0b01_1001 + 3, 6),
        };
        number = number * 10 + digit;
        rest = &rest[length..];
    }
    number
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A literal field that no table keeps.
fn field(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    for text in [name, value] {
        length(block, text.len());
        block.extend(text);
    }
}

fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(length as u8);
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}
