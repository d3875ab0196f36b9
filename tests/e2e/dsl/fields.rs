//! A login's fields as a generous portal reads them: from the query, from a form of either
//! kind and from JSON, whatever the request calls it; of two with one name the last.

use std::collections::HashMap;

use axum::http::{HeaderMap, header};

/// Reads all fields of a request.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    query: Option<&str>,
) -> HashMap<String, String> {
    let mut fields = urlencoded(query.unwrap_or_default().as_bytes());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let text = String::from_utf8_lossy(body);
    fields.extend(match kind.and_then(|kind| kind.split_once("boundary=")) {
        Some((_, boundary)) => multipart(&text, boundary),
        None if text.starts_with('{') => serde_json::from_str(&text).unwrap_or_default(),
        None => urlencoded(body),
    });
    fields
}

fn urlencoded(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn multipart(text: &str, boundary: &str) -> HashMap<String, String> {
    text.split(&format!("--{boundary}"))
        .filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let name = head.split_once("name=\"")?.1.split('"').next()?;
            Some((name.to_owned(), value.trim_end_matches("\r\n").to_owned()))
        })
        .collect()
}
