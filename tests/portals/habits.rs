//! What a person knows of a portal: where its form is, what stands on a page behind it.

use std::collections::BTreeMap;

use crate::dsl::browser::Shown;
use crate::dsl::{ALICE, Answer, BOB, Browser, Call, client, html};
use crate::real::RealPortal;

/// A portal as its users see it.
#[derive(Debug)]
pub struct Habits {
    /// What it is called here.
    pub name: &'static str,
    /// The page with the form, from which the portal leads to `page`.
    pub form: &'static str,
    /// The form's fields for the name and the password; no name where all share a password.
    pub fields: (Option<&'static str>, &'static str),
    /// The form's box that makes the portal remember the browser, if there is one.
    pub remember: Option<&'static str>,
    /// A page for who is signed in; USER stands for the name.
    pub page: &'static str,
    /// What stands on it.
    pub inside: &'static str,
    /// Whether the gateway can ask the portal, with the cookies that `page` gets, whose a
    /// session is: then it knows those too whose login it did not see.
    pub asks: bool,
    /// Where the gateway sends who is not known.
    pub login: &'static str,
}

pub const ADMINER: Habits = Habits {
    name: "adminer",
    form: "/adminer/?sign-in=1",
    fields: (Some("auth[username]"), "auth[password]"),
    remember: Some("auth[permanent]"),
    page: "/adminer/?username=USER",
    inside: "Logged as: ",
    asks: false,
    login: "/adminer/?sign-in=1",
};

pub const DJANGO: Habits = Habits {
    name: "django",
    form: "/admin/login/?next=/admin/auth/user/",
    fields: (Some("username"), "password"),
    remember: None,
    page: "/admin/auth/user/",
    inside: "Select user to change",
    asks: false,
    login: "/admin/login/",
};

pub const DOKUWIKI: Habits = Habits {
    name: "dokuwiki",
    form: "/doku.php?do=login&id=secret",
    fields: (Some("u"), "p"),
    remember: Some("r"),
    page: "/doku.php?id=secret",
    inside: "Read by who is signed in alone.",
    asks: false,
    login: "/doku.php?do=login",
};

pub const WORDPRESS: Habits = Habits {
    name: "wordpress",
    form: "/wp-login.php?redirect_to=/secret/",
    fields: (Some("log"), "pwd"),
    remember: Some("rememberme"),
    page: "/secret/",
    inside: "Read by who is signed in alone.",
    asks: false,
    login: "/wp-login.php",
};

pub const JUPYTER: Habits = Habits {
    name: "jupyter",
    form: "/login?next=/api/contents/secret.txt",
    fields: (None, "password"),
    remember: None,
    page: "/api/contents/secret.txt",
    inside: "Read by who is signed in alone.",
    asks: false,
    login: "/login",
};

pub const REDMINE: Habits = Habits {
    name: "redmine",
    form: "/login?back_url=/my/account",
    fields: (Some("username"), "password"),
    remember: Some("autologin"),
    page: "/my/account",
    inside: "id=\"loggedas\"",
    asks: true,
    login: "/login",
};

impl Habits {
    /// Whether an answer gives away what stands behind the login.
    pub fn shows(&self, answer: &Answer) -> bool {
        answer.body.contains(self.inside)
    }

    /// The page of one of them.
    pub fn page_of(&self, (user, _): (&str, &str)) -> String {
        self.page.replace("USER", user)
    }

    /// Whether the portal knows no names, so that all are one user.
    pub fn is_shared(&self) -> bool {
        self.fields.0.is_none()
    }

    /// Somebody beside alice, if it is only she herself with another browser.
    pub fn another(&self) -> (&'static str, &'static str) {
        if self.is_shared() { ALICE } else { BOB }
    }

    /// Where the gateway sends who comes with a session whose login it did not see, once alice
    /// has enrolled and nobody else has.
    pub fn unseen(&self, who: (&str, &str)) -> &'static str {
        match (self.asks, who == ALICE) {
            (false, _) => self.login,
            (true, true) => "/.mfa/verify",
            (true, false) => "/.mfa/enrol",
        }
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
        let form = form.fill(secret, password);
        name.map_or(form.clone(), |name| form.fill(name, user))
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
        self.keep(&mut jar, &page);
        let form = self.filled(&page.body, who).without(self.remember.unwrap_or_default());
        let target = match form.action.clone().unwrap_or_default() {
            own if own.is_empty() => self.form.to_owned(),
            action => action.replace(&format!("https://{host}"), ""),
        };
        let call = Call::post(&host, &target, &form.pairs()).line("cookie", line(&jar));
        let call = call.line("origin", format!("https://{host}"));
        self.keep(&mut jar, &direct(call).await);
        let call = Call::get(&host, &self.page_of(who)).line("cookie", line(&jar));
        let inside = direct(call).await;
        assert!(self.shows(&inside), "{} did not let {} in: {inside:?}", self.name, who.0);
        jar
    }

    /// Keeps the cookies that a browser would send to the portal's page.
    fn keep(&self, jar: &mut BTreeMap<String, String>, answer: &Answer) {
        for set in answer.all("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let mut words = set.split(';').filter_map(|word| word.trim().split_once('='));
            let path = words.find(|(name, _)| name.eq_ignore_ascii_case("path"));
            if path.is_none_or(|(_, path)| self.page.starts_with(path)) {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// What tells a portal that its visitors come over TLS.
const FORWARDED: (&str, &str) = ("x-forwarded-proto", "https");

fn line(jar: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}
