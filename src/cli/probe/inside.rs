//! What a visitor is who is signed in: by which cookies the portal knows them, whether these
//! change, where it says who they are, and where they sign out.

use url::Url;

use super::ProbeError;
use super::cookies;
use super::page::{Html, Kind};
use super::written::{Logout, Told};
use crate::cli::http::{Client, Extra, HttpError, Page};
use crate::cli::jar::Jar;
use crate::net::glob::Glob;

/// Somebody at the portal.
#[derive(Clone)]
pub(super) struct Visitor {
    /// Their cookies.
    pub(super) jar: Jar,
    /// What they send as `Authorization`.
    pub(super) authorization: Option<String>,
}

impl Visitor {
    /// Nobody, who was never there.
    pub(super) fn nobody() -> Self {
        Self { jar: Jar::default(), authorization: None }
    }

    /// Asks for a page, without being led on.
    async fn ask(&mut self, client: &Client, url: &Url) -> Result<Page, HttpError> {
        self.ask_for(client, url, None).await
    }

    /// The same, with what is wanted.
    ///
    /// # Errors
    /// When the portal cannot be read.
    pub(super) async fn ask_for(
        &mut self,
        client: &Client,
        url: &Url,
        accept: Option<&str>,
    ) -> Result<Page, HttpError> {
        let authorization = self.authorization.as_deref();
        let extra = Extra { authorization, accept, ..Extra::default() };
        client.send(&mut self.jar, &http::Method::GET, url, extra).await
    }

    fn with(&self, jar: Jar) -> Self {
        Self { jar, authorization: self.authorization.clone() }
    }
}

/// A page that is another one for who is signed in.
pub(super) struct Inside {
    pub(super) page: Page,
    sign: Sign,
}

/// What tells the page for who is signed in from the one for everybody.
enum Sign {
    Status(u16),
    Name(String),
    NoPassword,
    WayOut,
}

impl Inside {
    /// Whether a page is the one for who is signed in.
    fn is(&self, page: &Page) -> bool {
        match &self.sign {
            Sign::Status(status) => page.status.as_u16() == *status,
            Sign::Name(name) => page.text().to_lowercase().contains(name),
            Sign::NoPassword => page.status.is_success() && passwords(page) == 0,
            Sign::WayOut => logout(page).is_some(),
        }
    }
}

fn sign(inside: &Page, outside: &Page, user: &str) -> Option<Sign> {
    let name = user.to_lowercase();
    let names = |page: &Page| page.text().to_lowercase().contains(&name);
    if !inside.status.is_success() {
        return None;
    }
    if inside.status != outside.status {
        return Some(Sign::Status(inside.status.as_u16()));
    }
    if passwords(inside) == 0 && passwords(outside) > 0 {
        return Some(Sign::NoPassword);
    }
    if logout(inside).is_some() && logout(outside).is_none() {
        return Some(Sign::WayOut);
    }
    (name.len() > 2 && names(inside) && !names(outside)).then_some(Sign::Name(name))
}

fn passwords(page: &Page) -> usize {
    Html::read(&page.text()).passwords()
}

/// The pages among `urls` that are others for who is signed in.
///
/// # Errors
/// When the portal cannot be read.
pub(super) async fn pages(
    client: &Client,
    visitor: &Visitor,
    urls: &[Url],
    user: &str,
) -> Result<Vec<Inside>, ProbeError> {
    let mut found: Vec<Inside> = Vec::new();
    for url in urls {
        let mut led = visitor.clone();
        let page = follow(client, &mut led, url).await?;
        if found.iter().any(|known| known.page.url == page.url) {
            continue;
        }
        let outside = Visitor::nobody().ask(client, &page.url).await?;
        if let Some(sign) = sign(&page, &outside, user) {
            found.push(Inside { page, sign });
        }
    }
    Ok(found)
}

/// Asks for a page and goes where the portal leads.
///
/// # Errors
/// When the portal cannot be read.
pub(super) async fn follow(
    client: &Client,
    visitor: &mut Visitor,
    url: &Url,
) -> Result<Page, ProbeError> {
    let mut page = visitor.ask(client, url).await?;
    for _ in 0..8 {
        match page.leads_to().filter(|url| client.is_own(url)) {
            Some(url) => page = visitor.ask(client, &url).await?,
            None => break,
        }
    }
    Ok(page)
}

