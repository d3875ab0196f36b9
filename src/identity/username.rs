//! One name per user. The rule is the portal's; what does not fit it is no login.

use crate::config::identity::UsernameRule;
use crate::user::UserName;

/// The canonical form of a typed name, or nothing when it does not fit the pattern.
pub fn normalise(rule: &UsernameRule, typed: &str) -> Option<UserName> {
    let trimmed = if rule.trim { typed.trim() } else { typed };
    let folded = if rule.fold_case { trimmed.to_lowercase() } else { trimmed.to_owned() };
    let single_line = !folded.chars().any(char::is_control);
    (single_line && rule.pattern.is_match(&folded)).then(|| UserName::canonical(folded))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::normalise;
    use crate::config::identity::UsernameRule;

    fn rule(fold_case: bool, trim: bool, pattern: &str) -> UsernameRule {
        UsernameRule { fold_case, trim, pattern: Regex::new(pattern).unwrap() }
    }

    #[test]
    fn spellings_of_one_user_are_one_name() {
        let rule = rule(true, true, "^(?:[a-z0-9._@-]{1,128})$");
        for typed in ["alice", "Alice", "ALICE", " alice ", "aLiCe\t", "alice\n"] {
            let name = normalise(&rule, typed).unwrap();
            assert_eq!(name.as_str(), "alice", "{typed:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_name() {
        let rule = rule(true, true, "^(?:[a-z0-9._@-]{1,128})$");
        let long = "a".repeat(300);
        for typed in [
            "",
            " ",
            "a b",
            "alice\0",
            "ＡＬＩＣＥ",
            "DOM\\alice",
            "alice,bob",
            "a|b",
            "😀",
            "al\nice",
            long.as_str(),
        ] {
            assert!(normalise(&rule, typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn a_portal_that_tells_cases_apart_keeps_them() {
        let rule = rule(false, false, "^(?:[A-Za-z ]+)$");
        assert_eq!(normalise(&rule, "Alice ").unwrap().as_str(), "Alice ");
    }
}
