//! The one source of randomness: the operating system's (NIST SP 800-63B-4 section 5.1).

use std::cell::RefCell;

/// How many names are drawn at a time.
const NAMES: usize = 64;

/// The system has no randomness to give; nothing secret can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// `N` random bytes.
///
/// # Errors
/// When the system has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// 16 random bytes that name something, and are no secret: those for many names are drawn at a
/// time, as each request needs one and the system takes longer to be asked than to answer.
///
/// # Errors
/// When the system has none to give.
pub fn name() -> Result<[u8; 16], NoRandomness> {
    thread_local! {
        static DRAWN: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            let bytes = bytes::<{ 16 * NAMES }>()?;
            drawn.extend(bytes.as_chunks::<16>().0);
        }
        drawn.pop().ok_or(NoRandomness)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{NAMES, name};

    #[test]
    fn no_name_comes_twice() {
        let names = || (0..3 * NAMES).map(|_| name().unwrap()).collect::<Vec<_>>();
        let elsewhere = std::thread::spawn(names).join().unwrap();
        let all: HashSet<[u8; 16]> = names().into_iter().chain(elsewhere).collect();
        assert_eq!(all.len(), 6 * NAMES);
    }
}
