//! Forms of the kind multipart/form-data (RFC 7578), exactly as browsers write them. Whatever
//! two readers may cut in two ways is refused as a whole.

use std::borrow::Cow;

use super::form::{Field, Value};

/// Reads the fields between the boundaries; nothing when the body is not written as browsers
/// write it. A name with escapes is there twice, as it is and without them, since portals
/// differ in that.
pub(super) fn read<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Field<'a>>> {
    let delimiter = format!("--{boundary}");
    let mut pieces = pieces(body, delimiter.as_bytes()).into_iter();
    // The boundary stands nowhere but where a field begins or the form ends.
    if !pieces.next()?.is_empty() || !matches!(pieces.next_back()?, b"--" | b"--\r\n") {
        return None;
    }
    let mut fields = Vec::new();
    for piece in pieces {
        let field = field(piece.strip_prefix(b"\r\n")?.strip_suffix(b"\r\n")?)?;
        if field.name.contains('%') {
            let bytes = field.name.as_bytes();
            let plain = percent_encoding::percent_decode(bytes).decode_utf8_lossy().into_owned();
            fields.push(Field { name: Cow::Owned(plain), value: Value::Odd });
        }
        fields.push(field);
    }
    Some(fields)
}

/// The body cut at each delimiter.
fn pieces<'a>(body: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some(at) = position(rest, delimiter) {
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after.split_at(delimiter.len()).1;
    }
    pieces.push(rest);
    pieces
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// One field: its lines, an empty line, its value.
fn field(part: &[u8]) -> Option<Field<'_>> {
    let end = position(part, b"\r\n\r\n")?;
    let (head, rest) = part.split_at(end);
    let value = rest.split_at(4).1;
    let mut disposition = None;
    let mut is_text = true;
    let mut typed = false;
    for line in std::str::from_utf8(head).ok()?.split("\r\n") {
        if line.chars().any(char::is_control) {
            return None;
        }
        let (name, text) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if disposition.is_none() => disposition = Some(named(text)?),
            "content-type" if !typed => {
                typed = true;
                is_text = is_plain_text(text);
            }
            // Any other line may change how the value is read.
            _ => return None,
        }
    }
    let (name, is_file) = disposition?;
    let value = if is_text && !is_file { Value::Plain(value) } else { Value::Odd };
    Some(Field { name: Cow::Borrowed(name), value })
}

/// The field's name, and whether it is a file. `name*` and other tricks are refused.
fn named(text: &str) -> Option<(&str, bool)> {
    let mut parts = text.split(';').map(str::trim);
    if parts.next()? != "form-data" {
        return None;
    }
    let (mut name, mut file) = (None, None);
    for part in parts {
        let (key, value) = part.split_once('=')?;
        let slot = match key {
            "name" => &mut name,
            "filename" => &mut file,
            _ => return None,
        };
        if slot.replace(unquoted(value)?).is_some() {
            return None;
        }
    }
    Some((name?, file.is_some()))
}

/// A value in quotes, as browsers write it: without quotes or backslashes in it, which some
/// readers take for escapes.
fn unquoted(value: &str) -> Option<&str> {
    let plain = value.strip_prefix('"')?.strip_suffix('"')?;
    (!plain.contains(['"', '\\'])).then_some(plain)
}

fn is_plain_text(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let text = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/plain"));
    text && parts.all(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        name.eq_ignore_ascii_case("charset")
            && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::read;

    fn part(head: &str, value: &str) -> String {
        format!("--b\r\n{head}\r\n\r\n{value}\r\n")
    }

    fn named(name: &str) -> String {
        format!("Content-Disposition: form-data; name=\"{name}\"")
    }

    /// Names and values; `-` for a value that is no text.
    fn fields(body: &str) -> Option<Vec<(String, String)>> {
        let fields = read(body.as_bytes(), "b")?;
        let shown = fields.iter().map(|field| {
            let value = field.value.text().map_or_else(|| "-".to_owned(), |text| text.into_owned());
            (field.name.to_string(), value)
        });
        Some(shown.collect())
    }

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let body = [
            part(&named("user"), "alice"),
            part(&named("empty"), ""),
            part(&format!("{}\r\nContent-Type: text/plain; charset=UTF-8", named("t")), "a\r\nb"),
            part(&format!("{}; filename=\"a.png\"", named("f")), "x"),
            part(&format!("{}\r\nContent-Type: text/plain; charset=utf-16", named("u")), "x"),
            part(&named("na%6De"), "x"),
        ]
        .concat();
        let expected = [
            ("user", "alice"),
            ("empty", ""),
            ("t", "a\r\nb"),
            ("f", "-"),
            ("u", "-"),
            ("name", "-"),
            ("na%6De", "x"),
        ];
        for end in ["--b--", "--b--\r\n"] {
            let found = fields(&format!("{body}{end}")).unwrap();
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(fields("--b--\r\n"), Some(Vec::new()));
        assert_eq!(fields("--b\r\n--b--\r\n"), None);
    }

    #[test]
    fn what_may_be_cut_in_two_ways_is_refused() {
        let good = part(&named("user"), "alice");
        let close = "--b--\r\n";
        for body in [
            String::new(),
            good.clone(),
            format!("preamble\r\n{good}{close}"),
            format!("\r\n{good}{close}"),
            format!("{good}{close}{good}{close}"),
            format!("{good}{close}epilogue"),
            format!("{good}--b --\r\n"),
            format!("{good}{close}").replace("\r\n", "\n"),
            format!("{good}{close}").replacen("--b\r\n", "--b \r\n", 1),
            format!("{}{close}", part(&named("user"), "alice\n--b\nx")),
            format!("{}{close}", part(&named("user"), "alice--bob")),
            format!("{}{close}", part("X-Other: 1", "alice")),
            format!("{}{close}", part(&format!("{}\r\n x", named("user")), "alice")),
            format!("{}{close}", part(&format!("{}\nX: 1", named("user")), "alice")),
            format!("{}{close}", part(&format!("{0}\r\n{0}", named("user")), "alice")),
            format!("{}{close}", part("Content-Disposition: form-data; name=user", "alice")),
            format!("{}{close}", part("Content-Disposition: attachment; name=\"user\"", "alice")),
            format!("{}{close}", part("Content-Disposition : form-data; name=\"user\"", "alice")),
            format!("{}{close}", part(&named("us\\er"), "alice")),
            format!("{}{close}", part(&named("us;er"), "alice")),
            format!("{}{close}", part(&named("x\"; name=\"user"), "alice")),
            format!("{}{close}", part(&format!("{}; name*=utf-8''bob", named("user")), "alice")),
            format!("{}{close}", part(&format!("{}; filename*=utf-8''b", named("user")), "alice")),
            format!(
                "{}{close}",
                part(&format!("{}\r\nContent-Transfer-Encoding: base64", named("user")), "YQ==")
            ),
        ] {
            assert_eq!(fields(&body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_fall(
            pieces in prop::collection::vec(prop_oneof![
                prop::sample::select(vec![
                    "--b", "--", "\r\n", "\r", "\n", "Content-Disposition: form-data", ";",
                    " name=\"user\"", " filename=\"x\"", "alice", "bob", ":", "\"", "%75",
                ]).prop_map(|text| text.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..4),
            ], 0..24),
        ) {
            let body = pieces.concat();
            if let Some(fields) = read(&body, "b") {
                // As many fields as boundaries, however crude the count.
                let crude = body.windows(3).filter(|window| *window == b"--b").count();
                let twice = fields.iter().filter(|field| field.name.contains('%')).count();
                prop_assert_eq!(fields.len() - twice, crude - 1);
            }
        }
    }
}
