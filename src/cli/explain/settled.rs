//! What an answer of the recording that is no login's changes: the portal's session begins,
//! moves, ends, or becomes somebody's where no rule looks.

use super::journey::{Journey, Passing, changes};
use super::line::Line;
use super::login;
use super::recorded::Recorded;
use super::words::plain;
use crate::config::Rotation;
use crate::identity::{BodyKind, CookieSet, Suspicion, announced};
use crate::net::lines::Lines;
use crate::net::set_cookie::CookieChange;
use crate::policy::{Destination, PortalCookies, PortalSession};
use crate::session::Learned;
use crate::site::destination::{Target, signs_out};

/// Whose a portal session is after an answer.
enum Whose {
    /// The one's who proved it.
    TheSame,
    /// Nobody's.
    Nobodys,
    /// Perhaps somebody else's, for this reason.
    Anybodys(&'static str),
}

impl Journey<'_> {
    /// The answer to a request that is no login.
    pub(super) fn settle(
        &mut self,
        passing: &Passing<'_>,
        destination: Destination,
        cookies: PortalCookies,
        unclear: bool,
        line: &mut Line,
    ) {
        self.doubt_names(passing, unclear);
        let Some(answer) = &passing.recorded.answer else { return };
        let changes = changes(passing.recorded, answer);
        if passing.proven {
            return self.settle_proven(passing, &changes, unclear, line);
        }
        if cookies == PortalCookies::WithholdBothWays {
            return self.not_seen(passing, line);
        }
        let named = announced(&self.site.portal.identity, &answer.headers);
        let after = self.set_after(&passing.sent, &changes, passing.target);
        if let Some(Some(user)) = named
            && !after.is_empty()
        {
            line.because(format!("the portal named {}: learned", plain(user.as_str())));
            return self.learn(passing.recorded, Some(user), &after, Learned::Login);
        }
        self.begin_guest(passing, destination, &changes, line);
    }

    /// A portal session that begins at the login page, or moves there, is nobody's.
    pub(super) fn begin_guest(
        &mut self,
        passing: &Passing<'_>,
        destination: Destination,
        changes: &[CookieChange],
        line: &mut Line,
    ) {
        let after = self.set_after(&passing.sent, changes, passing.target);
        let begins = self.touches(changes) && !after.is_empty();
        if begins && destination == Destination::Login {
            line.because("the portal's session begins here, as nobody's");
            self.guest = Some(self.site.binder.bind(&after));
        } else if begins {
            self.not_seen(passing, line);
        }
    }

    fn settle_proven(
        &mut self,
        passing: &Passing<'_>,
        changes: &[CookieChange],
        unclear: bool,
        line: &mut Line,
    ) {
        let after = self.set_after(&passing.sent, changes, passing.target);
        let left = after.is_empty() && !passing.sent.is_empty();
        if left || signs_out(&self.site.portal, passing.target) {
            line.because("the user signed out: the session ends");
            return self.end();
        }
        let changed = !after.is_same(&passing.sent);
        let suspect = unclear || self.is_suspect(passing);
        match self.whose(passing, &after, changed, suspect, line) {
            Whose::TheSame if changed => self.rotate(passing.recorded, &after, line),
            Whose::TheSame => {}
            Whose::Nobodys => {
                line.because("the portal names nobody any more: the session ends");
                self.end();
            }
            Whose::Anybodys(why) => {
                line.warn(format!("{why}: the session ends here with 401"));
                self.end();
            }
        }
    }

