//! What of a client's header lines may reach a portal. Names are compared as a CGI portal
//! would see them: letters and digits alone, everything else folded into one sign.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// Names that a proxy sets or that portals trust. A client that sends one in another
/// spelling means to be taken for us.
const TRUSTED: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "client-ip",
    "x-remote-user",
    "remote-user",
    "remote-email",
    "remote-groups",
    "remote-name",
    "x-remote-email",
    "x-remote-group",
    "x-remote-groups",
    "x-remote-name",
    "x-webauth-user",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-user",
    "x-authenticated-user",
    "x-user",
    "x-portal-user",
    "x-portcullis-assertion",
    "portcullis-service-token",
    "ssl-client-cert",
    "ssl-client-verify",
    "ssl-client-s-dn",
    "x-ssl-client-cert",
    "x-ssl-client-verify",
    "x-ssl-client-s-dn",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "proxy",
    "proxy-connection",
    "proxy-authorization",
];

/// How all of these and those families begin: a name that begins otherwise is none of them.
const HEADS: &[&str] =
    &["x-", "forwarded", "true-c", "client-", "remote-", "portcullis-", "ssl-", "proxy", "cf-"];

/// The bytes of a name that no portal takes for another one, as a table: every byte of every
/// name is looked up.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut rest: &mut [bool] = &mut plain;
    let mut byte = 0_u8;
    while let Some((first, after)) = rest.split_first_mut() {
        *first = byte.is_ascii_alphanumeric() || byte == b'-';
        (rest, byte) = (after, byte.wrapping_add(1));
    }
    plain
};

/// Families of names that some server in front of a portal sets.
const TRUSTED_FAMILIES: &[&str] = &["cf-", "x-accel-", "x-sendfile", "x-portcullis-"];

/// What the `Connection` header may name. Anything else would take a line away from the
/// portal that we decided by (RFC 9110 section 7.6.1).
const CONNECTION_OPTIONS: &[&str] = &["keep-alive", "close", "upgrade", "te", "http2-settings"];

/// Whether a client's line of this name stays with us.
pub fn is_trusted_name(name: &str) -> bool {
    if !may_be_trusted(name) {
        return false;
    }
    let folded = fold(name);
    HEADS.iter().any(|head| folded.starts_with(head))
        && (TRUSTED.contains(&&*folded)
            || TRUSTED_FAMILIES.iter().any(|family| folded.starts_with(family)))
}

/// Whether its first two signs leave it open: each request brings many lines, and most are told
/// by these alone. What is no letter folds into a dash, which is taken off in front.
fn may_be_trusted(name: &str) -> bool {
    let fold =
        |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    match name.as_bytes() {
        [first, second, ..] => {
            let two = [fold(*first), fold(*second)];
            two.starts_with(b"-") || HEADS.iter().any(|head| head.as_bytes().starts_with(&two))
        }
        [_] | [] => false,
    }
}

/// Whether the name is written so that a CGI portal takes it for another: `X_Remote_User`,
/// `X.Remote.User`.
pub fn is_disguised(name: &str) -> bool {
    let is_plain = |byte: u8| PLAIN.get(usize::from(byte)).copied().unwrap_or_default();
    if name.bytes().all(is_plain) && !name.ends_with('-') {
        return false;
    }
    let folded = fold(name);
    is_trusted_name(name)
        || matches!(
            &*folded,
            "cookie" | "host" | "content-length" | "transfer-encoding" | "authorization"
        )
}

/// Whether some portal takes a line of this name for one called `wanted`.
pub fn is_spelling_of(name: &str, wanted: &str) -> bool {
    fold(name) == fold(wanted)
}

/// The lines of a client that some portal takes for one called `wanted`.
pub fn spellings_of(headers: &HeaderMap, wanted: &str) -> Vec<HeaderName> {
    headers.keys().filter(|name| is_spelling_of(name.as_str(), wanted)).cloned().collect()
}

