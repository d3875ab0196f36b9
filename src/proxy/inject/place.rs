//! Where in a page the script belongs: right after `<head>`, or before the first thing that
//! opens the head unsaid. Reads the start of a page as the HTML standard does, and nothing
//! beyond it.

/// Where the script belongs, as far as the start of a page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the byte at this place.
    At(usize),
    /// More of the page has to be seen.
    NotYet,
    /// Nowhere: this is no page, or none that can be read for certain.
    Nowhere,
}

/// Finds the place. White space, comments and the doctype are passed over. A doctype, `<html>`
/// or `<head>` has to be there: without any of them it may be a piece of a page, JSON under a
/// wrong name, or text in an encoding whose letters are not ASCII.
pub(super) fn find(page: &[u8]) -> Place {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if page.len() < MARK.len() && MARK.starts_with(page) {
        return Place::NotYet;
    }
    let (mut rest, mut is_page, mut in_html) =
        (page.strip_prefix(MARK).unwrap_or(page), false, false);
    loop {
        rest = rest.trim_ascii_start();
        let here = Place::At(page.len() - rest.len());
        rest = match token(rest) {
            Token::Unfinished => return Place::NotYet,
            Token::Aside(after) => after,
            Token::Doctype(after) => {
                is_page = true;
                after
            }
            Token::Html(after) if !in_html => {
                (is_page, in_html) = (true, true);
                after
            }
            Token::Head(after) => return Place::At(page.len() - after.len()),
            // A script before anything else is put into the head by the browser, and what
            // follows it is read as it would have been.
            Token::Html(_) | Token::Other if is_page => return here,
            Token::Html(_) | Token::Other => return Place::Nowhere,
        };
    }
}

/// The next thing in a page, with what follows it.
enum Token<'a> {
    /// It has no end yet.
    Unfinished,
    /// A comment, or what counts as one.
    Aside(&'a [u8]),
    Doctype(&'a [u8]),
    Html(&'a [u8]),
    Head(&'a [u8]),
    /// Anything else; where it ends does not matter.
    Other,
}

fn token(rest: &[u8]) -> Token<'_> {
    if let Some(comment) = rest.strip_prefix(b"<!--") {
        return after_comment(comment).map_or(Token::Unfinished, Token::Aside);
    }
    if rest.starts_with(b"<!") || rest.starts_with(b"<?") {
        // Quotes do not protect a '>' in a doctype, and neither does anything in a comment
        // that does not start as one.
        return match after(rest, b">") {
            Some(after) if begins(rest, b"<!doctype") => Token::Doctype(after),
            Some(after) => Token::Aside(after),
            None => Token::Unfinished,
        };
    }
    match (begins(rest, b"<html"), begins(rest, b"<head"), rest.get(5..)) {
        (true, _, Some(tag)) => start_tag(tag, Token::Html),
        (_, true, Some(tag)) => start_tag(tag, Token::Head),
        _ if begins(b"<html", rest) || begins(b"<head", rest) => Token::Unfinished,
        _ => Token::Other,
    }
}

/// A tag from behind the letters of its name: they may be those of a longer name, such as
/// that of `<header>`.
fn start_tag<'a>(rest: &'a [u8], named: fn(&'a [u8]) -> Token<'a>) -> Token<'a> {
    match rest.first() {
        None => Token::Unfinished,
        Some(byte) if byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>') => {
            after_attributes(rest).map_or(Token::Unfinished, named)
        }
        Some(_) => Token::Other,
    }
}

/// Behind `<!--`: a comment may end at once, as `<!-->` and `<!--->` do.
fn after_comment(rest: &[u8]) -> Option<&[u8]> {
    let at_once = rest.strip_prefix(b">").or_else(|| rest.strip_prefix(b"->"));
    let ends = [after(rest, b"-->"), after(rest, b"--!>")];
    // What is left is longest behind the end that comes first.
    at_once.or_else(|| ends.into_iter().flatten().max_by_key(|after| after.len()))
}

