//! One name per user. The rule is the portal's; what does not fit it is no login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::identity::UsernameRule;
use crate::user::UserName;

/// The canonical form of a typed name, or nothing when it does not fit the pattern.
pub fn normalise(rule: &UsernameRule, typed: &str) -> Option<UserName> {
    let trimmed = if rule.trim { typed.trim() } else { typed };
    let folded = if rule.fold_case { trimmed.to_lowercase() } else { trimmed.to_owned() };
    let single_line = !folded.chars().any(char::is_control);
    (single_line && rule.pattern.is_match(&folded)).then(|| UserName::canonical(folded))
}

/// The name in an HTTP Basic line (RFC 7617). The password stays in the line.
pub fn basic_name(line: &str) -> Option<String> {
    let (scheme, encoded) = line.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let end = decoded.iter().position(|byte| *byte == b':')?;
    let (name, _) = decoded.split_at_checked(end)?;
    std::str::from_utf8(name).ok().map(str::to_owned)
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
