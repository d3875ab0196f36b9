//! HDR-1 where a portal is told of its visitors: by the names that ops chose, a client says
//! nothing of itself, in no spelling, at no address and over no protocol; proven or not.

use crate::dsl::office::{self, ASKED};
use crate::dsl::portal::Seen;
use crate::dsl::socket::{handshake, refusal};
use crate::dsl::steps::{Enrolled, enrol, sign_in, sign_in_again};
use crate::dsl::wire::BOTH;
use crate::dsl::{ALICE, Browser, Call, Gateway, Portal, Wire, gateway, portal};

/// Names that no list of ours has, so that the configuration alone keeps clients from them.
const TELLS: &str = "upstream_headers: { user: X-Plant-Man, assertion: X-Plant-Proof }";
const NAMES: [&str; 2] = ["X-Plant-Man", "X-Plant-Proof"];

/// What a client may write and some portal takes for the name.
fn spellings(name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        name.replace('-', "_").to_uppercase(),
        name.replace('-', "."),
        name.replace('-', "~"),
        format!("{name}-"),
        format!("{name}_"),
        format!("{name}!"),
        format!("_{name}"),
    ]
}

/// The values of each line.
const VALUES: [&[&[u8]]; 6] =
    [&[b"evil"], &[b"evil", b"evil"], &[b"evil, alice"], &[b"alice"], &[b""], &[b" \xe9vil\xff "]];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visitor {
    Unknown,
    Named,
    Proven,
}

struct Stage {
    portal: Portal,
    gateway: Gateway,
    alice: Enrolled,
    named: Browser,
}

impl Stage {
    async fn set() -> Self {
        let portal = portal::form().yaml(TELLS).run().await;
        let mut gateway = gateway::new().portal("wiki", &portal).run().await;
        let alice = enrol(&gateway, "wiki", ALICE).await;
        gateway.next_code();
        let mut named = gateway.browser("wiki");
        sign_in_again(&mut named, ALICE).await;
        portal.take_seen();
        Self { portal, gateway, alice, named }
    }

    fn browser(&self, visitor: Visitor) -> Browser {
        match visitor {
            Visitor::Unknown => self.gateway.browser("wiki"),
            Visitor::Named => self.named.clone(),
            Visitor::Proven => self.alice.browser.clone(),
        }
    }

    /// Sends a request with all spellings of both names.
    async fn tries(&self, visitor: Visitor, path: &str, trial: &str, values: &[&[u8]]) {
        for protocol in BOTH {
            let mut wire = Wire::get("wiki.test", path).page();
            if visitor != Visitor::Unknown {
                wire = wire.cookies_of(&self.browser(visitor));
            }
            for spelling in NAMES.iter().flat_map(|name| spellings(name)) {
                wire = values.iter().fold(wire, |wire, value| wire.line(&spelling, value));
            }
            let status = wire.send(&self.gateway, protocol).await;
            assert_eq!(status, 200, "{visitor:?} {protocol:?} {path} {trial}");
            let seen = self.portal.take_seen();
            assert_eq!(seen.len(), 1, "{seen:?}");
            only_ours(&seen[0], visitor == Visitor::Proven);
        }
    }
}

