//! Where the portal says who a session belongs to: an address that answers in JSON, or a page
//! whose head greets the user.

use regex::Regex;
use url::Url;

use super::compare::scalars;
use super::inside::Visitor;
use super::written::{NameIn, Told, Whoami};
use crate::cli::http::{Client, Page};
use crate::identity::{LONGEST_ANSWER, says_nobody};

/// Where portals commonly say who somebody is.
const WHOAMI: &[&str] = &[
    "/api/me",
    "/api/user",
    "/api/users/me",
    "/api/v1/me",
    "/api/v1/user",
    "/api/v1/users/me",
    "/api/current_user",
    "/api/account",
    "/api/auth/me",
    "/api/session",
    "/auth/me",
    "/me",
    "/user",
    "/users/current.json",
    "/session",
    "/settings",
    "/rest/auth/1/session",
    "/rest/api/2/myself",
    "/wp-json/wp/v2/users/me",
    "/hub/api/user",
    "/ocs/v2.php/cloud/user?format=json",
];

/// What the gateway will ask for there.
const JSON: &str = "application/json, text/html;q=0.9, */*;q=0.1";

/// Members that name a user, the best first.
const NAMES: &[&str] = &[
    "username",
    "login",
    "user_name",
    "user",
    "name",
    "preferred_username",
    "sub",
    "uid",
    "email",
    "id",
    "slug",
];

/// A page that names the visitor in JSON, and nobody without their session.
pub(super) async fn in_json(
    client: &Client,
    visitor: &Visitor,
    user: &str,
) -> Option<Told<Whoami>> {
    for path in WHOAMI {
        let Ok(url) = client.origin().join(path) else { continue };
        let told = visitor.clone().ask_for(client, &url, Some(JSON)).await;
        let Some(pointer) = told.ok().and_then(|page| pointer_to(&page, user)) else { continue };
        let asked = Visitor::nobody().ask_for(client, &url, Some(JSON)).await;
        let Ok(outside) = asked else { continue };
        let names_nobody = is_readable(&outside) && pointer_to(&outside, user).is_none();
        if !says_nobody(outside.status) && !names_nobody {
            continue;
        }
        let why = "it names the user to the session, and to nobody else";
        let name = NameIn::Json(pointer);
        return Some(Told::new(Whoami { path: (*path).to_owned(), name }, why));
    }
    None
}

fn pointer_to(page: &Page, user: &str) -> Option<String> {
    let found = scalars(page).filter(|_| is_readable(page) && !user.is_empty())?;
    let names: Vec<&String> = found
        .iter()
        .filter(|(_, value)| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(user)))
        .map(|(pointer, _)| pointer)
        .collect();
    let rank = |pointer: &&&String| {
        let key = pointer.rsplit('/').next().unwrap_or_default().to_lowercase();
        NAMES.iter().position(|name| *name == key).unwrap_or(NAMES.len())
    };
    names.iter().min_by_key(rank).map(|pointer| (**pointer).clone())
}

/// Pages that are a user's own, and change little.
const PAGES: &[&str] = &["/my/account", "/account", "/profile", "/user", "/me", "/settings"];

/// A page on which one element names the user: for portals whose session cookie changes all the
/// time, where somebody has to say that it is still the same user's.
pub(super) async fn on_page(
    client: &Client,
    visitor: &Visitor,
    seen: &[Url],
    user: &str,
) -> Option<Told<Whoami>> {
    let own = PAGES.iter().filter_map(|path| client.origin().join(path).ok());
    for url in own.chain(seen.iter().filter(|url| url.query().is_none()).cloned()) {
        let told = visitor.clone().ask_for(client, &url, Some(JSON)).await;
        let Ok(page) = told else { continue };
        let Some(pattern) = pattern_of(&page, user) else { continue };
        let asked = Visitor::nobody().ask_for(client, &url, Some(JSON)).await;
        let Ok(outside) = asked else { continue };
        let names_nobody =
            is_readable(&outside) && names(&outside.text(), &pattern).next().is_none();
        if !says_nobody(outside.status) && !names_nobody {
            continue;
        }
        let why = "one element of this page names the user; see that nobody can write another";
        let name = NameIn::Pattern(pattern.as_str().to_owned());
        return Some(Told::new(Whoami { path: url.path().to_owned(), name }, why));
    }
    None
}

