//! What a request is for. Sign for sign, as a rule that opens must match nothing else.

use super::*;
use crate::site::house::sites;

fn asked<T>(method: &str, text: &str, what: impl Fn(&Portal, Target<'_>) -> T) -> T {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let path = RequestPath::parse(path).unwrap();
    what(&sites().named("wiki.test").portal, Target { method, path: &path, query })
}

fn goes_to(method: &str, target: &str) -> Destination {
    asked(method, target, |portal, target| {
        purpose(portal, target, Origin { client: None, host: "wiki.test" }).destination
    })
}

#[test]
fn what_could_be_read_as_ours_is_ours() {
    for target in ["/.mfa", "/.mfa/", "/.mfa/verify?x=1", "/.mfa/../admin", "/.mfa//"] {
        assert_eq!(goes_to("GET", target), Destination::OwnPage, "{target}");
    }
    for target in ["/.mfab", "/x/.mfa/", "//.mfa/", "/%2emfa/"] {
        assert_eq!(goes_to("GET", target), Destination::Protected, "{target}");
    }
    let rest = asked("GET", "/.mfa/verify?x", |portal, target| {
        own_page(portal, target.path).map(str::to_owned)
    });
    assert_eq!(rest.as_deref(), Some("/verify"));
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
    let takes = |method: &str, target: &str| asked(method, target, takes_password);
    assert!(takes("POST", "/login") && takes("POST", "/login?do=login"));
    assert!(!takes("GET", "/login") && !takes("POST", "/login/") && !takes("POST", "//login"));
}

#[test]
fn a_sign_out_is_seen_by_path_and_query() {
    let out = |target: &str| asked("GET", target, signs_out);
    assert!(out("/doku.php?do=logout") && out("/doku.php?id=start&do=%6cogout"));
    for target in ["/doku.php", "/doku.php?do=login", "/doku.php?do=logout&do=x", "/x?do=logout"] {
        assert!(!out(target), "{target}");
    }
}
