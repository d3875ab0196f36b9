//! Where a user goes after one of our pages: a path on the same portal, or `/`.

/// A path that a browser resolves on the same host, whatever it does with odd signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Our own pages that one may be led back to.
const OURS: [&str; 7] = [
    "/",
    "/authenticators",
    "/authenticators/add",
    "/authenticators/move",
    "/recovery-codes",
    "/sessions",
    "/vouch",
];
/// What may stand behind one of them: which authenticator is meant.
const WHICH: &str = "/authenticators/move?id=";

/// The longest path that is kept, in bytes.
const LONGEST: usize = 2048;

impl ReturnTo {
    /// The start page.
    pub fn start() -> Self {
        Self("/".to_owned())
    }

    /// Keeps `text` if it is safe, else goes to the start page. A page of ours under
    /// `prefix` is no place to return to.
    pub fn parse(text: &str, prefix: &str) -> Self {
        if is_safe(text) && !is_below(text, prefix) { Self(text.to_owned()) } else { Self::start() }
    }

    /// The same for a way that may lead back to one of our own pages, after a code was given
    /// there. Which of them is a closed list: none of them does anything by being looked at.
    pub fn parse_ours(text: &str, prefix: &str) -> Self {
        let page = text.strip_prefix(prefix);
        match page.is_some_and(is_page_of_ours) && is_safe(text) {
            true => Self(text.to_owned()),
            false => Self::parse(text, prefix),
        }
    }

    /// Whether it leads to one of our own pages.
    pub fn is_ours(&self, prefix: &str) -> bool {
        is_below(&self.0, prefix)
    }

    /// The same for a `Location` of the portal, which may name one of its own `hosts`.
    pub fn from_location(location: &str, base: &str, hosts: &[String], prefix: &str) -> Self {
        let without_scheme =
            ["https://", "http://"].iter().find_map(|scheme| location.strip_prefix(scheme));
        let head = location.split(['/', '?', '#']).next().unwrap_or_default();
        if without_scheme.is_none() && head.contains(':') {
            return Self::start();
        }
        let Some(rest) = without_scheme else {
            return Self::parse(&resolve(location, base), prefix);
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let ours = super::host::Host::parse(authority)
            .is_ok_and(|host| hosts.iter().any(|known| known == host.as_str()));
        match path {
            _ if !ours => Self::start(),
            "" => Self::start(),
            path => Self::parse(path, prefix),
        }
    }

    /// The path, safe in a `Location` header and in HTML once escaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the value of a query key.
    pub fn as_query_value(&self) -> String {
        percent_encoding::utf8_percent_encode(&self.0, percent_encoding::NON_ALPHANUMERIC)
            .to_string()
    }
}

/// A relative reference as a path beside `base`. Nothing when it names a scheme, a host or a
/// path from the root, which mean the same wherever they stand.
pub fn beside(reference: &str, base: &str) -> Option<String> {
    let head = reference.split(['/', '?', '#']).next().unwrap_or_default();
    let relative = !reference.starts_with('/') && !head.contains(':');
    relative.then(|| resolve(reference, base))
}

/// A relative reference becomes a path beside `base`; `?query` stays on it.
fn resolve(location: &str, base: &str) -> String {
    if location.starts_with('/') {
        return location.to_owned();
    }
    if location.is_empty() || location.starts_with(['?', '#']) {
        return format!("{base}{location}");
    }
    let folder = base.rfind('/').map_or("/", |end| base.get(..=end).unwrap_or("/"));
    format!("{folder}{location}")
}

/// One slash, printable ASCII, and nothing that a browser reads as the start of a host:
/// backslashes count as slashes there, and so do their escapes to some servers.
fn is_safe(text: &str) -> bool {
    let printable = |byte: u8| (0x21..0x7f).contains(&byte) && byte != b'\\';
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let hidden = ["%2f", "%5c", "%25", "%00", "%09", "%0a", "%0d"];
    let dots = |segment: &str| matches!(segment.replace("%2e", ".").as_str(), "." | "..");
    text.len() <= LONGEST
        && path.starts_with('/')
        && text.bytes().all(printable)
        && !path.contains("//")
        && !path.starts_with("/@")
        && !path.contains("/;")
        && !hidden.iter().any(|escape| lower.contains(escape))
        && !lower.split('/').any(dots)
}

fn is_page_of_ours(page: &str) -> bool {
    let opaque = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'_');
    let which = page.strip_prefix(WHICH);
    OURS.contains(&page) || which.is_some_and(|id| id.len() == 22 && id.bytes().all(opaque))
}

