//! Stage 5: what the decision is made of is gathered here, and what follows from it for the
//! rollout is noted.

use http::HeaderMap;

use super::context::{Context, Incoming};
use super::fail::{Failure, challenge_labels};
use crate::account::Mark;
use crate::clock::UnixMillis;
use crate::net::kind::Kind;
use crate::policy::rules::Judged;
use crate::policy::rules::tokens::{self, Sent};
use crate::policy::{Challenge, Demand, Destination, Facts, Reason, Stage, Standing, Verdict};
use crate::session::SessionRecord;
use crate::site::destination::Purpose;
use crate::site::{Parts, Site};
use crate::telemetry::label::{ReasonLabel, VerdictLabel};
use crate::visit::{Visit, Who};

/// Everything that the decision about a request depends on.
///
/// # Errors
/// When the store is in doubt about who was told what.
pub(super) async fn gather(
    parts: &Parts,
    site: &Site,
    headers: &HeaderMap,
    incoming: &Incoming,
    purpose: Purpose<'_>,
    visit: &Visit,
) -> Result<Facts, Failure> {
    let now = parts.now();
    let demand = purpose.judged.demand;
    let stage = stage(site, now, demand, visit);
    let notice_due = notice_due(parts, site, incoming, purpose.destination, stage, visit);
    Ok(Facts {
        destination: purpose.destination,
        demand,
        visitor: visit.visitor(now),
        stage,
        notice_due: notice_due.await?,
        service: brings_token(site, headers, purpose.judged),
        portal_session: visit.portal_session,
    })
}

/// Whether the request has a token of the rule that asks for one. Where the portal reads
/// `Authorization` itself, that line is never ours.
fn brings_token(site: &Site, headers: &HeaderMap, judged: Judged<'_>) -> bool {
    let Some(tokens) = judged.tokens() else { return false };
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none());
        value.and_then(|value| value.to_str().ok())
    };
    let theirs = site.portal.identity.reads_authorization();
    let authorization = if theirs { None } else { only("authorization") };
    tokens.names(Sent { authorization, own: only(tokens::HEADER) }).is_some()
}

/// How far the portal is with this visitor. Whoever lacks nothing is asked for nothing by any
/// date, so the way of nearly every request looks nobody up.
fn stage(site: &Site, now: UnixMillis, demand: Demand, visit: &Visit) -> Stage {
    let user = match (&visit.who, demand) {
        (Who::Unknown, _) => None,
        (Who::Proven(..), Demand::None | Demand::Service | Demand::Mfa) => None,
        (Who::Named(session, _) | Who::Proven(session, _), _) => Some(session.user.as_str()),
    };
    site.portal.enforcement.stage(user, now)
}

/// A notice is a page, so only somebody who asks for one is shown it.
async fn notice_due(
    parts: &Parts,
    site: &Site,
    incoming: &Incoming,
    destination: Destination,
    stage: Stage,
    visit: &Visit,
) -> Result<bool, Failure> {
    let (Who::Named(session, Standing::NotEnrolled), Stage::Announced(_)) = (&visit.who, stage)
    else {
        return Ok(false);
    };
    if incoming.kind != Kind::Page || destination != Destination::Protected {
        return Ok(false);
    }
    Box::pin(is_notice_due(parts, site, session)).await
}

/// Whether somebody who has to be told of the date was not told for a while.
///
/// # Errors
/// When the store is in doubt.
pub(super) async fn is_notice_due(
    parts: &Parts,
    site: &Site,
    session: &SessionRecord,
) -> Result<bool, Failure> {
    let now = parts.now();
    let sight = parts.accounts.sight(now, site.account(session)).await?;
    let reminder = site.portal.enforcement.reminder;
    Ok(sight.is_none_or(|sight| sight.is_notice_due(now, reminder)))
}

/// Where somebody whose proof is too old is held back by wrong codes too, that comes first:
/// no code is taken before the wait is over.
///
/// # Errors
/// When the store is in doubt.
pub(super) async fn held_back(
    parts: &Parts,
    site: &Site,
    visit: &Visit,
    challenge: Challenge,
) -> Result<Challenge, Failure> {
    let (Challenge::StepUp, Some(session)) = (challenge, visit.session()) else {
        return Ok(challenge);
    };
    let standing = parts.accounts.standing(parts.now(), site.account(session)).await?;
    Ok(match standing {
        Standing::Locked(wait) => Challenge::Wait(wait),
        Standing::Disabled => Challenge::AskDesk,
        Standing::NotEnrolled | Standing::Enrolled => challenge,
    })
}

/// Notes what a verdict means for the rollout: who is held for want of a second factor, and
/// who would be.
///
/// # Errors
/// When it is not on disk.
pub(super) async fn note(
    parts: &Parts,
    site: &Site,
    visit: &Visit,
    verdict: &Verdict,
) -> Result<(), Failure> {
    let (mark, lacking) = match verdict {
        Verdict::Challenge(challenge) => (Mark::Held, *challenge),
        Verdict::Forward(permit) => match permit.reason() {
            Reason::Report(challenge) => {
                let (_, reason) = challenge_labels(challenge);
                site.metrics.rollout().would_block(reason);
                (Mark::Reported, challenge)
            }
            Reason::Public | Reason::Proven | Reason::Grace | Reason::Bypass => return Ok(()),
        },
        Verdict::OwnPage | Verdict::Deny => return Ok(()),
    };
    let (Challenge::Enrol, Some(session)) = (lacking, visit.session()) else { return Ok(()) };
    let account = site.account(session);
    let first = Box::pin(parts.accounts.mark(parts.now(), account, mark)).await?;
    if first && mark == Mark::Reported {
        site.metrics.rollout().one_more_reported(session.sub);
    }
    Ok(())
}

/// Notes in the log why a request goes to the portal.
pub(super) fn forwarded(ctx: &mut Context, reason: Reason) {
    ctx.ends(VerdictLabel::Forward, reason_label(reason));
}

const fn reason_label(reason: Reason) -> ReasonLabel {
    match reason {
        Reason::Public => ReasonLabel::Public,
        Reason::Proven => ReasonLabel::Proven,
        Reason::Grace => ReasonLabel::Grace,
        Reason::Bypass => ReasonLabel::Bypass,
        Reason::Report(_) => ReasonLabel::Report,
    }
}
