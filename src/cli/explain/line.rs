//! What is said of one recorded request, to be read or as JSON. It holds names, never a
//! password, a cookie's value or a token.

use std::io::{self, Write};

use serde::Serialize;

use super::asked::Asked;

/// One request and what the gateway would have made of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    number: usize,
    method: String,
    url: String,
    /// Which portal.
    pub portal: String,
    /// `page` or `call`.
    pub kind: &'static str,
    /// `unknown`, `named` or `proven`.
    pub visitor: &'static str,
    /// Who that is, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The word for what becomes of it.
    pub verdict: &'static str,
    /// What becomes of it.
    pub answer: String,
    /// Why, and what was taken as given.
    pub why: Vec<String>,
    /// What was seen of a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginLine>,
    /// Who is known from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<String>,
    /// What ops should look at.
    pub warnings: Vec<String>,
}

/// What was seen of a login.
#[derive(Debug, Serialize)]
pub(super) struct LoginLine {
    /// By which rule.
    pub rule: String,
    /// Whom the request names.
    pub names: String,
    /// Each mark in the answer.
    pub marks: Vec<MarkLine>,
    /// What it came to.
    pub outcome: &'static str,
}

/// One mark in the answer to a login.
#[derive(Debug, Serialize)]
pub(super) struct MarkLine {
    /// `success` or `failure`.
    pub of: &'static str,
    /// What it asks for.
    pub mark: String,
    /// Whether that is so; nothing where it cannot be read.
    pub holds: Option<bool>,
}

impl Line {
    /// The line of the request with this number.
    pub(super) fn new(number: usize, asked: &Asked) -> Self {
        Self {
            number,
            method: super::words::plain(asked.method.as_str()),
            url: asked.shown(),
            ..Self::default()
        }
    }

    /// The request in a few words.
    pub(super) fn request(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    /// Says why.
    pub(super) fn because(&mut self, why: impl Into<String>) {
        self.why.push(why.into());
    }

    /// Says what ops should look at.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The gateway does not let it through, whoever sent it.
    pub(super) fn refuse(&mut self, status: u16, why: &str) {
        self.verdict = "refuse";
        self.answer = format!("refused with {status}");
        self.because(why);
    }

    /// Writes it to be read.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let who = match &self.user {
            Some(user) => format!("{}, {user}", self.visitor),
            None => self.visitor.to_owned(),
        };
        writeln!(out, "{:>4} {} [{who}] {}", self.number, self.request(), self.answer)?;
        if let Some(login) = &self.login {
            writeln!(out, "       login by {}, {}", login.rule, login.names)?;
            for mark in &login.marks {
                let holds = match mark.holds {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "cannot be read",
                };
                writeln!(out, "       {}: {}: {holds}", mark.of, mark.mark)?;
            }
            writeln!(out, "       outcome: {}", login.outcome)?;
        }
        for why in &self.why {
            writeln!(out, "       {why}")?;
        }
        for warning in &self.warnings {
            writeln!(out, "     ! {warning}")?;
        }
        Ok(())
    }
}
