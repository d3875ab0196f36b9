//! Sign in at the portal, enrol, sign out, come back: one person with a browser and a phone.

use crate::chromium::{Scripts, Window};
use crate::dsl::{ALICE, Gateway, Phone, gateway, portal};
use crate::person::Person;

/// Tells it in one window.
pub async fn tell(window: Window, scripts: Scripts) {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut person = Person::sits_down(&gateway, ALICE, "story", window, scripts).await;
    let (phone, _) = person.enrols(&gateway).await;
    looks_around_and_leaves(&mut person).await;
    comes_again(&mut person, &mut gateway, &phone).await;
}

async fn looks_around_and_leaves(person: &mut Person) {
    for (path, name) in [("/.mfa/help", "help"), ("/.mfa/", "home")] {
        person.opens(path).await;
        person.is_at(path, name).await;
    }
    assert!(person.browser.text("main").await.contains("10"), "ten codes are left");
    holds_the_cookie(person).await;
    person.browser.follow("form[action$='/logout'] button").await;
    person.browser.find("input[type=password]").await;
    person.takes_picture("signed-out").await;
    person.opens("/home").await;
    assert_eq!(person.browser.url().await, person.address("/login"));
}

async fn comes_again(person: &mut Person, gateway: &mut Gateway, phone: &Phone) {
    gateway.next_code();
    person.signs_in().await;
    person.is_at("/.mfa/verify", "verify").await;
    person.gives_in_vain("000000", "a-wrong-code").await;
    person.gives(&phone.code(gateway.now())).await;
    person.is_in("the-portal-again").await;
}

/// The browser has taken our cookie for what it says it is.
async fn holds_the_cookie(person: &Person) {
    let cookies = person.browser.cookies().await;
    let ours = cookies.iter().find(|cookie| cookie["name"] == "__Host-mfa").unwrap();
    for (attribute, value) in [("secure", true), ("httpOnly", true)] {
        assert_eq!(ours[attribute], value, "{ours}");
    }
    assert_eq!((&ours["sameSite"], &ours["path"]), (&"Lax".into(), &"/".into()), "{ours}");
}
