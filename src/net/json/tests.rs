//! One reading or none.

use proptest::prelude::*;

use super::{Found, JsonPointer, Unclear, find, keys};

fn same_but_for_case(key: &str, wanted: &str) -> bool {
    key.eq_ignore_ascii_case(wanted)
}

fn pointer(text: &str) -> JsonPointer {
    JsonPointer::parse(text).unwrap()
}

/// The text at a place; `-` for nothing there, `?` for anything else, `!` for no one reading.
fn text(json: &str, at: &str) -> String {
    match find(json.as_bytes(), &pointer(at), same_but_for_case) {
        Ok(Found::Text(text)) => text.into_owned(),
        Ok(Found::Absent) => "-".to_owned(),
        Ok(Found::Number(_) | Found::Bool(_) | Found::Other) => "?".to_owned(),
        Err(Unclear) => "!".to_owned(),
    }
}

#[test]
fn a_pointer_reads_as_rfc_6901_has_it() {
    assert_eq!(pointer("/a~1b/m~0n/").tokens(), ["a/b", "m~n", ""]);
    assert_eq!(pointer("/a~1b/m~0n/").to_string(), "/a~1b/m~0n/");
    assert_eq!(pointer("/~01").tokens(), ["~1"]);
    for wrong in ["", "a", "a/b", "/a~", "/a~2", "/~", " /a"] {
        assert!(JsonPointer::parse(wrong).is_none(), "{wrong:?}");
    }
    assert!(JsonPointer::parse(&"/a".repeat(40)).is_none());
}

#[test]
fn a_value_is_found_at_its_place() {
    for (json, at, expected) in [
        (r#"{"user":"alice"}"#, "/user", "alice"),
        (r#" {"x":[1,{"user":"bob"}],"user":"alice"} "#, "/user", "alice"),
        (r#"{"user":{"name":"alice"}}"#, "/user/name", "alice"),
        (r#"{"list":["a","alice"]}"#, "/list/1", "alice"),
        (r#"{"a/b":{"m~n":"alice"}}"#, "/a~1b/m~0n", "alice"),
        (r#"{"\u0075ser":"\u0061lice"}"#, "/user", "alice"),
        (r#"{"other":1}"#, "/user", "-"),
        (r#"{"list":["a"]}"#, "/list/01", "-"),
        (r#"{"list":["a"]}"#, "/list/-", "-"),
        ("[]", "/user", "-"),
        (r#"{"user":1}"#, "/user", "?"),
        (r#"{"user":null}"#, "/user", "?"),
        (r#"{"user":["alice"]}"#, "/user", "?"),
        (r#"{"user":{"user":"alice"}}"#, "/user", "?"),
    ] {
        assert_eq!(text(json, at), expected, "{json} {at}");
    }
}

#[test]
fn what_two_readers_could_read_in_two_ways_has_no_reading() {
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for json in [
        "",
        "{",
        r#"{"user":"alice"} x"#,
        r#"{"user":"alice"}{"user":"bob"}"#,
        "{\"user\":\"alice\"}\0",
        "\u{feff}{\"user\":\"alice\"}",
        r#"{"user":"alice","user":"alice"}"#,
        r#"{"user":"alice","\u0075ser":"bob"}"#,
        r#"{"user":"alice","x":{"y":1,"y":2}}"#,
        r#"{"user":"alice","User":"bob"}"#,
        r#"{"USER":"bob"}"#,
        r#"{"user":"alice",}"#,
        r#"{'user':'alice'}"#,
        r#"{user:"alice"}"#,
        r#"{"user":"alice"/* */}"#,
        r#"{"user":"al\ud800ice"}"#,
        "{\"user\":\"al\nice\"}",
        r#"{"user":"alice","x":NaN}"#,
        r#"{"user":"alice","x":01}"#,
        &format!(r#"{{"user":"alice","x":{deep}}}"#),
    ] {
        assert_eq!(text(json, "/user"), "!", "{json:?}");
    }
    let latin = find(b"{\"user\":\"al\xefce\"}", &pointer("/user"), same_but_for_case);
    assert!(latin.is_err());
}

#[test]
fn the_outermost_keys_are_named() {
    assert_eq!(keys(br#"{"a":{"b":1},"\u0063":2}"#).unwrap(), ["a", "c"]);
    for other in ["[1]", "\"a\"", "", "{"] {
        assert!(keys(other.as_bytes()).is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_fall(text in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = find(&text, &pointer("/user/name"), same_but_for_case);
    }

    /// Where we find something, a reader of the whole finds the same.
    #[test]
    fn it_agrees_with_a_reader_of_the_whole(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"user\"", "\"User\"", "\"name\"", "\"alice\"", "1",
            "true", "null", "\\u0075", "{\"user\":", "{\"user\":{\"name\":\"bob\"}}",
        ]), 0..12),
    ) {
        let text = pieces.concat();
        let place = pointer("/user/name");
        if let Ok(found) = find(text.as_bytes(), &place, same_but_for_case) {
            let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
            let there = whole.pointer("/user/name");
            match found {
                Found::Text(text) => prop_assert_eq!(there.unwrap(), &*text),
                Found::Absent => prop_assert!(there.is_none()),
                Found::Number(_) | Found::Bool(_) | Found::Other => prop_assert!(there.is_some()),
            }
        }
    }
}
