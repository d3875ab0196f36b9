//! QR codes as inline SVG. Black on white whatever the colour scheme, since many scanners fail
//! on inverted codes, and without a style attribute, which our own policy would ignore.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code, as ISO/IEC 18004 asks for.
const QUIET_ZONE: usize = 4;

/// What a screen reader says in place of the picture.
const TITLE: &str = "QR code to scan with an authenticator app";

/// Why there is no QR code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QrError {
    /// More than the largest code holds at level M, 2331 bytes.
    #[error("the text is too long for a QR code")]
    TooLong,
    /// The encoder refused the text for another reason.
    #[error("the text cannot be put in a QR code: {0}")]
    Refused(qrcode::types::QrError),
}

/// `text` as an `<svg>` element that can be put into a page as it is.
pub fn svg(text: &str) -> Result<String, QrError> {
    let code =
        QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| match error {
            qrcode::types::QrError::DataTooLong => QrError::TooLong,
            other => QrError::Refused(other),
        })?;
    let width = code.width();
    let side = width + 2 * QUIET_ZONE;
    let path = dark_runs(&code.into_colors(), width);
    // The white square covers the quiet zone too: on a dark page it is what makes the code
    // readable.
    Ok(format!(
        "<svg class=\"qr\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         role=\"img\" aria-labelledby=\"qr-title\" shape-rendering=\"crispEdges\">\
         <title id=\"qr-title\">{TITLE}</title>\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// One rectangle for each unbroken run of dark modules in a row: a third of the size of one for
/// each module, and no hairlines between neighbours.
fn dark_runs(modules: &[Color], width: usize) -> String {
    let mut path = String::new();
    for (y, row) in modules.chunks(width.max(1)).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|left, right| left == right) {
            if run.first() == Some(&Color::Dark) {
                let (left, top, length) = (x + QUIET_ZONE, y + QUIET_ZONE, run.len());
                // Writing into a string cannot fail.
                let _ = write!(path, "M{left} {top}h{length}v1h-{length}z");
            }
            x += run.len();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{QUIET_ZONE, QrError, svg};

    /// A link of `length` characters, made of what such links are made of.
    fn link(length: usize) -> String {
        let mut link = String::from(
            "otpauth://totp/Example%20Ltd:alice%40example.com\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20Ltd&label=",
        );
        while link.len() < length {
            link.push('x');
        }
        link
    }

    /// The modules that the path of `svg` paints, as rows of `true` for dark, four pixels for
    /// each module, in the portable greymap format that zbarimg reads.
    fn greymap(svg: &str) -> Vec<u8> {
        let side: usize = between(svg, "viewBox=\"0 0 ", " ").parse().expect("a side");
        let mut dark = vec![false; side * side];
        for run in between(svg, " d=\"M", "\"").split('M') {
            let (start, rest) = run.split_once('h').expect("a run");
            let (x, y) = start.split_once(' ').expect("a start");
            let (x, y): (usize, usize) = (x.parse().expect("x"), y.parse().expect("y"));
            let length: usize = rest.split_once('v').expect("v").0.parse().expect("a length");
            dark[y * side + x..y * side + x + length].fill(true);
        }
        let scale = 4;
        let mut map = format!("P5 {0} {0} 255\n", side * scale).into_bytes();
        for y in 0..side * scale {
            for x in 0..side * scale {
                map.push(if dark[y / scale * side + x / scale] { 0 } else { 255 });
            }
        }
        map
    }

    fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
        let (_, rest) = text.split_once(before).expect("the start");
        rest.split_once(after).expect("the end").0
    }

    /// What zbarimg reads; `None` on a machine that has no zbarimg.
    fn scan(svg: &str) -> Option<String> {
        let mut scanner = Command::new("zbarimg")
            .args(["--quiet", "--raw", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        scanner.stdin.take().expect("a pipe").write_all(&greymap(svg)).expect("the picture");
        let output = scanner.wait_with_output().expect("an end");
        Some(String::from_utf8(output.stdout).expect("text").trim_end().to_owned())
    }

    #[test]
    fn a_long_link_is_read_back_as_it_was() {
        for length in [120, 280] {
            let link = link(length);
            let svg = svg(&link).expect("a code");
            // Level M at 280 bytes is version 12: 65 modules and the quiet zone on both sides.
            if length == 280 {
                assert!(svg.contains("viewBox=\"0 0 73 73\""), "{svg}");
            }
            if let Some(read) = scan(&svg) {
                assert_eq!(read, link);
            }
        }
    }

    #[test]
    fn the_quiet_zone_stays_light() {
        let svg = svg(&link(280)).expect("a code");
        let map = greymap(&svg);
        let (header, pixels) = map.split_at(map.iter().position(|b| *b == b'\n').expect("eol") + 1);
        let side: usize = between(std::str::from_utf8(header).expect("text"), "P5 ", " ")
            .parse()
            .expect("a side");
        let zone = QUIET_ZONE * 4;
        for (index, pixel) in pixels.iter().enumerate() {
            let (x, y) = (index % side, index / side);
            let inside = (zone..side - zone).contains(&x) && (zone..side - zone).contains(&y);
            assert!(inside || *pixel == 255, "dark at {x},{y}");
        }
    }

    #[test]
    fn it_is_a_picture_with_a_name_and_without_style() {
        let svg = svg("otpauth://totp/a?secret=b").expect("a code");
        assert!(svg.starts_with("<svg class=\"qr\""));
        assert!(svg.contains("role=\"img\""));
        assert!(svg.contains("<title id=\"qr-title\">QR code"));
        assert!(!svg.contains("style="));
        assert!(!svg.contains("<?xml"));
    }

    #[test]
    fn the_text_itself_is_not_in_the_markup() {
        let svg = svg("\"><script>alert(1)</script>").expect("a code");
        assert!(!svg.contains("script"));
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert!(svg(&"x".repeat(2331)).is_ok());
        assert_eq!(svg(&"x".repeat(2332)), Err(QrError::TooLong));
    }
}