/// Whether a line of this name has a meaning of its own, so that it cannot name a user.
pub fn is_sent_by_us(name: &str) -> bool {
    let folded = fold(name);
    let own = [
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "location",
        "origin",
        "set-cookie",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    own.contains(&&*folded) || folded.starts_with("sec-")
}

/// Whether a line of this name tells a portal something else already, so that it cannot be
/// given to what we say of a visitor.
pub fn is_of_the_protocol(name: &str) -> bool {
    let folded = fold(name);
    let own = [
        "accept",
        "age",
        "allow",
        "cache-control",
        "date",
        "expect",
        "forwarded",
        "http2-settings",
        "keep-alive",
        "max-forwards",
        "pragma",
        "priority",
        "proxy",
        "range",
        "referer",
        "te",
        "trailer",
        "user-agent",
        "via",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-real-ip",
        "x-rewrite-url",
    ];
    let families = ["accept-", "content-", "if-", "proxy-", "x-forwarded-", "x-original-"];
    is_sent_by_us(name)
        || own.contains(&&*folded)
        || families.iter().any(|family| folded.starts_with(family))
}

/// Whether `Connection` names nothing but what concerns the connection.
pub fn connection_is_plain(headers: &HeaderMap) -> bool {
    let is_known = |option: &[u8]| {
        CONNECTION_OPTIONS.iter().any(|known| option.eq_ignore_ascii_case(known.as_bytes()))
    };
    headers.get_all(http::header::CONNECTION).iter().map(http::HeaderValue::as_bytes).all(|line| {
        // As a rule it names one.
        let options = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        is_known(line) || options.filter(|option| !option.is_empty()).all(is_known)
    })
}

fn fold(name: &str) -> Cow<'_, str> {
    // Most names are spelled like that already, and each request brings many.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.bytes().all(plain) {
        return Cow::Borrowed(name.trim_matches('-'));
    }
    let dashed: String = name
        .chars()
        .map(|sign| if sign.is_ascii_alphanumeric() { sign.to_ascii_lowercase() } else { '-' })
        .collect();
    Cow::Owned(dashed.trim_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{
        HEADS, TRUSTED, TRUSTED_FAMILIES, connection_is_plain, is_disguised, is_trusted_name,
        may_be_trusted,
    };

    #[test]
    fn every_spelling_of_a_trusted_name_is_known() {
        for name in [
            "X-Remote-User",
            "x_remote_user",
            "X.Remote.User",
            "X-Remote-User-",
            "x-remote-user!",
            "Forwarded",
            "X_Forwarded_For",
            "CF-Connecting-IP",
            "X-Accel-Redirect",
            "X-HTTP-Method-Override",
            "X-Portcullis-Anything",
        ] {
            assert!(is_trusted_name(name), "{name}");
        }
        for name in ["Accept", "Cookie", "X-Requested-With", "X-CSRF-Token", "Authorization"] {
            assert!(!is_trusted_name(name), "{name}");
        }
    }

    #[test]
    fn every_trusted_name_is_looked_for() {
        let families = TRUSTED_FAMILIES.iter().map(|family| format!("{family}x"));
        for name in TRUSTED.iter().map(|name| (*name).to_owned()).chain(families) {
            assert!(HEADS.iter().any(|head| name.starts_with(head)), "{name}");
            assert!(may_be_trusted(&name), "{name}");
            assert!(is_trusted_name(&name) && is_trusted_name(&name.to_uppercase()), "{name}");
            assert!(is_trusted_name(&format!("-{name}")), "{name}");
        }
    }

    #[test]
    fn a_disguise_is_told_from_a_plain_unknown_name() {
        for name in
            ["X_Remote_User", "x.remote.user", "X-Remote-User-", "Transfer_Encoding", "co_okie"]
        {
            assert_eq!(is_disguised(name), name != "co_okie", "{name}");
        }
        for name in ["X-Remote-User", "my_header", "Cookie"] {
            assert!(!is_disguised(name), "{name}");
        }
    }

    #[test]
    fn connection_may_name_only_what_concerns_the_connection() {
        let check = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append("connection", HeaderValue::from_static(value));
            connection_is_plain(&headers)
        };
        for value in ["close", "Keep-Alive", "keep-alive, Upgrade", "TE", "", "close,"] {
            assert!(check(value), "{value}");
        }
        for value in
            ["close, X-Remote-User", "Cookie", "x-forwarded-for", "\"cookie\"", "close;cookie"]
        {
            assert!(!check(value), "{value}");
        }
        assert!(connection_is_plain(&HeaderMap::new()));
    }
}
