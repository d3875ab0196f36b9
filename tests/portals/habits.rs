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
    page: "/admin/auth/user/",
    inside: "Select user to change",
    login: "/admin/login/",
};

pub const DOKUWIKI: Habits = Habits {
    name: "dokuwiki",
    form: "/doku.php?do=login&id=secret",
    fields: ("u", "p"),
    page: "/doku.php?id=secret",
    inside: "Read by who is signed in alone.",
    login: "/doku.php?do=login",
};

impl Habits {
    /// Whether an answer gives away what stands behind the login.
    pub fn shows(&self, answer: &Answer) -> bool {
        answer.body.contains(self.inside)
    }

    /// Opens the form, fills it in and sends it.
    pub async fn sign_in(&self, browser: &mut Browser, (user, password): (&str, &str)) -> Shown {
        let page = browser.go(self.form).await;
        let (name, secret) = self.fields;
        let form = page.form(secret).fill(name, user).fill(secret, password);
        browser.send(&page, &form).await
    }

    /// Signs in straight at the portal, past the gateway. Gives the cookies, which open the
    /// portal's page there.
    pub async fn sign_in_past_the_gateway(
        &self,
        portal: &RealPortal,
        (user, password): (&str, &str),
    ) -> BTreeMap<String, String> {
        let host = portal.address().to_string();
        let mut jar = BTreeMap::new();
        let page = client::plain(portal.address(), Call::get(&host, self.form)).await;
        keep(&mut jar, &page);
        let (name, secret) = self.fields;
        let form = html::form_with(&page.body, secret).unwrap();
        let form = form.fill(name, user).fill(secret, password);
        let target = form.action.clone().unwrap();
        let call = Call::post(&host, &target, &form.pairs()).line("cookie", line(&jar));
        keep(&mut jar, &client::plain(portal.address(), call).await);
        let call = Call::get(&host, self.page).line("cookie", line(&jar));
        let inside = client::plain(portal.address(), call).await;
        assert!(self.shows(&inside), "{} did not let {user} in: {inside:?}", self.name);
        jar
    }
}

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
