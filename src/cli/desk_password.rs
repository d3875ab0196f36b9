//! `portcullis desk-password`: takes a password and prints what the configuration keeps of it.
//! The password is kept nowhere, and is not shown while it is typed.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::password::{FEWEST_CHARACTERS, HashError, LONGEST, PasswordHash};
use crate::random::{self, NoRandomness};

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the password has fewer than {FEWEST_CHARACTERS} characters; take a longer one")]
    Short,
    #[error("the password is longer than {LONGEST} bytes; take a shorter one")]
    Long,
    #[error("the two passwords differ; begin anew")]
    Differ,
    #[error("no password can be read: {0}")]
    Input(io::Error),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error("the hash cannot be written: {0}")]
    Output(io::Error),
}

/// Reads the password from the terminal, twice, or from a pipe, and gives the exit code.
pub(super) fn run() -> u8 {
    match made() {
        Ok(()) => 0,
        Err(refusal) => {
            super::serve::failed(&refusal);
            1
        }
    }
}

fn made() -> Result<(), Refusal> {
    let password = if io::stdin().is_terminal() {
        let password = asked("Password: ")?;
        let again = asked("The same again: ")?;
        if *password != *again {
            return Err(Refusal::Differ);
        }
        password
    } else {
        line()?
    };
    let hash = hashed(&password)?;
    writeln!(io::stdout().lock(), "{hash}").map_err(Refusal::Output)
}

fn hashed(password: &str) -> Result<String, Refusal> {
    if password.chars().count() < FEWEST_CHARACTERS {
        return Err(Refusal::Short);
    }
    if password.len() > LONGEST {
        return Err(Refusal::Long);
    }
    Ok(PasswordHash::made(password.as_bytes(), random::bytes()?)?)
}

fn asked(prompt: &str) -> Result<Zeroizing<String>, Refusal> {
    let mut screen = io::stderr().lock();
    write!(screen, "{prompt}").and_then(|()| screen.flush()).map_err(Refusal::Output)?;
    let hidden = echo(false);
    let password = line();
    if hidden {
        echo(true);
    }
    writeln!(screen).map_err(Refusal::Output)?;
    password
}

/// Whether the terminal did as it was told. One that shows the password is no reason to stop:
/// whoever types sees that, and may break off.
fn echo(on: bool) -> bool {
    let word = if on { "echo" } else { "-echo" };
    let told = Command::new("stty").arg(word).stdin(Stdio::inherit()).status();
    told.is_ok_and(|status| status.success())
}

fn line() -> Result<Zeroizing<String>, Refusal> {
    let mut line = Zeroizing::new(String::with_capacity(2 * LONGEST));
    io::stdin().read_line(&mut line).map_err(Refusal::Input)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Refusal, hashed};
    use crate::password::PasswordHash;

    #[test]
    fn a_password_has_to_be_long_and_not_endless() {
        assert!(matches!(hashed("elf letters"), Err(Refusal::Short)));
        assert!(matches!(hashed(&"x".repeat(1025)), Err(Refusal::Long)));
        let text = hashed("twelve signs").unwrap();
        assert_eq!(PasswordHash::parse(&text).unwrap().is_of(b"twelve signs"), Ok(true));
        assert_ne!(text, hashed("twelve signs").unwrap(), "each has a salt of its own");
    }
}
