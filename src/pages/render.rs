//! Turns a [`Page`] into HTML. Templates are part of the program; operators may override any of
//! them by name. All are tried out at start, so that no fault waits for a user to meet it.

use std::borrow::Cow;
use std::error::Error as _;

use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, context};

use crate::config::Branding;
use crate::overrides::{Ours, OverrideError, Overrides};

mod line;
mod page;
mod rehearse;
mod reset;
mod verify;

pub use line::{AuthenticatorLine, DeviceLine, Done, SessionLine};
pub use page::{Frame, GuardState, MailWay, Page};
pub use reset::{HelpPage, ResetPage, VouchPage};
pub use verify::{CodeField, KeptNotice, VerifyState};

#[cfg(test)]
mod tests;

const STYLESHEET: &str = "style.css";

/// Every file that can be overridden.
const OURS: Ours = &[
    ("authenticators.html", include_str!("../../templates/authenticators.html")),
    ("base.html", include_str!("../../templates/base.html")),
    ("devices.html", include_str!("../../templates/devices.html")),
    ("enrol.html", include_str!("../../templates/enrol.html")),
    ("invite.html", include_str!("../../templates/invite.html")),
    ("error.html", include_str!("../../templates/error.html")),
    ("help.html", include_str!("../../templates/help.html")),
    ("home.html", include_str!("../../templates/home.html")),
    ("logout.html", include_str!("../../templates/logout.html")),
    ("new-phone.html", include_str!("../../templates/new-phone.html")),
    ("notice.html", include_str!("../../templates/notice.html")),
    ("recovery-codes-shown.html", include_str!("../../templates/recovery-codes-shown.html")),
    ("recovery-codes.html", include_str!("../../templates/recovery-codes.html")),
    ("reset.html", include_str!("../../templates/reset.html")),
    ("recovery-left.html", include_str!("../../templates/recovery-left.html")),
    ("scan.html", include_str!("../../templates/scan.html")),
    ("sessions.html", include_str!("../../templates/sessions.html")),
    (STYLESHEET, include_str!("../../templates/style.css")),
    ("verify.html", include_str!("../../templates/verify.html")),
    ("vouch.html", include_str!("../../templates/vouch.html")),
];

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The operator's folder.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// A template cannot be used, found at start with made-up values.
    #[error("{file}:{line}: {reason}")]
    Broken {
        /// The override, or the name of the template where it is ours.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// An override leaves out the token without which no form of the page is accepted.
    #[error("{file}: the form lacks its hidden field csrf, so nobody could send it")]
    Unsendable {
        /// The override.
        file: String,
    },
    /// An override leaves out the form that waits for a code, which would then be lost.
    #[error("{file}: the form lacks its hidden field kept, so what a user sent would be lost")]
    Losing {
        /// The override.
        file: String,
    },
    /// A template failed on a real page. The values are secrets, so only the kind is told.
    #[error("{template}:{line}: {kind}")]
    Failed {
        /// The template.
        template: String,
        /// Counted from 1.
        line: usize,
        /// What went wrong, without values.
        kind: minijinja::ErrorKind,
    },
}

/// All templates, ready for use.
#[derive(Debug)]
pub struct Renderer {
    templates: Environment<'static>,
    stylesheet: Cow<'static, str>,
    brand: String,
    overridden: Overrides,
}

impl Renderer {
    /// Reads the overrides, if any, and tries out every page.
    pub fn new(branding: &Branding) -> Result<Self, RenderError> {
        let overridden = match &branding.templates {
            Some(folder) => Overrides::read(folder, &["html", "css"], "template", OURS)?,
            None => Overrides::none(OURS),
        };
        let sources: Vec<_> = overridden.sources().collect();
        let mut renderer = Self {
            templates: environment(),
            stylesheet: Cow::Borrowed(""),
            brand: branding.name.clone(),
            overridden,
        };
        for (name, source) in sources {
            renderer.add(name, source?)?;
        }
        rehearse::every_page(&renderer)?;
        // Details and excerpts of the source are for the operator at start. Later they would
        // hold what is on the page.
        renderer.templates.set_debug(false);
        Ok(renderer)
    }

    /// The whole page, as HTML.
    pub fn render(&self, frame: &Frame<'_>, page: &Page<'_>) -> Result<String, RenderError> {
        self.fill(frame, page).map_err(|error| {
            let error = innermost(&error);
            RenderError::Failed {
                template: error.name().unwrap_or(page.template()).to_owned(),
                line: error.line().unwrap_or(1),
                kind: error.kind(),
            }
        })
    }

    /// What operators call the house.
    pub fn brand(&self) -> &str {
        &self.brand
    }

    /// The one stylesheet of all pages.
    pub fn stylesheet(&self) -> &str {
        &self.stylesheet
    }

    fn add(&mut self, name: &'static str, source: Cow<'static, str>) -> Result<(), RenderError> {
        if name == STYLESHEET {
            self.stylesheet = source;
            return Ok(());
        }
        let added = self.templates.add_template_owned(name, source);
        added.map_err(|error| self.broken(&error, name))
    }

    fn fill(&self, frame: &Frame<'_>, page: &Page<'_>) -> Result<String, minijinja::Error> {
        let values = context! { ..page.values(frame), ..frame.values(&self.brand) };
        self.templates.get_template(page.template())?.render(values)
    }

    /// Only for made-up values: the reason may quote them.
    fn broken(&self, error: &minijinja::Error, template: &str) -> RenderError {
        let error = innermost(error);
        let kind = error.kind();
        RenderError::Broken {
            file: self.file(error.name().unwrap_or(template)),
            line: error.line().unwrap_or(1),
            reason: match error.detail() {
                Some(detail) => format!("{kind}: {detail}"),
                None => kind.to_string(),
            },
        }
    }

    fn file(&self, template: &str) -> String {
        match self.overridden.file(template) {
            Some(path) => path.display().to_string(),
            None => template.to_owned(),
        }
    }
}

/// The error that started it: a fault in an included template is wrapped by those around it.
fn innermost(error: &minijinja::Error) -> &minijinja::Error {
    let mut innermost = error;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(inner) = cause.downcast_ref::<minijinja::Error>() {
            innermost = inner;
        }
        source = cause.source();
    }
    innermost
}

/// An engine in which every template is HTML, and every value escaped.
pub(crate) fn environment() -> Environment<'static> {
    let mut templates = Environment::new();
    // Whatever a template is called, it is HTML.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_formatter(escape);
    // A name misspelt in an override is a fault, not an empty space on the page.
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_debug(true);
    templates
}

/// Escapes what HTML gives a meaning to, in text and in quoted attributes. The formatter of
/// minijinja escapes the slash too, which makes paths in the source of a page unreadable.
fn escape(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let Some(text) = value.as_str().filter(|_| !value.is_safe()) else {
        return minijinja::escape_formatter(out, state, value);
    };
    for piece in text.split_inclusive(['&', '<', '>', '"', '\'']) {
        let mut characters = piece.chars();
        let entity = match characters.next_back() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            Some('\'') => "&#39;",
            Some(_) | None => {
                out.write_str(piece)?;
                continue;
            }
        };
        out.write_str(characters.as_str())?;
        out.write_str(entity)?;
    }
    Ok(())
}
