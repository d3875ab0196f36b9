//! Which portal a request is for, and what in it. Sign for sign, as a rule that opens must
//! match nothing else.

use super::*;
use crate::net::path::RequestPath;
use crate::proxy::context::{Kind, Origin};
use crate::site::house::sites;

fn incoming(method: &str, target: &str) -> Incoming {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let host = Host::parse("wiki.test").unwrap();
    Incoming {
        method: method.to_owned(),
        path: RequestPath::parse(path).unwrap(),
        query,
        kind: Kind::Page,
        origin: Origin { client: None, host, authority: "wiki.test".to_owned(), tls: true },
    }
}

fn goes_to(method: &str, target: &str) -> Destination {
    destination(sites().named("wiki.test"), &incoming(method, target))
}

#[test]
fn a_host_leads_to_its_portal() {
    let sites = sites();
    let at = |host: &str, name: Option<&str>| {
        let site = portal_at(&Host::parse(host).unwrap(), name, &sites);
        site.map(|site| site.portal.name.clone()).ok()
    };
    assert_eq!(at("wiki.test", None).as_deref(), Some("wiki"));
    assert_eq!(at("wiki.test", Some("WIKI.test")).as_deref(), Some("wiki"));
    assert_eq!(at("wiki.test", Some("pages.test")).as_deref(), Some("wiki"));
    for (host, name) in [
        ("other.test", None),
        ("wiki.test", Some("shop.test")),
        ("wiki.test", Some("other.test")),
        ("wiki.test", Some("not a host")),
    ] {
        assert_eq!(at(host, name), None, "{host} over {name:?}");
    }
}

#[test]
fn what_could_be_read_as_ours_is_ours() {
    for target in ["/.mfa", "/.mfa/", "/.mfa/verify?x=1", "/.mfa/../admin", "/.mfa//"] {
        assert_eq!(goes_to("GET", target), Destination::OwnPage, "{target}");
    }
    for target in ["/.mfab", "/x/.mfa/", "//.mfa/", "/%2emfa/"] {
        assert_eq!(goes_to("GET", target), Destination::Protected, "{target}");
    }
    let site = sites();
    let request = incoming("GET", "/.mfa/verify?x");
    assert_eq!(own_page(site.named("wiki.test"), &request), Some("/verify"));
}

#[test]
fn the_login_page_is_open_with_its_own_query_alone() {
    for target in ["/login?do=login", "/login?do=login&id=start", "/login?id=start&do=login"] {
        assert_eq!(goes_to("GET", target), Destination::Login, "{target}");
        assert_eq!(goes_to("HEAD", target), Destination::Login, "{target}");
    }
    // The path alone is public in this portal; what the query says makes it the login page.
    for target in ["/login", "/login?do=edit", "/login?do=login&do=edit", "/login?DO=login"] {
        assert_eq!(goes_to("GET", target), Destination::Public, "{target}");
    }
    assert_eq!(goes_to("POST", "/login?do=login"), Destination::Public);
    assert_eq!(goes_to("GET", "/login/?do=login"), Destination::Protected);
}

#[test]
fn a_public_rule_opens_only_what_it_names() {
    assert_eq!(goes_to("GET", "/static/a/b.css?v=1"), Destination::Public);
    for target in ["/", "/static", "/static/../", "/static/%2e%2e/x", "/static//x", "/Static/x"] {
        assert_eq!(goes_to("GET", target), Destination::Protected, "{target}");
    }
}

#[test]
fn a_password_is_taken_at_one_address() {
    let sites = sites();
    let takes = |method: &str, target: &str| {
        takes_password(sites.named("wiki.test"), &incoming(method, target))
    };
    assert!(takes("POST", "/login") && takes("POST", "/login?do=login"));
    assert!(!takes("GET", "/login") && !takes("POST", "/login/") && !takes("POST", "//login"));
}

#[test]
fn a_sign_out_is_seen_by_path_and_query() {
    let sites = sites();
    let out = |target: &str| signs_out(sites.named("wiki.test"), &incoming("GET", target));
    assert!(out("/doku.php?do=logout") && out("/doku.php?id=start&do=%6cogout"));
    for target in ["/doku.php", "/doku.php?do=login", "/doku.php?do=logout&do=x", "/x?do=logout"] {
        assert!(!out(target), "{target}");
    }
}
