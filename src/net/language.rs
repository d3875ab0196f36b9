//! The languages that we speak, and which of them somebody would rather read, as a browser
//! says it in `Accept-Language` (RFC 9110 section 12.5.4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More wishes than any browser sends.
const MOST_WISHES: usize = 32;

/// A language that we have all words in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum Language {
    /// English.
    En,
    /// Dutch.
    Nl,
    /// German.
    De,
    /// French.
    Fr,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::En, Self::Nl, Self::De, Self::Fr];

    /// Its tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Nl => "nl",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// The one of this tag, whatever the region: `nl-BE` is Dutch.
    fn of(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

/// The languages that ops chose: one at least, the first for whoever wishes for none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Languages {
    first: Language,
    others: Vec<Language>,
}

impl Default for Languages {
    fn default() -> Self {
        Self::new(Language::En, Vec::new())
    }
}

impl Languages {
    /// These, the first of which is the default.
    pub const fn new(first: Language, others: Vec<Language>) -> Self {
        Self { first, others }
    }

    /// The one for whoever wishes for none of them.
    pub const fn first(&self) -> Language {
        self.first
    }

    /// Every one, the default first.
    pub fn iter(&self) -> impl Iterator<Item = Language> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The language wished for, if it is spoken here, or else the default.
    pub fn or_first(&self, wished: Option<Language>) -> Language {
        wished.filter(|wished| self.iter().any(|known| known == *wished)).unwrap_or(self.first)
    }

    /// The one that lines of `Accept-Language` would have soonest; nothing where they name none
    /// of ours.
    pub fn wished<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Option<Language> {
        let ranges = lines.into_iter().flat_map(|line| line.split(',')).take(MOST_WISHES);
        let mut best: Option<(u16, Language)> = None;
        for (weight, range) in ranges.filter_map(weighed) {
            let language = if range == "*" { Some(self.first) } else { Language::of(range) };
            let Some(language) = language.filter(|wished| self.iter().any(|one| one == *wished))
            else {
                continue;
            };
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// One wish: how much it weighs, in thousandths, and for what. A weight that is none counts as
/// no wish at all.
fn weighed(wish: &str) -> Option<(u16, &str)> {
    let mut parts = wish.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let Some(weight) = parts.next() else { return Some((1000, range)) };
    let weight = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    Some((thousandths(weight)?, range))
}

/// `0.8` as 800: a weight has up to three digits after its point and is at most 1.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{rest:0<3}").parse().ok(),
        "1" if rest.bytes().all(|byte| byte == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, Languages};
    use Language::{De, En, Fr, Nl};

    #[test]
    fn the_wish_that_weighs_most_and_can_be_met_is_met() {
        let all = Languages::new(En, vec![Nl, De, Fr]);
        let two = Languages::new(En, vec![Nl]);
        let cases = [
            ("nl-BE, nl;q=0.9, en;q=0.8", Some(Nl), Some(Nl)),
            ("fr, nl;q=0.5", Some(Fr), Some(Nl)),
            ("en;q=0.2, NL;q=0.8", Some(Nl), Some(Nl)),
            ("es, pt-BR;q=0.9", None, None),
            ("es, *;q=0.1", Some(En), Some(En)),
            ("nl;q=0, de", Some(De), None),
            ("nl;q=9, de;q=x, fr;level=1", None, None),
            ("", None, None),
            ("netherlands, dex, e", None, None),
            (";;;,,q=1", None, None),
        ];
        for (line, of_all, of_two) in cases {
            assert_eq!(all.wished([line]), of_all, "{line}");
            assert_eq!(two.wished([line]), of_two, "{line}");
        }
        assert_eq!(all.wished(["es", "de"]), Some(De));
        assert_eq!(all.wished([]), None);
    }

    #[test]
    fn a_wish_of_yesterday_counts_only_while_it_can_be_met() {
        let two = Languages::new(Nl, vec![En]);
        assert_eq!(two.or_first(Some(En)), En);
        assert_eq!(two.or_first(Some(Fr)), Nl);
        assert_eq!(two.or_first(None), Nl);
        assert_eq!(Languages::default().first(), En);
    }
}
