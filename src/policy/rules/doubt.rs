//! Which rules a request may meet or not, by one reading of it or another, and why. Whoever
//! explains a judgement asks here; the answers are those that the judgement is made of.

use std::fmt;

use super::rule::path_answer;
use super::{Answer, Asked, Conditions, Rule, Rules};

/// A condition that a request meets in one reading and in another not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The path is only like the rule's, or has two readings.
    Path,
    /// Some portals take the method for another.
    Method,
    /// Nobody knows where the request comes from.
    Client,
    /// Some portals read the query in another way.
    Query,
}

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Path => "some portals take its path for one of the rule",
            Self::Method => "some portals take its method for one of the rule",
            Self::Client => "the address of the client is not known",
            Self::Query => "its query can be read in two ways",
        })
    }
}

impl Rules {
    /// The rules that a request may meet before the first that it certainly meets, by their
    /// numbers. Where it is judged by one of them, it was for being stricter.
    pub fn in_doubt(&self, asked: &Asked<'_>) -> Vec<(usize, &Rule)> {
        let mut numbers = Vec::new();
        match asked.path.canonical() {
            Some(path) => self.index.find(path, &mut |number| numbers.push(number)),
            // Such a path may fit every pattern.
            None => numbers.extend(0..self.rules.len()),
        }
        numbers.sort_unstable();
        numbers.dedup();
        let answers = numbers.into_iter().map(|number| (number, self.answer(number, asked)));
        let before = answers.take_while(|(_, answer)| *answer != Answer::Yes);
        let maybe = before.filter(|(_, answer)| *answer == Answer::Maybe);
        maybe.filter_map(|(number, _)| Some((number, self.rules.get(number)?))).collect()
    }
}

impl Rule {
    /// Each condition that the request meets in one reading and in another not.
    pub fn doubts(&self, asked: &Asked<'_>) -> Vec<Doubt> {
        let conditions = &self.conditions;
        let answers = [
            (Doubt::Path, path_answer(conditions.path.as_ref(), asked)),
            (Doubt::Method, conditions.method(asked)),
            (Doubt::Client, conditions.client(asked)),
            (Doubt::Query, conditions.query(asked)),
        ];
        let maybe = answers.into_iter().filter(|(_, answer)| *answer == Answer::Maybe);
        maybe.map(|(doubt, _)| doubt).collect()
    }
}

/// Which requests meet a rule, with the words of the YAML.
impl fmt::Display for Conditions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ask_nothing() {
            return out.write_str("every request");
        }
        let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
        let query = self.query.iter().map(|it| format!("{}={}", it.key(), it.pattern()));
        let named = [
            ("path", self.path.iter().map(ToString::to_string).collect()),
            ("method", self.methods.join(" or ")),
            ("network", networks.join(" or ")),
            ("host", self.hosts.join(" or ")),
            ("query", query.collect::<Vec<_>>().join(" and ")),
        ];
        let named = named.iter().filter(|(_, text)| !text.is_empty());
        let texts: Vec<String> = named.map(|(key, text)| format!("{key} {text}")).collect();
        out.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::Doubt;
    use crate::net::path::{PathPattern, RequestPath};
    use crate::policy::Demand;
    use crate::policy::rules::{Asked, Conditions, QueryCondition, Rule, Rules, ServiceTokens};

    fn rule(path: Option<&str>, demand: Demand, more: Conditions) -> Rule {
        let path = path.map(|path| PathPattern::parse(path).unwrap());
        Rule { conditions: Conditions { path, ..more }, demand, tokens: ServiceTokens::default() }
    }

    fn rules() -> Rules {
        let inside = || vec!["10.1.0.0/16".parse().unwrap()];
        Rules::new(
            &[],
            vec![
                rule(
                    Some("/a"),
                    Demand::None,
                    Conditions { networks: inside(), ..Conditions::default() },
                ),
                rule(
                    Some("/*"),
                    Demand::Deny,
                    Conditions {
                        query: vec![QueryCondition::new("do", "admin")],
                        ..Conditions::default()
                    },
                ),
                rule(
                    Some("/a"),
                    Demand::Mfa,
                    Conditions { methods: vec!["GET".to_owned()], ..Conditions::default() },
                ),
                rule(
                    Some("/a"),
                    Demand::Deny,
                    Conditions { networks: inside(), ..Conditions::default() },
                ),
            ],
        )
    }

    fn doubts(
        method: &str,
        raw: &str,
        query: &str,
        client: Option<&str>,
    ) -> Vec<(usize, Vec<Doubt>)> {
        let (path, rules) = (RequestPath::parse(raw).unwrap(), rules());
        let client = client.and_then(|client| client.parse().ok());
        let asked = Asked { method, path: &path, query: Some(query), client, host: "wiki.test" };
        let found = rules.in_doubt(&asked);
        found.into_iter().map(|(number, rule)| (number, rule.doubts(&asked))).collect()
    }

    #[test]
    fn what_is_in_doubt_is_told_as_far_as_it_can_decide() {
        use Doubt::{Client, Method, Path, Query};
        assert_eq!(doubts("GET", "/a", "", Some("10.2.0.1")), []);
        assert_eq!(doubts("GET", "/a", "", None), [(0, vec![Client])]);
        assert_eq!(doubts("GET", "/A", "", Some("10.2.0.1")), [(2, vec![Path])]);
        assert_eq!(doubts("GET", "/a", "do=admin&do=x", Some("10.2.0.1")), [(1, vec![Query])]);
        assert_eq!(
            doubts("get", "/a", "", None),
            [(0, vec![Client]), (2, vec![Method]), (3, vec![Client])]
        );
        assert_eq!(
            doubts("GET", "/x/../a", "do=admin", Some("10.1.0.1")),
            [(0, vec![Path]), (1, vec![Path]), (2, vec![Path]), (3, vec![Path])]
        );
    }

    #[test]
    fn conditions_read_as_they_are_written() {
        let all = rule(
            Some("/admin/**"),
            Demand::Deny,
            Conditions {
                methods: vec!["GET".to_owned(), "POST".to_owned()],
                networks: vec!["10.1.0.0/16".parse().unwrap()],
                hosts: vec!["wiki.test".to_owned()],
                query: vec![QueryCondition::new("do", "adm*")],
                path: None,
            },
        );
        let text = "path /admin/**, method GET or POST, network 10.1.0.0/16, host wiki.test, query do=adm*";
        assert_eq!(all.conditions.to_string(), text);
        assert_eq!(Conditions::default().to_string(), "every request");
    }
}
