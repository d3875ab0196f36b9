//! One entry of a recording as the gateway would have met it: the head of the request and of
//! the answer as header lines, the bodies as bytes.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use zeroize::Zeroizing;

use super::asked::Asked;
use super::har::{Entry, Pair, SetCookie};
use crate::clock::UnixMillis;

/// A request that was recorded, with its answer.
pub(super) struct Recorded {
    /// When it began.
    pub at: UnixMillis,
    /// Which request.
    pub asked: Asked,
    /// Its header lines.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Zeroizing<Vec<u8>>,
    /// What came back, if anything did.
    pub answer: Option<RecordedAnswer>,
}

/// An answer that was recorded.
pub(super) struct RecordedAnswer {
    /// The status code.
    pub status: StatusCode,
    /// Its header lines.
    pub headers: HeaderMap,
    /// Its body, decoded, where the browser wrote it down.
    pub body: Option<Vec<u8>>,
}

/// All requests in the order in which they began, and how many entries were none.
pub(super) fn in_order(entries: Vec<Entry>) -> (Vec<Recorded>, usize) {
    let count = entries.len();
    let mut last = UnixMillis(0);
    let mut all: Vec<Recorded> = Vec::new();
    for entry in &entries {
        // What has no time of its own comes after what stands before it.
        last = UnixMillis::from_rfc3339(entry.started_date_time.trim()).unwrap_or(last);
        all.extend(recorded(last, entry));
    }
    all.sort_by_key(|recorded| recorded.at);
    let odd = count - all.len();
    (all, odd)
}

fn recorded(at: UnixMillis, entry: &Entry) -> Option<Recorded> {
    let request = &entry.request;
    let asked = Asked::parse(&request.method, &request.url).ok()?;
    let mut headers = lines(&request.headers);
    if !headers.contains_key(header::COOKIE) {
        add_cookies(&mut headers, &request.cookies);
    }
    let mut body = Zeroizing::new(Vec::new());
    if let Some(data) = &request.post_data {
        body = data.bytes();
        if !headers.contains_key(header::CONTENT_TYPE)
            && let Ok(kind) = HeaderValue::from_str(&data.mime_type)
        {
            headers.insert(header::CONTENT_TYPE, kind);
        }
    }
    Some(Recorded { at, asked, headers, body, answer: answer(entry) })
}

fn answer(entry: &Entry) -> Option<RecordedAnswer> {
    let response = &entry.response;
    let code = u16::try_from(response.status).ok()?;
    let status = StatusCode::from_u16(code).ok()?;
    let mut headers = lines(&response.headers);
    if !headers.contains_key(header::SET_COOKIE) {
        response.cookies.iter().for_each(|cookie| set_cookie(&mut headers, cookie));
    }
    // The body is written down decoded; the gateway asks for it so.
    headers.remove(header::CONTENT_ENCODING);
    Some(RecordedAnswer { status, headers, body: response.content.bytes() })
}

/// Header lines as they travel. Some browsers write several `Set-Cookie` lines as one.
fn lines(pairs: &[Pair]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs {
        let Ok(name) = HeaderName::from_bytes(pair.name.to_ascii_lowercase().as_bytes()) else {
            continue;
        };
        for line in pair.value.split('\n') {
            if let Ok(value) = HeaderValue::from_str(line.trim())
                && headers.try_append(&name, value).is_err()
            {
                return headers;
            }
        }
    }
    headers
}

fn add_cookies(headers: &mut HeaderMap, cookies: &[Pair]) {
    let pairs: Vec<String> =
        cookies.iter().map(|pair| format!("{}={}", pair.name, pair.value.as_str())).collect();
    if let Ok(line) = HeaderValue::from_str(&pairs.join("; "))
        && !pairs.is_empty()
    {
        headers.insert(header::COOKIE, line);
    }
}

fn set_cookie(headers: &mut HeaderMap, cookie: &SetCookie) {
    let path = cookie.path.as_deref().map(|path| format!("; Path={path}")).unwrap_or_default();
    let line = format!("{}={}{path}", cookie.name, cookie.value.as_str());
    if let Ok(value) = HeaderValue::from_str(&line) {
        let _too_many = headers.try_append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::in_order;
    use crate::cli::explain::har::parse;

    fn all(text: &str) -> (Vec<super::Recorded>, usize) {
        in_order(parse(text.as_bytes()).ok().unwrap())
    }

    #[test]
    fn requests_come_in_the_order_in_which_they_began() {
        let (all, odd) = all(r#"{"log":{"entries":[
            {"startedDateTime":"2026-01-01T10:00:02.5+01:00","request":{"method":"GET","url":"https://a.test/2"}},
            {"request":{"method":"GET","url":"https://a.test/3"}},
            {"startedDateTime":"2026-01-01T09:00:01Z","request":{"method":"GET","url":"https://a.test/1"}},
            {"request":{"method":"GET","url":"data:image/png,x"}}]}}"#);
        let paths: Vec<String> = all.iter().map(|one| one.asked.path_and_query()).collect();
        assert_eq!((paths.join(" ").as_str(), odd), ("/1 /2 /3", 1));
    }

    #[test]
    fn cookies_are_read_wherever_a_browser_wrote_them_down() {
        let (all, _) = all(
            r#"{"log":{"entries":[{"request":{"method":"GET","url":"https://a.test/",
            "cookies":[{"name":"a","value":"1"},{"name":"b","value":"2"}]},
            "response":{"status":200,"headers":[{"name":"Set-Cookie","value":"a=1; Path=/\nb=2"}]}},
            {"request":{"method":"GET","url":"https://a.test/","headers":[{"name":":path","value":"/"}]},
            "response":{"status":200,"cookies":[{"name":"c","value":"3","path":"/x"}]}}]}}"#,
        );
        assert_eq!(all[0].headers[header::COOKIE], "a=1; b=2");
        let set = |index: usize| -> Vec<&str> {
            let headers = &all[index].answer.as_ref().unwrap().headers;
            headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
        };
        assert_eq!(set(0), ["a=1; Path=/", "b=2"]);
        assert_eq!(set(1), ["c=3; Path=/x"]);
    }
}
