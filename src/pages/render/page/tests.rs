//! Waits in words, and which paths are linked to.

use super::{in_words, local};

#[test]
fn a_wait_is_said_in_the_largest_unit_and_never_too_short() {
    for (seconds, words) in [
        (0, "1 second"),
        (30, "30 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (3600, "1 hour"),
        (3601, "2 hours"),
    ] {
        assert_eq!(in_words(seconds), words);
    }
}

#[test]
fn only_a_path_on_this_host_is_linked_to() {
    for path in ["/", "/wiki?id=a&b=c", "/a//b", "/%2f/e"] {
        assert_eq!(local(path), path);
    }
    for path in [
        "",
        "//e",
        "/\\e",
        "\\\\e",
        "https://e",
        "javascript:alert(1)",
        "/a\nb",
        "/a b",
        "/\te",
        "/a\\..\\b",
        "/é",
    ] {
        assert_eq!(local(path), "/", "{path:?}");
    }
}
