//! How what is seen becomes what is known of the portal.

use url::Url;

use super::cookies;
use super::exchange::Attempt;
use super::inside::Visitor;
use super::page::Html;
use super::written::{Learned, Names, Told};
use crate::cli::http::Page;
use crate::net::path::RequestPath;

impl Learned {
    /// A portal of which only the address is known.
    pub(super) fn of(url: &Url, host: Option<&str>) -> Self {
        let own = url.host_str().unwrap_or_default();
        let host = host.unwrap_or(own).to_owned();
        let first = host.split('.').next().unwrap_or_default();
        let is_name = first.starts_with(|sign: char| sign.is_ascii_lowercase())
            && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && host != "localhost";
        Self {
            name: if is_name { first.to_owned() } else { "portal".to_owned() },
            host,
            upstream: url.origin().ascii_serialization(),
            notes: Vec::new(),
            logins: Vec::new(),
            basic: None,
            session_cookies: Vec::new(),
            bearer: None,
            rotation: None,
            whoami: None,
            names: Names::untried(),
            login_url: None,
            logout: None,
            public: Vec::new(),
            is_spa: false,
        }
    }

    /// Adds something that whoever reads this has to know.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// Notes how the portal led on.
    pub(super) fn led(&mut self, pages: &[Page]) {
        if let [first, .., last] = pages {
            self.note(&format!("{} leads to {}.", first.url.path(), last.url.path()));
        }
        if let Some(to) = pages.last().and_then(Page::leads_to) {
            let host = to.host_str().unwrap_or_default();
            self.note(&format!(
                "The portal leads on to another host, {host}: it was not followed."
            ));
        }
    }

    /// What a visitor's browser loads before they are signed in.
    pub(super) fn look_at(&mut self, page: &Page) {
        let html = Html::read(&page.text());
        let base = html.base.as_deref().and_then(|base| page.url.join(base).ok());
        let base = base.unwrap_or_else(|| page.url.clone());
        let mut programs = false;
        for asset in &html.assets {
            let Some(url) = base.join(asset).ok().filter(|url| url.origin() == page.url.origin())
            else {
                continue;
            };
            let is_canonical =
                RequestPath::parse(url.path()).is_ok_and(|path| path.canonical().is_some());
            if !is_canonical || url.path().contains('*') {
                continue;
            }
            if !is_file(url.path()) {
                programs = true;
            } else if !self.public.iter().any(|known| known == url.path()) {
                self.public.push(url.path().to_owned());
            }
        }
        self.public.truncate(40);
        if programs {
            self.note(
                "The login page also loads what is no plain file; it is not public below, since \
                 it may show more than style.",
            );
        }
        if html.passwords() > 1 {
            self.note(
                "The login page has more than one field for a password: name every address \
                 that takes one.",
            );
        }
    }

    /// Opens a second page of the login, which comes before anybody is signed in.
    pub(super) fn opens(&mut self, page: &Url) {
        if page.path() == self.form_path() {
            return;
        }
        self.note(
            "The page that asks for the password is public below, since it comes before the \
             sign-in: see that it shows nothing else.",
        );
        self.public.push(page.path().to_owned());
    }

    /// Keeps the login page, without where it leads afterwards, and gives its address.
    pub(super) fn login_at(&mut self, url: &Url, why: &str) -> Url {
        let leads = |value: &str| value.starts_with('/') || value.contains("://");
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .into_owned()
            .filter(|(_, value)| !leads(value) && value.len() <= 32)
            .collect();
        let mut page = url.clone();
        page.set_fragment(None);
        page.set_query(None);
        if !kept.is_empty() {
            page.query_pairs_mut().extend_pairs(&kept);
        }
        let path = page.path().to_owned();
        let text = page.query().map_or(path.clone(), |query| format!("{path}?{query}"));
        self.login_url = Some(Told::new(text, why));
        page
    }

    /// The path of the login page; a slash where there is none.
    pub(super) fn form_path(&self) -> &str {
        let url = self.login_url.as_ref().map_or("/", |url| url.value.as_str());
        url.split_once('?').map_or(url, |(path, _)| path)
    }

    /// Keeps the session's cookies, or those that look like it where none could be tried.
    pub(super) fn session(
        &mut self,
        visitor: &Visitor,
        found: Vec<Told<String>>,
        changing: &[String],
        blind: bool,
        right: &Attempt,
    ) {
        self.session_cookies = found;
        if self.session_cookies.is_empty() {
            self.note(match blind {
                true => {
                    "No page was found that differs for who is signed in, so the session's \
                         cookies could not be tried out: they are those of the visitor."
                }
                false => "No single cookie was found on which the session hangs; all are named.",
            });
            for name in visitor.jar.names() {
                let pattern = cookies::pattern(&name, &right.answer.url);
                if !self.session_cookies.iter().any(|known| known.value == pattern) {
                    self.session_cookies.push(Told::new(pattern, "present after the login"));
                }
            }
            let sounds = |name: &Told<String>| cookies::sounds_like_a_session(&name.value);
            if self.session_cookies.iter().any(sounds) {
                self.session_cookies.retain(sounds);
            }
        }
        let why = match changing {
            [] => "it stayed as it was over a few requests".to_owned(),
            names => {
                let names = names.join(", ");
                if self.whoami.is_none() {
                    self.note(&format!(
                        "The portal changes {names} from request to request, and no page was \
                         found that names the user: with reverify each change asks for a code. \
                         Set whoami, then follow is safe."
                    ));
                }
                format!("{names} changes from request to request")
            }
        };
        let follows = self.whoami.is_some() && !changing.is_empty();
        self.rotation = Some(Told::new(if follows { "follow" } else { "reverify" }, why));
    }
}

/// Whether a path is a plain file that says nothing of users.
fn is_file(path: &str) -> bool {
    let kinds = [
        "css",
        "js",
        "mjs",
        "svg",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "ico",
        "woff",
        "woff2",
        "ttf",
        "webmanifest",
        "map",
    ];
    let end = path.rsplit('/').next().unwrap_or_default();
    end.rsplit_once('.').is_some_and(|(_, kind)| kinds.contains(&kind.to_lowercase().as_str()))
}
