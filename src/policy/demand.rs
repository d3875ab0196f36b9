//! What a request has to bring, ordered by how much that is.

use std::cmp::Ordering;
use std::time::Duration;

/// What a rule asks of whoever meets it. A greater one is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: everybody may.
    None,
    /// A token of the rule, or the second factor: a person may go there too.
    Service,
    /// The second factor, given in this session.
    Mfa,
    /// The second factor, given at most this long ago.
    Fresh(Duration),
    /// Nothing that anybody could bring.
    Deny,
}

impl Demand {
    /// The word for it in the YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Service => "service",
            Self::Mfa => "mfa",
            Self::Fresh(_) => "fresh",
            Self::Deny => "deny",
        }
    }

    /// Whether it lets somebody through who gave no second factor.
    pub const fn opens(self) -> bool {
        match self {
            Self::None | Self::Service => true,
            Self::Mfa | Self::Fresh(_) | Self::Deny => false,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Service => 1,
            Self::Mfa => 2,
            Self::Fresh(_) => 3,
            Self::Deny => 4,
        }
    }
}

impl Ord for Demand {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Who has less time for it has to give more codes.
            (Self::Fresh(one), Self::Fresh(another)) => another.cmp(one),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Demand {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Demand;

    #[test]
    fn demands_stand_in_the_order_of_their_strictness() {
        let minutes = |minutes: u64| Demand::Fresh(Duration::from_secs(60 * minutes));
        let ordered =
            [Demand::None, Demand::Service, Demand::Mfa, minutes(60), minutes(5), Demand::Deny];
        assert!(ordered.is_sorted_by(|one, next| one < next));
        assert_eq!(ordered.map(Demand::opens), [true, true, false, false, false, false]);
    }
}
