//! Every page rendered, and what may never stand in one.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::rehearse;
use super::{
    AuthenticatorLine, CodeField, Frame, HelpPage, KeptNotice, OURS, Page, RenderError, Renderer,
    ResetPage, SessionLine, VerifyState, VouchPage,
};
use crate::config::Branding;
use crate::net::language::Languages;
use crate::overrides::OverrideError;

mod own;

const HOSTILE: &str = "\"><script>alert('x')</script> style=\"color:red\" onload=\"x\"";

const ALICE: Frame<'static> = Frame {
    portal: "wiki",
    prefix: "/.mfa",
    user: Some("alice"),
    csrf: Some("token-of-alice"),
    request_id: "01JD8Z",
};

const HELP: Page<'static> =
    Page::Help(HelpPage { colleagues: true, managers: true, host: "wiki.example.com" });

fn branding(templates: Option<PathBuf>) -> Branding {
    let languages = Languages::default();
    Branding { templates, name: "Example Ltd".to_owned(), languages }
}

fn renderer() -> Renderer {
    Renderer::new(&branding(None)).expect("our own templates")
}

fn rendered(page: Page<'_>) -> String {
    renderer().render(&ALICE, &page).expect("a page")
}

fn verify(state: VerifyState<'_>) -> String {
    rendered(asked(state, CodeField::App, Some(7), "/a"))
}

fn asked<'a>(
    state: VerifyState<'a>,
    field: CodeField,
    recovery_left: Option<u32>,
    return_to: &'a str,
) -> Page<'a> {
    let (kept, remember) = (KeptNotice::Nothing, None);
    let (step_up, reset) = (false, None);
    Page::Verify { state, field, recovery_left, return_to, kept, remember, step_up, reset }
}

fn enrol(otpauth: &str, return_to: &str, fault: Option<&str>) -> String {
    let secret_groups = ["GEZD".to_owned(), "GNBV".to_owned(), "GY3T".to_owned()];
    let qr_svg = crate::pages::qr::svg(otpauth).expect("a code");
    let page =
        Page::Enrol { qr_svg: &qr_svg, secret_groups: &secret_groups, otpauth, return_to, fault };
    rendered(page)
}

fn shown_before<'a>(return_to: &'a str, fault: Option<&'a str>) -> Page<'a> {
    Page::RecoveryCodesShown { left: 7, used: true, return_to, fault }
}

/// An authenticator of which everything is this text.
fn app(text: &str) -> AuthenticatorLine {
    AuthenticatorLine { id: text.to_owned(), label: text.to_owned(), added: text.to_owned() }
}

/// A session likewise.
fn session(text: &str) -> SessionLine {
    let all = || text.to_owned();
    let (name, place, browser, since) = (all(), all(), all(), all());
    SessionLine { name, place, browser, since, proven: true, current: false }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What a browser would show: tags away, white space as one.
fn shown(html: &str) -> String {
    let text: String = html
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The opening tag that contains `part`.
fn tag<'a>(html: &'a str, part: &str) -> &'a str {
    let at = html.find(part).unwrap_or_else(|| panic!("no {part} in {html}"));
    let start = html[..at].rfind('<').expect("a tag");
    let end = at + html[at..].find('>').expect("the end of the tag");
    &html[start..=end]
}

#[test]
fn every_page_has_one_heading_a_language_and_a_title() {
    let renderer = renderer();
    for page in rehearse::pages(&texts(&["AAAA"])) {
        let html = renderer.render(&ALICE, &page).expect("a page");
        assert_eq!(html.matches("<h1>").count(), 1, "{html}");
        assert_eq!(html.matches("<main id=\"main\">").count(), 1, "{html}");
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en-GB\">"), "{html}");
        let title = html.split_once("<title>").expect("a title").1;
        assert!(!title.starts_with(" ·"), "{html}");
        assert!(html.contains("<link rel=\"stylesheet\" href=\"/.mfa/style.css\">"), "{html}");
        assert!(html.contains("01JD8Z"), "the support desk needs the request id");
        let words = shown(&html).replace("You have none left", "");
        assert!(!words.contains("none"), "an absent value is printed: {html}");
        let attributes = html.replace("fill=\"none\"", "");
        assert!(!attributes.contains("\"none\""), "an absent value is printed: {html}");
    }
}

