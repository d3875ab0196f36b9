//! One rule, and whether a request meets it: certainly, certainly not, or by one reading of it
//! and not by another. What is in doubt is never taken for the reading that opens more.

use ipnet::IpNet;

use super::{Asked, Demand, QueryCondition, ServiceTokens};
use crate::net::path::PathPattern;

/// What is asked of the requests that fit.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which requests those are.
    pub conditions: Conditions,
    /// What they have to bring.
    pub demand: Demand,
    /// Who may bring it for [`Demand::Service`]; none for every other demand.
    pub tokens: ServiceTokens,
}

/// What a request has to be to meet a rule: all of these. An absent or empty one asks nothing.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Its path.
    pub path: Option<PathPattern>,
    /// Its method, in capitals; GET stands for HEAD too.
    pub methods: Vec<String>,
    /// Where it comes from.
    pub networks: Vec<IpNet>,
    /// The host that it asks for, in lower case and without port.
    pub hosts: Vec<String>,
    /// What its query says.
    pub query: Vec<QueryCondition>,
}

/// Whether something holds of a request, from the surest no to the surest yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// In no reading.
    No,
    /// In one reading, and in another not.
    Maybe,
    /// In every reading.
    Yes,
}

impl Answer {
    /// Sure, one way or the other.
    pub(super) const fn sure(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Rule {
    /// Whether a request meets the rule. Its path is known to be like the rule's, or to have
    /// more than one reading: [`super::index`] leaves nothing else.
    pub(super) fn answer(&self, asked: &Asked<'_>) -> Answer {
        let path = path_answer(self.conditions.path.as_ref(), asked);
        path.min(self.conditions.answer_beside_path(asked))
    }
}

pub(super) fn path_answer(pattern: Option<&PathPattern>, asked: &Asked<'_>) -> Answer {
    match pattern {
        Some(pattern) if !pattern.matches(asked.path) => Answer::Maybe,
        Some(_) | None => Answer::Yes,
    }
}

impl Conditions {
    /// Whether every path, method, client, host and query meets them.
    pub fn ask_nothing(&self) -> bool {
        self.path.is_none() && self.ask_nothing_beside_path()
    }

    /// Whether the path alone decides.
    pub fn ask_nothing_beside_path(&self) -> bool {
        self.methods.is_empty()
            && self.networks.is_empty()
            && self.hosts.is_empty()
            && self.query.is_empty()
    }

    /// What costs least is asked first, and a no ends it.
    pub(super) fn answer_beside_path(&self, asked: &Asked<'_>) -> Answer {
        let questions = [Self::method, Self::host, Self::client, Self::query];
        let mut sure = Answer::Yes;
        for question in questions {
            sure = sure.min(question(self, asked));
            if sure == Answer::No {
                break;
            }
        }
        sure
    }

    /// HEAD counts as GET. Some portals take `get` for GET too.
    pub(super) fn method(&self, asked: &Asked<'_>) -> Answer {
        let given = if asked.method == "HEAD" { "GET" } else { asked.method };
        if self.methods.is_empty() || self.methods.iter().any(|wanted| wanted == given) {
            return Answer::Yes;
        }
        let given = if given.eq_ignore_ascii_case("HEAD") { "GET" } else { given };
        let alike = self.methods.iter().any(|wanted| wanted.eq_ignore_ascii_case(given));
        if alike { Answer::Maybe } else { Answer::No }
    }

    fn host(&self, asked: &Asked<'_>) -> Answer {
        Answer::sure(self.hosts.is_empty() || self.hosts.iter().any(|host| host == asked.host))
    }

    pub(super) fn client(&self, asked: &Asked<'_>) -> Answer {
        if self.networks.is_empty() {
            return Answer::Yes;
        }
        asked.client.map_or(Answer::Maybe, |client| {
            // An IPv4 client of a socket for both families is no IPv6 client.
            let client = client.to_canonical();
            Answer::sure(self.networks.iter().any(|network| network.contains(&client)))
        })
    }

    pub(super) fn query(&self, asked: &Asked<'_>) -> Answer {
        let answers = self.query.iter().map(|condition| condition.answer(asked.query));
        answers.min().unwrap_or(Answer::Yes)
    }
}
