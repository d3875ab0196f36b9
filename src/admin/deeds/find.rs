//! Finding the users of a portal, by name and by how they stand.

use crate::account::{AccountError, Member, State};
use crate::clock::UnixMillis;
use crate::site::{Parts, Site};
use crate::user::Opaque;

/// Users in one answer.
pub(in crate::admin) const PAGE: usize = 100;
/// Users that one look goes over, where it looks for some of them.
const LOOKED_AT: usize = 1000;

/// Who is looked for.
#[derive(Default)]
pub(in crate::admin) struct Wanted {
    state: Option<State>,
    /// In small letters.
    part: Option<String>,
}

/// Who was found, by what they are to the store; there may be few of them, and more.
pub(in crate::admin) struct Found {
    pub(in crate::admin) members: Vec<(Opaque, Member)>,
    /// After whom to look on; nothing at the end.
    pub(in crate::admin) next: Option<Opaque>,
}

impl Wanted {
    /// Those in this state whose names hold this text.
    pub(in crate::admin) fn new(state: Option<State>, part: Option<&str>) -> Self {
        Self { state, part: part.map(str::to_lowercase) }
    }

    fn is(&self, member: &Member, now: UnixMillis) -> bool {
        let has_part = |part: &String| member.user.as_str().to_lowercase().contains(part);
        self.state.is_none_or(|state| state == member.state(now))
            && self.part.as_ref().is_none_or(has_part)
    }
}

/// Looks once, after `after`.
///
/// # Errors
/// When the store is in doubt.
pub(in crate::admin) async fn find(
    parts: &Parts,
    now: UnixMillis,
    site: &Site,
    wanted: &Wanted,
    after: Option<Opaque>,
) -> Result<Found, AccountError> {
    let is_all = wanted.state.is_none() && wanted.part.is_none();
    let limit = if is_all { PAGE } else { LOOKED_AT };
    let roster = parts.accounts.roster(now, site.tag, after, limit).await?;
    let members = roster.members.into_iter().filter(|(_, member)| wanted.is(member, now));
    let mut members: Vec<(Opaque, Member)> = members.collect();
    let is_cut = members.len() > PAGE;
    members.truncate(PAGE);
    let last = members.last().map(|(sub, _)| *sub).filter(|_| is_cut);
    Ok(Found { members, next: last.or(roster.rest) })
}
