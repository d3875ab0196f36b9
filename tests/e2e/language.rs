//! The language of the stories is held to its word without any gateway: a phone that showed
//! wrong codes, or a portal that let everybody in, would make a story worthless.

use qrcode::QrCode;
use qrcode::render::svg;

use crate::dsl::client::plain;
use crate::dsl::{ALICE, Answer, BOB, Call, Line, Phone, Portal, html, portal};

const LINK: &str =
    "otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example";

#[test]
fn the_phone_reads_a_picture() {
    let picture = QrCode::new(LINK).unwrap().render::<svg::Color<'_>>().build();
    let start = picture.find("<svg").unwrap();
    assert_eq!(Phone::scan(&picture[start..]).link, LINK);
}

/// RFC 6238, appendix B, and RFC 4226, appendix D, for the leading zeros.
#[test]
fn the_phone_shows_the_codes_of_the_standard() {
    let keys = [
        ("SHA1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "94287082", "07081804"),
        ("SHA256", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA", "46119246", "68084774"),
        (
            "SHA512",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA",
            "90693936",
            "25091201",
        ),
    ];
    for (algorithm, secret, early, late) in keys {
        let link = format!("otpauth://totp/a?secret={secret}&algorithm={algorithm}&digits=8");
        let phone = Phone::from_link(&link);
        assert_eq!(phone.code(59), early, "{algorithm}");
        assert_eq!(phone.code(1_111_111_109), late, "{algorithm}");
    }
    assert_eq!(Phone::from_link(LINK).code(1_111_111_109), "081804");
}

#[test]
fn a_form_is_read_as_a_browser_reads_it() {
    let page = "<form action=\"/other\"><input name=\"q\"></form>
        <form method=\"post\" action=\"/in?a=1&amp;b=2\"><input type=\"hidden\" name=\"token\" value=\"a&quot;b\"><input name=\"code\"></form>";
    let form = html::form_with(page, "code").unwrap().fill("code", "123456");
    assert_eq!(form.action.as_deref(), Some("/in?a=1&b=2"));
    assert_eq!(form.pairs(), [("token", "a\"b"), ("code", "123456")]);
    assert!(html::form_with(page, "password").is_none());
}

#[tokio::test]
async fn the_portal_lets_in_who_gives_the_right_password_alone() {
    let portal = portal::form().run().await;
    for (user, password) in [(ALICE.0, BOB.1), (ALICE.0, ""), ("nobody", ALICE.1)] {
        let (answer, session) = sign_in(&portal, user, password).await;
        assert_eq!(answer.status, 200);
        assert_eq!(portal.user_of(&session), None);
    }
    let (answer, before) = sign_in(&portal, ALICE.0, ALICE.1).await;
    assert_eq!((answer.status, answer.line("location")), (302, Some("/home")));
    let after = session_of(&answer);
    assert_ne!(after, before, "the session keeps its name at the login");
    assert_eq!(portal.user_of(&after).as_deref(), Some("alice"));
    assert!(ask(&portal, "/home", &after).await.body.contains("for alice alone"));
    assert_eq!(ask(&portal, "/home", &before).await.line("location"), Some("/login"));
}

#[tokio::test]
async fn a_line_counts_and_holds() {
    let portal = portal::form().run().await;
    let line = Line::to(&portal).await;
    let entry = crate::dsl::gateway::Fronted::entry(&line, "wiki.test");
    let address = entry.split("http://").nth(1).unwrap().split('"').next().unwrap();
    assert_ne!(address, portal.address.to_string());
    line.hold_after(100);
    let address = address.parse().unwrap();
    let asked = tokio::spawn(plain(address, Call::get("wiki.test", "/big")));
    line.carried_up(1).await;
    // The answer cannot be whole while most of it is held.
    crate::dsl::eventually("the held part", async || (line.down() == 100).then_some(())).await;
    assert!(!asked.is_finished());
    line.let_go();
    assert_eq!(asked.await.unwrap().status, 200);
    assert!(line.down() > 20 * 1024 * 1024);
}

/// Asks the portal itself for its form and fills it in; gives the answer and the session
/// from before it.
async fn sign_in(portal: &Portal, user: &str, password: &str) -> (Answer, String) {
    let page = plain(portal.address, Call::get("portal", "/login")).await;
    let session = session_of(&page);
    let form = html::form_with(&page.body, "password").unwrap();
    let form = form.fill("user", user).fill("password", password);
    let call = Call::post("portal", "/login", &form.pairs());
    let call = call.line("cookie", format!("portalsession={session}"));
    (plain(portal.address, call).await, session)
}

async fn ask(portal: &Portal, path: &str, session: &str) -> Answer {
    let call = Call::get("portal", path).line("cookie", format!("portalsession={session}"));
    plain(portal.address, call).await
}

fn session_of(answer: &Answer) -> String {
    let line = answer.line("set-cookie").expect("no session was set");
    let value = line.strip_prefix("portalsession=").unwrap();
    value.split(';').next().unwrap().to_owned()
}
