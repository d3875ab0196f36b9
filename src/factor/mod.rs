//! Second factors as mathematics: what a code is and whether it is right. No storage, no
//! clock, no network; the time, the randomness and what was spent are handed in.

pub mod recovery;
pub(crate) mod spelling;
pub mod totp;

/// What a user typed into the one field for codes, by its shape.
#[derive(PartialEq, Eq)]
pub enum Typed {
    /// All digits, as many as an authenticator shows.
    Totp(String),
    /// The shape of a recovery code, normalised.
    Recovery(recovery::Code),
    /// Neither: certainly wrong, and counted as such.
    Neither,
}

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 64;

/// Reads the field. Only ASCII digits count as digits (RFC 4226 section 5.3).
pub fn read_code(typed: &str, digits: u8) -> Typed {
    if typed.len() > LONGEST {
        return Typed::Neither;
    }
    let bare = spelling::bare(typed);
    if bare.len() == usize::from(digits) && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return Typed::Totp(bare);
    }
    recovery::Code::read(&bare).map_or(Typed::Neither, Typed::Recovery)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Typed, read_code};

    #[test]
    fn a_code_may_be_typed_with_spaces_and_keeps_its_zeros() {
        for typed in ["081804", " 081 804 ", "081-804", "0 8 1 8 0 4\n"] {
            assert!(read_code(typed, 6) == Typed::Totp("081804".to_owned()), "{typed}");
        }
    }

    #[test]
    fn a_recovery_code_is_told_by_its_shape() {
        assert!(matches!(read_code("ABCD-EFGH-JKMN-PQRS", 6), Typed::Recovery(_)));
        assert!(matches!(read_code("abcd efgh jkmn pqrs", 6), Typed::Recovery(_)));
    }

    #[test]
    fn anything_else_is_neither() {
        let long = "1".repeat(10_000);
        for typed in ["", "12345", "1234567", "12345a", "１２３４５６", "abc", long.as_str()]
        {
            assert!(read_code(typed, 6) == Typed::Neither, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_one_of_three(typed in "[0-9 -]{0,12}|[0-9a-zA-Z -]{14,22}|\\PC*") {
            match read_code(&typed, 6) {
                Typed::Totp(code) => {
                    prop_assert!(code.len() == 6 && code.bytes().all(|sign| sign.is_ascii_digit()));
                    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
                    prop_assert_eq!(code, digits);
                }
                Typed::Recovery(code) => {
                    prop_assert!(read_code(&code.shown(), 6) == Typed::Recovery(code));
                }
                Typed::Neither => {
                    let six = typed.len() == 6 && typed.bytes().all(|sign| sign.is_ascii_digit());
                    prop_assert!(!six, "a code was not read");
                }
            }
        }
    }
}