/// The cookies by which the portal knows its session: each without which the visitor is
/// signed out, and each that is enough alone. What a visitor has who was refused, `refused`,
/// with the same value, is nobody's: bound to it, all users would share one session.
///
/// # Errors
/// When the portal cannot be read.
pub(super) async fn session_cookies(
    client: &Client,
    visitor: &Visitor,
    refused: &Jar,
    pages: &[Inside],
) -> Result<Vec<Told<String>>, ProbeError> {
    let mut found: Vec<Told<String>> = Vec::new();
    let own = visitor.jar.names().into_iter().filter(|name| !visitor.jar.shares(refused, name));
    for name in own {
        let mut why = None;
        for inside in pages {
            let mut without = visitor.with(visitor.jar.without(&name));
            let mut only = visitor.with(visitor.jar.only(&name));
            if !inside.is(&without.ask(client, &inside.page.url).await?) {
                why = Some("without it the portal knows nobody");
            } else if inside.is(&only.ask(client, &inside.page.url).await?) {
                why = why.or(Some("it alone is enough for the portal"));
            }
        }
        found.extend(why.map(|why| Told::new(name, why)));
    }
    Ok(as_patterns(found, &visitor.jar.names(), client.origin()))
}

/// Names as patterns, unless one would stand for a cookie that is no part of the session.
fn as_patterns(found: Vec<Told<String>>, names: &[String], at: &Url) -> Vec<Told<String>> {
    let is_session = |name: &String| found.iter().any(|known| known.value == *name);
    let others: Vec<&String> = names.iter().filter(|name| !is_session(name)).collect();
    let mut patterns: Vec<Told<String>> = Vec::new();
    for Told { value: name, why } in found.clone() {
        let pattern = cookies::pattern(&name, at);
        let glob = Glob::new(pattern.clone());
        let pattern = match others.iter().find(|other| glob.matches(other)) {
            Some(other) => {
                let why = format!("{why}; not as a pattern, which would stand for {other} too");
                Told::new(name, why)
            }
            None => Told::new(pattern, why),
        };
        if !patterns.iter().any(|known| known.value == pattern.value) {
            patterns.push(pattern);
        }
    }
    patterns
}

/// The cookies that the portal changed over a few requests. Asked before any cookie is taken
/// away, since portals doubt a session that came without one.
///
/// # Errors
/// When the portal cannot be read.
pub(super) async fn changing(
    client: &Client,
    visitor: &Visitor,
    pages: &[Inside],
) -> Result<Vec<String>, ProbeError> {
    let Some(inside) = pages.first() else { return Ok(Vec::new()) };
    let mut later = visitor.clone();
    for _ in 0..3 {
        later.ask(client, &inside.page.url).await?;
    }
    let changed = |name: &String| !visitor.jar.shares(&later.jar, name);
    let names = visitor.jar.names().into_iter().filter(changed);
    Ok(names.collect())
}

const SIGN_OUT: &[&str] =
    &["logout", "signout", "sign-out", "sign_out", "log-out", "logoff", "log_out"];

/// The link or form that signs out.
pub(super) fn logout(page: &Page) -> Option<Told<Logout>> {
    let html = Html::read(&page.text());
    let base = html.base.as_deref().and_then(|base| page.url.join(base).ok());
    let base = base.unwrap_or_else(|| page.url.clone());
    let forms = html.forms.iter();
    let by_form = forms.filter_map(|form| {
        let url = base.join(form.action.as_deref().unwrap_or_default()).ok()?;
        let button =
            form.fields.iter().find(|field| field.kind == Kind::Submit && says(&field.name));
        (says(url.path()) || says(url.query().unwrap_or_default()) || button.is_some())
            .then_some((url, "a form of the page signs out"))
    });
    let links = html.links.iter().filter(|link| says(link));
    let by_link =
        links.filter_map(|link| Some((base.join(link).ok()?, "a link of the page signs out")));
    let mut own = by_link.chain(by_form).filter(|(url, _)| url.origin() == page.url.origin());
    let (url, why) = own.next()?;
    let is_word =
        |value: &str| value.len() <= 24 && value.bytes().all(|byte| byte.is_ascii_lowercase());
    let query = url.query_pairs().filter(|(_, value)| says(value) && is_word(value));
    let query: Vec<(String, String)> =
        query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    // A path that does other things too, and nothing in the query that says which.
    let is_told = says(url.path()) || !query.is_empty();
    is_told.then(|| Told::new(Logout { path: url.path().to_owned(), query }, why))
}

fn says(text: &str) -> bool {
    let text = text.to_lowercase();
    SIGN_OUT.iter().any(|word| text.contains(word))
}
