//! Whether a request to the admin listener names it in a way that no stranger controls: by an
//! IP address or as `localhost`. A name in DNS can be pointed here by whoever owns it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::Request;
use axum::http::header;

/// Whether the request's host is an address or `localhost`. The port is not compared: behind a
/// forwarded port it is another one, and whoever rebinds a name controls the name alone.
pub(super) fn is_safe(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    // No host at all (HTTP/1.0), or two that could be read differently, is nobody's request.
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let absolute_form_differs = request
        .uri()
        .authority()
        .is_some_and(|authority| authority.as_str().as_bytes() != host.as_bytes());
    if absolute_form_differs {
        return false;
    }
    host.to_str().is_ok_and(is_local)
}

/// Parsed whole and by the strictest rule there is: what is no address from end to end, with
/// or without a port, is a name.
fn is_local(host: &str) -> bool {
    let bare_v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.parse::<SocketAddr>().is_ok()
        || host.parse::<Ipv4Addr>().is_ok()
        || bare_v6.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        || is_localhost(host)
}

fn is_localhost(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    name.eq_ignore_ascii_case("localhost") && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(hosts: &[&str]) -> Request {
        let mut request = Request::builder().uri("/metrics");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn addresses_and_localhost_are_answered() {
        for host in
            ["127.0.0.1", "127.0.0.1:9443", "[::1]", "[::1]:9443", "LocalHost:1", "192.0.2.7"]
        {
            assert!(is_safe(&asked(&[host])), "{host}");
        }
    }

    #[test]
    fn names_that_somebody_may_own_are_not() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "[::1].evil.example",
            "[evil]",
            "",
        ] {
            assert!(!is_safe(&asked(&[host])), "{host}");
        }
    }

    #[test]
    fn no_host_or_two_are_not() {
        assert!(!is_safe(&asked(&[])));
        assert!(!is_safe(&asked(&["localhost", "evil.example"])));
        assert!(!is_safe(&asked(&["localhost", "localhost"])));
    }

    #[test]
    fn a_target_that_names_another_host_is_not() {
        let request = Request::builder()
            .uri("http://evil.example/metrics")
            .header(header::HOST, "localhost")
            .body(Body::empty())
            .unwrap();
        assert!(!is_safe(&request));
    }
}
