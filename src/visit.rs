//! A visit: the visitor of one request together with the sessions, ours and the portal's,
//! by which that visitor is known.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderValue;

use crate::clock::UnixMillis;
use crate::identity::CookieSet;
use crate::net::cookies::Cookies;
use crate::policy::{PortalSession, Standing, Visitor};
use crate::session::{ReadToken, SessionRecord};

/// Who a request is from, and how that is known.
#[derive(Clone)]
pub struct Visit {
    /// Who, as far as it is proven.
    pub who: Who,
    /// All cookies of the request, read by the portal's rules.
    pub read: Cookies,
    /// The portal's session cookies among them.
    pub cookies: CookieSet,
    /// What its session cookie says, where it is ours and in time; its age matters.
    pub claims: Option<Arc<ReadToken>>,
    /// The `Set-Cookie` line of a session that began with this very request.
    pub fresh: Option<String>,
    /// What that portal session is to us.
    pub portal_session: PortalSession,
    /// The languages wished for: the first `Accept-Language` line, as it came.
    pub wishes: Option<HeaderValue>,
}

/// A visitor with the session that says so.
#[derive(Clone)]
pub enum Who {
    /// Nobody we know.
    Unknown,
    /// Gave the password.
    Named(Arc<SessionRecord>, Standing),
    /// Gave the second factor too. The claims are those of the cookie, whose age matters.
    Proven(Arc<SessionRecord>, Arc<ReadToken>),
}

impl Visit {
    /// The visitor as the decision sees it at `now`.
    pub fn visitor(&self, now: UnixMillis) -> Visitor {
        match &self.who {
            Who::Unknown => Visitor::Unknown,
            Who::Named(_, standing) => Visitor::Named(*standing),
            Who::Proven(session, _) => Visitor::Proven(session.proof_age(now)),
        }
    }

    /// Whether the portal session of the request is one that a user signed in to, as far as we
    /// know.
    pub fn is_carried(&self) -> bool {
        match &self.who {
            Who::Unknown => false,
            Who::Named(..) => !self.cookies.is_empty(),
            Who::Proven(..) => true,
        }
    }

    /// The session of a visitor we know.
    pub fn session(&self) -> Option<&Arc<SessionRecord>> {
        match &self.who {
            Who::Unknown => None,
            Who::Named(session, _) | Who::Proven(session, _) => Some(session),
        }
    }

    /// The identifier of a visitor we know, as logs have it.
    pub fn subject(&self) -> Option<Cow<'_, str>> {
        match &self.who {
            Who::Unknown => None,
            Who::Named(session, _) => Some(session.sub.encode().into()),
            Who::Proven(_, token) => Some(token.subject().into()),
        }
    }
}
