//! The fields of a form, each borrowed from the body: a value is decoded only where it is asked
//! for, so a password is never copied.

use std::borrow::Cow;

/// One field.
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Value<'a>,
}

/// What a field holds.
pub(super) enum Value<'a> {
    /// Urlencoded, from the `=` on; empty without one.
    Escaped(&'a [u8]),
    /// As it is.
    Plain(&'a [u8]),
    /// A file, or letters of another kind.
    Odd,
}

impl Value<'_> {
    /// The text, where it is one in UTF-8.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let text = match self {
            Self::Escaped(bytes) => form_urlencoded::parse(bytes).next().unwrap_or_default().1,
            Self::Plain(bytes) => std::str::from_utf8(bytes).ok()?.into(),
            Self::Odd => return None,
        };
        // What is no UTF-8 was replaced by this.
        (!text.contains(char::REPLACEMENT_CHARACTER)).then_some(text)
    }
}

/// The fields of an urlencoded form or query.
pub(super) fn urlencoded(text: &[u8]) -> Vec<Field<'_>> {
    text.split(|byte| *byte == b'&').filter_map(field).collect()
}

/// The same for portals old enough to end a field at `;` too. Browsers write `%3B`.
pub(super) fn ended_by_semicolons(text: &[u8]) -> impl Iterator<Item = Field<'_>> {
    text.split(|byte| matches!(byte, b'&' | b';')).filter_map(field)
}

fn field(text: &[u8]) -> Option<Field<'_>> {
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
    let (name, value) = text.split_at(end);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let name = match std::str::from_utf8(name) {
        // As nearly every one: it stands for itself.
        Ok(plain) if name.iter().all(is_plain) => Cow::Borrowed(plain),
        Ok(_) | Err(_) => form_urlencoded::parse(name).next().unwrap_or_default().0,
    };
    Some(Field { name, value: Value::Escaped(value) })
}

/// Whether a form names letters of another kind than UTF-8 in the field that HTML has for it.
pub(super) fn names_other_letters(fields: &[Field<'_>]) -> bool {
    let said = fields.iter().filter(|field| field.name.trim().eq_ignore_ascii_case("_charset_"));
    let mut said = said.map(|field| field.value.text());
    said.any(|text| !text.is_some_and(|text| text.trim().eq_ignore_ascii_case("utf-8")))
}

/// Whether some portal reads a field `name` as `wanted`, or as something that holds it or that
/// it holds: to PHP and Rails `user[]`, `user[0]` and `user[name]` are parts of `user`, while
/// `user[name]` and `user[password]` are two fields. Dots and spaces are underscores to PHP, and
/// so is a bracket that nothing closes; some portals fold case.
pub(super) fn is_reading_of(name: &str, wanted: &str) -> bool {
    if differ_at_once(name, wanted) {
        return false;
    }
    let (name, wanted) = (before_nul(name), before_nul(wanted));
    let open = |text: &str| text.contains('[') && !text.contains(']');
    one_holds_the_other(name, wanted)
        || (open(name) && one_holds_the_other(&name.replace('[', "_"), wanted))
}

/// Whether both begin with a letter or a digit, and not with the same: then no portal takes one
/// for the other, and nearly all are told by that.
fn differ_at_once(name: &str, wanted: &str) -> bool {
    let first = |text: &str| text.bytes().next().filter(u8::is_ascii_alphanumeric);
    match (first(name), first(wanted)) {
        (Some(one), Some(other)) => !one.eq_ignore_ascii_case(&other),
        (_, _) => false,
    }
}

fn before_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

fn one_holds_the_other(name: &str, wanted: &str) -> bool {
    let mut pairs = parts(name).zip(parts(wanted));
    let same_base = pairs.next().is_some_and(|(one, other)| is_same(one, other));
    // `[]` is whatever comes next, so it may be anything.
    same_base && pairs.all(|(one, other)| one.is_empty() || other.is_empty() || is_same(one, other))
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split('[').map(|part| part.split(']').next().unwrap_or_default().trim())
}

/// Whether the loosest portal reads both as one.
fn is_same(one: &str, other: &str) -> bool {
    folded(one).eq(folded(other))
}

fn folded(part: &str) -> impl Iterator<Item = char> {
    let fold = |sign: char| match sign {
        '.' | ' ' => '_',
        // The small sigma has two forms, and which one a capital becomes hangs on its place.
        'ς' => 'σ',
        sign => sign,
    };
    part.chars().map(fold).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::is_reading_of;

    #[test]
    fn a_field_is_read_as_itself_and_what_it_is_part_of() {
        for name in ["user", "User", " user", "user[]", "user[0]", "user[name]", "user\0x", "user["]
        {
            assert!(is_reading_of(name, "user"), "{name:?}");
        }
        for name in ["users", "us", "user_name", "user.name", "password", "user-name"] {
            assert!(!is_reading_of(name, "user"), "{name:?}");
        }
        for name in ["user_name", "user.name", "user name", "user[name", "USER[NAME"] {
            assert!(is_reading_of(name, "user_name"), "{name:?}");
        }
        for name in ["ΧΡΉΣΤΗΣ", "χρήστης", "χρήστησ"] {
            assert!(is_reading_of(name, "Χρήστης"), "{name:?}");
        }
    }

    #[test]
    fn fields_side_by_side_are_two() {
        let same = [
            "user[email]",
            "user",
            "user[]",
            "user[][email]",
            "User[Email]",
            "user[email][0]",
            "user[email]x",
            "user[ email]",
            "user[email",
            "user [email]",
        ];
        for name in same {
            assert!(is_reading_of(name, "user[email]"), "{name:?}");
        }
        for name in ["user[password]", "user[remember_me]", "users[email]", "user_email", "email"] {
            assert!(!is_reading_of(name, "user[email]"), "{name:?}");
        }
    }
}
