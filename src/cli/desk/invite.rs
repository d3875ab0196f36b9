//! `portcullis user invite`: invitations for one or for thousands, as a table, for a spreadsheet,
//! or as letters that a printer takes as they are.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::gate::{Gate, user_path};
use super::rollout::quoted;
use super::table::{Table, cell, moment, shown};
use super::user::counted;
use super::{Desk, DeskError, Output, Told};
use crate::cli::progress::Progress;

/// Whom to invite, and how to print what they get.
#[derive(Args)]
pub(in crate::cli) struct InviteArguments {
    #[command(flatten)]
    desk: Desk,
    /// The users' names at the portal; they need not have signed in before.
    #[arg(value_name = "USER")]
    users: Vec<String>,
    /// A file with more names, one a line.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// How long an invitation holds, such as 10m or 7d; at most as long as the portal allows,
    /// which counts unless set.
    #[arg(long, value_name = "DURATION")]
    valid: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// For whom it is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a look.
    Table,
    /// For a spreadsheet.
    Csv,
    /// For paper: one page for each, with a form feed between two.
    Letters,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(arguments: &InviteArguments) -> u8 {
    super::run(&arguments.desk, async |gate| {
        let users = users(arguments)?;
        let mut progress = Progress::begin("inviting", users.len(), shows(arguments));
        let valid = arguments.valid.as_deref();
        let (invited, refused) = invite_all(&gate, &users, valid, &mut progress).await;
        drop(progress);
        // What was made is printed whatever became of the others: it cannot be shown again.
        print(arguments, invited).map_err(DeskError::Output)?;
        if refused.is_empty() { Ok(Told::nothing()) } else { Err(DeskError::NotAll(refused)) }
    })
}

/// A bar is for people who look at a table or keep what is printed in a file.
fn shows(arguments: &InviteArguments) -> bool {
    arguments.desk.door.output == Output::Table
}

fn users(arguments: &InviteArguments) -> Result<Vec<String>, DeskError> {
    let mut users = arguments.users.clone();
    if let Some(file) = &arguments.from_file {
        let unreadable = |error| DeskError::UsersFile { file: file.clone(), error };
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        users.extend(names.map(str::to_owned));
    }
    if users.is_empty() { Err(DeskError::Nobody) } else { Ok(users) }
}

/// Invites each in turn. Gives what was made, and a line for each that was not.
async fn invite_all(
    gate: &Gate,
    users: &[String],
    valid: Option<&str>,
    progress: &mut Progress,
) -> (Vec<Value>, String) {
    let wish = valid.map(|valid| json!({ "valid": valid }));
    let (mut invited, mut refused) = (Vec::new(), String::new());
    for (done, user) in users.iter().enumerate() {
        progress.at(done);
        match gate.post(&format!("{}/invite", user_path(user)), wish.as_ref()).await {
            Ok(invitation) => invited.push(invitation),
            Err(error) => refused.push_str(&format!("  {}: {error}\n", shown(user))),
        }
    }
    (invited, refused.trim_end().to_owned())
}

fn print(arguments: &InviteArguments, invited: Vec<Value>) -> io::Result<()> {
    let text = match arguments.format {
        _ if invited.is_empty() => return Ok(()),
        Format::Csv | Format::Letters if arguments.desk.door.output == Output::Json => {
            return super::print(Output::Json, &told(invited));
        }
        Format::Table => return super::print(arguments.desk.door.output, &told(invited)),
        Format::Csv => csv(&invited),
        Format::Letters => {
            let letters: Vec<String> = invited.iter().map(letter).collect();
            letters.join("\u{c}")
        }
    };
    io::stdout().lock().write_all(text.as_bytes())
}

fn told(invited: Vec<Value>) -> Told {
    Told { table: table(&invited), json: json!({ "invitations": invited }) }
}

fn table(invited: &[Value]) -> Table {
    let row = |one: &Value| vec![cell(one, "user"), cell(one, "code"), moment(one, "expires")];
    let rows = invited.iter().map(row).collect();
    Table::new(&["user", "code", "holds until"], rows, counted(invited.len(), "invitation"))
}

fn csv(invited: &[Value]) -> String {
    let heads = ["user", "code", "expires", "portal", "url"];
    let mut csv = heads.join(",") + "\r\n";
    for one in invited {
        let cells: Vec<String> = heads.iter().map(|head| quoted(&cell(one, head))).collect();
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    csv
}

/// A page of plain words.
fn letter(one: &Value) -> String {
    let [user, code, portal, url] = ["user", "code", "portal", "url"].map(|key| cell(one, key));
    let until = moment(one, "expires");
    format!(
        "Your invitation to set up the second step for {portal}\n\
         \n\
         Hello {user},\n\
         \n\
         {portal} asks for a code from an app as well as your password, so that a\n\
         stolen password is not enough to get in. To set that up, you need this\n\
         invitation code:\n\
         \n    \
             {code}\n\
         \n\
         1. Have your phone at hand.\n\
         2. Open {url} and sign in as always.\n\
         3. Type the invitation code on the page that asks for it.\n\
         4. Do what the page says next. It takes about two minutes.\n\
         \n\
         The code holds until {until} and counts once. It is for you\n\
         alone: give it to nobody, also not to somebody who calls you and says that\n\
         they need it.\n\
         \n\
         If the code does not work, ask your support desk for a new one.\n"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{csv, letter, table};

    fn invited(user: &str) -> serde_json::Value {
        json!({
            "user": user, "code": "ABCD-EFGH-JKMN", "expires": "2026-12-01T14:05:33Z",
            "portal": "wiki", "url": "https://wiki.example.com/",
        })
    }

    #[test]
    fn an_invitation_is_a_line_or_a_page() {
        let drawn = "USER   CODE            HOLDS UNTIL\n\
                     alice  ABCD-EFGH-JKMN  2026-12-01 14:05 UTC\n1 invitation\n";
        assert_eq!(table(&[invited("alice")]).drawn(false), drawn);
        let lines = "user,code,expires,portal,url\r\n\"a,b\",ABCD-EFGH-JKMN,2026-12-01T14:05:33Z,\
                     wiki,https://wiki.example.com/\r\n";
        assert_eq!(csv(&[invited("a,b")]), lines);
        let letter = letter(&invited("alice"));
        for words in [
            "Hello alice,\n",
            "\n    ABCD-EFGH-JKMN\n",
            "holds until 2026-12-01 14:05 UTC",
            "Open https://wiki.example.com/ and",
        ] {
            assert!(letter.contains(words), "{words}: {letter}");
        }
        assert!(letter.lines().all(|line| line.chars().count() <= 80), "{letter}");
    }

    #[test]
    fn a_strange_name_makes_no_page_of_its_own() {
        let letter = letter(&invited("a\u{c}b\nc\u{1b}[2J"));
        assert!(!letter.contains(['\u{c}', '\u{1b}']), "{letter}");
        assert!(letter.contains("Hello a"), "{letter}");
    }
}
