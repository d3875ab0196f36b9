//! What the query of a request has to say. Portals read queries in many ways, so a key is
//! certainly there only when it is there once, plainly, and nothing else looks like it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Answer;
use crate::net::glob::Glob;

/// A key of the query, and what its value has to be.
#[derive(Clone, Debug)]
pub struct QueryCondition {
    key: String,
    value: Glob,
    like_key: String,
    like_value: Glob,
}

/// What a name in a query is to a key.
enum Kin {
    Stranger,
    Alike,
    Same,
}

impl QueryCondition {
    /// Of `key`, the value that fits `pattern`, in which `*` stands for any run of characters.
    pub fn new(key: &str, pattern: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: Glob::new(pattern),
            like_key: like_key(key, key),
            like_value: Glob::new(like_value(pattern, pattern)),
        }
    }

    /// The key as it was written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        self.value.as_str()
    }

    /// Whether it holds of a query, which stands without its question mark.
    pub(super) fn answer(&self, query: Option<&str>) -> Answer {
        let mut found = None;
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match self.kin_of_pair(pair, name) {
                Kin::Stranger => {}
                Kin::Alike => return Answer::Maybe,
                Kin::Same if found.is_some() => return Answer::Maybe,
                Kin::Same => found = Some(value),
            }
        }
        found.map_or(Answer::No, |value| self.value_answer(value))
    }

    /// Some portals take `;` for `&`.
    fn kin_of_pair(&self, pair: &str, name: &str) -> Kin {
        if !pair.contains(';') {
            return self.kin(name);
        }
        let names = pair.split(';').map(|part| part.split_once('=').map_or(part, |(name, _)| name));
        let mut kin = names.chain([name]).map(|name| self.kin(name));
        if kin.all(|kin| matches!(kin, Kin::Stranger)) { Kin::Stranger } else { Kin::Alike }
    }

    /// A name that cannot be read might be any.
    fn kin(&self, name: &str) -> Kin {
        let Some(decoded) = decode(name) else {
            return Kin::Alike;
        };
        if decoded == self.key && !name.contains('+') {
            return Kin::Same;
        }
        let is_alike = like_key(&decoded, &self.key) == self.like_key;
        if is_alike { Kin::Alike } else { Kin::Stranger }
    }

    /// A plus is a space to most portals and itself to some.
    fn value_answer(&self, value: &str) -> Answer {
        let spaced = value.replace('+', "%20");
        let (Some(plus), Some(space)) = (decode(value), decode(&spaced)) else {
            return Answer::Maybe;
        };
        match (self.value.matches(&plus), self.value.matches(&space)) {
            (true, true) => Answer::Yes,
            (false, false) if !self.is_like_value(&plus) => Answer::No,
            (true | false, true | false) => Answer::Maybe,
        }
    }

    fn is_like_value(&self, value: &str) -> bool {
        self.like_value.matches(&like_value(value, self.value.as_str()))
    }
}

/// The text behind the escapes, when all of them are whole and spell UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_whole = |(at, _): (usize, &str)| is_hex(at + 1) && is_hex(at + 2);
    if !text.match_indices('%').all(is_whole) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// What a name has in common with all that some portal reads as the same key: PHP takes dots,
/// spaces and brackets in it for `_`, cuts it at NUL, and makes a list of `do[]`.
fn like_key(name: &str, key: &str) -> String {
    let name = percent_decode_str(name).decode_utf8_lossy().replace('+', " ");
    let name = name.split('\0').next().unwrap_or_default().trim();
    let is_list = !key.contains('[') && name.len() > 1;
    let end = name.find('[').filter(|at| is_list && *at > 0).unwrap_or(name.len());
    let stem = name.get(..end).unwrap_or(name);
    let like = |sign: char| if matches!(sign, '.' | ' ' | '[') { '_' } else { sign };
    let like: String = stem.to_lowercase().chars().map(like).collect();
    like.trim_matches('_').to_owned()
}

/// What a value has in common with all that some portal reads as the same word: whatever its
/// case, and the signs that the pattern does not have.
fn like_value(value: &str, pattern: &str) -> String {
    let counts = |sign: &char| sign.is_alphanumeric() || *sign == '*' || pattern.contains(*sign);
    value.to_lowercase().chars().filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::QueryCondition;

    fn check(pattern: &str, query: &str, expected: Answer) {
        let answer = QueryCondition::new("do", pattern).answer(Some(query));
        assert_eq!(answer, expected, "do={pattern} of {query}");
    }

    #[test]
    fn a_plain_query_is_sure() {
        for query in
            ["do=admin", "id=start&do=admin", "%64o=adm%69n", "do=admin&", "x=a;b&do=admin"]
        {
            check("admin", query, Answer::Yes);
        }
        for query in ["", "do=show", "done=admin", "id=do", "xdo=admin", "do=administer", "x=;&y"] {
            check("admin", query, Answer::No);
        }
        check("adm*", "do=administer", Answer::Yes);
        check("*", "do", Answer::Yes);
        check("", "do=", Answer::Yes);
        check("a b", "do=a%20b", Answer::Yes);
        assert_eq!(QueryCondition::new("do", "*").answer(None), Answer::No);
    }

    #[test]
    fn a_key_that_is_there_twice_is_in_doubt() {
        for query in ["do=admin&do=show", "do=show&do=admin", "do=admin&do=admin", "do=show&do"] {
            check("admin", query, Answer::Maybe);
        }
    }

    #[test]
    fn what_some_portal_takes_for_the_key_is_in_doubt() {
        let lists = ["do[]=admin", "do[x]=admin", "do%5B%5D=admin", "do=show&do[]=admin"];
        let names =
            ["DO=admin", "do.=admin", "do%00x=admin", "+do=admin", "%20do=admin", "do_=admin"];
        let escapes = ["%2564o=admin", "%u0064o=admin", "d%o=admin", "%ff=admin"];
        let separators = ["id=x;do=admin", "do=show;do=admin", "do=admin;x", "x;do"];
        for query in lists.into_iter().chain(names).chain(escapes).chain(separators) {
            check("admin", query, Answer::Maybe);
        }
    }

    #[test]
    fn what_some_portal_takes_for_the_value_is_in_doubt() {
        for value in ["ADMIN", "ad.min", "admin%20", "admin+", "%admin", "adm%u0069n", "admin%00"] {
            check("admin", &format!("do={value}"), Answer::Maybe);
        }
        check("a b", "do=a+b", Answer::Maybe);
        check("a*", "do=B%2Ba", Answer::No);
    }
}