fn is_below(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::ReturnTo;

    #[test]
    fn a_path_on_the_portal_is_kept() {
        for path in ["/", "/home", "/a/b?c=d&e=%2F", "/doku.php?id=start", "/a#part", "/caf%C3%A9"]
        {
            assert_eq!(ReturnTo::parse(path, "/.mfa").as_str(), path);
        }
    }

    #[test]
    fn anything_else_goes_to_the_start_page() {
        let long = format!("/{}", "a".repeat(8192));
        let paths = [
            "",
            "//e",
            "/\\e",
            "\\\\e",
            "/%2f/e",
            "/%5ce",
            "https:e",
            "https:/e",
            "https://e",
            "///e",
            "/\te",
            "/a\r\nb",
            "/a\0b",
            "javascript:alert(1)",
            "data:text/html,x",
            "/.//e",
            "/;@e",
            "portal.example.com.e",
            "portal.example.com@e",
            "//portal.example.com:80@e",
            "/。e",
            "/%252f",
            "/a/../..//e",
            "/..",
            "/%2e%2e/e",
            "/@e",
            "/.mfa/verify",
            "/.mfa",
            "/.mfa?x=1",
            " /a",
            "?a",
            long.as_str(),
        ];
        for path in paths {
            assert_eq!(ReturnTo::parse(path, "/.mfa").as_str(), "/", "{path:?}");
        }
    }

    #[test]
    fn a_code_leads_back_to_a_few_pages_of_ours_alone() {
        let id = "A".repeat(22);
        let moving = format!("/.mfa/authenticators/move?id={id}");
        for page in ["/.mfa/", "/.mfa/authenticators", "/.mfa/sessions", "/.mfa/vouch", &moving] {
            let kept = ReturnTo::parse_ours(page, "/.mfa");
            assert!(kept.as_str() == page && kept.is_ours("/.mfa"));
            assert_eq!(ReturnTo::parse(page, "/.mfa").as_str(), "/", "{page}");
        }
        for page in [
            "/.mfa",
            "/.mfa/logout",
            "/.mfa/verify",
            "/.mfa/verify?return_to=/.mfa/verify",
            "/.mfa/reset",
            "/.mfa/vouch?colleague=alice",
            "/.mfa/authenticators/",
            "/.mfa/authenticators?action=remove",
            "/.mfa/authenticators/move?id=1",
            "/.mfa/authenticators/../logout",
            "//.mfa/authenticators",
            "/.mfa//e",
            "/.mfa/\\e",
            "https://e/.mfa/authenticators",
            &format!("{moving}&x=y"),
        ] {
            assert_eq!(ReturnTo::parse_ours(page, "/.mfa").as_str(), "/", "{page}");
        }
        let kept = ReturnTo::parse_ours("/home", "/.mfa");
        assert!(kept.as_str() == "/home" && !kept.is_ours("/.mfa"));
    }

    #[test]
    fn a_location_of_the_portal_becomes_a_path() {
        let hosts = ["wiki.example.com".to_owned()];
        let check = |location: &str, expected: &str| {
            let found = ReturnTo::from_location(location, "/app/login.php", &hosts, "/.mfa");
            assert_eq!(found.as_str(), expected, "{location}");
        };
        check("/home?x=1", "/home?x=1");
        check("https://wiki.example.com/home", "/home");
        check("http://WIKI.example.com:80/home?a", "/home?a");
        check("https://wiki.example.com", "/");
        check("https://evil.example/home", "/");
        check("https://wiki.example.com@evil.example/", "/");
        check("//evil.example/x", "/");
        check("javascript:x", "/");
        check("data:text/html,x", "/");
        check("index.php", "/app/index.php");
        check("?id=start", "/app/login.php?id=start");
    }
}
