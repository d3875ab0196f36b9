//! Host names and addresses, in the one spelling in which they are compared.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Takes a host as a portal's Host header has it: a lower-case DNS name, an IPv4 address,
/// or an IPv6 address in brackets.
///
/// # Errors
/// A sentence that says what is wrong and how to mend it.
pub(super) fn parse_host(text: &str) -> Result<&str, String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return parse_ipv6(inner).map(|_| text);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("'{text}' is an IPv6 address without brackets; write '[{text}]'"));
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return Ok(text);
    }
    if let Some(name) = text.strip_suffix('.') {
        return Err(format!("'{text}' ends with a dot; write '{name}'"));
    }
    if let Some((name, port)) = text.split_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(format!("'{text}' has a port; write '{name}', for every port is the same"));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("'{text}' has capitals; write '{}'", text.to_ascii_lowercase()));
    }
    if text.contains('*') {
        return Err(format!("'{text}' has a star; write out each host name"));
    }
    if !is_name(text, |byte| byte.is_ascii_lowercase()) {
        return Err(format!(
            "'{text}' is not a host name; write labels of a-z, 0-9 and '-' with dots between, \
             and others in punycode (xn--)"
        ));
    }
    Ok(text)
}

/// Takes the host of an upstream, which may be any name that resolves; gives it without
/// brackets, as it is connected to.
///
/// # Errors
/// A sentence that says what is wrong and how to mend it.
pub(super) fn parse_target(text: &str) -> Result<&str, String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return parse_ipv6(inner).map(|_| inner);
    }
    // Names in container networks may have an underscore.
    let is_target = text.parse::<Ipv4Addr>().is_ok()
        || is_name(text, |byte| byte.is_ascii_alphabetic() || byte == b'_');
    if is_target {
        return Ok(text);
    }
    Err("has no host name that could be looked up; write http://HOST:PORT".to_owned())
}

/// One spelling only, the one that browsers send.
fn parse_ipv6(inner: &str) -> Result<Ipv6Addr, String> {
    let parsed: Option<Ipv6Addr> = inner.parse().ok();
    match parsed {
        Some(address) if address.to_string() == inner => Ok(address),
        Some(address) => Err(format!("'[{inner}]' is not its shortest form; write '[{address}]'")),
        None => {
            Err(format!("'[{inner}]' is not an IPv6 address; write one such as '[2001:db8::1]'"))
        }
    }
}

/// A name of RFC 1123. One whose last label is a number would be read as an address.
fn is_name(text: &str, is_letter: impl Fn(u8) -> bool) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_digit())
            || label
                .strip_prefix("0x")
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    text.len() <= 253
        && text.split('.').all(is_label)
        && !text.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::{parse_host, parse_target};

    #[test]
    fn hosts_have_one_spelling() {
        let long = ["a"; 127].join(".");
        for host in
            ["localhost", "wiki.example.com", "10.0.0.1", "[::1]", "xn--caf-dma.example", &long]
        {
            assert_eq!(parse_host(host), Ok(host));
        }
        let labels = [".", "a..b", "-a", "a-", "a_b", "café.example", "a b", "1.2.3", "1.2.3.0x4"];
        let forms = ["", "A.example", "a.example.", "a:80", "::1", "[::01]", "[::1", "*.a", "a/b"];
        let too_long = ["a"; 128].join(".");
        for host in labels.into_iter().chain(forms).chain([too_long.as_str()]) {
            assert!(parse_host(host).is_err(), "{host}");
        }
    }

    #[test]
    fn a_target_is_whatever_resolves() {
        assert_eq!(parse_target("[::1]"), Ok("::1"));
        assert_eq!(parse_target("my_app"), Ok("my_app"));
        assert_eq!(parse_target("10.0.0.1"), Ok("10.0.0.1"));
        for host in ["", "a b", "::1", "a:b", "[x]", "1.2.3", "a..b"] {
            assert!(parse_target(host).is_err(), "{host}");
        }
    }
}