/// Lines that a portal may take for one of the names.
fn lines_like(seen: &Seen) -> Vec<(&str, &str)> {
    let letters = |name: &str| {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let like = |name: &str| ["xplantman", "xplantproof"].contains(&letters(name).as_str());
    let lines = seen.lines.iter().filter(|(name, _)| like(name));
    lines.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Asserts that the portal got our two lines and no other like them, or none at all.
fn only_ours(seen: &Seen, proven: bool) {
    let mut lines = lines_like(seen);
    lines.sort_unstable();
    match (proven, lines.as_slice()) {
        (true, [("x-plant-man", "alice"), ("x-plant-proof", proof)]) => {
            assert!(proof.starts_with("eyJ") && proof.split('.').count() == 3, "{proof}");
        }
        (false, []) => {}
        (_, lines) => panic!("proven: {proven}, {} {}: {lines:?}", seen.method, seen.target),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_a_client_names_nobody_by_the_names_that_ops_chose() {
    let stage = Stage::set().await;
    for values in VALUES {
        let trial = format!("{values:?}");
        // At most a hundred lines go through, so a pair of values is enough.
        for path in ["/public/echo", "/login"] {
            for visitor in [Visitor::Unknown, Visitor::Named, Visitor::Proven] {
                stage.tries(visitor, path, &trial, values).await;
            }
        }
        stage.tries(Visitor::Proven, "/echo", &trial, values).await;
    }
}

/// The call with every spelling of both names.
fn with_all(mut call: Call) -> Call {
    for spelling in NAMES.iter().flat_map(|name| spellings(name)) {
        call = call.line(&spelling, "evil");
    }
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_nor_on_a_login() {
    for http2 in [false, true] {
        // A login that fails may cost the session it was tried in.
        let stage = Stage::set().await;
        for visitor in [Visitor::Unknown, Visitor::Named, Visitor::Proven] {
            let mut browser = stage.browser(visitor).over(http2);
            if visitor == Visitor::Unknown {
                browser.open("/login").await;
            }
            stage.portal.take_seen();
            let fields = [("user", "alice"), ("password", "wrong"), ("token", "wrong")];
            let call = with_all(browser.posting("/login", &fields));
            browser.visit("/login", call).await;
            let [seen] = stage.portal.take_seen().try_into().unwrap();
            assert_eq!(seen.method, "POST");
            only_ours(&seen, visitor == Visitor::Proven);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_nor_with_a_form_that_waited_for_its_code() {
    let Stage { portal, mut gateway, alice, .. } = Stage::set().await;
    for http2 in [false, true] {
        gateway.next_code();
        let mut browser = gateway.browser("wiki").over(http2);
        sign_in(&mut browser, ALICE).await;
        let call = browser.posting("/notes/save", &[("text", "kept"), ("then", "page")]);
        let page = browser.visit("/notes/save", with_all(call)).await;
        let form = page.form("code").fill("code", &alice.phone.code(gateway.now()));
        portal.take_seen();
        let call = with_all(browser.sending(&page, &form));
        let saved = browser.visit("/.mfa/verify", call).await;
        assert!(saved.body.contains("saved for alice"), "{:?}", saved.answer);
        let [seen] = portal.take_seen().try_into().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/notes/save"));
        only_ours(&seen, true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_nor_on_a_websocket() {
    let stage = Stage::set().await;
    let lines: String = NAMES
        .iter()
        .flat_map(|name| spellings(name))
        .map(|spelling| format!("{spelling}: evil\r\n"))
        .collect();
    for (visitor, path, proven) in [
        (Visitor::Proven, "/ws", true),
        (Visitor::Unknown, "/public/ws", false),
        (Visitor::Named, "/public/ws", false),
    ] {
        let head = format!("{}{lines}", handshake(&stage.browser(visitor), path));
        let (status, _) = refusal(&stage.gateway, &stage.browser(visitor), &head).await;
        assert_eq!(status, if proven { 101 } else { 200 }, "{visitor:?}");
        let [seen] = stage.portal.take_seen().try_into().unwrap();
        only_ours(&seen, proven);
    }
    let head = format!("{}{lines}", handshake(&stage.browser(Visitor::Named), "/ws"));
    assert_ne!(refusal(&stage.gateway, &stage.named, &head).await.0, 101);
    assert!(stage.portal.take_seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_1_nor_when_the_portal_is_asked_whose_a_session_is() {
    // Every question of ours goes without them, since the office is asked with the session alone.
    let identity = format!("{ASKED}basic: {{ probe: /api/me }}\n");
    let office = office::run(&identity).await;
    let gateway = gateway::new().portal("office", &Told(&office)).run().await;
    let mut browser = gateway.browser("office");
    let session = office.sign_in_directly("alice");
    browser.jar.insert("officesession".to_owned(), session);
    let call = browser.with_cookies(Call::get("office.test", "/home").page());
    browser.visit("/home", with_all(call)).await;
    let mut by_line = gateway.browser("office");
    let basic = "Basic YWxpY2U6Q29ycmVjdC1Ib3JzZS05";
    let call = Call::get("office.test", "/home").page().line("authorization", basic);
    by_line.visit("/home", with_all(call)).await;
    let asked = office.take_seen();
    let kinds: Vec<bool> = asked.iter().map(|seen| seen.all("authorization").is_empty()).collect();
    assert!(kinds.contains(&true) && kinds.contains(&false), "{asked:?}");
    for seen in asked {
        assert!(seen.target.starts_with("/api/me"), "{seen:?}");
        only_ours(&seen, false);
    }
}

/// A portal with more keys than it says itself.
struct Told<'a, F>(&'a F);

impl<F: gateway::Fronted> gateway::Fronted for Told<'_, F> {
    fn entry(&self, host: &str) -> String {
        format!("{}{TELLS}\n", self.0.entry(host))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_3_connection_takes_none_of_ours_away() {
    let stage = Stage::set().await;
    for name in NAMES {
        for value in [name.to_owned(), name.to_lowercase(), format!("close, {name}")] {
            let wire = Wire::get("wiki.test", "/echo").line("Connection", &value);
            let wire = wire.cookies_of(&stage.alice.browser);
            assert_eq!(wire.send(&stage.gateway, BOTH[0]).await, 400, "{value}");
        }
    }
    assert!(stage.portal.take_seen().is_empty());
}