    /// Whose the portal's session is after an answer: by its word where the recording has it,
    /// elsewhere by what the request looked like.
    fn whose(
        &self,
        passing: &Passing<'_>,
        after: &CookieSet,
        changed: bool,
        suspect: bool,
        line: &mut Line,
    ) -> Whose {
        let identity = &self.site.portal.identity;
        let answer = passing.recorded.answer.as_ref();
        if answer.is_some_and(|answer| announced(identity, &answer.headers).is_some()) {
            return Whose::Anybodys("the portal names who signed in where no rule takes a login");
        }
        let word = match (&identity.whoami, &identity.jwt) {
            (Some(_), _) if changed || suspect => login::whoami(self, after, line),
            (None, Some(_)) if changed => {
                Some(login::signed(self, after, passing.recorded.at, line))
            }
            (None, None) if changed && suspect => {
                return Whose::Anybodys(
                    "it may carry somebody's password where no rule looks, and the answer changes \
                     the portal's session",
                );
            }
            (Some(_), _) | (None, Some(_) | None) => None,
        };
        let known = self.session.as_ref().and_then(|held| held.user.as_ref());
        match word {
            None => Whose::TheSame,
            Some(Some(user)) if known.is_none_or(|known| *known == user) => Whose::TheSame,
            Some(Some(_)) => Whose::Anybodys("the portal names another user"),
            Some(None) if suspect => Whose::Anybodys("the portal names nobody"),
            Some(None) => Whose::Nobodys,
        }
    }

    /// The portal's session moved.
    fn rotate(&mut self, recorded: &Recorded, after: &CookieSet, line: &mut Line) {
        let names: Vec<String> = after.iter().map(|(name, _)| plain(name)).collect();
        let names = names.join(", ");
        let what = match self.site.portal.identity.rotation {
            Rotation::Follow => "the proof goes along",
            Rotation::Reverify => {
                "the user gives a code again, by `rotation: reverify`; taken as given"
            }
        };
        line.because(format!("the portal's session changes ({names}): {what}"));
        let Some(held) = self.session.take() else { return };
        self.learn(recorded, held.user, after, held.record.learned);
    }

    /// Where a step before names the user, whatever may name another leaves in doubt whom the
    /// portal remembers.
    fn doubt_names(&self, passing: &Passing<'_>, unclear: bool) {
        let remembers = self.site.portal.identity.remembers_names();
        if remembers && (unclear || self.is_suspect(passing)) {
            let parts = self.site.binder.parts(&passing.sent);
            self.site.names.here().doubt(passing.recorded.at, &parts);
        }
    }

    fn is_suspect(&self, passing: &Passing<'_>) -> bool {
        let identity = &self.site.portal.identity;
        let recorded = passing.recorded;
        let Target { method, query, .. } = passing.target;
        let lines = Lines::of(&recorded.headers);
        let mut suspicion = Suspicion::of_head(identity, lines, method, query);
        let form = BodyKind::of(&recorded.headers) == BodyKind::UrlEncoded;
        suspicion.see(identity, form, Some(recorded.body.as_slice()), true);
        suspicion.is_suspect()
    }

    /// The gateway would have kept the portal's session out of this request or its answer, but
    /// the browser of the recording had it. One that only began is nobody's all the same.
    pub(super) fn not_seen(&mut self, passing: &Passing<'_>, line: &mut Line) {
        let Some(answer) = &passing.recorded.answer else { return };
        let changes = changes(passing.recorded, answer);
        if !passing.set.is_empty() && passing.portal_session == PortalSession::Other {
            line.because("its portal session began without a login that the rules see");
        }
        if !self.touches(&changes) {
            return;
        }
        let after = self.set_after(&passing.set, &changes, passing.target);
        let reads = matches!(passing.target.method, "GET" | "HEAD");
        let nobodys = passing.portal_session != PortalSession::Other;
        if after.is_empty() {
            self.guest = None;
        } else if reads && nobodys {
            line.because(
                "the portal began a session here; with the gateway it begins at the login",
            );
            self.guest = Some(self.site.binder.bind(&after));
        } else {
            self.guest = None;
            line.warn(format!(
                "the portal's session began or changed here ({}) without a login that the rules see",
                self.session_names(&changes).join(", ")
            ));
        }
    }

    fn touches(&self, changes: &[CookieChange]) -> bool {
        !self.session_names(changes).is_empty()
    }

    fn session_names(&self, changes: &[CookieChange]) -> Vec<String> {
        let patterns = &self.site.portal.identity.session_cookies;
        let counts = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let names = changes.iter().map(|change| change.name.as_str());
        names.filter(|name| counts(name)).map(plain).collect()
    }
}
