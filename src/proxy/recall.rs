//! What a connection's last request was read as: its cookies, and where it came from. A browser
//! sends the same with nearly every request, and reading them is the longest part of judging one.
//! They are kept as long as the connection, so no longer than the browser that sent them waits for
//! answers.

use std::future::Future;
use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

use super::context::{Origin, Way};
use super::peer::Ends;
use crate::identity::CookieSet;
use crate::mac;
use crate::net::cookies::{CookieError, CookieRules, Cookies};
use crate::net::host::HostError;

tokio::task_local! {
    static LAST: Arc<Recall>;
}

/// The last readings on one connection.
#[derive(Default)]
pub struct Recall {
    cookies: Mutex<Option<Read>>,
    way: Mutex<Option<Arc<Way>>>,
}

/// Cookies as the rules of a portal read them.
struct Read {
    rules: CookieRules,
    /// Copies of their own: lines of a request hold on to all of its head.
    lines: Vec<Box<[u8]>>,
    cookies: Cookies,
    set: CookieSet,
}

impl Recall {
    /// Serves this connection, or a stream of it.
    pub(super) async fn over<T>(self: Arc<Self>, served: impl Future<Output = T>) -> T {
        LAST.scope(self, served).await
    }

    /// The same for what never waits, as a bench asks for it.
    pub fn within<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        LAST.sync_scope(Arc::clone(self), work)
    }

    fn cookies(
        &self,
        rules: &CookieRules,
        headers: &HeaderMap,
    ) -> Result<(Cookies, CookieSet), CookieError> {
        let mut last = self.cookies.lock();
        if let Some(last) = last.as_ref().filter(|last| last.is_of(rules, headers)) {
            return Ok((last.cookies.clone(), last.set.clone()));
        }
        let (cookies, set) = read(rules, headers)?;
        let lines = lines(headers).map(Box::from).collect();
        *last =
            Some(Read { rules: rules.clone(), lines, cookies: cookies.clone(), set: set.clone() });
        Ok((cookies, set))
    }

    fn way(&self, ends: Ends, authority: &str) -> Result<Arc<Way>, HostError> {
        let mut last = self.way.lock();
        if let Some(last) = last.as_ref().filter(|last| last.is_of(ends, authority)) {
            return Ok(Arc::clone(last));
        }
        let way = Arc::new(Way::new(ends, authority)?);
        *last = Some(Arc::clone(&way));
        Ok(way)
    }
}

fn read(rules: &CookieRules, headers: &HeaderMap) -> Result<(Cookies, CookieSet), CookieError> {
    let cookies = Cookies::read(headers, rules)?;
    let set = CookieSet::of_request(&cookies, rules.protected());
    Ok((cookies, set))
}

impl Read {
    /// Whether these lines are the same, byte by byte, and are read by the same rules. Several
    /// people may share a connection to a proxy in front of us: how long it takes tells nobody
    /// where another one's cookies differ.
    fn is_of(&self, rules: &CookieRules, headers: &HeaderMap) -> bool {
        let mut own = self.lines.iter();
        let is_same = |own: &[u8], line: &[u8]| bool::from(mac::same(own, line));
        self.rules.is(rules)
            && lines(headers).all(|line| own.next().is_some_and(|own| is_same(own, line)))
            && own.next().is_none()
    }
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes)
}

/// The cookies of a request, read by the rules of its portal, and the portal's session cookies
/// among them.
///
/// # Errors
/// When a protected name came twice or is imitated (HDR-4).
pub(super) fn cookies(
    rules: &CookieRules,
    headers: &HeaderMap,
) -> Result<(Cookies, CookieSet), CookieError> {
    let recalled = LAST.try_with(|recall| recall.cookies(rules, headers));
    recalled.unwrap_or_else(|_outside_a_connection| read(rules, headers))
}

