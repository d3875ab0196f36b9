//! What kind of body a request says it has, as every portal takes it: anything that some
//! would read otherwise is of no kind that we read.

use http::{HeaderMap, header};

/// The kind of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// A form as browsers send it unless told otherwise.
    UrlEncoded,
    /// A form with this boundary between its fields.
    Multipart(String),
    /// JSON.
    Json,
    /// Any other.
    Other,
}

impl BodyKind {
    /// The kind that a head gives: one line, letters in UTF-8, and no coding of the whole.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
        let line = lines.next().filter(|_| lines.next().is_none());
        let line = line.and_then(|line| line.to_str().ok());
        match line {
            Some(line) if !headers.contains_key(header::CONTENT_ENCODING) => Self::parse(line),
            Some(_) | None => Self::Other,
        }
    }

    fn parse(line: &str) -> Self {
        let mut parts = line.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        // A comma may begin another kind for those who join lines.
        if line.contains(',') {
            return Self::Other;
        }
        if kind == "multipart/form-data" {
            return boundary(parts).map_or(Self::Other, Self::Multipart);
        }
        let is_json = kind == "application/json"
            || (kind.starts_with("application/") && kind.ends_with("+json"));
        match parts.all(keeps_the_letters) {
            true if kind == "application/x-www-form-urlencoded" => Self::UrlEncoded,
            true if is_json => Self::Json,
            true | false => Self::Other,
        }
    }
}

/// The one boundary, of letters that need no quotes for any reader. Some readers take the first
/// word "boundary" wherever it stands, so nothing else stands there.
fn boundary<'a>(parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut boundary = None;
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("boundary") && boundary.is_none() => {
                boundary = Some(value);
            }
            Some((name, _)) if name.eq_ignore_ascii_case("charset") && keeps_the_letters(part) => {}
            Some(_) | None => return None,
        }
    }
    let boundary = boundary?;
    let plain = boundary.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let boundary = plain.unwrap_or(boundary);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_-./:?".contains(&byte);
    let fits = (1..=70).contains(&boundary.len()) && boundary.bytes().all(is_plain);
    fits.then(|| boundary.to_owned())
}

/// Whether a parameter of a body's type leaves its bytes the letters that we read: some
/// portals decode a body by the character set that it names, and then read another name.
fn keeps_the_letters(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::BodyKind;

    fn kind(line: &str) -> BodyKind {
        let mut headers = HeaderMap::new();
        headers.append("content-type", HeaderValue::from_str(line).unwrap());
        BodyKind::of(&headers)
    }

    #[test]
    fn kinds_are_told_by_their_line() {
        let form = "application/x-www-form-urlencoded";
        for line in
            [form, "Application/X-WWW-Form-URLEncoded", &format!("{form}; charset=\"UTF-8\"")]
        {
            assert_eq!(kind(line), BodyKind::UrlEncoded, "{line}");
        }
        for line in
            ["application/json", "application/json;charset=utf-8", "application/vnd.api+json"]
        {
            assert_eq!(kind(line), BodyKind::Json, "{line}");
        }
        for line in ["b", "----WebKitFormBoundaryx0Y", "\"b-1\""] {
            let expected = BodyKind::Multipart(line.trim_matches('"').to_owned());
            assert_eq!(kind(&format!("multipart/form-data; boundary={line}")), expected);
        }
    }

    #[test]
    fn what_some_read_otherwise_is_of_no_kind() {
        for line in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded; charset=utf-16",
            "application/json; charset=iso-8859-1",
            "application/x-www-form-urlencoded, application/json",
            "application/json; x=1, text/plain",
            "text/json",
            "multipart/form-data",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"b c\"",
            "multipart/form-data; boundary=\"b\\c\"",
            "multipart/form-data; boundary=b; boundary=c",
            "multipart/form-data; boundary=b; Boundary=c",
            "multipart/form-data; xboundary=c; boundary=b",
            "multipart/form-data; boundary*=utf-8''c; boundary=b",
            "multipart/form-data; boundary=b; charset=utf-16",
            "multipart/form-data; boundary=b,c",
            "multipart/form-data; boundary =b",
        ] {
            assert_eq!(kind(line), BodyKind::Other, "{line}");
        }
        let mut headers = HeaderMap::new();
        headers.append("content-type", HeaderValue::from_static("application/json"));
        headers.append("content-type", HeaderValue::from_static("application/json"));
        assert_eq!(BodyKind::of(&headers), BodyKind::Other);
        headers.remove("content-type");
        headers.append("content-type", HeaderValue::from_static("application/json"));
        headers.append("content-encoding", HeaderValue::from_static("gzip"));
        assert_eq!(BodyKind::of(&headers), BodyKind::Other);
    }
}
