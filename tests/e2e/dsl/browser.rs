//! A browser without scripts: cookies, redirects and forms.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::client::{self, Answer, Call};
use super::html::{self, Form};

/// One person's browser at one portal.
#[derive(Clone)]
pub struct Browser {
    address: SocketAddr,
    trusted: Arc<rustls::ClientConfig>,
    pub host: String,
    pub jar: BTreeMap<String, String>,
    pub http2: bool,
    /// Lines that go with every request, such as the credentials of HTTP Basic.
    pub lines: Vec<(String, String)>,
    /// Where it connects from.
    pub from: Ipv4Addr,
    /// Below which paths a cookie is sent, for those that are not sent everywhere; nothing for
    /// a browser that sends all of them.
    folders: Option<BTreeMap<String, Vec<String>>>,
    /// A line of credentials. A password goes along with everything, as browsers send HTTP
    /// Basic; anything else is a script's own and goes along with its calls alone.
    pub authorization: Option<String>,
}

/// A page that was shown.
#[derive(Clone, Debug)]
pub struct Shown {
    pub path: String,
    pub answer: Answer,
}

impl std::ops::Deref for Shown {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Shown {
    /// The form that has this field, to be filled in.
    pub fn form(&self, field: &str) -> Form {
        html::form_with(&self.body, field)
            .unwrap_or_else(|| panic!("no form with {field} at {}: {}", self.path, self.body))
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        html::plain(&self.body)
    }

    /// Where the answer leads.
    pub fn location(&self) -> &str {
        self.line("location")
            .unwrap_or_else(|| panic!("{} leads nowhere: {:?}", self.path, self.answer))
    }
}

impl Browser {
    pub fn new(address: SocketAddr, trusted: Arc<rustls::ClientConfig>, host: &str) -> Self {
        let (host, jar) = (host.to_owned(), BTreeMap::new());
        let from = Ipv4Addr::LOCALHOST;
        Self {
            address,
            trusted,
            host,
            jar,
            http2: false,
            lines: Vec::new(),
            from,
            folders: None,
            authorization: None,
        }
    }

    /// The same browser, which sends a cookie where its Path says only.
    pub fn with_folders(mut self) -> Self {
        self.folders = Some(BTreeMap::new());
        self
    }

    /// The same browser, which sends this line with every request.
    pub fn with_line(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same browser at another address, 127.0.0.x.
    pub fn from(mut self, last: u8) -> Self {
        self.from = Ipv4Addr::new(127, 0, 0, last);
        self
    }

    /// Opens a path; shows what comes, a redirect as a redirect.
    pub async fn open(&mut self, path: &str) -> Shown {
        let call = self.navigation("GET", path);
        self.visit(path, call).await
    }

    /// Opens a path and goes wherever it leads.
    pub async fn go(&mut self, path: &str) -> Shown {
        let shown = self.open(path).await;
        self.follow(shown).await
    }

    /// Goes wherever an answer leads.
    pub async fn follow(&mut self, mut shown: Shown) -> Shown {
        for _ in 0..10 {
            if !(300..400).contains(&shown.status) {
                return shown;
            }
            let path = self.resolve(&shown.path, shown.location());
            shown = self.open(&path).await;
        }
        panic!("too many redirects, last to {}", shown.location());
    }

    /// Sends a form from the page it stands on.
    pub async fn send(&mut self, page: &Shown, form: &Form) -> Shown {
        let call = self.sending(page, form);
        let path = call.target.clone();
        self.visit(&path, call).await
    }

    /// Sends a form to a path.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let call = self.posting(path, fields);
        self.visit(path, call).await
    }

    /// The request that sends a form from the page it stands on.
    pub fn sending(&self, page: &Shown, form: &Form) -> Call {
        let action = form.action.clone().unwrap_or_else(|| page.path.clone());
        self.posting(&self.resolve(&page.path, &action), &form.pairs())
    }

    /// The request that sends a form to a path.
    pub fn posting(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        let form = Call::post(&self.host, path, fields);
        let mut call = self.navigation("POST", path);
        call.lines.extend(form.lines.into_iter().skip(1));
        call.line("origin", format!("https://{}", self.host)).body(form.body)
    }

