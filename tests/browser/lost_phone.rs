//! A phone is gone, or gives way to a new one: what its owner can do alone, without the desk.

use std::time::Duration;

use crate::chromium::{Scripts, Window};
use crate::dsl::steps::{give_code, sign_in_again};
use crate::dsl::{ALICE, Gateway, Portal, gateway, portal};
use crate::person::Person;

/// Longer than a code counts as a fresh proof.
const A_WHILE: Duration = Duration::from_secs(400);

async fn scene(story: &str) -> (Portal, Gateway, Person) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = Person::sits_down(&gateway, ALICE, story, Window::Phone, Scripts::Off).await;
    (portal, gateway, alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_phone_gets_in_with_a_recovery_code_and_sets_up_a_new_one() {
    let (_portal, mut gateway, mut alice) = scene("lost-phone").await;
    let (lost, codes) = alice.enrols(&gateway).await;
    // Six of them went in the years before.
    for code in &codes[..6] {
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        assert_eq!(give_code(&mut browser, &page, code).await.location(), "/home");
    }
    signs_in_anew(&mut alice, &mut gateway).await;
    alice.is_at("/.mfa/verify", "asked-for-the-apps-code").await;
    alice.reads(&["No phone at hand?", "Use a recovery code", "4 left"]).await;
    alice.browser.follow("a[href*='with=recovery']").await;
    alice.is_at("/.mfa/verify", "asked-for-a-recovery-code").await;
    alice.gives_in_vain(&codes[0], "a-recovery-code-of-before").await;
    alice.reads(&["That code is not right.", "Take another one from your list."]).await;
    alice.gives(&codes[6]).await;
    alice.is_at("/.mfa/recovery-codes", "told-how-many-are-left").await;
    alice.reads(&["You are in.", "You have only 3 left.", "Is your old phone gone?"]).await;
    alice.browser.find("button[name=action][value=new]").await;

    alice.browser.follow("main a[href$='/authenticators']").await;
    alice.is_at("/.mfa/authenticators", "her-apps").await;
    alice.browser.follow("a[href*='/authenticators/move']").await;
    alice.is_at("/.mfa/authenticators/move", "the-new-phone").await;
    let new = alice.scans().await;
    assert_ne!(new.secret(), lost.secret());
    alice.gives("000000").await;
    alice.is_refused("/.mfa/authenticators/move", "a-wrong-code", "4").await;
    alice.gives(&new.code(gateway.now())).await;
    alice.is_at("/.mfa/authenticators", "the-new-phone-is-set-up").await;
    alice.reads(&["Your new phone is set up.", "You have only 3 left."]).await;

    signs_in_anew(&mut alice, &mut gateway).await;
    alice.gives_in_vain(&lost.code(gateway.now()), "the-lost-phones-code").await;
    alice.gives(&new.code(gateway.now())).await;
    alice.is_in("in-with-the-new-phone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_new_phone_moves_to_it_while_the_old_one_works() {
    let (_portal, mut gateway, mut alice) = scene("new-phone").await;
    let (old, codes) = alice.enrols(&gateway).await;
    gateway.advance(A_WHILE);
    alice.opens("/.mfa/").await;
    alice.is_at("/.mfa/", "her-sign-in").await;
    alice.browser.follow("main a[href$='/authenticators']").await;
    // She proves with the old one first.
    alice.is_at("/.mfa/verify", "a-code-of-the-old-phone").await;
    alice.reads(&["Enter a new code"]).await;
    alice.gives(&old.code(gateway.now())).await;
    alice.is_at("/.mfa/authenticators", "her-apps").await;
    alice.browser.follow("a[href*='/authenticators/move']").await;
    alice.is_at("/.mfa/authenticators/move", "the-new-phone").await;
    alice.reads(&["Until then nothing changes."]).await;
    let new = alice.scans().await;
    alice.gives(&new.code(gateway.now())).await;
    alice.is_at("/.mfa/authenticators", "the-new-phone-is-set-up").await;
    alice
        .reads(&["Your new phone is set up.", "Your recovery codes are the same as before."])
        .await;

    signs_in_anew(&mut alice, &mut gateway).await;
    alice.gives_in_vain(&old.code(gateway.now()), "the-old-phones-code").await;
    alice.gives(&new.code(gateway.now())).await;
    alice.is_in("in-with-the-new-phone").await;
    signs_in_anew(&mut alice, &mut gateway).await;
    alice.gives(&codes[0]).await;
    alice.is_in("in-with-a-recovery-code").await;
}

/// Comes back when the phone shows another code, by the password up to the page that asks for
/// it.
async fn signs_in_anew(alice: &mut Person, gateway: &mut Gateway) {
    alice.opens("/.mfa/logout").await;
    alice.browser.follow("form[action$='/logout'] button").await;
    alice.browser.find("input[name=password]").await;
    gateway.next_code();
    alice.signs_in().await;
    alice.browser.find("input[name=code]").await;
}