#[test]
fn no_page_has_what_the_policy_forbids() {
    let handler = regex::Regex::new(r"(?i)<[^>]*\son[a-z]+\s*=").expect("an expression");
    let renderer = renderer();
    for page in rehearse::pages(&texts(&["AAAA"])) {
        let html = renderer.render(&ALICE, &page).expect("a page");
        for forbidden in ["<script", "<style", " style=", "javascript:", "http-equiv", "<base"] {
            assert!(!html.contains(forbidden), "{forbidden} in {html}");
        }
        assert!(!handler.is_match(&html), "{html}");
    }
}

#[test]
fn every_field_has_a_label_and_every_description_exists() {
    let [id, label, description] = ["id", "for", "aria-describedby"]
        .map(|name| regex::Regex::new(&format!(r#"\s{name}="([^"]*)""#)).expect("an expression"));
    let values = |html: &str, attribute: &regex::Regex| -> Vec<String> {
        attribute.captures_iter(html).map(|found| found[1].to_owned()).collect()
    };
    let input = regex::Regex::new(r#"<input [^>]*>"#).expect("an expression");
    let renderer = renderer();
    for page in rehearse::pages(&texts(&["AAAA"])) {
        let html = renderer.render(&ALICE, &page).expect("a page");
        let ids = values(&html, &id);
        let labelled = values(&html, &label);
        for field in input.find_iter(&html).map(|field| field.as_str()) {
            let own = values(field, &id).pop();
            assert!(
                field.contains("type=\"hidden\"") || own.is_some_and(|id| labelled.contains(&id)),
                "{field} has no label"
            );
        }
        for described in values(&html, &description) {
            for id in described.split(' ') {
                assert!(ids.iter().any(|known| known == id), "nothing is called {id}: {html}");
            }
        }
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "an id is used twice: {ids:?}");
    }
}

#[test]
fn what_users_and_portals_send_is_escaped_everywhere() {
    let frame = Frame {
        portal: HOSTILE,
        prefix: "/.mfa",
        user: Some(HOSTILE),
        csrf: Some(HOSTILE),
        request_id: HOSTILE,
    };
    let hostile = texts(&[HOSTILE]);
    let pages = [
        Page::Enrol {
            qr_svg: "<svg></svg>",
            secret_groups: &hostile,
            otpauth: HOSTILE,
            return_to: HOSTILE,
            fault: Some(HOSTILE),
        },
        Page::RecoveryCodes { codes: &hostile, renewed: true, return_to: HOSTILE },
        shown_before(HOSTILE, Some(HOSTILE)),
        Page::Verify {
            state: VerifyState::Locked { seconds: 1, until: HOSTILE },
            field: CodeField::App,
            recovery_left: None,
            return_to: HOSTILE,
            kept: KeptNotice::Sealed(HOSTILE),
            remember: None,
            step_up: true,
            reset: Some(HOSTILE),
        },
        Page::Vouch(VouchPage::Ask { colleague: HOSTILE, reason: HOSTILE, fault: Some(HOSTILE) }),
        Page::Vouch(VouchPage::Asked { colleague: HOSTILE }),
        Page::Reset(ResetPage::Waiting { by: HOSTILE, until: HOSTILE, return_to: HOSTILE }),
        Page::Reset(ResetPage::Stopped { return_to: HOSTILE }),
        Page::Notice { until: Some(HOSTILE), return_to: HOSTILE },
        Page::Home {
            proven: true,
            enrolled: true,
            authenticators: &[app(HOSTILE)],
            recovery_left: 1,
            sessions: &[session(HOSTILE)],
            remembers: true,
            reset: Some(HOSTILE),
        },
        HELP,
        Page::Logout {},
        Page::Error { status: 400, title: HOSTILE, text: HOSTILE },
    ];
    let languages = Languages::default();
    let brand = Branding { templates: None, name: HOSTILE.to_owned(), languages };
    let renderer = Renderer::new(&brand).expect("our own templates");
    let handler = regex::Regex::new(r#"<[^>]*\s(style|onload)=""#).expect("an expression");
    for page in pages {
        let html = renderer.render(&frame, &page).expect("a page");
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("alert('x')"), "{html}");
        assert!(!handler.is_match(&html), "{html}");
        assert!(
            html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
            "{html}"
        );
    }
}

#[test]
fn a_path_stays_readable_in_the_source() {
    let html = enrol("otpauth://totp/a?secret=b", "/wiki?id=a&b=c", None);
    assert!(html.contains("name=\"return_to\" value=\"/wiki?id=a&amp;b=c\""), "{html}");
    assert!(html.contains("action=\"/.mfa/enrol\""), "{html}");
}

#[test]
fn enrolment_shows_the_code_the_secret_and_the_link() {
    let link = "otpauth://totp/Example%20Ltd:alice?secret=GEZDGNBVGY3T&issuer=Example%20Ltd";
    let html = enrol(link, "/wiki", None);
    assert!(html.contains("<svg class=\"qr\""));
    let secret = html.split_once("<code id=\"secret\"").expect("the secret").1;
    let secret = secret.split_once("</code>").expect("its end").0;
    assert_eq!(shown(&format!("<code{secret}")), "GEZD GNBV GY3T");
    let anchor = tag(&html, "id=\"otpauth\"");
    assert!(anchor.contains(&format!("href=\"{}\"", link.replace('&', "&amp;"))), "{anchor}");
    let field = tag(&html, "name=\"code\"");
    assert!(field.contains("autocomplete=\"one-time-code\""), "{field}");
    assert!(field.contains("inputmode=\"numeric\""), "{field}");
    assert!(!field.contains("pattern"), "{field}");
    assert!(tag(&html, "name=\"label\"").contains("id=\"label\""));
    assert!(!tag(&html, "name=\"label\"").contains("required"), "the label is optional");
    assert!(html.contains("name=\"csrf\" value=\"token-of-alice\""));
}

#[test]
fn a_fault_is_announced_and_tied_to_the_field() {
    let html = enrol("otpauth://totp/a", "/", Some("That code is not right."));
    assert!(tag(&html, "id=\"code-fault\"").contains("role=\"alert\""));
    assert!(tag(&html, "name=\"code\"").contains("aria-describedby=\"code-fault code-hint\""));
    assert!(tag(&html, "name=\"code\"").contains("aria-invalid=\"true\""));
    assert!(html.contains("<title>Not accepted:"));
    let calm = enrol("otpauth://totp/a", "/", None);
    assert!(!calm.contains("code-fault") && !calm.contains("aria-invalid"));
}

#[test]
fn recovery_codes_are_listed_and_offered_as_a_file() {
    let codes = texts(&["AAAA-BBBB", "CCCC-DDDD"]);
    let html = rendered(Page::RecoveryCodes { codes: &codes, renewed: false, return_to: "/wiki" });
    for code in &codes {
        assert!(html.contains(&format!("<code class=\"recovery-code\">{code}</code>")), "{html}");
    }
    let anchor = tag(&html, "id=\"download\"");
    assert!(anchor.contains("download=\"recovery-codes.txt\""), "{anchor}");
    let href = anchor.split_once("href=\"").expect("a link").1.split_once('"').expect("its end").0;
    let encoded = href.strip_prefix("data:text/plain;charset=utf-8,").expect("a text file");
    let file = percent_encoding::percent_decode_str(encoded).decode_utf8().expect("text");
    assert!(file.starts_with("Recovery codes for wiki (alice)\r\n"), "{file}");
    assert!(file.ends_with(" 1. AAAA-BBBB\r\n 2. CCCC-DDDD\r\n"), "{file}");
    assert!(tag(&html, "name=\"acknowledged\"").contains("required"));
    assert!(html.contains("name=\"return_to\" value=\"/wiki\""));
}

#[test]
fn codes_that_were_shown_are_not_shown_again_and_the_way_goes_on() {
    let html = rendered(shown_before("/wiki", None));
    assert!(html.contains("<a class=\"button\" href=\"/wiki\">"), "{html}");
    assert!(!html.contains("class=\"recovery-code\""));
}

#[test]
fn no_link_leads_to_another_host() {
    for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x"] {
        let html = rendered(shown_before(elsewhere, None));
        assert!(!html.contains("evil") && !html.contains("javascript"), "{html}");
        assert!(html.contains("<a class=\"button\" href=\"/\">"), "{html}");
    }
}

#[test]
fn both_kinds_of_code_go_into_the_one_field() {
    for field in [CodeField::App, CodeField::Recovery] {
        let html = rendered(asked(VerifyState::Ask, field, None, "/a?b=c&d"));
        assert_eq!(html.matches("name=\"code\"").count(), 1, "{html}");
        let input = tag(&html, "name=\"code\"");
        for hindrance in ["pattern", "maxlength", "type=\"number\""] {
            assert!(!input.contains(hindrance), "{input}");
        }
        let (keyboard, fill) = match field {
            CodeField::App => ("inputmode=\"numeric\"", "autocomplete=\"one-time-code\""),
            CodeField::Recovery => ("inputmode=\"text\"", "autocomplete=\"off\""),
        };
        assert!(input.contains(keyboard) && input.contains(fill), "{input}");
        assert!(html.contains("return_to=%2Fa%3Fb%3Dc%26d\""), "{html}");
    }
}

#[test]
fn a_wrong_code_says_how_many_tries_are_left() {
    for (tries_left, words) in [
        (0, "The next wrong one brings a short wait."),
        (1, "You have one more try before a short wait."),
        (4, "You have 4 more tries before a short wait."),
    ] {
        let html = verify(VerifyState::Wrong { tries_left });
        assert!(shown(&html).contains(&format!("That code is not right. {words}")), "{html}");
        assert!(tag(&html, "name=\"code\"").contains("aria-describedby=\"code-fault code-hint\""));
    }
}

#[test]
fn a_used_code_says_to_wait_for_the_next() {
    let text = shown(&verify(VerifyState::Used));
    assert!(text.contains("was used already. Wait until the app shows the next one."), "{text}");
}

#[test]
fn a_lock_says_until_when_and_for_how_long() {
    let html = verify(VerifyState::Locked { seconds: 90, until: "14:05 UTC" });
    let text = shown(&html);
    assert!(text.contains("Please wait 2 minutes"), "{text}");
    assert!(text.contains("try again at 14:05 UTC"), "{text}");
    assert!(html.contains("href=\"/.mfa/help\""));
    assert!(!html.contains("name=\"code\""), "a code typed now would be wasted");
}

#[test]
fn a_disabled_factor_points_to_the_support_desk() {
    let html = verify(VerifyState::Disabled);
    assert!(shown(&html).contains("The support desk has to reset it"), "{html}");
    assert!(!html.contains("name=\"code\""));
}

#[test]
fn recovery_codes_are_offered_as_long_as_there_are_some() {
    let page = |recovery_left| asked(VerifyState::Ask, CodeField::App, recovery_left, "/");
    let with_some = rendered(page(Some(3)));
    assert!(shown(&with_some).contains("Use a recovery code (3 left)"), "{with_some}");
    let with_none = rendered(page(Some(0)));
    assert!(!with_none.contains("with=recovery"), "{with_none}");
    assert!(with_none.contains("/.mfa/help#reset"), "{with_none}");
    assert!(!shown(&rendered(page(None))).contains("left)"));
}

#[test]
fn a_stranger_gets_no_form_and_no_sign_out() {
    let stranger = Frame { user: None, csrf: None, ..ALICE };
    let renderer = renderer();
    for page in [
        HELP,
        Page::Error { status: 421, title: "No such portal", text: "Check the address." },
        Page::Home {
            proven: false,
            enrolled: false,
            authenticators: &[],
            recovery_left: 0,
            sessions: &[],
            remembers: true,
            reset: None,
        },
    ] {
        let html = renderer.render(&stranger, &page).expect("a page");
        assert!(!html.contains("<form") && !html.contains("/logout"), "{html}");
        assert!(!html.contains("Signed in as"), "{html}");
    }
}

#[test]
fn an_override_replaces_the_page_of_its_name_alone() {
    let folder = TempDir::new().expect("a folder");
    let page =
        "{% extends \"base.html\" %}{% block main %}<h1>Ours: {{ portal }}</h1>{% endblock %}";
    fs::write(folder.path().join("help.html"), page).expect("a file");
    fs::write(folder.path().join("style.css"), "body { color: red }").expect("a file");
    fs::write(folder.path().join("README.md"), "{{ not a template }}").expect("a file");
    let renderer = Renderer::new(&branding(Some(folder.path().into()))).expect("overrides");
    let help = renderer.render(&ALICE, &HELP).expect("a page");
    assert!(help.contains("<h1>Ours: wiki</h1>"), "{help}");
    assert_eq!(renderer.stylesheet(), "body { color: red }");
    let logout = renderer.render(&ALICE, &Page::Logout {}).expect("a page");
    assert!(logout.contains("<h1>Sign out?</h1>"), "{logout}");
}

#[test]
fn an_override_is_escaped_like_a_page_of_ours() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("help.html"), "<p title=\"{{ user }}\">{{ user }}</p>")
        .expect("a file");
    let renderer = Renderer::new(&branding(Some(folder.path().into()))).expect("overrides");
    let frame = Frame { user: Some("<b>\"&'</b>"), ..ALICE };
    let html = renderer.render(&frame, &HELP).expect("a page");
    let escaped = "&lt;b&gt;&quot;&amp;&#39;&lt;/b&gt;";
    assert_eq!(html, format!("<p title=\"{escaped}\">{escaped}</p>"));
}

