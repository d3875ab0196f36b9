//! Which spellings of a name are one user to the portal. Each is tried with the right
//! password: a spelling that it takes and we do not know would be a new user to us, who is
//! offered a new second factor.

use super::compare::Marks;
use super::exchange::Way;
use super::written::{Names, Told};
use super::{Account, ProbeError};
use crate::cli::http::Client;

const FOLDED: &str = "^[a-z0-9._@-]{1,128}$";
const EXACT: &str = "^[A-Za-z0-9._@-]{1,128}$";
/// For portals that drop signs at the ends of a name.
const TIDY: &str = "^[a-z0-9]+([._@-][a-z0-9]+)*$";
const TIDY_EXACT: &str = "^[A-Za-z0-9]+([._@-][A-Za-z0-9]+)*$";
/// Letters of every language, for names that the others would keep out.
const WIDE: &str = r"^[\p{L}\p{N}][\p{L}\p{N}._@+' -]{0,127}$";

impl Names {
    /// What holds as long as nothing was tried: spellings are one user, and odd ones nobody.
    pub(super) fn untried() -> Self {
        let why = "not tried; the careful choice";
        Self {
            folds: Told::new(true, why),
            trims: Told::new(true, why),
            pattern: Told::new(FOLDED.to_owned(), why),
        }
    }
}

/// Tries other spellings of the name. Of at most three attempts some fail.
///
/// # Errors
/// When the portal cannot be read.
pub(super) async fn learn(
    client: &Client,
    way: &Way,
    marks: &Marks,
    account: &Account,
) -> Result<Names, ProbeError> {
    let mut names = Names::untried();
    if account.user.is_empty() {
        return Ok(names);
    }
    let user = &account.user;
    let takes = async |name: String| -> Result<bool, ProbeError> {
        let attempt = way.attempt(client, &name, &account.password).await?;
        Ok(way.accepts(marks, &attempt.answer))
    };
    if let Some(other) = other_case(user) {
        names.folds = match takes(other).await? {
            true => Told::new(true, "the portal took the name in the other case"),
            false => Told::new(false, "the portal refused the name in the other case"),
        };
    }
    names.trims = match takes(format!(" {user} ")).await? {
        true => Told::new(true, "the portal took the name with spaces around it"),
        false => Told::new(false, "the portal refused the name with spaces around it"),
    };
    let drops_signs = !user.contains('@') && takes(format!("{user}.")).await?;
    names.pattern = pattern(user, names.folds.value, drops_signs);
    Ok(names)
}

/// The name with its letters in the other case.
fn other_case(user: &str) -> Option<String> {
    let upper = user.to_uppercase();
    let other = if upper == *user { user.to_lowercase() } else { upper };
    (other != *user).then_some(other)
}

fn pattern(user: &str, folds: bool, drops_signs: bool) -> Told<String> {
    let (pattern, why) = match (drops_signs, folds) {
        (true, true) => {
            (TIDY, "the portal drops signs at the end of a name, so none is let through")
        }
        (true, false) => {
            (TIDY_EXACT, "the portal drops signs at the end of a name, so none is let through")
        }
        (false, true) => (FOLDED, "what fits no name is no login; widen it where names are others"),
        (false, false) => (EXACT, "what fits no name is no login; widen it where names are others"),
    };
    let name = if folds { user.to_lowercase() } else { user.to_owned() };
    let fits = |pattern: &str| regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(&name));
    match fits(pattern) {
        true => Told::new(pattern.to_owned(), why),
        false => Told::new(WIDE.to_owned(), "wide, since the account's own name needs it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_takes_the_name_that_was_tried() {
        assert_eq!(pattern("Alice", true, false).value, FOLDED);
        assert_eq!(pattern("Alice", false, false).value, EXACT);
        assert_eq!(pattern("alice.b", true, true).value, TIDY);
        assert_eq!(pattern("Zoë van Dam", true, false).value, WIDE);
    }

    #[test]
    fn a_name_without_letters_has_no_other_case() {
        assert_eq!(other_case("alice"), Some("ALICE".to_owned()));
        assert_eq!(other_case("ALICE"), Some("alice".to_owned()));
        assert_eq!(other_case("4711"), None);
    }
}
