//! How many workers serve public connections. It is the machine's business more than the
//! configuration's, and so comes from the environment, by the name that it has in tokio.

use std::ffi::OsString;
use std::num::NonZero;

/// The variable that says how many.
const VARIABLE: &str = "TOKIO_WORKER_THREADS";
/// More than any machine has processors.
const MOST: usize = 1024;

/// The environment wants a number of workers that there cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is '{}', and has to be a number from 1 to {MOST}", .0.to_string_lossy())]
pub struct BadNumber(OsString);

/// How many workers there are to be, 1 to 1024: as many as the environment says, or one for each
/// processor that we may use.
///
/// # Errors
/// When the environment says something else.
pub fn workers() -> Result<usize, BadNumber> {
    // One of the places that may look at the environment.
    #[allow(clippy::disallowed_methods)]
    number(std::env::var_os(VARIABLE))
}

fn number(said: Option<OsString>) -> Result<usize, BadNumber> {
    let Some(said) = said else {
        return Ok(std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST));
    };
    let number = said.to_str().and_then(|text| text.trim().parse().ok());
    number.filter(|number| (1..=MOST).contains(number)).ok_or(BadNumber(said))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_taken_and_anything_else_is_named() {
        for (said, wanted) in [("1", 1), (" 8 ", 8), ("1024", 1024)] {
            assert_eq!(number(Some(said.into())), Ok(wanted));
        }
        assert!(number(None).is_ok_and(|number| number >= 1));
        for said in ["", "0", "-1", "1.5", "many", "1025", "99999999999999999999"] {
            let refused = number(Some(said.into())).unwrap_err().to_string();
            assert!(refused.contains("TOKIO_WORKER_THREADS"), "{refused}");
            assert!(refused.contains(&format!("'{said}'")), "{refused}");
        }
    }
}