/// The message with which a folder that holds `source` as `name` is refused.
fn refused(name: &str, source: &[u8]) -> (RenderError, String) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join(name), source).expect("a file");
    let error = Renderer::new(&branding(Some(folder.path().into()))).expect_err("a refusal");
    let text = error.to_string();
    assert!(text.contains(name), "{text}");
    (error, text)
}

#[test]
fn an_override_that_cannot_be_parsed_is_refused_with_file_and_line() {
    let (error, text) = refused("help.html", b"<h1>Help</h1>\n\n{% if %}\n");
    assert!(matches!(error, RenderError::Broken { line: 3, .. }), "{error:?}");
    assert!(text.contains("help.html:3: syntax error"), "{text}");
}

#[test]
fn an_override_that_names_what_does_not_exist_is_refused_at_start() {
    let (error, text) = refused("help.html", b"<h1>Help</h1>\n<p>{{ potral }}</p>\n");
    assert!(matches!(error, RenderError::Broken { line: 2, .. }), "{error:?}");
    assert!(text.contains("help.html:2: undefined"), "{text}");
}

#[test]
fn a_fault_in_a_branch_that_few_users_meet_is_found_at_start_too() {
    let source = "<input name=csrf value=\"{{ csrf }}\">{{ kept }}\n{% if state == \"disabled\" %}\n{{ oops }}\n{% endif %}";
    let (error, _) = refused("verify.html", source.as_bytes());
    assert!(matches!(error, RenderError::Broken { line: 3, .. }), "{error:?}");
}

