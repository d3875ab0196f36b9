//! What happened to a user, in the words of people: the last lines of the audit log of this
//! gateway. Who only looked is left out, so that looking does not hide what was done.

use serde::{Deserialize, Serialize};

use super::answer::Fault;
use super::visit::Visit;
use crate::audit::{AuditError, Event, Lately};
use crate::clock::UnixMillis;

/// Things that are shown.
const SHOWN: usize = 50;

/// What a page shows of it.
#[derive(Serialize)]
pub(super) struct History {
    /// The newest first.
    lines: Vec<Row>,
    /// Whether that is all there is.
    is_whole: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    at: String,
    what: &'static str,
    notes: Vec<String>,
}

/// As much of a line as is shown.
#[derive(Deserialize)]
struct Line {
    at: String,
    event: String,
    by: Doer,
    client: Option<String>,
    factor: Option<String>,
    label: Option<String>,
    browser: Option<String>,
    requested_by: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
}

#[derive(Deserialize)]
struct Doer {
    kind: String,
    name: Option<String>,
}

/// The history of a user of a portal; nothing where no log is kept.
pub(super) async fn of(
    visit: &Visit<'_>,
    portal: &str,
    user: &str,
) -> Result<Option<History>, Fault> {
    let (audit, portal, user) = (visit.parts.audit.clone(), portal.to_owned(), user.to_owned());
    let read = tokio::task::spawn_blocking(move || audit.lately(&portal, &user)).await;
    let broken_off = |_| AuditError::Unreadable("it was broken off".to_owned());
    match read.map_err(broken_off)? {
        Ok(lately) => Ok(Some(History::of(&lately))),
        Err(AuditError::Nowhere) => Ok(None),
        Err(
            error @ (AuditError::Unwritable(_) | AuditError::Unreadable(_) | AuditError::NameTaken),
        ) => Err(error.into()),
    }
}

impl History {
    fn of(lately: &Lately) -> Self {
        let mut rows = lately.lines.iter().filter_map(|line| Row::of(line));
        let lines = rows.by_ref().take(SHOWN).collect();
        Self { lines, is_whole: lately.is_whole && rows.next().is_none() }
    }
}

impl Row {
    /// Nothing for what is not shown.
    fn of(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        let what = match Event::named(&line.event) {
            Some(event) => in_words(event)?,
            None => "Something that this version has no words for",
        };
        let at = UnixMillis::from_rfc3339(&line.at).map(UnixMillis::in_words).unwrap_or_default();
        Some(Self { at, what, notes: line.notes() })
    }
}

impl Line {
    fn notes(self) -> Vec<String> {
        let factor = self.factor.map(|word| match &*word {
            "totp" => "by a code of the app".to_owned(),
            "recovery_code" => "by a recovery code".to_owned(),
            _ => word,
        });
        let all = [
            factor,
            self.label.map(|label| format!("“{label}”")),
            self.browser,
            self.by.in_words(),
            self.requested_by.map(|who| format!("on the word of {who}")),
            self.reason.map(|reason| format!("because: {reason}")),
            self.ticket.map(|ticket| format!("ticket {ticket}")),
            self.client.map(|client| format!("from {client}")),
        ];
        all.into_iter().flatten().filter(|note| !note.is_empty()).collect()
    }
}

impl Doer {
    /// Who did it, where it was somebody else than the user.
    fn in_words(&self) -> Option<String> {
        let name = self.name.as_deref().unwrap_or_default();
        match &*self.kind {
            "colleague" => Some(format!("by the colleague {name}")),
            "token" => Some(format!("by the token {name}")),
            "person" => Some(format!("by {name} at the desk")),
            "gateway" => Some("by the gateway".to_owned()),
            _ => None,
        }
    }
}

