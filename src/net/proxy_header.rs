//! The header of the PROXY protocol, versions 1 and 2, by which a balancer that passes bytes on
//! says whose connection it is. Strict: what is not exactly such a header is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The start of version 2: no line of text that a client sends by mistake.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family, length.
const FIXED: usize = 16;
/// What every receiver takes of version 2; the rest of room is for additions that we skip.
const LONGEST_BINARY: usize = 536;
const WORD: &[u8] = b"PROXY ";
/// `PROXY UNKNOWN` and the end of the line.
const SHORTEST_TEXT: usize = 15;
/// The longest line of version 1.
const LONGEST_TEXT: usize = 107;

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// At least that many more bytes belong to it: whoever reads no more leaves what follows.
    Needs(usize),
    /// It is there, with whose connection it names.
    Whole(Named),
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// This client's.
    Client(SocketAddr),
    /// The balancer's own, as for its health checks; or it does not know.
    Own,
}

/// Why something is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// It begins as neither version does.
    #[error("the connection does not begin with a PROXY header")]
    NotThere,
    /// It is longer than its version allows.
    #[error("the PROXY header is too long")]
    TooLong,
    /// The line of version 1 is not as it should be.
    #[error("the line of the PROXY header is malformed")]
    Text,
    /// The version, command, family or length of version 2 are not as they should be.
    #[error("the binary PROXY header is malformed")]
    Binary,
}

/// Reads what there is of a header, of which no more may have come than was asked for.
///
/// # Errors
/// [`HeaderFault`], as soon as it can no longer become a header.
pub fn parse(bytes: &[u8]) -> Result<Step, HeaderFault> {
    if bytes.is_empty() {
        // It may be either; a line is the shorter one.
        return Ok(Step::Needs(SHORTEST_TEXT));
    }
    if begins(bytes, SIGNATURE) {
        return binary(bytes);
    }
    if begins(bytes, WORD) {
        return text(bytes);
    }
    Err(HeaderFault::NotThere)
}

/// Whether `bytes` begin with `start`, as far as they go.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

fn text(bytes: &[u8]) -> Result<Step, HeaderFault> {
    let missing = SHORTEST_TEXT.saturating_sub(bytes.len());
    match bytes {
        [line @ .., b'\r', b'\n'] => {
            let line = std::str::from_utf8(line).ok().filter(|line| !line.contains(['\r', '\n']));
            Ok(Step::Whole(line.and_then(named).ok_or(HeaderFault::Text)?))
        }
        _ if bytes.contains(&b'\n') => Err(HeaderFault::Text),
        _ if bytes.len() >= LONGEST_TEXT => Err(HeaderFault::TooLong),
        [.., b'\r'] => Ok(Step::Needs(1)),
        // The end of the line alone is two bytes.
        _ => Ok(Step::Needs(missing.max(if bytes.len() + 1 == LONGEST_TEXT { 1 } else { 2 }))),
    }
}

fn named(line: &str) -> Option<Named> {
    let rest = line.strip_prefix("PROXY ")?;
    // Whatever a balancer adds that does not know is to be ignored.
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Some(Named::Own);
    }
    let words: Vec<&str> = rest.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return None;
    };
    let ports = port(source_port).zip(port(destination_port));
    let (source_port, _) = ports?;
    let source = match family {
        "TCP4" => pair::<Ipv4Addr>(source, destination)?,
        "TCP6" => pair::<Ipv6Addr>(source, destination)?,
        _ => return None,
    };
    Some(client(source, source_port))
}

/// The first of two addresses that are both of one kind.
fn pair<T: FromStr + Into<IpAddr>>(source: &str, destination: &str) -> Option<IpAddr> {
    destination.parse::<T>().ok()?;
    source.parse::<T>().ok().map(Into::into)
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| digits && shortest)
}

fn client(address: IpAddr, port: u16) -> Named {
    Named::Client(SocketAddr::new(address.to_canonical(), port))
}

fn binary(bytes: &[u8]) -> Result<Step, HeaderFault> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Step::Needs(FIXED - bytes.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST_BINARY {
        return Err(HeaderFault::TooLong);
    }
    match length.checked_sub(rest.len()) {
        Some(0) => {}
        Some(missing) => return Ok(Step::Needs(missing)),
        None => return Err(HeaderFault::Binary),
    }
    let named = match (command, family) {
        // The balancer speaks for itself, whatever else it says.
        (0x20, _) | (0x21, 0x00) => Some(Named::Own),
        (0x21, 0x11) => source::<4, 12>(rest),
        (0x21, 0x21) => source::<16, 36>(rest),
        // UDP and sockets of the balancer's own machine are no way to come here.
        _ => None,
    };
    Ok(Step::Whole(named.ok_or(HeaderFault::Binary)?))
}

/// Two addresses and two ports of that many bytes together; what follows is skipped.
fn source<const ADDRESS: usize, const ALL: usize>(rest: &[u8]) -> Option<Named>
where
    IpAddr: From<[u8; ADDRESS]>,
{
    let (all, _additions) = rest.split_first_chunk::<ALL>()?;
    let (source, _) = all.split_first_chunk::<ADDRESS>()?;
    let (_, ports) = all.split_at_checked(2 * ADDRESS)?;
    let (port, _) = ports.split_first_chunk::<2>()?;
    Some(client(IpAddr::from(*source), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests;