#[test]
fn an_override_without_the_token_is_refused() {
    let (error, _) = refused("logout.html", b"<form method=post><button>Bye</button></form>");
    assert!(matches!(error, RenderError::Unsendable { .. }), "{error:?}");
    let (error, _) = refused("verify.html", b"<form method=post>{{ csrf }}</form>");
    assert!(matches!(error, RenderError::Losing { .. }), "{error:?}");
}

#[test]
fn a_file_that_would_never_be_used_is_refused_with_the_known_names() {
    let (error, text) = refused("enroll.html", b"<h1>Set up</h1>");
    assert!(matches!(error, RenderError::Override(OverrideError::Unknown { .. })), "{error:?}");
    for (name, _) in OURS {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn an_override_that_is_no_text_is_refused() {
    let (error, _) = refused("help.html", b"\xff\xfe");
    assert!(matches!(error, RenderError::Override(OverrideError::Unreadable { .. })), "{error:?}");
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let missing = folder.path().join("brand");
    let error = Renderer::new(&branding(Some(missing.clone()))).expect_err("a refusal");
    assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
}

#[test]
fn a_page_that_fails_later_does_not_tell_its_values() {
    let folder = TempDir::new().expect("a folder");
    let source = "{{ csrf }}\n{% if user == \"bob\" %}{{ (codes|first) + 1 }}{% endif %}";
    fs::write(folder.path().join("recovery-codes.html"), source).expect("a file");
    let renderer = Renderer::new(&branding(Some(folder.path().into()))).expect("overrides");
    let codes = texts(&["SECRET-CODE"]);
    let page = Page::RecoveryCodes { codes: &codes, renewed: false, return_to: "/" };
    let frame = Frame { user: Some("bob"), ..ALICE };
    let error = renderer.render(&frame, &page).expect_err("a failure");
    assert!(matches!(error, RenderError::Failed { line: 2, .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
}
