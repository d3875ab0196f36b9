//! C14: a form of ours counts when it was made for this very session and sent by our page.

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Phone, gateway, html, portal};

/// Sends a form with other lines than a browser would.
async fn send_as(
    browser: &mut Browser,
    path: &str,
    fields: &[(&str, &str)],
    change: impl Fn(Call) -> Call,
) -> Shown {
    let call = browser.with_cookies(Call::post(&browser.host.clone(), path, fields).page());
    browser.visit(path, change(call)).await
}

/// Alice at the page that asks for a code, with a code that is right.
async fn at_verify(gateway: &mut Gateway, phone: &Phone) -> (Browser, Shown, String) {
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = phone.code(gateway.now());
    (browser, page, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_form_of_another_session_proves_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut bob = gateway.browser("wiki");
    let bobs = sign_in(&mut bob, BOB).await;
    let bobs = bob.follow(bobs).await.form("code").field("csrf").unwrap().to_owned();
    let mut before = gateway.browser("wiki");
    let old =
        sign_in_again(&mut before, ALICE).await.form("code").field("csrf").unwrap().to_owned();
    let (mut browser, page, code) = at_verify(&mut gateway, &alice.phone).await;
    let right = page.form("code").field("csrf").unwrap().to_owned();
    assert_ne!(right, old);
    for csrf in ["", "x", bobs.as_str(), old.as_str(), &right[1..], &format!("{right}A")] {
        let answer = browser.post("/.mfa/verify", &[("code", &code), ("csrf", csrf)]).await;
        assert_eq!(answer.status, 403, "{csrf}");
    }
    let twice =
        browser.post("/.mfa/verify", &[("code", &code), ("csrf", &right), ("csrf", &right)]).await;
    assert_eq!(twice.status, 403);
    assert_eq!(browser.post("/.mfa/verify", &[("code", &code)]).await.status, 403);
    assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
    let passed = browser.post("/.mfa/verify", &[("code", &code), ("csrf", &right)]).await;
    assert_eq!(passed.status, 303, "the code was spent by a form that was refused");
    let stale = browser.post("/.mfa/logout", &[("csrf", &right)]).await;
    assert_eq!(stale.status, 403, "the token of before the proof still counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_form_from_another_site_proves_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let (mut browser, page, code) = at_verify(&mut gateway, &alice.phone).await;
    let csrf = page.form("code").field("csrf").unwrap().to_owned();
    let fields = [("code", code.as_str()), ("csrf", csrf.as_str())];
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.test", 403),
        ("origin", "https://wiki.test.evil.test", 403),
        ("origin", "https://shop.test", 403),
        ("sec-fetch-site", "", 403),
    ] {
        let answer =
            send_as(&mut browser, "/.mfa/verify", &fields, |call| call.line(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x", ""] {
        let answer = send_as(&mut browser, "/.mfa/verify", &fields, |mut call| {
            call.lines.retain(|(name, _)| name != "content-type");
            call.line("content-type", kind)
        })
        .await;
        assert_eq!(answer.status, 400, "{kind}");
    }
    // With the code may come a kept form, so this one may be longer than the others; but it
    // is never more than that.
    for (length, status) in [(5000, 403), (400_000, 413)] {
        let fat = "x".repeat(length);
        let answer =
            send_as(&mut browser, "/.mfa/verify", &[("code", fat.as_str())], |call| call).await;
        assert_eq!(answer.status, status);
    }
    // Our pages send no referrer, so browsers say `null`.
    let answer =
        send_as(&mut browser, "/.mfa/verify", &fields, |call| call.line("origin", "null")).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_looking_changes_nothing() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let csrf = alice.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    for (method, path) in [
        ("GET", format!("/.mfa/logout?csrf={csrf}")),
        ("HEAD", format!("/.mfa/logout?csrf={csrf}")),
        ("PUT", "/.mfa/logout".to_owned()),
        ("DELETE", "/.mfa/logout".to_owned()),
        ("PATCH", "/.mfa/logout".to_owned()),
    ] {
        let call = alice
            .with_cookies(Call::new(method, "wiki.test", &path))
            .line("x-http-method-override", "POST");
        alice.visit(&path, call).await;
        assert_eq!(alice.open("/home").await.status, 200, "{method} {path}");
    }
    let mut newcomer = gateway.browser("wiki");
    let led = sign_in(&mut newcomer, BOB).await;
    let page = newcomer.follow(led).await;
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let code = phone.code(gateway.now());
    let csrf = page.form("code").field("csrf").unwrap().to_owned();
    newcomer.open(&format!("/.mfa/enrol?code={code}&csrf={csrf}")).await;
    assert!(
        newcomer.open("/home").await.location().starts_with("/.mfa/enrol"),
        "enrolled by looking"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_nobody_can_be_made_to_sign_out() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let csrf = alice.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    assert_eq!(alice.post("/.mfa/logout", &[]).await.status, 403);
    let fields = [("csrf", csrf.as_str())];
    let cross = |call: Call| call.line("sec-fetch-site", "cross-site");
    let forced = send_as(&mut alice, "/.mfa/logout", &fields, cross).await;
    assert_eq!(forced.status, 403);
    assert_eq!(alice.open("/home").await.status, 200);
}

/// A form of ours, filled in so that it would work, and who is at it.
struct Filled {
    browser: Browser,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    /// Where it leads when it is taken.
    place: &'static str,
}

impl Filled {
    fn new(browser: Browser, page: &Shown, path: &'static str, place: &'static str) -> Self {
        let csrf =
            html::forms(&page.body).iter().find_map(|form| form.field("csrf").map(Into::into));
        Self { browser, path, fields: vec![("csrf", csrf.unwrap())], place }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// The fields with another token, or with none.
    fn pairs<'a>(&'a self, csrf: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let rest = self.fields.iter().filter(|(name, _)| *name != "csrf");
        let rest = rest.map(|(name, value)| (*name, value.as_str()));
        csrf.map(|csrf| ("csrf", csrf)).into_iter().chain(rest).collect()
    }

    fn csrf(&self) -> &str {
        &self.fields[0].1
    }

    /// What the portal's page says to this visitor: it changes with everything a form does.
    async fn standing(&self) -> (u16, Option<String>) {
        let shown = self.browser.clone().open("/home").await;
        (shown.status, shown.line("location").map(str::to_owned))
    }

    async fn try_as(&self, csrf: Option<&str>, change: impl Fn(Call) -> Call) -> Shown {
        send_as(&mut self.browser.clone(), self.path, &self.pairs(csrf), change).await
    }
}

/// Every form that changes something, each ready to be sent.
async fn every_form(gateway: &mut Gateway) -> [Filled; 4] {
    let alice = enrol(gateway, "wiki", ALICE).await;
    let (at_verify, page, code) = at_verify(gateway, &alice.phone).await;
    let verify = Filled::new(at_verify, &page, "/.mfa/verify", "/home").with("code", &code);
    let mut bob = gateway.browser("wiki");
    let page = sign_in_anew(&mut bob, BOB).await;
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let enrolment =
        Filled::new(bob, &page, "/.mfa/enrol", "/.mfa/recovery-codes?return_to=%2Fhome");
    let enrolment = enrolment.with("code", &phone.code(gateway.now()));
    let mut proven = alice.browser.clone();
    let page = proven.open("/.mfa/logout").await;
    // The page of the codes itself has its form only once; its token is the session's.
    let codes = Filled::new(proven.clone(), &page, "/.mfa/recovery-codes", "/home");
    let codes = codes.with("acknowledged", "yes");
    let logout = Filled::new(proven, &page, "/.mfa/logout", "/login");
    [verify, enrolment, codes, logout].map(|form| form.with("return_to", "/home"))
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_every_form_counts_only_as_our_page_sends_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let forms = every_form(&mut gateway).await;
    let tokens: Vec<String> = forms.iter().map(|form| form.csrf().to_owned()).collect();
    for http2 in [false, true] {
        for form in &forms {
            let before = form.standing().await;
            let foreign = tokens.iter().filter(|token| *token != form.csrf()).map(String::as_str);
            for csrf in foreign.map(Some).chain([None, Some(""), Some("0")]) {
                let shown = form.try_as(csrf, |call| over(call, http2)).await;
                assert_eq!(shown.status, 403, "{} {csrf:?}", form.path);
            }
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "https://evil.test"),
                ("origin", "https://shop.test"),
                ("origin", "https://wiki.test.evil.test"),
                ("origin", "https://evil.test/https://wiki.test"),
            ] {
                let sent = |call| over(call, http2).line(name, value);
                let shown = form.try_as(Some(form.csrf()), sent).await;
                assert_eq!(shown.status, 403, "{} {name}: {value}", form.path);
            }
            let cross = |call| over(call, http2).line("origin", "https://wiki.test");
            let cross = |call| cross(call).line("sec-fetch-site", "cross-site");
            assert_eq!(form.try_as(Some(form.csrf()), cross).await.status, 403, "{}", form.path);
            for kind in
                ["text/plain", "application/json", "multipart/form-data; boundary=x", "x", ""]
            {
                let shown = form.try_as(Some(form.csrf()), |call| of_kind(over(call, http2), kind));
                assert_eq!(shown.await.status, 400, "{} {kind:?}", form.path);
            }
            assert_eq!(form.standing().await, before, "{} did something", form.path);
        }
    }
    for form in &forms {
        let null = |call: Call| call.line("origin", "null");
        let shown = form.try_as(Some(form.csrf()), null).await;
        assert_eq!((shown.status, shown.location()), (303, form.place), "{}", form.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_no_other_method_sends_a_form() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let forms = every_form(&mut gateway).await;
    for form in &forms {
        let before = form.standing().await;
        for http2 in [false, true] {
            for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let mut all = form.pairs(Some(form.csrf()));
                all.push(("_method", "POST"));
                let body = Call::post("wiki.test", form.path, &all);
                let query = format!("{}?{}", form.path, String::from_utf8_lossy(&body.body));
                let call = form.browser.with_cookies(Call::new(method, "wiki.test", &query));
                let call = over(call, http2)
                    .line("x-http-method-override", "POST")
                    .line("x-http-method", "POST")
                    .line("x-method-override", "POST");
                let reads = matches!(method, "GET" | "HEAD");
                let call = if reads { call } else { of_kind(call, URLENCODED).body(body.body) };
                let shown = form.browser.clone().visit(form.path, call).await;
                let held = if reads { [200, 405] } else { [405, 405] };
                assert!(held.contains(&shown.status), "{method} {}: {}", form.path, shown.status);
                assert!(shown.all("set-cookie").is_empty(), "{method} {}", form.path);
            }
        }
        // What is in the query is in no form.
        let query = format!("{}?csrf={}", form.path, form.csrf());
        let rest = form.pairs(None);
        let shown = form.browser.clone().post(&query, &rest).await;
        assert_eq!(shown.status, 403, "{}", form.path);
        assert_eq!(form.standing().await, before, "{} did something", form.path);
    }
    for form in &forms {
        let shown = form.try_as(Some(form.csrf()), |call| call).await;
        assert_eq!((shown.status, shown.location()), (303, form.place), "{}", form.path);
    }
}

const URLENCODED: &str = "application/x-www-form-urlencoded";

fn over(call: Call, http2: bool) -> Call {
    Call { http2, ..call }
}

/// The same body by another name.
fn of_kind(mut call: Call, kind: &str) -> Call {
    call.lines.retain(|(name, _)| name != "content-type");
    call.line("content-type", kind)
}
