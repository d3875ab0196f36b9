//! Who may enrol at a portal, and where its users get mail.

use std::time::Duration;

use crate::config::enrolment::{Enrolment, EnrolmentGuard};
use crate::config::fault::Findings;
use crate::config::file_enrolment::EnrolmentFile;
use crate::config::key_path::KeyPath;
use crate::config::units::{Span, show_duration};
use crate::net::email::EmailTemplate;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long an invitation holds unless set.
const INVITE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest that NIST allows.
const SHORT: Duration = Duration::from_secs(600);

/// Checks the whole block. `mails` says whether there is a server for mails.
pub(super) fn enrolment(
    written: Option<EnrolmentFile>,
    at: &KeyPath,
    mails: bool,
    findings: &mut Findings,
) -> Option<Enrolment> {
    let written = written.unwrap_or_default();
    let invites_late = written.within.is_some() || written.dormant.is_some();
    let within = days(written.within, &at.key("within"), findings);
    let dormant = days(written.dormant, &at.key("dormant"), findings);
    let invite = written.invite.map_or(INVITE, |Span(span)| span);
    let range = Duration::from_secs(600)..=30 * DAY;
    let invite = findings.in_range(&at.key("invite"), invite, range, show_duration);
    let email = email(written.email, &at.key("email"), findings);
    let guard = written.guard.unwrap_or_default();
    if guard == EnrolmentGuard::Email {
        check_email_guard(email.as_ref(), at, mails, findings);
    }
    if (guard == EnrolmentGuard::Invite || invites_late)
        && invite.is_some_and(|invite| invite > SHORT)
    {
        let what = "lets an invitation hold for longer than the 10 minutes that NIST SP 800-63B-4 \
                    section 4.1.2.2 allows";
        let mend = "set invite: 10m if you have to keep to it; letters by post need days";
        findings.warn(&at.key("invite"), what, mend);
    }
    Some(Enrolment { guard, within: within?, dormant: dormant?, invite: invite?, email: email? })
}

/// The outer nothing is a fault, the inner one means that it is not set.
fn days(written: Option<Span>, at: &KeyPath, findings: &mut Findings) -> Option<Option<Duration>> {
    super::optional(written, |Span(span)| {
        findings.in_range(at, span, DAY..=3650 * DAY, show_duration)
    })
}

fn email(
    written: Option<String>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Option<EmailTemplate>> {
    super::optional(written, |text| {
        let template = EmailTemplate::parse(&text);
        if template.is_none() {
            let what = "is no address with {user} once before the '@'";
            findings.fault(at, what, "write one such as \"{user}@example.com\"");
        }
        template
    })
}

fn check_email_guard(
    email: Option<&Option<EmailTemplate>>,
    at: &KeyPath,
    mails: bool,
    findings: &mut Findings,
) {
    let place = at.key("guard");
    if !mails && !findings.knows_fault_within(&KeyPath::root().key("notify")) {
        let mend = "add notify: { smtp: { url: file:PATH, from: ADDRESS } }, or choose invite";
        findings.fault(&place, "needs a server that takes mails", mend);
    }
    if email.is_some_and(Option::is_none) {
        let what = "lets nobody enrol without an invitation whose name is no mail address";
        findings.warn(&place, what, "say where the others get mail: email: \"{user}@example.com\"");
    }
}
