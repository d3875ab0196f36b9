//! What every visitor does: sign in at the portal, enrol, give a code.

use super::browser::Shown;
use super::{Browser, Gateway, Phone, html};

/// Somebody who has enrolled and is in.
pub struct Enrolled {
    pub browser: Browser,
    pub phone: Phone,
    pub codes: Vec<String>,
    /// The time of the last code that was given.
    pub spent: u64,
}

/// Fills in the portal's own form.
pub async fn sign_in(browser: &mut Browser, (user, password): (&str, &str)) -> Shown {
    let page = browser.go("/login").await;
    let form = page.form("password").fill("user", user).fill("password", password);
    browser.send(&page, &form).await
}

/// The first visit from the portal's form to the portal's page.
pub async fn enrol(gateway: &Gateway, portal: &str, who: (&str, &str)) -> Enrolled {
    enrol_with(gateway, gateway.browser(portal), who).await
}

/// The same with a browser that may hold something already.
pub async fn enrol_with(gateway: &Gateway, mut browser: Browser, who: (&str, &str)) -> Enrolled {
    let page = sign_in_anew(&mut browser, who).await;
    enrol_at(gateway, browser, page).await
}

/// The first visit of somebody whom the portal lets in without a form that we see.
pub async fn enrol_here(gateway: &Gateway, mut browser: Browser) -> Enrolled {
    let led = browser.open("/home").await;
    assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
    let page = browser.follow(led).await;
    enrol_at(gateway, browser, page).await
}

/// From the page that offers a secret to the portal's page, however somebody came there.
pub async fn enrol_at(gateway: &Gateway, browser: Browser, page: Shown) -> Enrolled {
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    enrol_phone(gateway, browser, page, phone).await
}

/// The first visit of somebody who opens the link in the app; no camera looks at a picture.
pub async fn enrol_by_link(gateway: &Gateway, mut browser: Browser, who: (&str, &str)) -> Enrolled {
    let page = sign_in_anew(&mut browser, who).await;
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    enrol_phone(gateway, browser, page, phone).await
}

async fn enrol_phone(
    gateway: &Gateway,
    mut browser: Browser,
    page: Shown,
    phone: Phone,
) -> Enrolled {
    let (page, codes, spent) = confirm(gateway, &mut browser, &page, &phone).await;
    let page = browser.follow(page).await;
    assert!(page.body.contains("secret-page"), "{}", page.body);
    Enrolled { browser, phone, codes, spent }
}

/// Gives the first code of a phone and takes the recovery codes; shows where that leads, the
/// codes, and when the code was given.
pub async fn confirm(
    gateway: &Gateway,
    browser: &mut Browser,
    page: &Shown,
    phone: &Phone,
) -> (Shown, Vec<String>, u64) {
    let spent = gateway.now();
    let told = give_code(browser, page, &phone.code(spent)).await;
    assert!(told.location().starts_with("/.mfa/recovery-codes"), "{:?}", told.answer);
    let page = browser.follow(told).await;
    let codes = html::texts_of(&page.body, "recovery-code\"");
    assert_eq!(codes.len(), 10, "{}", page.body);
    let form = page.form("acknowledged").fill("acknowledged", "yes");
    (browser.send(&page, &form).await, codes, spent)
}

/// A first visit up to the page that offers a secret.
pub async fn sign_in_anew(browser: &mut Browser, who: (&str, &str)) -> Shown {
    let led = sign_in(browser, who).await;
    assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
    browser.follow(led).await
}

/// Gives a code at the page that asks for one; shows what comes of it.
pub async fn give_code(browser: &mut Browser, page: &Shown, code: &str) -> Shown {
    let form = page.form("code").fill("code", code);
    browser.send(page, &form).await
}

/// What a login page's script sends: the fields as JSON, with the token of the page.
pub async fn sign_in_by_script(browser: &mut Browser, more: &[(&str, &str)]) -> Shown {
    let page = browser.go("/login").await;
    let token = page.form("password").field("token").unwrap().to_owned();
    let mut fields: std::collections::BTreeMap<&str, &str> = more.iter().copied().collect();
    fields.insert("token", &token);
    let mut call = browser.posting("/login", &[]).body(serde_json::to_string(&fields).unwrap());
    let replaced = ["content-type", "accept", "sec-fetch-mode"];
    call.lines.retain(|(name, _)| !replaced.contains(&name.as_str()));
    let call = call.line("content-type", "application/json").line("accept", "application/json");
    browser.visit("/login", call.line("sec-fetch-mode", "cors")).await
}

/// The first of two steps: names somebody in this browser's session of the portal.
pub async fn name_first(browser: &mut Browser, user: &str) -> Shown {
    let page = browser.go("/login").await;
    let form = page.form("user").fill("user", user);
    let led = browser.send(&page, &form).await;
    assert_eq!((led.status, led.location()), (302, "/public/password"), "{:?}", led.answer);
    browser.follow(led).await
}

/// Gives the code that the phone shows now, and goes on to the portal's page.
pub async fn prove_here(gateway: &Gateway, browser: &mut Browser, phone: &Phone) -> Shown {
    let led = browser.open("/home").await;
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    let page = browser.follow(led).await;
    let told = give_code(browser, &page, &phone.code(gateway.now())).await;
    browser.follow(told).await
}

/// A later visit up to the page that asks for a code.
pub async fn sign_in_again(browser: &mut Browser, who: (&str, &str)) -> Shown {
    let led = sign_in(browser, who).await;
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    browser.follow(led).await
}

/// Signs out at our page.
pub async fn sign_out(browser: &mut Browser) {
    let page = browser.open("/.mfa/logout").await;
    let led = browser.send(&page, &page.form("csrf")).await;
    assert_eq!((led.status, led.location()), (303, "/login"));
}

/// Signs somebody else in within a portal session, as its form with this token would.
pub async fn sign_in_inside(browser: &mut Browser, token: &str, who: (&str, &str)) {
    let fields = [("user", who.0), ("password", who.1), ("token", token)];
    assert_eq!(browser.post("/login", &fields).await.status, 303);
}
