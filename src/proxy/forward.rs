//! Stage 6b: the request as the portal gets it. Only a [`Passage`], which holds a permit,
//! comes here. Edits can be repeated: a retry makes them again.

use http::header;
use pingora_http::RequestHeader;

use super::context::Passage;
use crate::net::headers::trusted_names;

/// Turns the client's request into the portal's: our cookies and every line that only a
/// proxy may set are gone, and ours are set once.
///
/// # Errors
/// When a line cannot be written; then nothing goes to the portal.
pub(super) fn clean(request: &mut RequestHeader, passage: &Passage) -> pingora_error::Result<()> {
    for name in trusted_names(&request.headers) {
        request.remove_header(&name);
    }
    for name in [header::EXPECT.as_str(), "keep-alive", "te", "trailer"] {
        request.remove_header(name);
    }
    origin_form(request);
    request.remove_header(&header::COOKIE);
    if let Some(line) = &passage.cookie_line {
        request.insert_header(header::COOKIE, line.as_str())?;
    }
    let origin = &passage.origin;
    request.insert_header(header::HOST, origin.authority.as_str())?;
    if let Some(client) = origin.client {
        request.insert_header("X-Forwarded-For", client.to_string())?;
    }
    request.insert_header("X-Forwarded-Proto", if origin.tls { "https" } else { "http" })?;
    request.insert_header("X-Forwarded-Host", origin.authority.as_str())?;
    Ok(())
}

/// `GET http://host/path` becomes `GET /path`: the portal decides by the path, as we did.
fn origin_form(request: &mut RequestHeader) {
    if request.raw_path().first() == Some(&b'/') {
        return;
    }
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    if let Ok(uri) = target.parse() {
        request.set_uri(uri);
    }
}

#[cfg(test)]
mod tests {
    use pingora_http::RequestHeader;

    use super::origin_form;

    #[test]
    fn the_portal_sees_a_path() {
        for (given, expected) in [
            ("/a/b?c=d", "/a/b?c=d"),
            ("/a//../b;x?c", "/a//../b;x?c"),
            ("http://wiki.test/a?b", "/a?b"),
        ] {
            let mut request = RequestHeader::build("GET", given.as_bytes(), None).unwrap();
            origin_form(&mut request);
            assert_eq!(std::str::from_utf8(request.raw_path()).unwrap(), expected);
        }
    }
}
