//! `portcullis reset-request`: resets that were asked for, and what the desk decides about them.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::gate::{Gate, escaped};
use super::table::{Table, cell, list, moment};
use super::user::counted;
use super::{DeskError, Door, Told};

/// What to do about resets that were asked for.
#[derive(Subcommand)]
pub(in crate::cli) enum ResetRequestCommand {
    /// List what was asked for, oldest first.
    List {
        #[command(flatten)]
        door: Door,
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Only those at this portal.
        #[arg(long, value_name = "NAME")]
        portal: Option<String>,
    },
    /// Approve a reset. Where enough have approved, and the portal sets no wait, it is done.
    Approve {
        #[command(flatten)]
        door: Door,
        /// The request, as the list names it.
        #[arg(value_name = "ID", allow_hyphen_values = true)]
        id: String,
    },
    /// Deny a reset, also one that is approved and waits.
    Deny {
        #[command(flatten)]
        door: Door,
        /// The request, as the list names it.
        #[arg(value_name = "ID", allow_hyphen_values = true)]
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// What became of a request.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum State {
    Open,
    Waiting,
    Done,
    Denied,
    Stopped,
    Expired,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(command: &ResetRequestCommand) -> u8 {
    match command {
        ResetRequestCommand::List { door, state, portal } => {
            super::run_for_all(door, async |gate| all(&gate, *state, portal.as_deref()).await)
        }
        ResetRequestCommand::Approve { door, id } => {
            super::run_for_all(door, async |gate| approve(&gate, id).await)
        }
        ResetRequestCommand::Deny { door, id, reason } => {
            super::run_for_all(door, async |gate| deny(&gate, id, reason).await)
        }
    }
}

async fn all(gate: &Gate, state: Option<State>, portal: Option<&str>) -> Result<Told, DeskError> {
    let requests = every(gate, state, portal).await?;
    let rows = requests.iter().map(|request| {
        let who = ["id", "state", "portal", "user"].map(|key| cell(request, key));
        let seen = request.get("seen").and_then(Value::as_bool).unwrap_or_default();
        let [id, state, portal, user] = who;
        let user = if seen { user } else { format!("{user} (never seen)") };
        let approved =
            format!("{} of {}", list(request, "approvals").len(), cell(request, "needed"));
        let times = ["made", "until"].map(|key| moment(request, key));
        let by = [cell(request, "requested_by"), cell(request, "way"), approved];
        [vec![id, state, portal, user], by.to_vec(), times.to_vec()].concat()
    });
    let heads = ["id", "state", "portal", "user", "asked by", "way", "approved", "made", "until"];
    let table = Table::new(&heads, rows.collect(), counted(requests.len(), "request"));
    Ok(Told { json: json!({ "requests": requests }), table })
}

async fn every(
    gate: &Gate,
    state: Option<State>,
    portal: Option<&str>,
) -> Result<Vec<Value>, DeskError> {
    let mut requests: Vec<Value> = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let state = state.and_then(|state| state.to_possible_value());
        let state = state.as_ref().map(|value| ("state", value.get_name()));
        let after = next.as_deref().map(|next| ("after", next));
        let asked = [state, portal.map(|name| ("portal", name)), after];
        let asked = asked.into_iter().flatten();
        let asked: Vec<String> =
            asked.map(|(key, value)| format!("{key}={}", escaped(value))).collect();
        let target = format!("/reset-requests?{}", asked.join("&"));
        let page = gate.get(target.trim_end_matches('?')).await?;
        requests.extend_from_slice(list(&page, "requests"));
        next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() {
            return Ok(requests);
        }
    }
}

async fn approve(gate: &Gate, id: &str) -> Result<Told, DeskError> {
    let json = gate.post(&format!("/reset-requests/{}/approve", escaped(id)), None).await?;
    Ok(Told { table: Table::sentence(became(&json)), json })
}

async fn deny(gate: &Gate, id: &str, reason: &str) -> Result<Told, DeskError> {
    let wish = json!({ "reason": reason });
    let path = format!("/reset-requests/{}/deny", escaped(id));
    let json = gate.post(&path, Some(&wish)).await?;
    let (user, portal) = (cell(&json, "user"), cell(&json, "portal"));
    let sentence = format!("the reset of {user} at {portal} is denied");
    Ok(Told { json, table: Table::sentence(sentence) })
}

/// What became of a reset, in a sentence or two.
pub(super) fn became(json: &Value) -> String {
    let (user, portal) = (cell(json, "user"), cell(json, "portal"));
    let is = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or_default();
    match cell(json, "state").as_str() {
        "open" => {
            let (approved, needed) = (list(json, "approvals").len(), cell(json, "needed"));
            let id = cell(json, "id");
            format!(
                "the reset of {user} at {portal} has {approved} of {needed} approvals; request {id}"
            )
        }
        "waiting" => {
            let until = moment(json, "until");
            format!(
                "the reset of {user} at {portal} is approved; it is done at {until}, unless {user} stops it"
            )
        }
        _ => {
            let ended = cell(json, "sessions_ended");
            let had = if is("was_enrolled") {
                format!("{user} has no second factor at {portal} any more; sessions ended: {ended}")
            } else {
                format!("{user} had no second factor at {portal}; sessions ended: {ended}")
            };
            let invite = format!(
                "\nto enrol anew, {user} needs an invitation: portcullis user invite {user} --portal {portal}"
            );
            if is("needs_invitation") { had + &invite } else { had }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::became;

    #[test]
    fn what_became_of_a_reset_is_said_in_a_sentence() {
        let open = json!({
            "id": "A1", "state": "open", "user": "alice", "portal": "wiki", "needed": 2,
            "approvals": [{ "name": "ann" }],
        });
        let said = became(&open);
        assert_eq!(said, "the reset of alice at wiki has 1 of 2 approvals; request A1");
        let waiting = json!({
            "id": "A1", "state": "waiting", "user": "alice", "portal": "wiki",
            "until": "2026-12-01T14:05:33Z",
        });
        let words = "it is done at 2026-12-01 14:05 UTC, unless alice stops it";
        assert!(became(&waiting).ends_with(words), "{}", became(&waiting));
        let done = json!({
            "state": "done", "user": "alice", "portal": "wiki", "was_enrolled": true,
            "sessions_ended": 1, "needs_invitation": true,
        });
        let words = "alice has no second factor at wiki any more; sessions ended: 1\nto enrol anew";
        assert!(became(&done).starts_with(words), "{}", became(&done));
    }
}
