//! The same lines for a collector of logs: RFC 5424, over UDP, TCP or the machine's own socket.
//! The file is the log; what a collector does not take is lost to it, and counted.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::line::Link;
use crate::config::telemetry::Syslog;
use crate::telemetry::metrics::Metrics;

/// Lines that wait for the collector.
const MOST_WAITING: usize = 4096;
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Facility authpriv (10) at severity informational (6), RFC 5424 section 6.2.1.
const PRIORITY: u8 = 10 * 8 + 6;

/// Takes lines, and holds up nobody.
pub(super) struct Feed(SyncSender<String>);

impl Feed {
    /// Begins to send to this collector, in a thread of its own that ends with the feed.
    pub(super) fn begin(to: Syslog, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (sender, lines) = sync_channel(MOST_WAITING);
        let sending = Sending { to, metrics, stream: None, is_down: false };
        let thread = std::thread::Builder::new().name("syslog".to_owned());
        thread.spawn(move || sending.run(&lines))?;
        Ok(Self(sender))
    }

    /// Sends lines as soon as the collector takes them.
    pub(super) fn send(&self, lines: Vec<String>, metrics: &Metrics) {
        for line in lines {
            if self.0.try_send(line).is_err() {
                metrics.syslog_failure();
            }
        }
    }
}

struct Sending {
    to: Syslog,
    metrics: Arc<Metrics>,
    /// The connection, where there has to be one.
    stream: Option<TcpStream>,
    is_down: bool,
}

impl Sending {
    fn run(mut self, lines: &Receiver<String>) {
        while let Ok(line) = lines.recv() {
            // A collector that was restarted closes what it had: a second connection may do.
            let sent = self.send(&line).or_else(|_| self.send(&line));
            match sent {
                Ok(()) => self.is_down = false,
                Err(error) => {
                    self.metrics.syslog_failure();
                    if !self.is_down {
                        tracing::error!(%error, "the collector takes no lines of the audit log");
                    }
                    self.is_down = true;
                }
            }
        }
    }

    fn send(&mut self, line: &str) -> std::io::Result<()> {
        let message = message(line);
        match &self.to {
            Syslog::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.send_to(message.as_bytes(), path).map(|_| ())
            }
            Syslog::Udp { host, port } => {
                let mut last = std::io::Error::other("the collector has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    let from = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(from)?.send_to(message.as_bytes(), address) {
                        Ok(_) => return Ok(()),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Syslog::Tcp { host, port } => {
                let mut stream = match self.stream.take() {
                    Some(stream) => stream,
                    None => connected(host, *port)?,
                };
                // Counted octets, so that a line may hold anything (RFC 6587 section 3.4.1).
                stream.write_all(format!("{} {message}", message.len()).as_bytes())?;
                self.stream = Some(stream);
                Ok(())
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            let _closed_already = stream.shutdown(Shutdown::Write);
        }
    }
}

fn connected(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the collector has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A message of RFC 5424: which machine it is the collector knows better than we do.
fn message(line: &str) -> String {
    let at = line.split_once("\"at\":\"").and_then(|(_, rest)| rest.split_once('"'));
    let at = at.map_or("-", |(at, _)| at);
    let event = Link::read(line.as_bytes()).map_or_else(|| "-".to_owned(), |link| link.event);
    let process = std::process::id();
    format!("<{PRIORITY}>1 {at} - portcullis {process} {event} - {line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::Hash;
    use crate::audit::line::Draft;
    use crate::audit::{By, Entry, Event};
    use crate::clock::UnixMillis;

    #[test]
    fn a_message_is_of_rfc_5424() {
        let entry = Entry::new(Event::Started, By::Gateway);
        let line = Draft::of(UnixMillis(1_795_529_100_045), &entry).placed(1, Hash::NONE);
        let process = std::process::id();
        assert_eq!(
            message(&line),
            format!("<86>1 2026-11-24T14:05:00.045Z - portcullis {process} started - {line}")
        );
    }
}
