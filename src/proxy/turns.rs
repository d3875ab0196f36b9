//! The connection of a WebSocket to its portal. After each write, its next read waits for one
//! turn of the task. The framework sees the end of a handshake's empty body and the portal's
//! 101 in either order when both are there, and takes an end that comes after the 101 for the
//! end of the WebSocket: a portal that answered at once lost its socket now and then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora_core::connectors::l4::Connect;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_error::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Opens such connections, within the time that a connection may take.
#[derive(Debug)]
pub(super) struct TakingTurns(pub(super) std::time::Duration);

#[async_trait]
impl Connect for TakingTurns {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let address = address.as_inet().copied();
        let address = address
            .ok_or_else(|| Error::explain(ErrorType::ConnectError, "not an address of TCP"))?;
        let connected = tokio::time::timeout(self.0, TcpStream::connect(address)).await;
        let tcp = connected
            .map_err(|_| Error::explain(ErrorType::ConnectTimedout, "the portal is silent"))?
            .map_err(|error| {
                Error::because(ErrorType::ConnectError, "the portal is away", error)
            })?;
        Ok(VirtualSocketStream::new(Box::new(Turns { tcp, wrote: false })).into())
    }
}

#[derive(Debug)]
struct Turns {
    tcp: TcpStream,
    wrote: bool,
}

impl VirtualSocket for Turns {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.tcp.set_nodelay(true),
            // Nobody asks for these; the framework may learn more of them.
            VirtualSockOpt::KeepAlive(_) | _ => Ok(()),
        }
    }
}

impl AsyncRead for Turns {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.wrote) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Turns {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_read_after_a_write_lets_others_go_first() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut portal, _) = listener.accept().await.unwrap();
        portal.write_all(b"101").await.unwrap();
        tcp.readable().await.unwrap();
        let mut turns = Turns { tcp, wrote: false };
        turns.write_all(b"GET").await.unwrap();
        let mut space = [0; 3];
        let first = poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut space);
            Poll::Ready(Pin::new(&mut turns).poll_read(context, &mut buffer).is_pending())
        });
        assert!(first.await, "the answer was read before its turn");
        turns.read_exact(&mut space).await.unwrap();
        assert_eq!(&space, b"101");
    }
}
