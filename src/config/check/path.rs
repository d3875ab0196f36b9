//! Paths that a request is compared with exactly.

use crate::config::fault::Findings;
use crate::config::key_path::KeyPath;
use crate::net::path::RequestPath;

/// Takes a path that has only one reading, without query.
pub(super) fn exact_path(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let fault = if text.contains('?') {
        Some(("has a query", "write the path alone"))
    } else if text.contains('*') {
        Some(("has a star, and is compared letter by letter", "write out the path"))
    } else {
        canonical_fault(text)
    };
    if let Some((what, mend)) = fault {
        findings.fault(at, format!("'{text}' {what}"), mend);
        return None;
    }
    Some(text.to_owned())
}

/// What is wrong with a path and an optional query.
pub(super) fn target_fault(text: &str) -> Option<(&'static str, &'static str)> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte);
    if !query.bytes().all(is_plain) {
        return Some(("has a query that no address may hold", "escape it as a browser does"));
    }
    canonical_fault(path)
}

/// What is wrong with a path that no request would ever be equal to.
pub(super) fn canonical_fault(text: &str) -> Option<(&'static str, &'static str)> {
    if !text.starts_with('/') {
        return Some((
            "does not start with a slash",
            "write the path from the root, such as /login",
        ));
    }
    let parsed = RequestPath::parse(text).ok();
    if parsed.is_some_and(|path| path.canonical().is_some()) {
        return None;
    }
    let mend = "leave out '//', '.', '..', ';', backslashes and escaped characters that need none";
    Some(("is not canonical, so no request would match it", mend))
}

/// Whether the pages of Portcullis hide this path of the portal.
pub(super) fn is_hidden(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Refuses a path of the portal that the pages of Portcullis hide.
pub(super) fn refuse_hidden(
    path: Option<&str>,
    prefix: Option<&str>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let (Some(path), Some(prefix)) = (path, prefix) else {
        return;
    };
    if is_hidden(path, prefix) {
        let what = format!("'{path}' is hidden by the pages under {prefix}");
        findings.fault(at, what, "set the portal's prefix to a path that it does not use");
    }
}
