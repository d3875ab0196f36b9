//! What ops asks of requests by path, method, client, host and query. The first rule that a
//! request certainly meets decides, and before it every stricter one that it may meet: a
//! request with two readings is held to the stricter. What no rule says needs the second factor.

mod doubt;
mod index;
mod query;
mod rule;
pub mod tokens;

use std::net::IpAddr;

pub use super::Demand;
pub use doubt::Doubt;
pub use query::QueryCondition;
pub use rule::{Answer, Conditions, Rule};
pub use tokens::{ServiceToken, ServiceTokens};

use crate::net::path::{PathPattern, RequestPath};
use index::Index;

/// What of a request the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method, as it came.
    pub method: &'a str,
    /// The path.
    pub path: &'a RequestPath,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// Where it comes from, when that is known.
    pub client: Option<IpAddr>,
    /// The host that it asks for, in lower case and without port.
    pub host: &'a str,
}

/// What is asked of a request, and why.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// What it has to bring.
    pub demand: Demand,
    /// Why.
    pub because: Because<'a>,
}

impl<'a> Judged<'a> {
    /// The tokens that do for it; none unless a service is asked for.
    pub fn tokens(&self) -> Option<&'a ServiceTokens> {
        match (self.demand, self.because) {
            (Demand::Service, Because::Rule(_, rule)) => Some(&rule.tokens),
            (Demand::Service, Because::Default | Because::Public(_))
            | (Demand::None | Demand::Mfa | Demand::Fresh(_) | Demand::Deny, _) => None,
        }
    }
}

/// What a demand comes from.
#[derive(Clone, Copy, Debug)]
pub enum Because<'a> {
    /// Nothing says otherwise, or what does has more than one reading.
    Default,
    /// The path is public.
    Public(&'a PathPattern),
    /// The rule at this place, counted from zero.
    Rule(usize, &'a Rule),
}

/// The rules of a portal, made ready once.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    public: Vec<PathPattern>,
    /// By path: the rules by their number, and behind them the public paths.
    index: Index,
    /// Rules for all paths, in their order.
    everywhere: Vec<usize>,
    /// Rules for some paths that ask for more than a path with two readings needs anyway:
    /// the strictest first, and among equals those first that the path alone decides.
    strictest: Vec<usize>,
}

impl Rules {
    /// Takes rules in their order, and the paths that are open where no rule says otherwise.
    pub fn new(public: &[PathPattern], rules: Vec<Rule>) -> Self {
        let mut ready = Self { public: public.to_vec(), ..Self::default() };
        for (number, rule) in rules.iter().enumerate() {
            ready.index.insert(rule.conditions.path.as_ref(), number);
            if rule.conditions.path.is_none() {
                ready.everywhere.push(number);
            } else if rule.demand > Demand::Mfa {
                ready.strictest.push(number);
            }
            // Nothing is met behind a rule that everything meets.
            if rule.conditions.ask_nothing() {
                break;
            }
        }
        for (place, pattern) in public.iter().enumerate() {
            ready.index.insert(Some(pattern), rules.len() + place);
        }
        ready.strictest.sort_by_key(|number| {
            let rule = rules.get(*number);
            let strictness =
                rule.map(|rule| (rule.demand, rule.conditions.ask_nothing_beside_path()));
            (std::cmp::Reverse(strictness), *number)
        });
        ready.rules = rules;
        ready
    }

    /// Each rule, in its order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Judges a request. The cost grows with the rules whose path fits, not with all.
    pub fn judge(&self, asked: &Asked<'_>) -> Judged<'_> {
        match asked.path.canonical() {
            Some(path) => self.judge_canonical(asked, path),
            None => self.judge_ambiguous(asked),
        }
    }

    fn judge_canonical(&self, asked: &Asked<'_>, path: &str) -> Judged<'_> {
        let mut decisive = usize::MAX;
        let mut in_doubt = false;
        self.index.find(path, &mut |number| {
            if number < decisive {
                match self.answer(number, asked) {
                    Answer::Yes => decisive = number,
                    Answer::Maybe => in_doubt = true,
                    Answer::No => {}
                }
            }
        });
        let mut judged = self.outcome(decisive);
        if !in_doubt {
            return judged;
        }
        let mut by = decisive;
        self.index.find(path, &mut |number| {
            if number < decisive && self.answer(number, asked) == Answer::Maybe {
                let maybe = self.doubtful(number);
                let is_first = maybe.demand == judged.demand && by != decisive && number < by;
                if maybe.demand > judged.demand || is_first {
                    (judged, by) = (maybe, number);
                }
            }
        });
        judged
    }

    /// A path with two readings may fit every pattern, so all rules for paths may be met.
    fn judge_ambiguous(&self, asked: &Asked<'_>) -> Judged<'_> {
        let mut judged = Judged { demand: Demand::Mfa, because: Because::Default };
        let mut decisive = usize::MAX;
        for number in &self.everywhere {
            let answer = self.answer(*number, asked);
            if answer != Answer::No {
                judged = stricter(judged, self.doubtful(*number));
            }
            if answer == Answer::Yes {
                decisive = *number;
                break;
            }
        }
        for number in &self.strictest {
            let maybe = self.doubtful(*number);
            if maybe.demand <= judged.demand {
                break;
            }
            if *number < decisive && self.answer(*number, asked) != Answer::No {
                return maybe;
            }
        }
        judged
    }

    /// Whether a request meets what has this number, when its path is like it.
    fn answer(&self, number: usize, asked: &Asked<'_>) -> Answer {
        match self.rules.get(number) {
            Some(rule) => rule.answer(asked),
            None => {
                Answer::sure(self.public_at(number).is_some_and(|path| path.matches(asked.path)))
            }
        }
    }

    fn public_at(&self, number: usize) -> Option<&PathPattern> {
        self.public.get(number.checked_sub(self.rules.len())?)
    }

    /// What comes of the first that a request certainly meets.
    fn outcome(&self, number: usize) -> Judged<'_> {
        if let Some(rule) = self.rules.get(number) {
            return Judged { demand: rule.demand, because: Because::Rule(number, rule) };
        }
        match self.public_at(number) {
            Some(pattern) => Judged { demand: Demand::None, because: Because::Public(pattern) },
            None => Judged { demand: Demand::Mfa, because: Because::Default },
        }
    }

    /// What comes of one that a request may meet: nothing opens by a doubt. One that asks for
    /// nothing asks for no more than whatever else is met.
    fn doubtful(&self, number: usize) -> Judged<'_> {
        let judged = self.outcome(number);
        match judged.demand {
            Demand::Service => Judged { demand: Demand::Mfa, ..judged },
            Demand::None | Demand::Mfa | Demand::Fresh(_) | Demand::Deny => judged,
        }
    }
}

fn stricter<'a>(one: Judged<'a>, other: Judged<'a>) -> Judged<'a> {
    if other.demand > one.demand { other } else { one }
}

#[cfg(test)]
mod tests;
