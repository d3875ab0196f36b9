//! `portcullis user`: who has enrolled at a portal and who has not, and help for one of them.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::gate::{Gate, escaped, user_path};
use super::invite::{self, InviteArguments};
use super::table::{Table, cell, list, moment};
use super::{Desk, DeskError, Told, reset_request};

/// What to do about users.
#[derive(Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// List the users of a portal.
    List {
        #[command(flatten)]
        desk: Desk,
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Only those whose name has this in it.
        #[arg(long, value_name = "TEXT")]
        query: Option<String>,
    },
    /// Show one user.
    Show {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
    },
    /// Take a user's second factor away, on the word of somebody else: every code, device and
    /// session ends, and the next sign-in leads to enrolment.
    Reset {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
        /// The mail address of whoever asks for it; never the user's own.
        #[arg(long, value_name = "ADDRESS")]
        requested_by: String,
        /// As what that person asks.
        #[arg(long, value_enum, default_value_t = Channel::Colleague)]
        channel: Channel,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The ticket in which it was asked for.
        #[arg(long, value_name = "TEXT")]
        ticket: Option<String>,
    },
    /// Make invitations, without which people cannot enrol at a portal that asks for them. Each
    /// is shown this once.
    Invite(InviteArguments),
    /// Let a user try again who has to wait after wrong codes.
    Unlock {
        #[command(flatten)]
        desk: Desk,
        /// The user's name at the portal.
        user: String,
    },
}

/// How a user stands.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum State {
    Missing,
    Enrolled,
    Locked,
    Disabled,
}

/// As what somebody asks.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Channel {
    Colleague,
    #[value(name = "account_manager", alias = "account-manager")]
    AccountManager,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &UserCommand) -> u8 {
    match command {
        UserCommand::List { desk, state, query } => {
            super::run(desk, async |gate| all(&gate, *state, query.as_deref()).await)
        }
        UserCommand::Show { desk, user } => super::run(desk, async |gate| show(&gate, user).await),
        UserCommand::Reset { desk, user, requested_by, channel, reason, ticket } => {
            let mut wish = json!({
                "requested_by": requested_by,
                "channel": word(channel),
                "reason": reason,
            });
            if let (Some(ticket), Some(members)) = (ticket, wish.as_object_mut()) {
                members.insert("ticket".to_owned(), ticket.as_str().into());
            }
            super::run(desk, async |gate| reset(&gate, user, &wish).await)
        }
        UserCommand::Invite(arguments) => invite::run(arguments),
        UserCommand::Unlock { desk, user } => {
            super::run(desk, async |gate| unlock(&gate, user).await)
        }
    }
}

/// The word that the API knows it by, which is the one on the command line.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

async fn all(gate: &Gate, state: Option<State>, query: Option<&str>) -> Result<Told, DeskError> {
    let mut asked = String::new();
    if let Some(state) = state {
        asked.push_str(&format!("&state={}", word(&state)));
    }
    if let Some(query) = query {
        asked.push_str(&format!("&q={}", escaped(query)));
    }
    let users = every(gate, &asked).await?;
    let rows = users.iter().map(|user| {
        let times = ["enrolled_at", "last_seen", "locked_until"].map(|key| moment(user, key));
        [vec![cell(user, "user"), cell(user, "state")], times.to_vec()].concat()
    });
    let heads = ["user", "state", "enrolled at", "last seen", "locked until"];
    let table = Table::new(&heads, rows.collect(), counted(users.len(), "user"));
    Ok(Told { json: json!({ "users": users }), table })
}

/// Every user that the question, as pairs that begin with `&`, asks for, by name.
pub(super) async fn every(gate: &Gate, asked: &str) -> Result<Vec<Value>, DeskError> {
    let mut users: Vec<Value> = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let after = next.map(|next| format!("&after={}", escaped(&next))).unwrap_or_default();
        let target = format!("/users?{}", format!("{asked}{after}").trim_start_matches('&'));
        let page = gate.get(target.trim_end_matches('?')).await?;
        users.extend_from_slice(list(&page, "users"));
        next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    users.sort_by_key(|user| cell(user, "user"));
    Ok(users)
}

async fn show(gate: &Gate, user: &str) -> Result<Told, DeskError> {
    let json = gate.get(&user_path(user)).await?;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("user", cell(&json, "user")),
        line("state", cell(&json, "state")),
        line("enrolled at", moment(&json, "enrolled_at")),
        line("first seen", moment(&json, "first_seen")),
        line("last seen", moment(&json, "last_seen")),
        line("locked until", moment(&json, "locked_until")),
        line("wrong codes", cell(&json, "wrong_codes")),
        line("recovery codes left", cell(&json, "recovery_codes_left")),
        line("sessions", cell(&json, "sessions")),
    ];
    rows.retain(|row| row.last().is_some_and(|value| !value.is_empty()));
    rows.extend(list(&json, "authenticators").iter().map(|phone| {
        let since = format!("{}, since {}", cell(phone, "label"), moment(phone, "added"));
        line("authenticator", since)
    }));
    Ok(Told { table: Table::new(&[], rows, ""), json })
}

async fn reset(gate: &Gate, user: &str, wish: &Value) -> Result<Told, DeskError> {
    let json = gate.post(&format!("{}/reset", user_path(user)), Some(wish)).await?;
    Ok(Told { table: Table::sentence(reset_request::became(&json)), json })
}

async fn unlock(gate: &Gate, user: &str) -> Result<Told, DeskError> {
    let json = gate.post(&format!("{}/unlock", user_path(user)), None).await?;
    let (user, portal) = (cell(&json, "user"), cell(&json, "portal"));
    let was_locked = json.get("was_locked").and_then(Value::as_bool).unwrap_or_default();
    let sentence = if was_locked {
        format!("{user} can try again at {portal}")
    } else {
        format!("{user} had given no wrong code at {portal}")
    };
    Ok(Told { json, table: Table::sentence(sentence) })
}

/// `3 users`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
