//! Rust source without its comments and texts, so that a rule about code is met by code alone.

/// A line of code, or a whole `use` that goes over several.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The number of its first line.
    pub(crate) line: usize,
    /// Its code.
    pub(crate) code: String,
}

/// The code of `source`. It knows line comments and strings of one line, which are the kinds
/// that are usual here; block comments and raw strings it takes for code.
pub(crate) fn statements(source: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut in_use = false;
    for (index, line) in source.lines().enumerate() {
        let code = bare(line);
        let start = code.trim_start();
        match statements.last_mut() {
            Some(begun) if in_use => begun.code.push_str(start),
            _ => {
                in_use = start.starts_with("use ") || start.starts_with("pub use ");
                statements.push(Statement { line: index + 1, code: code.clone() });
            }
        }
        in_use = in_use && !code.contains(';');
    }
    statements
}

/// A line without its comment and without what stands in its strings.
fn bare(line: &str) -> String {
    let mut code = String::new();
    let (mut in_string, mut escaped, mut last) = (false, false, ' ');
    for sign in line.chars() {
        let is_quote = sign == '"' && !escaped && last != '\'';
        match (in_string, sign) {
            (true, _) if is_quote => {
                in_string = false;
                code.push(sign);
            }
            (true, _) => {}
            (false, '/') if last == '/' => {
                code.pop();
                break;
            }
            (false, _) => {
                in_string = is_quote;
                code.push(sign);
            }
        }
        escaped = in_string && sign == '\\' && !escaped;
        last = sign;
    }
    code
}

/// Where `name` stands in `code` as a word of its own: `Clock` is not in `SystemClock`. Gives
/// what is before it and what is after it.
pub(crate) fn words<'a>(
    code: &'a str,
    name: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_';
    code.match_indices(name)
        .filter_map(move |(at, _)| Some((code.get(..at)?, code.get(at + name.len()..)?)))
        .filter(move |(before, after)| !before.ends_with(is_part) && !after.starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_no_code() {
        assert_eq!(bare("let a = 1; // tokio"), "let a = 1; ");
        assert_eq!(bare("/// tokio"), "");
        assert_eq!(bare("let a = \"http://x\"; tokio"), "let a = \"\"; tokio");
        assert_eq!(bare("let a = \"\\\"//\"; b"), "let a = \"\"; b");
        assert_eq!(bare("let a = \"\\\\\"; b"), "let a = \"\"; b");
        assert_eq!(bare("let a = '\"'; // b"), "let a = '\"'; ");
        assert_eq!(bare("a / b"), "a / b");
    }

    #[test]
    fn a_long_use_is_one_statement() {
        let source = "//! Doc.\nuse crate::{\n    a, // why\n    b,\n};\nfn f() {}\n";
        let code: Vec<(usize, String)> =
            statements(source).into_iter().map(|found| (found.line, found.code)).collect();
        let expected = [(1, ""), (2, "use crate::{a, b,};"), (6, "fn f() {}")];
        assert_eq!(code, expected.map(|(line, code)| (line, code.to_owned())));
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("{Clock, x}", "Clock").count(), 1);
        assert_eq!(words("SystemClock", "Clock").count(), 0);
        assert_eq!(words("Clocks", "Clock").count(), 0);
        assert_eq!(words("a::b::c", "b").next(), Some(("a::", "::c")));
    }
}