/// Behind the name of a tag: what follows its '>', which means nothing in quotes. Quotes mean
/// nothing but at the start of a value.
fn after_attributes(rest: &[u8]) -> Option<&[u8]> {
    enum Part {
        Between,
        Name,
        BehindName,
        BeforeValue,
        Bare,
        Quoted(u8),
    }
    let mut part = Part::Between;
    for (at, byte) in rest.iter().enumerate() {
        let space = byte.is_ascii_whitespace();
        part = match (part, byte) {
            (Part::Quoted(quote), byte) if *byte == quote => Part::Between,
            (Part::Quoted(quote), _) => Part::Quoted(quote),
            (_, b'>') => return rest.get(at + 1..),
            (Part::Name | Part::BehindName, b'=') => Part::BeforeValue,
            (Part::Between | Part::Name | Part::BehindName, b'/') => Part::Between,
            (Part::BeforeValue, b'"' | b'\'') => Part::Quoted(*byte),
            (Part::BeforeValue, _) if space => Part::BeforeValue,
            (Part::Bare | Part::Between, _) if space => Part::Between,
            (Part::Name | Part::BehindName, _) if space => Part::BehindName,
            (Part::BeforeValue | Part::Bare, _) => Part::Bare,
            (Part::Between | Part::Name | Part::BehindName, _) => Part::Name,
        };
    }
    None
}

fn after<'a>(rest: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = rest.windows(end.len()).position(|window| window == end)?;
    rest.get(at + end.len()..)
}

fn begins(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

#[cfg(test)]
mod tests {
    use super::{Place, find};

    /// The place is where the bar stands.
    #[test]
    fn the_script_stands_before_everything_that_could_run() {
        for marked in [
            "<!doctype html><html><head>|<title>a</title>",
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://a/b.dtd\">\n<HTML>\r\n<HEAD>|",
            "\u{feff}<!doctype html>\n<html lang=\"en\"><head>|",
            "<html><head profile='a > b' data-x=\"<head>\">|",
            "<html data-a=\">\"><head/>|<script>",
            "<html a\"b><head>|",
            "<html a=b\"><head>|",
            "<html a = '>'><head>|",
            "<html =a'><head>|",
            "<html a=><head>|",
            "<html a/b=\">\"><head>|",
            "<html a=/><head>|",
            "<!-- <head> --><!doctype html><!----><head>|",
            "<!--><!doctype html><!---><head>|",
            "<!--a--!><!doctype html><head>|",
            "<!---!><head>--><!doctype html><head>|",
            "<!doctype html><!x <head>|",
            "<?xml version=\"1.0\"?><!doctype html><head>|",
            "<!doctype html>|<title>Portal</title>",
            "<!doctype html>\n  |text",
            "<!doctype html><html>\n|<body>",
            "<!doctype html><html>|<html><head>",
            "<html>|<header>",
            "<html><!-- a -->|<script>",
            "<!doctype html>|</p>",
            "<!doctype html>|<",
        ] {
            let at = marked.find('|').unwrap();
            let page = marked.replacen('|', "", 1);
            let expected = match (page.len(), &page[at..]) {
                // One sign more may make it a tag of ours.
                (_, "<") => Place::NotYet,
                // Two ends of one comment: the first '>' counts.
                _ if page.contains("<!x <head>") => Place::NotYet,
                _ => Place::At(at),
            };
            assert_eq!(find(page.as_bytes()), expected, "{marked}");
        }
    }

    #[test]
    fn what_is_no_page_stays_as_it_is() {
        for text in [
            "{\"ok\": true}",
            "plain text <html><head>",
            "<div>a piece of a page</div>",
            "<!-- a piece --><p>",
            "<script>1</script>",
            "<header>a</header>",
            "<?xml version=\"1.0\"?><rss>",
            "<headless>",
            "\0<\0h\0t\0m\0l\0>",
            "</head>",
        ] {
            assert_eq!(find(text.as_bytes()), Place::Nowhere, "{text}");
        }
        assert_eq!(find(b"\xff\xfe<\0h\0"), Place::Nowhere);
    }

    #[test]
    fn what_may_still_become_a_page_is_waited_for() {
        for text in [
            "",
            " \n",
            "<",
            "<!",
            "<!-",
            "<!--",
            "<!-- <head>",
            "<!doctype",
            "<!doctype html",
            "<h",
            "<HTM",
            "<html",
            "<html a=\">",
            "<head",
            "<head ",
            "<!doctype html>",
            "<html>\n<he",
        ] {
            assert_eq!(find(text.as_bytes()), Place::NotYet, "{text}");
        }
        for part in [&b"\xef"[..], b"\xef\xbb", b"\xef\xbb\xbf"] {
            assert_eq!(find(part), Place::NotYet);
        }
    }
}
