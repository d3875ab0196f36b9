//! What goes out is what came in, with the script once, however it is cut into parts.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use pingora_http::ResponseHeader;
use proptest::prelude::*;

use super::{Injection, LOOK, is_readable_page, place};

const TAG: &[u8] = b"<script our-own></script>";

/// What the browser gets of a page that comes in these parts.
fn sent(parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let tag = Bytes::from_static(TAG);
    let mut injection = Injection::Held(BytesMut::new());
    let mut out = Vec::new();
    for part in parts {
        let mut body = Some(Bytes::from(part.clone()));
        injection.pass(Some(&tag), &mut body, false);
        out.extend(body.map(|body| body.to_vec()));
    }
    let mut body = None;
    injection.pass(Some(&tag), &mut body, true);
    out.extend(body.map(|body| body.to_vec()));
    out
}

fn without_tag(page: &[u8]) -> (Vec<u8>, Option<usize>) {
    let at = page.windows(TAG.len()).position(|window| window == TAG);
    let rest = at.map(|at| [&page[..at], &page[at + TAG.len()..]].concat());
    (rest.unwrap_or_else(|| page.to_vec()), at)
}

/// Pieces of which pages, and things like pages, are made.
fn page() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("<!doctype html>"),
        Just("<!-- <head> -->"),
        Just("<!--"),
        Just("-->"),
        Just("--!>"),
        Just("<html lang=\"en\">"),
        Just("<html a='>'"),
        Just("<head>"),
        Just("<HEAD x=\"<head>\" >"),
        Just("<header>"),
        Just("<script>"),
        Just("</script>"),
        Just("<body>"),
        Just(" \n"),
        Just(">"),
        Just("\""),
        Just("\u{feff}"),
        Just("text"),
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..64),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_or_moved_however_the_page_is_cut(
        page in page(),
        cuts in proptest::collection::vec(1_usize..8, 0..80),
    ) {
        let (mut parts, mut rest) = (Vec::new(), page.as_slice());
        for cut in cuts {
            let (part, left) = rest.split_at(cut.min(rest.len()));
            parts.push(part.to_vec());
            rest = left;
        }
        parts.push(rest.to_vec());
        let (left, at) = without_tag(&sent(&parts).concat());
        prop_assert_eq!(&left, &page);
        let (_, whole) = without_tag(&sent(&[page]).concat());
        prop_assert_eq!(at, whole);
    }

    #[test]
    fn a_page_in_order_always_gets_the_script(before in "[ \n]{0,9}(<!--[a-z ]{0,9}-->)?", rest in ".{0,40}") {
        let start = format!("{before}<!doctype html><html><head>");
        let page = format!("{start}{rest}").into_bytes();
        prop_assert_eq!(without_tag(&sent(&[page]).concat()).1, Some(start.len()));
    }
}

#[test]
fn only_the_start_of_a_page_is_held() {
    let filled = |size: usize| format!("<!doctype html><!--{}", "a".repeat(size)).into_bytes();
    let parts: Vec<Vec<u8>> =
        [filled(LOOK), vec![b'b'; 9], b"--><head>".to_vec(), vec![b'c'; 9]].to_vec();
    // Beyond what is looked at there is no place for it any more, and nothing is held.
    assert_eq!(sent(&parts), parts);
    let parts = [filled(LOOK - 100), b"--><head>".to_vec(), vec![b'c'; LOOK], vec![b'd'; 9]];
    let out = sent(&parts);
    assert_eq!(out.len(), 3, "after the place is found, each part passes by itself");
    assert_eq!(out[1..], parts[2..]);
    assert_eq!(out[0], [&parts[0], &parts[1][..], TAG].concat());
}

#[test]
fn a_page_without_a_place_is_let_go_at_once() {
    let parts = [b"{\"a\":".to_vec(), b"1}".to_vec()];
    assert_eq!(sent(&parts), parts);
    assert_eq!(place::find(b"{"), place::Place::Nowhere);
}

#[test]
fn only_a_whole_page_in_no_coding_is_read() {
    let check = |lines: &[(&'static str, &'static str)]| {
        let mut head = ResponseHeader::build(StatusCode::OK, None).unwrap();
        for (name, value) in lines {
            head.append_header(*name, *value).unwrap();
        }
        is_readable_page(&head.headers)
    };
    let html = ("content-type", "Text/HTML ; charset=ISO-8859-1");
    assert!(check(&[html]));
    assert!(check(&[html, ("content-encoding", "identity"), ("content-length", "10")]));
    for lines in [
        &[][..],
        &[("content-type", "application/json")],
        &[("content-type", "text/html-like")],
        &[("content-type", "application/xhtml+xml")],
        &[("content-type", "text/html; charset=utf-16le")],
        &[html, html],
        &[html, ("content-encoding", "gzip")],
        &[html, ("content-encoding", "identity"), ("content-encoding", "br")],
        &[html, ("content-length", "0")],
        &[html, ("content-range", "bytes 0-9/10")],
        &[html, ("cache-control", "public, no-transform")],
    ] {
        assert!(!check(lines), "{lines:?}");
    }
}
