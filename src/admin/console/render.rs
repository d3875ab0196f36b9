//! Turns what a page of the console says into HTML. The templates are part of the program;
//! every value is escaped.

use std::sync::LazyLock;

use axum::http::StatusCode;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::answer::{Answer, Fault};
use super::visit::{Visit, Who};
use crate::config::desk::Role;
use crate::pages::render::environment;

/// The pages of visitors and the console look alike.
pub(super) const STYLE: &str = concat!(
    include_str!("../../../templates/style.css"),
    include_str!("../../../templates/desk/style.css")
);

const TEMPLATES: &[(&str, &str)] = &[
    ("bar.html", include_str!("../../../templates/desk/bar.html")),
    ("base.html", include_str!("../../../templates/desk/base.html")),
    ("code.html", include_str!("../../../templates/desk/code.html")),
    ("enrol.html", include_str!("../../../templates/desk/enrol.html")),
    ("error.html", include_str!("../../../templates/desk/error.html")),
    ("recovery-codes.html", include_str!("../../../templates/desk/recovery-codes.html")),
    ("requests.html", include_str!("../../../templates/desk/requests.html")),
    ("rollout.html", include_str!("../../../templates/desk/rollout.html")),
    ("sign-in.html", include_str!("../../../templates/desk/sign-in.html")),
    ("start.html", include_str!("../../../templates/desk/start.html")),
    ("user.html", include_str!("../../../templates/desk/user.html")),
    ("users.html", include_str!("../../../templates/desk/users.html")),
];

static READY: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = environment();
    templates.set_debug(false);
    for (name, source) in TEMPLATES {
        // One that is broken is missed when it is asked for; the tests ask for each.
        if let Err(error) = templates.add_template(name, source) {
            tracing::error!(%error, name, "a template of the console is broken");
        }
    }
    templates
});

/// What every page has.
#[derive(Serialize)]
struct Frame<'a> {
    brand: &'a str,
    /// Who signed in, whole.
    person: Option<&'a str>,
    role: Option<&'static str>,
    csrf: Option<String>,
    /// Whether the person may change something.
    acts: bool,
}

impl Visit<'_> {
    /// A page of the console.
    pub(super) fn page(
        &self,
        status: StatusCode,
        template: &str,
        page: Value,
    ) -> Result<Answer, Fault> {
        let staff = self.staff();
        let frame = Frame {
            brand: self.parts.renderer.brand(),
            person: staff.map(|staff| staff.name.as_str()),
            role: staff.map(|staff| in_words(staff.role)),
            csrf: self.form_token(),
            acts: self.may(Role::Desk),
        };
        let values = context! { ..Value::from(Serde(frame)), ..page };
        Ok(Answer::page(status, READY.get_template(template)?.render(values)?))
    }

    /// A page that says what is wrong, and what to do.
    pub(super) fn refuse(
        &self,
        status: StatusCode,
        title: &str,
        text: &str,
    ) -> Result<Answer, Fault> {
        self.page(status, "error.html", context! { title, text })
    }

    /// The answer to a form that the console did not show in this session.
    pub(super) fn not_our_form(&self) -> Result<Answer, Fault> {
        self.refuse(
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "Nothing was changed. Go back, load the page again and try once more.",
        )
    }

    /// The way for somebody who may not see this page yet.
    pub(super) fn elsewhere(&self) -> Answer {
        match self.who {
            Who::Nobody => {
                Answer::go("/desk/sign-in?ended=yes").with_cookie(super::cookie::clear())
            }
            Who::Named(..) => Answer::go("/desk/code"),
            Who::Proven(..) => Answer::go("/desk/"),
        }
    }
}

/// A page for whoever has not been looked at, since something of ours went wrong.
pub(super) fn failure(status: StatusCode, title: &str, text: &str) -> Answer {
    let frame = Frame { brand: "Portcullis", person: None, role: None, csrf: None, acts: false };
    let values = context! { title, text, ..Value::from(Serde(frame)) };
    let page = READY.get_template("error.html").and_then(|template| template.render(values));
    Answer::page(status, page.unwrap_or_else(|_| title.to_owned()))
}

/// A role as people call it.
pub(super) const fn in_words(role: Role) -> &'static str {
    match role {
        Role::Viewer => "may look",
        Role::Desk => "support desk",
        Role::AccountManager => "account manager",
        Role::Admin => "administrator",
    }
}

#[cfg(test)]
mod tests {
    use super::{READY, TEMPLATES};

    #[test]
    fn every_template_is_whole() {
        for (name, _) in TEMPLATES {
            READY.get_template(name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
    }
}
