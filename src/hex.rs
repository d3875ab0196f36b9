//! Bytes as hexadecimal digits, in small letters: names, identifiers and hashes as people read them.

/// The two digits of a byte.
const fn pair(byte: u8) -> [u8; 2] {
    [digit(byte >> 4), digit(byte & 15)]
}

const fn digit(half: u8) -> u8 {
    match half {
        0..=9 => b'0' + half,
        _ => b'a' + (half & 15) - 10,
    }
}

/// The digits of so many bytes, two for each, without memory of their own.
pub fn digits<const N: usize>(bytes: [u8; N]) -> [[u8; 2]; N] {
    bytes.map(pair)
}

/// Any bytes as text.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| pair(*byte)).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::{digits, text};

    #[test]
    fn each_byte_has_its_two_digits() {
        for byte in 0..=u8::MAX {
            let expected = format!("{byte:02x}");
            assert_eq!(text(&[byte]), expected);
            assert_eq!(digits([byte]).as_flattened(), expected.as_bytes());
        }
        assert_eq!(text(b"\x00\x7f\xff"), "007fff");
        assert_eq!(digits([0x0f, 0xf0]).as_flattened(), b"0ff0");
        assert_eq!(text(b""), "");
    }
}
