//! The script of a single-page application: which answers get it, and that nothing else of
//! them changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use sha2::{Digest as _, Sha384};

use crate::dsl::shelf::Shelf;
use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Answer, Call, client, gateway, portal};

const START: &str = "<!doctype html>\n<!-- <head> -->\n<html lang=\"en\">\n<HEAD>";
const REST: &str = "<title>A</title></HEAD><body>B</body></html>\n";

/// Lines about a page, which no longer hold once it is changed.
const ABOUT: &str =
    "ETag: \"1\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nAccept-Ranges: bytes\r\n";

fn whole() -> String {
    format!("{START}{REST}")
}

/// An answer in one part, with its length.
fn answer(path: &str, head: &str, body: impl AsRef<[u8]>) -> (String, Vec<Vec<u8>>) {
    let body = body.as_ref();
    let head =
        format!("{head}\r\n{ABOUT}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    (path.to_owned(), vec![[head.as_bytes(), body].concat()])
}

/// An answer in parts, as it is.
fn parts(path: &str, parts: &[&str]) -> (String, Vec<Vec<u8>>) {
    (path.to_owned(), parts.iter().map(|part| part.as_bytes().to_vec()).collect())
}

const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn tag(page: &str) -> &str {
    let at = page.find("<script").unwrap_or_else(|| panic!("no script: {page}"));
    let end = page[at..].find("</script>").unwrap() + at + "</script>".len();
    &page[at..end]
}

fn assert_changed(told: &Answer, http2: bool) {
    assert_eq!(told.body, format!("{START}{}{REST}", tag(&told.body)), "{told:?}");
    for gone in ["etag", "last-modified", "accept-ranges", "content-length"] {
        assert_eq!(told.line(gone), None, "{told:?}");
    }
    let coding = if http2 { None } else { Some("chunked") };
    assert_eq!(told.line("transfer-encoding"), coding, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_gets_the_script_however_its_end_is_told() {
    let old = HTML.replace("1.1", "1.0");
    let chunked = format!("{HTML}\r\nTransfer-Encoding: chunked\r\n{ABOUT}\r\n");
    let shelf = Shelf::run([
        answer("/length", HTML, whole()),
        answer("/old", &old, whole()),
        parts("/end", &[&format!("{old}\r\n{ABOUT}\r\n{}", whole())]),
        parts("/chunked", &[&format!("{chunked}{}{}0\r\n\r\n", chunk(START), chunk(REST))]),
        parts(
            "/letters",
            &[&format!(
                "{chunked}{}0\r\n\r\n",
                whole().chars().map(|letter| chunk(&letter.to_string())).collect::<String>()
            )],
        ),
        parts("/nothing", &[&format!("{chunked}0\r\n\r\n")]),
    ])
    .await;
    let gateway = gateway::new().portal("wiki", &shelf).run().await;
    for http2 in [false, true] {
        for path in ["/length", "/old", "/end", "/chunked", "/letters"] {
            let call = Call { http2, ..Call::get("wiki.test", path).page() };
            assert_changed(&gateway.send(call).await, http2);
        }
        let call = Call { http2, ..Call::get("wiki.test", "/nothing").page() };
        assert_eq!(gateway.send(call).await.body, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_whole_page_stays_as_the_portal_sent_it() {
    let with = |line: &str| format!("{HTML}\r\n{line}");
    let head = |from: &str, to: &str| HTML.replace(from, to);
    let shelf = Shelf::run([
        answer("/page", HTML, whole()),
        answer("/json", &head("text/html", "application/json"), whole()),
        answer("/xhtml", &head("text/html", "application/xhtml+xml"), whole()),
        answer("/encoded", &with("Content-Encoding: gzip"), whole()),
        answer("/part", &with("Content-Range: bytes 0-99/500"), whole()),
        answer("/206", &head("200 OK", "206 Partial Content"), whole()),
        answer("/404", &head("200 OK", "404 Not Found"), whole()),
        answer("/untouchable", &with("Cache-Control: no-transform"), whole()),
        answer("/piece", HTML, "<div>a piece</div>"),
        answer("/text", HTML, "{\"no\": \"page\"}"),
        answer("/late", HTML, format!("<!doctype html><!--{}-->{}", "a".repeat(20_000), whole())),
        answer("/unfinished", HTML, "<!doctype html><!-- never ends"),
        answer("/304", &head("200 OK", "304 Not Modified"), ""),
    ])
    .await;
    let gateway = gateway::new().portal("wiki", &shelf).run().await;
    let get = |path: &str| Call::get("wiki.test", path);
    for http2 in [false, true] {
        for path in ["/json", "/xhtml", "/encoded", "/part", "/206", "/404", "/untouchable"] {
            let told = gateway.send(Call { http2, ..get(path).page() }).await;
            assert_eq!((&*told.body, told.line("etag")), (&*whole(), Some("\"1\"")), "{path}");
            assert_eq!(told.line("content-length"), Some(&*whole().len().to_string()), "{path}");
        }
        for path in ["/piece", "/text", "/late", "/unfinished", "/304"] {
            let told = gateway.send(Call { http2, ..get(path).page() }).await;
            assert!(!told.body.contains("<script"), "{path}: {told:?}");
            assert_eq!(told.body.is_empty(), path == "/304", "{path}: {told:?}");
        }
        let calls = [
            get("/page").line("accept", "*/*"),
            get("/page").line("accept", "text/html").line("sec-fetch-mode", "cors"),
            Call::post("wiki.test", "/page", &[]).page(),
        ];
        for call in calls {
            let told = gateway.send(Call { http2, ..call }).await;
            assert_eq!((&*told.body, told.line("etag")), (&*whole(), Some("\"1\"")));
        }
        let told = gateway.send(Call { http2, ..Call::new("HEAD", "wiki.test", "/page").page() });
        let told = told.await;
        assert_eq!((&*told.body, told.line("etag")), ("", Some("\"1\"")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_navigation_asks_for_a_whole_page_and_a_call_for_what_it_wants() {
    let shelf = Shelf::run([answer("/page", HTML, whole())]).await;
    let gateway = gateway::new().portal("wiki", &shelf).run().await;
    let wishes = [
        ("accept-encoding", "gzip, br"),
        ("if-none-match", "\"1\""),
        ("if-modified-since", "mon, 01 jan 2024 00:00:00 gmt"),
        ("range", "bytes=0-9"),
        ("if-range", "\"1\""),
    ];
    let wishing = |call: Call| wishes.iter().fold(call, |call, (name, wish)| call.line(name, wish));
    for http2 in [false, true] {
        let call = wishing(Call::get("wiki.test", "/page").line("accept", "*/*"));
        gateway.send(Call { http2, ..call }).await;
        let head = shelf.take_heads().concat();
        for (name, wish) in wishes {
            assert!(head.contains(&format!("\r\n{name}: {wish}\r\n")), "{name}: {head}");
        }
        let told = gateway.send(Call { http2, ..wishing(Call::get("wiki.test", "/page").page()) });
        assert_changed(&told.await, http2);
        let head = shelf.take_heads().concat();
        assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
        for (name, _) in &wishes[1..] {
            assert!(!head.contains(&format!("\r\n{name}:")), "{name}: {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_passes_as_it_comes_once_the_place_is_found() {
    let big = "0123456789abcdef".repeat(1536 * 1024);
    let chunked =
        format!("{HTML}\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk("<!doctype html><he"));
    let shelf = Shelf::run([
        parts("/slow", &[&chunked, &chunk("ad>first"), &chunk("second"), "0\r\n\r\n"]),
        answer("/big", HTML, format!("{START}{big}{REST}")),
    ])
    .await;
    let gateway = gateway::new().portal("wiki", &shelf).run().await;
    for http2 in [false, true] {
        let call = Call { http2, ..Call::get("wiki.test", "/slow").page() };
        let body = Empty::<Bytes>::new();
        let told = client::begin(gateway.https(), gateway.trusted(), &call, body);
        let mut body = told.await.unwrap().into_body();
        let next = async |body: &mut hyper::body::Incoming| {
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), body.frame());
            let data = frame.await.unwrap().unwrap().unwrap().into_data().unwrap();
            String::from_utf8(data.to_vec()).unwrap()
        };
        shelf.go_on();
        let first = next(&mut body).await;
        assert_eq!(first, format!("<!doctype html><head>{}first", tag(&first)));
        shelf.go_on();
        assert_eq!(next(&mut body).await, "second");
        shelf.go_on();
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
        gateway.forget_peak();
        let before = gateway.peak();
        let call = Call { http2, ..Call::get("wiki.test", "/big").page() };
        let told = gateway.send(call).await;
        assert!(told.body == format!("{START}{}{big}{REST}", tag(&told.body)));
        assert!(gateway.peak() < before + 12 * 1024, "{before} KiB, then {}", gateway.peak());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_the_script_with_its_hash_and_below_the_prefix() {
    let portal = portal::form().yaml("spa: true\nprefix: /second/factor").run().await;
    let plain = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).portal("shop", &plain).run().await;
    let script = gateway.send(Call::get("wiki.test", "/second/factor/spa.js")).await;
    assert_eq!(script.status, 200);
    assert_eq!(script.line("content-type"), Some("text/javascript; charset=utf-8"));
    let hash = STANDARD.encode(Sha384::digest(&script.body));
    let page = gateway.send(Call::get("wiki.test", "/public/page").page()).await;
    let expected =
        format!("<script src=\"/second/factor/spa.js\" integrity=\"sha384-{hash}\"></script>");
    assert_eq!(tag(&page.body), expected);
    let page = gateway.send(Call::get("wiki.test", "/second/factor/help").page()).await;
    assert!(!page.body.contains("<script"), "our own pages have no script");
    let call = Call::get("shop.test", "/.mfa/spa.js");
    assert_eq!(gateway.send(call).await.status, 404);
    let mut alice = enrol(&gateway, "shop", ALICE).await.browser;
    let page = alice.open("/home").await;
    assert_eq!((page.status, page.body.contains("<script")), (200, false), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_visitors_page_gets_the_script() {
    let portal = portal::form().yaml("spa: true").run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for http2 in [false, true] {
        alice.http2 = http2;
        let page = alice.open("/home").await;
        let start = format!("<!doctype html>{}<title>Portal</title>", tag(&page.body));
        assert!(page.body.starts_with(&start), "{}", page.body);
        assert!(page.body.contains("for alice alone"), "{}", page.body);
    }
}