/// Where the request of this name came from, and what it is addressed to.
///
/// # Errors
/// When the authority is no host.
pub(super) fn origin(ends: Ends, authority: &str, request: &Arc<str>) -> Result<Origin, HostError> {
    let recalled = LAST.try_with(|recall| recall.way(ends, authority));
    let way = recalled.unwrap_or_else(|_| Way::new(ends, authority).map(Arc::new))?;
    Ok(Origin::new(way, request))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::header::COOKIE;
    use http::{HeaderMap, HeaderValue};

    use super::{Ends, Origin, Recall, Way, cookies, origin};
    use crate::net::cookies::{CookieError, CookieRules, Cookies};
    use crate::net::glob::Glob;

    fn lines(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn rules(name: &str) -> CookieRules {
        CookieRules::new(&[Glob::new(name)])
    }

    /// What each request of a connection is read as is what it would be read as alone.
    #[test]
    fn a_request_is_read_as_if_it_came_alone() {
        let (recall, wiki, shop) = (Arc::<Recall>::default(), rules("sid"), rules("basket"));
        let given: [&[&str]; 9] = [
            &["sid=1; basket=2"],
            &["sid=1; basket=2"],
            &["sid=1; basket=3"],
            &["sid=1", "basket=3"],
            &["sid=1", "basket=3"],
            &["sid=1"],
            &["sid=1; sid=1"],
            &[],
            &["sid=1"],
        ];
        for line in given {
            for rules in [&wiki, &wiki, &shop, &wiki] {
                let headers = lines(line);
                let read = recall.within(|| cookies(rules, &headers));
                let alone = Cookies::read(&headers, rules);
                assert_eq!(read.as_ref().map(|(all, _)| all), alone.as_ref(), "{line:?}");
                let Ok((all, set)) = read else { continue };
                let names = rules.protected();
                assert!(set.iter().eq(all.matching(names)), "{line:?}");
            }
        }
    }

    #[test]
    fn the_same_lines_are_read_once_on_one_connection() {
        let (recall, wiki) = (Arc::<Recall>::default(), rules("sid"));
        let headers = lines(&["sid=1; theme=dark"]);
        let whole = |cookies: &Cookies| cookies.for_portal(&[]).unwrap().as_bytes().as_ptr();
        let read = || whole(&cookies(&wiki, &headers).unwrap().0);
        assert_eq!(recall.within(read), recall.within(read));
        assert_ne!(recall.within(read), Arc::<Recall>::default().within(read));
        assert_ne!(recall.within(read), read(), "remembered outside of a connection");
    }

    fn ends(client: &str, tls: bool) -> Ends {
        let client = client.parse().ok();
        Ends { peer: client, client, tls }
    }

    fn shown(origin: &Origin) -> (Ends, Option<&HeaderValue>, &str, &str, &str) {
        let Way { ends, client_line, host, authority } = &**origin;
        (*ends, client_line.as_ref(), host.as_str(), authority, &origin.request)
    }

    /// Neither another client behind the same proxy nor another host of the same connection is
    /// taken for the one before, and each request has its own name.
    #[test]
    fn an_origin_is_what_it_would_be_alone() {
        let recall = Arc::<Recall>::default();
        let (ann, bob) = (ends("192.0.2.7", true), ends("2001:db8::7", true));
        for (number, (ends, authority)) in [
            (ann, "wiki.test"),
            (ann, "wiki.test"),
            (ann, "WIKI.test:443"),
            (bob, "WIKI.test:443"),
            (ends("192.0.2.7", false), "WIKI.test:443"),
            (ends("", true), "wiki.test"),
            (ann, "wiki.test"),
        ]
        .into_iter()
        .enumerate()
        {
            let request = Arc::from(number.to_string());
            let read = recall.within(|| origin(ends, authority, &request)).unwrap();
            let alone = Arc::new(Way::new(ends, authority).unwrap());
            assert_eq!(shown(&read), shown(&Origin::new(alone, &request)));
        }
    }

    #[test]
    fn an_origin_is_read_once_on_one_connection() {
        let (recall, request) = (Arc::<Recall>::default(), Arc::from("7"));
        let read = || origin(ends("192.0.2.7", true), "wiki.test", &request).unwrap();
        let (first, second) = recall.within(|| (read(), read()));
        let way = |origin: &Origin| std::ptr::from_ref::<Way>(origin);
        assert!(way(&first) == way(&second) && way(&first) != way(&read()));
    }

    #[test]
    fn what_is_refused_is_refused_again() {
        let (recall, wiki) = (Arc::<Recall>::default(), rules("sid"));
        for _ in 0..2 {
            let read =
                recall.within(|| origin(ends("192.0.2.7", true), "no host", &Arc::from("7")));
            assert!(read.is_err());
        }
        for _ in 0..2 {
            let read = recall.within(|| cookies(&wiki, &lines(&["sid=1; SID=2"])));
            assert_eq!(read.map(drop), Err(CookieError::Imitation));
        }
    }
}
