//! What the desk does, whoever asks: the API and the console call the same. Nothing here knows
//! how it was asked for or how it is answered.

pub(super) mod resets;

use std::net::IpAddr;

use crate::audit::{AuditError, By, Detail, Entry};
use crate::clock::UnixMillis;
use crate::config::desk::{Staff, StaffKind};
use crate::site::Parts;

/// Somebody at the desk who does something now.
#[derive(Clone, Copy)]
pub(super) struct Acting<'a> {
    /// All rooms.
    pub(super) parts: &'a Parts,
    /// The moment at which it happens.
    pub(super) now: UnixMillis,
    /// Who.
    pub(super) staff: &'a Staff,
    /// From where.
    pub(super) client: Option<IpAddr>,
}

impl<'a> Acting<'a> {
    /// Who does it, as the audit log names them.
    pub(super) fn by(&self) -> By<'a> {
        match self.staff.kind {
            StaffKind::Token => By::Token(&self.staff.name),
            StaffKind::Person => By::Person(&self.staff.name),
        }
    }

    /// Tells of what was done or tried: in the log, that one opaque, and for good in the audit
    /// log, where it is on disk when this returns.
    pub(super) async fn note(&self, entry: Entry<'_>) -> Result<(), AuditError> {
        let refused = entry.with.iter().find(|(detail, _)| *detail == Detail::Refusal);
        let site = entry.portal.and_then(|portal| self.parts.sites.of(portal));
        let name = entry.user.map(|user| crate::user::UserName::canonical(user.to_owned()));
        let user = site.zip(name).map(|(site, name)| site.binder.subject(&name).encode());
        tracing::info!(
            by = self.staff.name,
            event = entry.event.as_str(),
            portal = entry.portal,
            user,
            refused = refused.map(|(_, word)| word.as_str()),
            "the desk acted"
        );
        self.parts.audit.note(self.now, entry.from(self.client, None)).await
    }
}