/// What happened, as it is said of a user; nothing for what is of no user, or is not shown.
const fn in_words(event: Event) -> Option<&'static str> {
    Some(match event {
        Event::LoginSucceeded => "Password accepted",
        Event::LoginFailed => "Password refused",
        Event::LoginRefused => "A sign-in was refused that could be read in two ways",
        Event::CodeAccepted => "Code accepted",
        Event::CodeWrong => "Wrong code",
        Event::CodeReused => "A right code that had been used before",
        Event::CodeHeldBack => "A code during the waiting time, which was not looked at",
        Event::FactorDisabled => "Locked for good after too many wrong codes",
        Event::DeviceAccepted => "Let in by a remembered device",
        Event::DeviceCopied => "A remembered device seemed to be copied and was forgotten",
        Event::SignedOut => "Signed out",
        Event::AccessDenied => "Asked for a page that is not for this user",
        Event::EnrolmentStarted => "Began to set up the second step",
        Event::EnrolmentRefused => "Setting up the second step did not succeed",
        Event::Enrolled => "Set up the second step",
        Event::EnrolmentPostponed => "Chose to set up the second step later",
        Event::AuthenticatorAdded => "Added an app",
        Event::AuthenticatorRenamed => "Gave an app another name",
        Event::AuthenticatorRemoved => "Removed an app",
        Event::AuthenticatorMoved => "Moved to a new phone",
        Event::ChangeRefused => "A change of the second step did not succeed",
        Event::RecoveryCodesMade => "Got new recovery codes",
        Event::DeviceRemembered => "A device is remembered",
        Event::DeviceForgotten => "A device is no longer remembered",
        Event::SessionsEnded => "Sign-ins were ended",
        Event::ResetRequested => "A reset was asked for",
        Event::ResetRefused => "A reset was refused by the rules",
        Event::ResetApproved => "A reset was approved",
        Event::ResetDenied => "A reset was denied",
        Event::ResetStopped => "The user stopped a reset",
        Event::ResetExpired => "A reset was not decided in time",
        Event::ResetDone => "The second step was reset",
        Event::Unlocked => "May try again without waiting",
        Event::UnlockRefused => "Trying again without waiting was refused",
        Event::Invited => "An invitation was made",
        Event::InviteRefused => "An invitation was refused",
        Event::DeskRead
        | Event::DeskSignedIn
        | Event::DeskSignInRefused
        | Event::DeskSignedOut
        | Event::DeskRefused
        | Event::TokenMade
        | Event::TokenEnded
        | Event::Started
        | Event::Stopped
        | Event::ConfigurationLoaded
        | Event::ConfigurationRefused
        | Event::KeysRotated
        | Event::StoreExported
        | Event::StoreImported
        | Event::ChainBroken => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str, more: &str) -> String {
        format!(
            "{{\"seq\":7,\"at\":\"2026-11-24T14:05:00.045Z\",\"event\":\"{event}\",{more}\
             \"portal\":\"wiki\",\"user\":\"alice\",\"before\":\"00\"}}"
        )
    }

    #[test]
    fn a_line_says_what_when_by_whom_and_why() {
        let more = "\"by\":{\"kind\":\"person\",\"name\":\"ann\"},\"client\":\"192.0.2.7\",\
                    \"requested_by\":\"bob@example.com\",\"reason\":\"lost\",\"ticket\":\"T-17\",";
        let row = Row::of(&line("reset_done", more)).unwrap();
        assert_eq!(
            (&*row.at, row.what),
            ("24 November 2026, 14:05 UTC", "The second step was reset")
        );
        let said = "by ann at the desk, on the word of bob@example.com, because: lost, \
                    ticket T-17, from 192.0.2.7";
        assert_eq!(row.notes.join(", "), said);
    }

    #[test]
    fn who_looked_is_left_out_and_the_unknown_is_not() {
        let by = "\"by\":{\"kind\":\"user\"},";
        assert_eq!(Row::of(&line("desk_read", by)), None);
        let row = Row::of(&line("something_of_tomorrow", by)).unwrap();
        assert_eq!(
            (row.what, row.notes.len()),
            ("Something that this version has no words for", 0)
        );
    }

    #[test]
    fn what_does_not_fit_is_said_to_be_left_out() {
        let by = "\"by\":{\"kind\":\"user\"},";
        for (count, is_whole) in [(SHOWN, true), (SHOWN + 1, false)] {
            let lines = vec![line("code_wrong", by); count];
            let history = History::of(&Lately { lines, is_whole: true });
            assert_eq!((history.lines.len(), history.is_whole), (SHOWN, is_whole));
        }
        assert!(!History::of(&Lately { lines: Vec::new(), is_whole: false }).is_whole);
    }
}
