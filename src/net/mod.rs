//! The shapes that cross the edge: paths, hosts, cookies, headers. Strings from outside are
//! parsed here once; inside live types that cannot hold what was refused.

pub mod address;
pub mod agent;
pub mod client;
pub mod cookie_line;
pub mod cookies;
pub mod email;
pub mod glob;
pub mod headers;
pub mod host;
pub mod json;
pub mod json_object;
pub mod kind;
pub mod language;
pub mod lines;
pub mod mail_address;
pub mod path;
pub mod proxy_header;
pub mod public_mail;
pub mod return_to;
pub mod set_cookie;
pub mod user_line;

#[cfg(test)]
mod properties;

/// What stands before the first `sign`, a character of ASCII, and what stands behind it, where it
/// is there. Each request is cut several times, and the library takes longer.
fn cut(text: &str, sign: u8) -> (&str, Option<&str>) {
    match memchr::memchr(sign, text.as_bytes()).and_then(|at| text.split_at_checked(at)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (text, None),
    }
}
