//! Reads what will be printed as the gateway would, and judges the portal's answers by it.

use std::path::Path;

use super::learn::Answers;
use super::write;
use super::written::Learned;
use crate::config;
use crate::identity::{Answer, LoginOutcome, judge};

/// Adds a note for everything that the gateway would not take or see otherwise.
pub(super) fn verify(learned: &mut Learned, answers: Option<&Answers>) {
    let text = write::complete(learned);
    let read = config::load_text(Path::new("probe.yaml"), &text, &|_| None);
    let loaded = match read {
        Ok(loaded) => loaded,
        Err(faults) => {
            learned.note("This does not pass `portcullis check` yet:");
            faults.iter().for_each(|fault| learned.note(&fault.to_string()));
            return;
        }
    };
    let Some(answers) = answers else { return };
    let rules = loaded.config.portals.iter().flat_map(|portal| &portal.identity.logins);
    let Some(rule) = rules.last() else { return };
    let outcome = |page: &crate::cli::http::Page| {
        let answer = Answer {
            status: page.status,
            headers: &page.headers,
            cookies: &page.cookies,
            body: Some(&page.body),
            user: None,
        };
        judge(rule, &answer)
    };
    if outcome(&answers.right) != LoginOutcome::Success {
        learned.note("The gateway would not know the right password by these marks; mend them.");
    }
    if outcome(&answers.wrong) != LoginOutcome::Failure {
        learned
            .note("The gateway would take a wrong password for right by these marks; mend them.");
    }
}
