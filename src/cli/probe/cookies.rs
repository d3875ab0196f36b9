//! Names of a portal's cookies, as patterns that hold for other visitors and other hosts.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

/// A number made for one site or one visitor.
static HEX: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("[0-9a-f]{12,}|[0-9A-F]{12,}").ok());

/// The name of a cookie, with a star for what differs between sites: a long number, or the
/// host and port under which the portal was probed.
pub(super) fn pattern(name: &str, at: &Url) -> String {
    let mut pattern = name.to_owned();
    let host = at.host_str().unwrap_or_default();
    let port = at.port().map(|port| port.to_string());
    for joint in ["-", "_", "."] {
        let spelt = host.replace(['.', ':'], joint);
        let with_port = port.as_ref().map(|port| format!("{spelt}{joint}{port}"));
        for part in with_port.into_iter().chain([spelt]).filter(|part| part.len() > 3) {
            pattern = pattern.replace(&part, "*");
        }
    }
    if let Some(hex) = &*HEX {
        pattern = hex.replace_all(&pattern, "*").into_owned();
    }
    // A star alone would stand for every cookie.
    if pattern.chars().filter(|sign| *sign != '*').count() < 2 { name.to_owned() } else { pattern }
}

/// Whether a cookie's name speaks of a session or of who is signed in.
pub(super) fn sounds_like_a_session(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = ["sess", "sid", "auth", "login", "logged", "token", "jwt", "remember", "user"];
    let forgery = ["csrf", "xsrf"];
    words.iter().any(|word| name.contains(word)) && !forgery.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_sites_becomes_a_star() {
        let at = Url::parse("http://127.0.0.1:8888/").unwrap();
        let check = |name: &str, expected: &str| assert_eq!(pattern(name, &at), expected);
        check("sessionid", "sessionid");
        check("wordpress_logged_in_86a9106ae65537651a8e456835b316ab", "wordpress_logged_in_*");
        check("DWe7125bb0dd2c1551c12f5193c468bd0f", "DW*");
        check("username-127-0-0-1-8888", "username-*");
        check("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn a_token_against_forgery_is_no_session() {
        assert!(sounds_like_a_session("PHPSESSID") && sounds_like_a_session("connect.sid"));
        assert!(!sounds_like_a_session("csrftoken") && !sounds_like_a_session("lang"));
    }
}
