//! What somebody at the console does about a user. Each deed says in one sentence what came of
//! it; the page about the user says it, above how things stand now.

use axum::http::StatusCode;

use super::answer::{Answer, Fault};
use super::requests;
use super::user::{self, Said, Subject};
use super::visit::Visit;
use crate::admin::deeds::Acting;
use crate::admin::deeds::help::{self, HelpFault, Whom};
use crate::audit::{Detail, Event};
use crate::config::desk::Role;

/// What the buttons of a user's page do.
#[derive(Clone, Copy)]
enum Deed {
    Unlock,
    Invite,
    EndSessions,
    EndDevices,
}

impl Deed {
    fn named(word: Option<&str>) -> Option<Self> {
        match word? {
            "unlock" => Some(Self::Unlock),
            "invite" => Some(Self::Invite),
            "end_sessions" => Some(Self::EndSessions),
            "end_devices" => Some(Self::EndDevices),
            _ => None,
        }
    }
}

/// `POST /desk/user`
pub(super) async fn send(visit: &Visit<'_>) -> Result<Answer, Fault> {
    if !visit.is_our_form() {
        return visit.not_our_form();
    }
    let Some(subject) = user::named(visit, visit.field("portal"), visit.field("user")) else {
        return user::unknown(visit);
    };
    let Some(acting) = visit.acting(Role::Desk) else {
        return not_yours(visit);
    };
    if visit.field("action") == Some("reset") {
        let (status, said) = requests::ask(visit, acting, &subject).await?;
        return user::page(visit, &subject, status, Some(said)).await;
    }
    let Some(deed) = Deed::named(visit.field("action")) else {
        return visit.refuse(
            StatusCode::BAD_REQUEST,
            "Nothing was chosen",
            "Go back and press one of the buttons.",
        );
    };
    let (status, said) = match done(acting, &subject, deed).await {
        Ok(said) => (StatusCode::OK, said),
        Err(fault) => refused(fault, &subject)?,
    };
    user::page(visit, &subject, status, Some(said)).await
}

/// The answer to a deed that the role does not allow. The page showed no button for it.
pub(super) fn not_yours(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let entry = visit.entry(Event::DeskRefused).with(Detail::Refusal, "role");
    visit.parts.audit.mention(visit.now, entry);
    visit.refuse(
        StatusCode::FORBIDDEN,
        "You may not do this",
        "Your role lets you look, but not do this. Nothing was changed. Ask somebody whose role does.",
    )
}

async fn done(acting: Acting<'_>, subject: &Subject<'_>, deed: Deed) -> Result<Said, HelpFault> {
    let Subject { site, user, account } = subject;
    let whom = Whom { site, user, account: *account };
    let (user, portal) = (user.as_str(), &site.portal.name);
    let text = match deed {
        Deed::Unlock if help::unlock(acting, whom).await? => {
            format!("{user} can try again at {portal} now.")
        }
        Deed::Unlock => format!("{user} had given no wrong code at {portal}."),
        Deed::Invite => {
            let invitation = help::invite(acting, whom, site.portal.enrolment.invite).await?;
            let until = invitation.until.in_words();
            let text = format!("{user} is invited to set up a second step, until {until}.");
            return Ok(Said { code: Some(invitation.code.to_string()), ..Said::done(text) });
        }
        Deed::EndSessions => match help::end_sessions(acting, whom).await? {
            0 => format!("{user} was not signed in at {portal}."),
            _ => format!("{user} is signed out of {portal} everywhere."),
        },
        Deed::EndDevices => match help::end_devices(acting, whom).await? {
            0 => format!("No device of {user} was remembered."),
            _ => format!("No device of {user} is remembered any more."),
        },
    };
    Ok(Said::done(text))
}

fn refused(fault: HelpFault, subject: &Subject<'_>) -> Result<(StatusCode, Said), Fault> {
    let user = subject.user.as_str();
    match fault {
        HelpFault::Enrolled => {
            let text = format!(
                "{user} has set up a second step already and needs no invitation. Nothing was changed."
            );
            Ok((StatusCode::CONFLICT, Said::not_done(text)))
        }
        HelpFault::Disabled => {
            let text = format!(
                "So many codes of {user} were wrong that only a reset helps. Nothing was changed."
            );
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Said::not_done(text)))
        }
        HelpFault::Account(error) => Err(error.into()),
        HelpFault::Audit(error) => Err(error.into()),
    }
}
