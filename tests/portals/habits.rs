//! What a person knows of a portal: where its form is, what stands on a page behind it.

use std::collections::BTreeMap;

use crate::dsl::browser::Shown;
use crate::dsl::{Answer, Browser, Call, client, html};
use crate::real::RealPortal;

/// A portal as its users see it.
#[derive(Debug)]
pub struct Habits {
    /// What it is called here.
    pub name: &'static str,
    /// The page with the form, from which the portal leads to `page`.
    pub form: &'static str,
    /// The form's fields for the name and the password.
    pub fields: (&'static str, &'static str),
    /// The form's box that makes the portal remember the browser, if there is one.
    pub remember: Option<&'static str>,
    /// A page for who is signed in.
    pub page: &'static str,
    /// What stands on it.
    pub inside: &'static str,
    /// Where the gateway sends who is not known.
    pub login: &'static str,
}

pub const DJANGO: Habits = Habits {
    name: "django",
    form: "/admin/login/?next=/admin/auth/user/",
    fields: ("username", "password"),
    remember: None,
    page: "/admin/auth/user/",
    inside: "Select user to change",
    login: "/admin/login/",
};

pub const DOKUWIKI: Habits = Habits {
    name: "dokuwiki",
    form: "/doku.php?do=login&id=secret",
    fields: ("u", "p"),
    remember: Some("r"),
    page: "/doku.php?id=secret",
    inside: "Read by who is signed in alone.",
    login: "/doku.php?do=login",
};

pub const WORDPRESS: Habits = Habits {
    name: "wordpress",
    form: "/wp-login.php?redirect_to=/secret/",
    fields: ("log", "pwd"),
    remember: Some("rememberme"),
    page: "/secret/",
    inside: "Read by who is signed in alone.",
    login: "/wp-login.php",
};

impl Habits {
    /// Whether an answer gives away what stands behind the login.
    pub fn shows(&self, answer: &Answer) -> bool {
        answer.body.contains(self.inside)
    }

    /// Opens the form, fills it in and sends it.
    pub async fn sign_in(&self, browser: &mut Browser, who: (&str, &str)) -> Shown {
        let page = browser.go(self.form).await;
        let form = self.filled(&page.body, who).without(self.remember.unwrap_or_default());
        browser.send(&page, &form).await
    }

    /// The same, and asks the portal to remember the browser.
    pub async fn sign_in_to_stay(&self, browser: &mut Browser, who: (&str, &str)) -> Shown {
        let page = browser.go(self.form).await;
        let form = self.filled(&page.body, who);
        assert!(form.field(self.remember.unwrap()).is_some(), "{form:?}");
        browser.send(&page, &form).await
    }

    fn filled(&self, page: &str, (user, password): (&str, &str)) -> html::Form {
        let (name, secret) = self.fields;
        let form = html::form_with(page, secret).unwrap_or_else(|| panic!("no form: {page}"));
        form.fill(name, user).fill(secret, password)
    }

    /// Signs in straight at the portal, past the gateway, though under the gateway's name, by
    /// which some portals name their cookies. Gives the cookies, which open the portal's page
    /// there.
    pub async fn sign_in_past_the_gateway(
        &self,
        portal: &RealPortal,
        who: (&str, &str),
    ) -> BTreeMap<String, String> {
        let host = format!("{}.test", self.name);
        let direct =
            |call: Call| client::plain(portal.address(), call.line(FORWARDED.0, FORWARDED.1));
        let mut jar = BTreeMap::new();
        let page = direct(Call::get(&host, self.form)).await;
        keep(&mut jar, &page);
        let form = self.filled(&page.body, who).without(self.remember.unwrap_or_default());
        let target = match form.action.clone().unwrap_or_default() {
            own if own.is_empty() => self.form.to_owned(),
            action => action.replace(&format!("https://{host}"), ""),
        };
        let call = Call::post(&host, &target, &form.pairs()).line("cookie", line(&jar));
        let call = call.line("origin", format!("https://{host}"));
        keep(&mut jar, &direct(call).await);
        let call = Call::get(&host, self.page).line("cookie", line(&jar));
        let inside = direct(call).await;
        assert!(self.shows(&inside), "{} did not let {} in: {inside:?}", self.name, who.0);
        jar
    }
}

/// What tells a portal that its visitors come over TLS.
const FORWARDED: (&str, &str) = ("x-forwarded-proto", "https");

fn keep(jar: &mut BTreeMap<String, String>, answer: &Answer) {
    for set in answer.all("set-cookie") {
        let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
        jar.insert(name.to_owned(), value.to_owned());
    }
}

fn line(jar: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}
