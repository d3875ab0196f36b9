//! C13: whatever anybody typed, or sent, or calls himself, is text on a page of ours, and no
//! page of ours holds anything that could run.

use html5gum::{StartTag, Token, Tokenizer};

use crate::dsl::broken::Broken;
use crate::dsl::browser::Shown;
use crate::dsl::office::{self, ASKED, Word};
use crate::dsl::steps::{confirm, enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Browser, Call, Gateway, Office, Phone, gateway, html, portal};

/// What might break out of a text, of an attribute, of a link, of a template, of a line.
const HOSTILE: [&str; 9] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</strong></title></textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{123456*8}}{% raw %}{{ csrf }}",
    "${123456*8}#{123456*8}<%= 123456*8 %>",
    "<!--<base href=//evil.test>",
    "\u{202e}cba\u{200b}\u{2066}",
    "&lt;b&gt;&#x27;",
];

/// The tags that pages of ours are made of, those of the picture included.
const TAGS: [&str; 49] = [
    "html", "head", "meta", "title", "link", "body", "header", "main", "footer", "section",
    "aside", "nav", "span", "p", "h1", "h2", "h3", "div", "strong", "em", "bdi", "code", "pre",
    "small", "ol", "ul", "li", "dl", "dt", "dd", "a", "form", "input", "button", "label", "select",
    "option", "textarea", "details", "summary", "table", "tr", "td", "th", "svg", "g", "path",
    "rect", "br",
];

