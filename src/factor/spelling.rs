//! How random bits are spelled for people who type them: Crockford's base32, in groups of four,
//! read in any case and with the letters that look like digits.

/// No letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Bits in a sign.
const BITS: usize = 5;

/// The lowest bits of `bits` as `signs` signs, 25 at most.
pub(crate) fn spell(bits: u128, signs: usize) -> String {
    let sign = |at: usize| {
        let index = (bits >> (BITS * (signs - 1 - at))) & 31;
        ALPHABET.get(usize::try_from(index).unwrap_or(0)).copied().map_or('0', char::from)
    };
    (0..signs).map(sign).collect()
}

/// Reads signs without separators in their one spelling; `O` is 0, `I` and `L` are 1, in any
/// case.
pub(crate) fn read(bare: &str) -> Option<String> {
    let sign = |letter: char| match letter.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        letter => letter
            .is_ascii()
            .then_some(letter)
            .filter(|letter| u8::try_from(*letter).is_ok_and(|byte| ALPHABET.contains(&byte))),
    };
    bare.chars().map(sign).collect()
}

/// What was typed without spaces and hyphens, which are how people copy codes.
pub(crate) fn bare(typed: &str) -> String {
    let separator = |sign: char| sign.is_whitespace() || sign == '-';
    typed.chars().filter(|sign| !separator(*sign)).collect()
}

/// Signs as they are shown, in groups of four.
pub(crate) fn grouped(signs: &str) -> String {
    let signs: Vec<char> = signs.chars().collect();
    signs.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}