    /// A connection of this browser's, for requests of the test's own.
    pub async fn connect(&self) -> client::Connection {
        let trusted = Arc::clone(&self.trusted);
        client::connect_from(self.from, self.address, trusted, &self.host, self.http2).await
    }

    /// The same browser over HTTP/2 or not.
    pub fn over(mut self, http2: bool) -> Self {
        self.http2 = http2;
        self
    }

    /// What a script on a page asks for.
    pub async fn call(&mut self, method: &str, path: &str) -> Shown {
        let call = self.with_cookies(Call::new(method, &self.host, path));
        let call = call.line("accept", "application/json").line("sec-fetch-mode", "cors");
        let call = match &self.authorization {
            Some(line) => call.line("authorization", line),
            None => call,
        };
        self.visit(path, call).await
    }

    /// A request with this browser's cookies, for the test to change.
    pub fn with_cookies(&self, mut call: Call) -> Call {
        call.http2 = self.http2;
        call = self.lines.iter().fold(call, |call, (name, value)| call.line(name, value));
        let sent = self.jar.iter().filter(|(name, _)| self.goes_to(name, &call.target));
        let pairs: Vec<String> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        if self.http2 {
            return pairs.iter().fold(call, |call, pair| call.line("cookie", pair));
        }
        if pairs.is_empty() { call } else { call.line("cookie", pairs.join("; ")) }
    }

    /// Sends a request as it is and takes the cookies of its answer.
    pub async fn visit(&mut self, path: &str, call: Call) -> Shown {
        let (trusted, name) = (Arc::clone(&self.trusted), &call.server_name);
        let connection = client::connect_from(self.from, self.address, trusted, name, call.http2);
        let answer = connection.await.send(call.clone()).await.unwrap();
        self.takes(path, answer)
    }

    /// An answer that came by a way of the test's own: its cookies are kept.
    pub fn takes(&mut self, path: &str, answer: Answer) -> Shown {
        for line in answer.all("set-cookie") {
            self.keep(line);
        }
        Shown { path: path.to_owned(), answer }
    }

    /// The request that opens a path.
    pub fn navigation(&self, method: &str, path: &str) -> Call {
        let call = self.with_cookies(Call::new(method, &self.host, path));
        let call = call.page().line("sec-fetch-site", "same-origin");
        match &self.authorization {
            Some(line) if line.starts_with("Basic ") => call.line("authorization", line),
            _ => call,
        }
    }

    /// Whether a cookie belongs to a request for `target`.
    fn goes_to(&self, name: &str, target: &str) -> bool {
        let path = target.split('?').next().unwrap();
        let folders = self.folders.as_ref().and_then(|folders| folders.get(name));
        folders.is_none_or(|folders| folders.iter().any(|folder| is_below(path, folder)))
    }

    fn keep(&mut self, line: &str) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let attributes = attributes.to_lowercase();
        if name.starts_with("__Host-") {
            let kept = attributes.contains("secure")
                && attributes.contains("path=/")
                && !attributes.contains("domain");
            assert!(kept, "a browser would drop this: {line}");
        }
        let over = attributes.contains("max-age=0") || attributes.contains("1970");
        match over {
            true => self.jar.remove(name),
            false => self.jar.insert(name.to_owned(), value.to_owned()),
        };
        let Some(folders) = &mut self.folders else { return };
        let path = attributes.split(';').find_map(|word| word.trim().strip_prefix("path="));
        match path.filter(|path| *path != "/" && !over) {
            Some(path) => folders.entry(name.to_owned()).or_default().push(path.to_owned()),
            None => _ = folders.remove(name),
        }
    }

    /// The path that a link leads to from another.
    pub fn resolve(&self, base: &str, target: &str) -> String {
        let own = format!("https://{}", self.host);
        let target = target.strip_prefix(&own).unwrap_or(target);
        match target {
            "" => base.to_owned(),
            query if query.starts_with('?') => {
                format!("{}{query}", base.split('?').next().unwrap())
            }
            path => {
                assert!(path.starts_with('/') && !path.starts_with("//"), "led astray: {path}");
                path.to_owned()
            }
        }
    }
}

/// What RFC 6265 calls a path match.
fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.ends_with('/'))
}
