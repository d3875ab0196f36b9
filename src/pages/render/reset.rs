//! What the pages about resets say, as data: who may ask for one, what was asked for, and what
//! waits.

use minijinja::{Value, context};

/// Asking for a colleague's reset.
#[derive(Clone, Copy)]
pub enum VouchPage<'a> {
    /// A form.
    Ask {
        /// What was typed before.
        colleague: &'a str,
        /// What was typed before.
        reason: &'a str,
        /// What was wrong with the form that was sent, as a sentence.
        fault: Option<&'a str>,
    },
    /// The desk has it.
    Asked {
        /// For whom.
        colleague: &'a str,
    },
    /// Whoever asks is nobody's colleague here.
    Stranger,
}

/// A reset that waits for its user.
#[derive(Clone, Copy)]
pub enum ResetPage<'a> {
    /// It can be stopped.
    Waiting {
        /// On whose word: a role, never a name.
        by: &'a str,
        /// When it is carried out, as the user reads the time.
        until: &'a str,
        /// Where the user was going.
        return_to: &'a str,
    },
    /// It was, just now.
    Stopped {
        /// Where the user was going.
        return_to: &'a str,
    },
}

/// Who may ask for a reset at this portal.
#[derive(Clone, Copy)]
pub struct HelpPage<'a> {
    /// Whether a colleague may.
    pub colleagues: bool,
    /// Whether an account manager may.
    pub managers: bool,
    /// The portal's host, for the address that a colleague opens.
    pub host: &'a str,
}

impl VouchPage<'_> {
    /// Every name is always there, so that a template never meets one that is undefined.
    pub(super) fn values(self) -> Value {
        let (state, colleague, reason, fault) = match self {
            Self::Ask { colleague, reason, fault } => ("ask", colleague, reason, fault),
            Self::Asked { colleague } => ("asked", colleague, "", None),
            Self::Stranger => ("stranger", "", "", None),
        };
        context! { state, colleague, reason, fault }
    }
}

impl ResetPage<'_> {
    /// The same.
    pub(super) fn values(self, local: impl Fn(&str) -> &str) -> Value {
        let (state, by, until, return_to) = match self {
            Self::Waiting { by, until, return_to } => ("waiting", by, until, return_to),
            Self::Stopped { return_to } => ("stopped", "", "", return_to),
        };
        context! { state, by, until, return_to => local(return_to) }
    }
}

impl HelpPage<'_> {
    /// The same.
    pub(super) fn values(self) -> Value {
        context! { colleagues => self.colleagues, managers => self.managers, host => self.host }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Page, Renderer};
    use super::HelpPage;
    use crate::config::Branding;
    use crate::net::language::Languages;

    fn help(colleagues: bool, managers: bool) -> String {
        let (name, languages) = ("Example Ltd".to_owned(), Languages::default());
        let branding = Branding { templates: None, name, languages };
        let frame =
            Frame { portal: "wiki", prefix: "/.mfa", user: None, csrf: None, request_id: "01JD8Z" };
        let page = Page::Help(HelpPage { colleagues, managers, host: "wiki.example.com" });
        Renderer::new(&branding).unwrap().render(&frame, &page).unwrap()
    }

    #[test]
    fn help_says_that_the_user_cannot_ask_for_the_reset() {
        let html = help(true, true);
        let order = ["Use a recovery code", "Ask a colleague", "Your account manager"];
        let places = order.map(|part| html.find(part).unwrap());
        assert!(places.is_sorted(), "{html}");
        assert!(html.contains("The desk cannot act on a message from you."), "{html}");
        assert!(html.contains("https://wiki.example.com/.mfa/vouch"), "{html}");
    }

    #[test]
    fn help_names_only_who_may_ask() {
        let nobody = help(false, false);
        assert!(!nobody.contains("/vouch") && !nobody.contains("ccount manager"), "{nobody}");
        let managers = help(false, true);
        assert!(!managers.contains("/vouch") && managers.contains("Ask your account manager"));
    }
}
