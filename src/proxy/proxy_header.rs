//! The start of a connection at a listener behind a balancer that passes bytes on: the header
//! that names the client, before TLS or anything else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::net::client::TrustedProxies;
use crate::net::proxy_header::{HeaderFault, Named, Step, parse};

/// How long a header may take. A balancer sends it with the connection itself; one packet may
/// be lost on the way.
const DEADLINE: Duration = Duration::from_secs(5);

/// The port of a balancer that named nobody; no socket has it. Such a peer is trusted, and yet
/// it wrote nothing of a request: the lines in it are those of somebody whom it does not know.
pub(super) const NO_PORT: u16 = 0;

/// Why a connection is closed before anything else is read from it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Whoever connects is no trusted proxy: it could name any address.
    #[error("the peer is no trusted proxy")]
    Untrusted,
    /// What it sent is no header.
    #[error(transparent)]
    Malformed(#[from] HeaderFault),
    /// The header did not come to its end in time.
    #[error("the PROXY header did not come in time")]
    Late,
    /// The connection ended before the header did, as that of a plain health check.
    #[error("the connection ended within the PROXY header")]
    Gone,
}

/// Reads the header and not a byte more; gives the address that counts as the peer's from now
/// on: the one that is named. Where the balancer names nobody it is its own, of [`NO_PORT`].
///
/// # Errors
/// [`Refused`]; the connection has to be closed.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    peer: SocketAddr,
    proxies: &TrustedProxies,
) -> Result<SocketAddr, Refused> {
    if !proxies.contains(peer.ip()) {
        return Err(Refused::Untrusted);
    }
    let named =
        tokio::time::timeout(DEADLINE, header(stream)).await.map_err(|_| Refused::Late)??;
    Ok(match named {
        Named::Client(client) => client,
        Named::Own => SocketAddr::new(peer.ip(), NO_PORT),
    })
}

async fn header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Named, Refused> {
    let mut header = Vec::new();
    loop {
        let missing = match parse(&header)? {
            Step::Whole(named) => return Ok(named),
            Step::Needs(missing) => missing,
        };
        let limit = u64::try_from(missing).unwrap_or(u64::MAX);
        let read = (&mut *stream).take(limit).read_to_end(&mut header).await;
        if read.ok() != Some(missing) {
            return Err(Refused::Gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{Refused, read};
    use crate::net::client::TrustedProxies;

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()])
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn the_header_is_taken_and_nothing_that_follows() {
        for (header, expected) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n", "192.0.2.1:5000"),
            ("PROXY UNKNOWN\r\n", "10.0.0.1:0"),
        ] {
            // The pipe holds one byte at a time.
            let (mut near, mut far) = tokio::io::duplex(1);
            let sent = format!("{header}GET");
            let sending = tokio::spawn(async move { near.write_all(sent.as_bytes()).await });
            let named = read(&mut far, at("10.0.0.1:9"), &proxies()).await.unwrap();
            assert_eq!(named, at(expected));
            let mut rest = String::new();
            far.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "GET");
            sending.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_is_read_from_others() {
        let mut bytes = &b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n"[..];
        let refused = read(&mut bytes, at("192.0.2.7:9"), &proxies()).await;
        assert!(matches!(refused, Err(Refused::Untrusted)), "{refused:?}");
        assert_eq!(bytes.len(), 40);
    }

    #[tokio::test]
    async fn a_header_that_does_not_come_to_its_end_is_refused() {
        let mut cut = &b"PROXY TCP4 192.0.2.1"[..];
        let refused = read(&mut cut, at("10.0.0.1:9"), &proxies()).await;
        assert!(matches!(refused, Err(Refused::Gone)), "{refused:?}");
        let mut other = &b"GET / HTTP/1.1\r\n\r\n"[..];
        let refused = read(&mut other, at("10.0.0.1:9"), &proxies()).await;
        assert!(matches!(refused, Err(Refused::Malformed(_))), "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_has_its_time() {
        let (_near, mut far) = tokio::io::duplex(64);
        let refused = read(&mut far, at("10.0.0.1:9"), &proxies()).await;
        assert!(matches!(refused, Err(Refused::Late)), "{refused:?}");
    }
}