/// Every page of ours, as whoever it is gets it, holds what was typed as text alone.
fn is_clean(page: &Shown) {
    for name in ["content-security-policy", "x-content-type-options"] {
        assert!(page.line(name).is_some(), "{} without {name}", page.path);
    }
    let policy = page.line("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
    for weak in ["unsafe", "script-src", "*", "http"] {
        assert!(!policy.contains(weak), "{policy}");
    }
    for Ok(token) in Tokenizer::new(&page.body) {
        match token {
            Token::StartTag(tag) => is_ours(page, &tag),
            Token::Comment(comment) => panic!("{}: a comment, {comment:?}", page.path),
            Token::EndTag(_) | Token::String(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
}

fn is_ours(page: &Shown, tag: &StartTag<()>) {
    let name = String::from_utf8_lossy(&tag.name);
    assert!(TAGS.contains(&&*name), "{}: <{name}>: {}", page.path, page.body);
    for (attribute, value) in &tag.attributes {
        let attribute = String::from_utf8_lossy(attribute);
        let value = String::from_utf8_lossy(&value.value);
        let runs = attribute.starts_with("on") || attribute == "style" || attribute == "srcdoc";
        assert!(!runs, "{}: <{name} {attribute}>: {}", page.path, page.body);
        let leads = ["href", "src", "action", "formaction"].contains(&&*attribute);
        let ours = value.starts_with('/') && !value.starts_with("//") || value.starts_with('#');
        let known = value.starts_with("otpauth://totp/") && tag_has_id(tag, "otpauth");
        let icon = &*name == "link" && value.starts_with("data:image/svg+xml,");
        // The file of recovery codes: it is saved, and what is no letter in it is escaped.
        let file = value.starts_with("data:text/plain;charset=utf-8,") && has(tag, "download");
        assert!(!leads || ours || known || icon || file, "{}: {attribute}={value}", page.path);
    }
}

fn has(tag: &StartTag<()>, attribute: &str) -> bool {
    tag.attributes.contains_key(attribute.as_bytes())
}

fn tag_has_id(tag: &StartTag<()>, id: &str) -> bool {
    tag.attributes.get(&b"id"[..]).is_some_and(|value| *value.value == id.as_bytes())
}

/// An office whose people have any name, behind a gateway whose own names are hostile too.
async fn hostile() -> (Office, Gateway) {
    let identity = format!("{ASKED}username: {{ pattern: '.{{1,64}}', case: exact }}\n");
    let office = office::run(&identity).await;
    let names = "branding: { name: '\"><script>alert(1)</script>{{123456*8}}' }\ntotp: { issuer: '\"><script>alert(1)</script>&{{123456*8}}' }";
    let gateway = gateway::new().portal("office", &office).yaml(names).run().await;
    (office, gateway)
}

/// The pages that somebody who is in can open.
const PAGES: [&str; 8] = [
    "/.mfa/",
    "/.mfa/enrol",
    "/.mfa/verify?step_up=yes",
    "/.mfa/verify?with=recovery&step_up=yes",
    "/.mfa/recovery-codes",
    "/.mfa/help",
    "/.mfa/logout",
    "/.mfa/nothing",
];

#[tokio::test(flavor = "multi_thread")]
async fn c13_a_name_is_text_wherever_it_stands() {
    let (office, gateway) = hostile().await;
    for (number, name) in HOSTILE.iter().enumerate() {
        let document = serde_json::json!({ "login": name }).to_string();
        office.says(Word::Json(document.leak()));
        let mut browser = gateway.browser("office").over(number % 2 == 0);
        let session = office.sign_in_directly(&format!("person{number}"));
        browser.jar.insert("officesession".to_owned(), session);
        let page = browser.go("/home").await;
        assert!(page.path.starts_with("/.mfa/enrol"), "{name:?}: {}", page.path);
        is_clean(&page);
        let read = |page: &Shown| page.text().contains(&html::plain(&escaped(name)));
        assert!(read(&page), "{name:?} is not shown as it is: {}", page.text());
        assert!(!page.text().contains("987648"), "{}", page.text());
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let wrong = page.form("code").fill("code", name).fill("label", name);
        let wrong = browser.send(&page, &wrong.fill("return_to", name)).await;
        assert_eq!(wrong.status, 401);
        is_clean(&wrong);
        // The name of the phone is kept, and shown from then on.
        let code = phone.code(gateway.now());
        let form = wrong.form("code").fill("code", &code).fill("label", name);
        let led = browser.send(&wrong, &form).await;
        let codes = browser.follow(led).await;
        is_clean(&codes);
        assert_eq!(html::texts_of(&codes.body, "recovery-code\"").len(), 10);
        for path in PAGES {
            let page = browser.open(path).await;
            if !(300..400).contains(&page.status) {
                is_clean(&page);
                assert!(path == "/.mfa/nothing" || read(&page), "{path}: {}", page.text());
            }
        }
        let home = browser.open("/.mfa/").await;
        let kept: String = name.chars().take(40).collect();
        let kept = html::plain(&escaped(kept.trim()));
        assert!(home.text().contains(&format!("{kept} added")), "{kept:?}: {}", home.text());
    }
}

/// As a page writes a text, so that both are read by the same eyes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A name that is no line is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn c13_a_name_that_could_break_a_line_is_nobodys() {
    let (office, gateway) = hostile().await;
    for (number, name) in
        ["a\0b", "a\nb", "a\r\nSet-Cookie: x=y", "a\u{1b}[2J", "\u{85}a"].into_iter().enumerate()
    {
        let document = serde_json::json!({ "login": name }).to_string();
        office.says(Word::Json(document.leak()));
        let mut browser = gateway.browser("office").over(number % 2 == 0);
        let session = office.sign_in_directly(&format!("person{number}"));
        browser.jar.insert("officesession".to_owned(), session);
        let page = browser.open("/home").await;
        assert!(page.status != 200 && !page.body.contains("alone"), "{name:?}: {:?}", page.answer);
        assert!(!page.lines.iter().any(|(_, value)| value.contains("x=y")), "{:?}", page.lines);
    }
}

/// A request for a page that brings something hostile in every line that a browser sends.
fn armed(browser: &Browser, method: &str, target: &str, hostile: &str) -> Call {
    let call = browser.with_cookies(Call::new(method, &browser.host, target)).page();
    let mut call = call.line("sec-fetch-site", "same-origin");
    let lines = ["user-agent", "accept-language", "x-forwarded-host", "x-request-id", "cookie"];
    for name in lines {
        let value = if name == "cookie" { format!("lang={hostile}") } else { hostile.to_owned() };
        let value = value.replace(['\u{202e}', '\u{200b}', '\u{2066}'], "");
        let value = if name == "cookie" { value.replace([';', ',', '"'], "") } else { value };
        if name != "cookie" || browser.jar.is_empty() {
            call = call.line(name, value);
        }
    }
    call.line("referer", format!("https://{}/{}", browser.host, query(hostile)))
}

fn query(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_nothing_that_a_request_brings_comes_back() {
    let portal = portal::form().yaml("remember_device: {}\nspa: true").run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    confirm(&gateway, &mut alice, &page, &phone).await;
    let mut named = gateway.browser("wiki");
    sign_in(&mut named, ALICE).await;
    let visitors = [gateway.browser("wiki"), named, alice];
    for (hostile, http2) in HOSTILE.iter().flat_map(|hostile| [(hostile, false), (hostile, true)]) {
        for visitor in &visitors {
            let mut browser = visitor.clone().over(http2);
            let value = query(hostile);
            for target in [
                format!("/.mfa/verify?return_to=/{value}&with={value}&step_up=yes&{value}={value}"),
                format!("/.mfa/enrol?return_to={value}&error={value}&message={value}"),
                format!("/.mfa/help?{value}"),
                format!("/.mfa/?error={value}"),
                format!("/.mfa/{}", value.replace('+', "%20")),
                format!("/.mfa/notice?return_to=/{value}"),
                format!("/home/{}?{value}", value.replace('+', "%20")),
            ] {
                let shown = browser.visit(&target, armed(&browser, "GET", &target, hostile)).await;
                comes_back_in_no_line(&shown, hostile);
                if shown.line("content-security-policy").is_some() && shown.status != 303 {
                    is_clean(&shown);
                }
            }
            let refused = browser.posting("/.mfa/verify", &[("csrf", hostile), ("code", hostile)]);
            let shown = browser.visit("/.mfa/verify", refused).await;
            comes_back_in_no_line(&shown, hostile);
            if shown.status != 303 {
                is_clean(&shown);
            }
        }
    }
}

/// The lines of an answer of ours hold nothing of a request but the path that leads back, which
/// stays on this host.
fn comes_back_in_no_line(shown: &Shown, hostile: &str) {
    for (name, value) in &shown.lines {
        match name.as_str() {
            "location" => assert!(value.starts_with('/') && !value.starts_with("//"), "{value}"),
            _ => assert!(!value.contains(hostile), "{}: {name}: {value}", shown.path),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_a_wrong_code_is_not_shown_again() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    for (number, hostile) in HOSTILE.into_iter().enumerate() {
        let mut browser = gateway.browser("wiki").over(number % 2 == 0);
        let page = sign_in_again(&mut browser, ALICE).await;
        let wrong = give_code(&mut browser, &page, hostile).await;
        assert!([401, 429].contains(&wrong.status), "{:?}", wrong.answer);
        is_clean(&wrong);
        assert!(
            !wrong.body.contains("alert(") && !wrong.body.contains("123456*8"),
            "{}",
            wrong.body
        );
        gateway.advance(std::time::Duration::from_secs(3600));
    }
}

/// What a portal says in place of an answer is not told on a page of ours.
#[tokio::test(flavor = "multi_thread")]
async fn c13_the_words_of_a_broken_portal_are_on_no_page() {
    for answer in [
        "HTTP/1.1 \"><script>alert(1)</script>\r\n\r\n",
        "HTTP/1.1 200 OK\r\n<script>alert(1)</script>\r\n\r\n",
        "\"><script>alert(1)</script>{{123456*8}}\r\n\r\n",
        "HTTP/1.1 101 <script>alert(1)</script>\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ] {
        let portal = Broken::that_says(answer).await;
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        for http2 in [false, true] {
            let mut browser = gateway.browser("wiki").over(http2);
            let told = browser.open("/public/page").await;
            assert_eq!(told.status, 502, "{answer:?}: {:?}", told.answer);
            is_clean(&told);
            let words = format!("{:?}{}", told.lines, told.body);
            assert!(!words.contains("script>") && !words.contains("987648"), "{words}");
            let login = [("user", "alice"), ("password", "x")];
            let told = browser.post("/login", &login).await;
            assert_eq!(told.status, 502, "{answer:?}: {:?}", told.answer);
            is_clean(&told);
            assert!(!told.body.contains("alert(1)"), "{}", told.body);
        }
    }
}
