//! The name a request is for. One spelling per host, so that a portal cannot be reached
//! under a name that the configuration does not know.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::cut;

/// Why a `Host` or `:authority` is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host name of the request is not well-formed")]
pub struct HostError;

/// A host in lower case, without port and without a closing dot. A copy shares its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host(Arc<str>);

impl Host {
    /// Reads `name`, `name:port`, `name.` or `[v6]:port`.
    ///
    /// # Errors
    /// When it is empty, holds user information, spaces or anything else that no host has.
    pub fn parse(authority: &str) -> Result<Self, HostError> {
        let (name, port) = split_port(authority)?;
        let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        if port.is_some_and(|port| !digits(port) || port.parse::<u16>().is_err()) {
            return Err(HostError);
        }
        let mut name = name.to_ascii_lowercase();
        if name.ends_with('.') {
            name.pop();
        }
        if is_v6(&name) || is_dns_name(&name) { Ok(Self(name.into())) } else { Err(HostError) }
    }

    /// The host as it is compared and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), HostError> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(HostError)?;
        let (name, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((name, Some(port))),
            None if rest.is_empty() => Ok((name, None)),
            None => Err(HostError),
        };
    }
    Ok(cut(authority, b':'))
}

fn is_v6(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

fn is_dns_name(name: &str) -> bool {
    // Each request names one, so it is gone through once. A label neither begins nor ends with
    // a dash.
    let (mut label, mut before) = (0, b'.');
    for byte in name.bytes() {
        label = match (byte, before) {
            (b'.', b'.' | b'-') | (b'-', b'.') => return false,
            (b'.', _) => 0,
            (b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z', _) if label < 63 => label + 1,
            _ => return false,
        };
        before = byte;
    }
    (1..=253).contains(&name.len()) && !matches!(before, b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn one_host_has_one_spelling() {
        for text in [
            "wiki.example.com",
            "WIKI.Example.COM",
            "wiki.example.com.",
            "wiki.example.com:8443",
            "Wiki.example.com.:443",
        ] {
            assert_eq!(Host::parse(text).unwrap().as_str(), "wiki.example.com", "{text}");
        }
        assert_eq!(Host::parse("[::1]:8443").unwrap().as_str(), "[::1]");
        assert_eq!(Host::parse("127.0.0.1:1").unwrap().as_str(), "127.0.0.1");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let texts = [
            "",
            ".",
            "a..b",
            "a.example, b.example",
            "a.example/../b",
            "user@a.example",
            "a b",
            "a.example:",
            "a.example:x",
            "a.example:99999",
            "a.example:+1",
            "a_b.example",
            "-a.example",
            "a.example..",
            "[::1",
            "[::g]",
            "[::1]x",
            "é.example",
            "a.example:80:80",
            "a-.example",
            "a.-example",
            "a.example-",
            &format!("{}.example", "a".repeat(64)),
            &"a.".repeat(128),
            "a\0b",
        ];
        for text in texts {
            let parsed = Host::parse(text);
            assert!(parsed.is_err(), "{text:?} gave {parsed:?}");
        }
    }
}
