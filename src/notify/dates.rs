//! Moments as people read them, in each language.

use time::{Month, OffsetDateTime};

use crate::clock::UnixMillis;
use crate::net::language::Language;

/// `24 November 2026, 14:05 UTC`, in words of `language`. Nobody knows where the reader is, so
/// the zone is said.
pub(super) fn in_words(language: Language, at: UnixMillis) -> String {
    let seconds = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let (day, month, year) = (moment.day(), month(language, moment.month()), moment.year());
    let day = match (language, day) {
        (Language::De, day) => format!("{day}."),
        (Language::Fr, 1) => "1er".to_owned(),
        (Language::En | Language::Nl | Language::Fr, day) => day.to_string(),
    };
    format!("{day} {month} {year}, {:02}:{:02} UTC", moment.hour(), moment.minute())
}

const fn month(language: Language, month: Month) -> &'static str {
    let [en, nl, de, fr] = match month {
        Month::January => ["January", "januari", "Januar", "janvier"],
        Month::February => ["February", "februari", "Februar", "février"],
        Month::March => ["March", "maart", "März", "mars"],
        Month::April => ["April", "april", "April", "avril"],
        Month::May => ["May", "mei", "Mai", "mai"],
        Month::June => ["June", "juni", "Juni", "juin"],
        Month::July => ["July", "juli", "Juli", "juillet"],
        Month::August => ["August", "augustus", "August", "août"],
        Month::September => ["September", "september", "September", "septembre"],
        Month::October => ["October", "oktober", "Oktober", "octobre"],
        Month::November => ["November", "november", "November", "novembre"],
        Month::December => ["December", "december", "Dezember", "décembre"],
    };
    match language {
        Language::En => en,
        Language::Nl => nl,
        Language::De => de,
        Language::Fr => fr,
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::clock::UnixMillis;
    use crate::net::language::Language;

    #[test]
    fn a_moment_reads_as_people_write_it() {
        let at = UnixMillis::from_seconds(1_795_529_100);
        let words = Language::ALL.map(|language| in_words(language, at));
        assert_eq!(words[0], "24 November 2026, 14:05 UTC");
        assert_eq!(words[0], at.in_words());
        assert_eq!(words[1], "24 november 2026, 14:05 UTC");
        assert_eq!(words[2], "24. November 2026, 14:05 UTC");
        assert_eq!(words[3], "24 novembre 2026, 14:05 UTC");
        let first = UnixMillis::from_seconds(1_798_761_600);
        assert_eq!(in_words(Language::Fr, first), "1er janvier 2027, 00:00 UTC");
        assert_eq!(in_words(Language::De, first), "1. Januar 2027, 00:00 UTC");
    }
}