fn names<'a>(text: &'a str, pattern: &'a Regex) -> impl Iterator<Item = &'a str> {
    pattern.captures_iter(text).filter_map(|found| found.get(1)).map(|name| name.as_str())
}

/// The element that holds the name and nothing else, written so that it holds others' too. It
/// has to say in its tag that it is about a user, and wherever the page has one like it, the
/// same name has to stand there: the gateway takes no other.
fn pattern_of(page: &Page, user: &str) -> Option<Regex> {
    if !is_readable(page) || user.is_empty() {
        return None;
    }
    let text = page.text();
    let name = regex::escape(user);
    let element = Regex::new(&format!(
        "(<(?:a|b|strong|em|i|span|div|p|li|td|h[1-6])\\s[^<>]*>)\\s*{name}\\s*<"
    ));
    let about = ["user", "account", "profile", "logged", "login", "member"];
    let element = element.ok()?;
    let tags = element.captures_iter(&text).filter_map(|found| found.get(1));
    let mut told = tags.map(|tag| tag.as_str()).filter(|tag| {
        let tag = tag.to_lowercase();
        about.iter().any(|word| tag.contains(word))
    });
    told.find_map(|tag| {
        let general = general(tag, user);
        let pattern = Regex::new(&format!("{general}\\s*([^<]{{1,128}}?)\\s*<")).ok()?;
        let is_only = names(&text, &pattern).all(|name| name == user);
        is_only.then_some(pattern)
    })
}

/// Whether the gateway would read the answer: it looks at plain ones of 64 KiB at most.
fn is_readable(page: &Page) -> bool {
    page.status.is_success()
        && page.body.len() <= LONGEST_ANSWER
        && !page.headers.contains_key("content-encoding")
}

/// A tag as a pattern that fits other users' too: without their numbers and names.
fn general(tag: &str, user: &str) -> String {
    let escaped = regex::escape(tag);
    let name = Regex::new(&format!("(?i:{})", regex::escape(&regex::escape(user))));
    let unnamed =
        name.map_or(escaped.clone(), |name| name.replace_all(&escaped, "[^\"]*").into_owned());
    let number = Regex::new("/[0-9]+");
    number.map_or(unnamed.clone(), |number| number.replace_all(&unnamed, "/[0-9]+").into_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn page(body: &str) -> Page {
        Page {
            url: Url::parse("http://wiki.test/my").unwrap(),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_element_that_greets_becomes_a_pattern_for_everybody() {
        let body = "<p>alice</p><a class=\"user\" href=\"/users/5\">alice</a><b>alice</b>";
        let pattern = pattern_of(&page(body), "alice").unwrap();
        let other = "<a class=\"user\" href=\"/users/17\"> Bob </a>";
        assert_eq!(names(other, &pattern).collect::<Vec<_>>(), ["Bob"]);
        let body = "<a href='/profile/alice'>alice</a><i class=user>Alice</i>";
        let pattern = pattern_of(&page(body), "alice").unwrap();
        assert_eq!(names("<a href='/profile/bob'>bob</a>", &pattern).collect::<Vec<_>>(), ["bob"]);
    }

    #[test]
    fn a_name_beside_anothers_or_in_plain_text_is_nobodys_word() {
        for body in [
            "<p>alice</p>",
            "<i class=user>alice</i><i class=user>bob</i>",
            "<option value=username>alice</option>",
            "<i class=user>by alice</i>",
            "",
        ] {
            assert!(pattern_of(&page(body), "alice").is_none(), "{body}");
        }
    }
}
