//! What operators may make their own.

use crate::config::Branding;
use crate::config::fault::Findings;
use crate::config::file::{BrandingFile, List};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;
use crate::net::language::{Language, Languages};

/// The longest name that fits a page's head and an authenticator app's list.
const LONGEST_NAME: usize = 64;

/// Checks the name, the templates' folder and the languages.
pub(super) fn branding(
    written: Option<BrandingFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Branding> {
    let written = written.unwrap_or_default();
    let name = written.name.unwrap_or_else(|| "Portcullis".to_owned());
    let has_name = is_short_text(&name);
    if !has_name {
        let what = "is empty, too long or not plain text";
        findings.fault(&at.key("name"), what, format!("write 1 to {LONGEST_NAME} characters"));
    }
    let templates = written.templates.map(|folder| around.locate(&folder));
    if let Some(folder) = &templates
        && let Err(error) = std::fs::read_dir(folder)
    {
        let what = format!("{} cannot be read: {error}", folder.display());
        findings.fault(&at.key("templates"), what, "name a folder of templates, or remove the key");
        return None;
    }
    let languages = languages(written.languages, &at.key("languages"), findings);
    has_name.then_some(())?;
    Some(Branding { templates, name, languages: languages? })
}

/// The languages, each once.
fn languages(
    written: Option<List<Language>>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Languages> {
    let Some(written) = written else { return Some(Languages::default()) };
    let mend = "name one language at least, the default first";
    let spoken = super::some(Some(written), at, mend, findings)?;
    let mut known = Vec::new();
    for (at, language) in spoken {
        match known.contains(&language) {
            true => findings.fault(&at, "is there twice", "name each language once"),
            false => known.push(language),
        }
    }
    let (first, others) = known.split_first()?;
    Some(Languages::new(*first, others.to_vec()))
}

/// Whether a text can stand in one line on a page and in an app.
pub(super) fn is_short_text(text: &str) -> bool {
    let length = text.chars().count();
    (1..=LONGEST_NAME).contains(&length)
        && !text.chars().any(char::is_control)
        && text.trim() == text
}
