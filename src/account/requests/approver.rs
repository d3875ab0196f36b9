//! Who at the desk may approve a reset: a pure rule. Never who asks for it, nor whom it is
//! about, and nobody twice, under whatever name of theirs.

use super::record::ResetRequest;
use crate::account::requester::mailbox_of;
use crate::config::desk::Staff;

/// Why somebody's approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It is who asks.
    #[error("whoever asks for a reset does not approve it; somebody else at the desk has to")]
    Requester,
    /// It is whom it is about.
    #[error("nobody approves a reset of their own; somebody else at the desk has to")]
    User,
    /// It is approved by that name already.
    #[error("this name has approved already; a second approval has to come from somebody else")]
    Twice,
}

impl Objection {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester_approves",
            Self::User => "user_approves",
            Self::Twice => "approved_already",
        }
    }
}

/// Judges whether `staff` may approve `request`. A name at the desk and a mailbox are compared
/// by their letters and digits alone: who is refused for a chance likeness leaves it to somebody
/// else.
///
/// # Errors
/// With the reason why not.
pub(super) fn judge(request: &ResetRequest, staff: &Staff) -> Result<(), Objection> {
    let name = bare(&staff.name);
    if name == bare(&mailbox_of(&request.requested_by)) {
        return Err(Objection::Requester);
    }
    if name == bare(&mailbox_of(request.user.as_str())) {
        return Err(Objection::User);
    }
    // A token and a person of one name are one somebody.
    if request.approvals.iter().any(|one| bare(&one.by.name) == name) {
        return Err(Objection::Twice);
    }
    Ok(())
}

fn bare(name: &str) -> String {
    let lower = name.to_lowercase();
    lower.chars().filter(|sign| sign.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::requester::Channel;
    use crate::account::requests::{Approved, Hand, RequestState, Way};
    use crate::clock::UnixMillis;
    use crate::config::desk::{Role, StaffKind};
    use crate::user::{Opaque, UserName};

    fn staff(kind: StaffKind, name: &str) -> Staff {
        Staff { name: name.to_owned(), kind, role: Role::Desk, portals: None }
    }

    fn asked(user: &str, requested_by: &str, approved_by: &[&str]) -> ResetRequest {
        let hand = |name: &&str| Hand::of(&staff(StaffKind::Token, name));
        let at = UnixMillis::from_seconds(1);
        ResetRequest {
            id: Opaque([1; 16]),
            portal: "wiki".to_owned(),
            user: UserName::canonical(user.to_owned()),
            requested_by: requested_by.to_owned(),
            channel: Channel::Colleague,
            way: Way::Recorded,
            reason: "lost".to_owned(),
            ticket: None,
            seen: true,
            made: at,
            approvals: approved_by.iter().map(|name| Approved { by: hand(name), at }).collect(),
            state: RequestState::Open,
        }
    }

    #[test]
    fn somebody_else_at_the_desk_approves() {
        for kind in [StaffKind::Token, StaffKind::Person] {
            let request = asked("alice", "bob@example.com", &["carol"]);
            assert_eq!(judge(&request, &staff(kind, "ann")), Ok(()));
        }
    }

    #[test]
    fn whoever_asks_does_not_approve_under_any_spelling() {
        for requested_by in [
            "ann@example.com",
            "Ann@Example.com",
            "ann+desk@example.com",
            "ann",
            "corp\\ann",
            "a.n.n@example.com",
        ] {
            let request = asked("alice", requested_by, &[]);
            for name in ["ann", "a-n-n", "an_n"] {
                let refused = judge(&request, &staff(StaffKind::Person, name));
                assert_eq!(refused, Err(Objection::Requester), "{requested_by} {name}");
            }
        }
    }

    #[test]
    fn nobody_approves_for_oneself() {
        for user in ["ann", "ann@example.com", "corp\\Ann", "ann+x@example.com"] {
            let request = asked(user, "bob@example.com", &[]);
            let refused = judge(&request, &staff(StaffKind::Token, "ann"));
            assert_eq!(refused, Err(Objection::User), "{user}");
        }
    }

    #[test]
    fn nobody_approves_twice_as_a_token_and_as_a_person() {
        let request = asked("alice", "bob@example.com", &["ann"]);
        for kind in [StaffKind::Token, StaffKind::Person] {
            let refused = judge(&request, &staff(kind, "ann"));
            assert_eq!(refused, Err(Objection::Twice));
        }
    }
}
