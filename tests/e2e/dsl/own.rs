//! The pages on which users look after their own second factor, and the buttons on them.

use super::Browser;
use super::browser::Shown;
use super::html::{self, Form};

pub const APPS: &str = "/.mfa/authenticators";
pub const CODES: &str = "/.mfa/recovery-codes";
pub const SESSIONS: &str = "/.mfa/sessions";

/// The form behind one of the buttons that do this, counted from 0.
pub fn pressed(page: &Shown, action: &str, which: usize) -> Form {
    let all = html::forms(&page.body).into_iter();
    let mut those = all.filter(|form| form.field("action") == Some(action));
    those.nth(which).unwrap_or_else(|| panic!("no {action} at {}: {}", page.path, page.body))
}

/// Presses such a button, and goes wherever that leads.
pub async fn press(browser: &mut Browser, page: &Shown, action: &str, which: usize) -> Shown {
    let told = browser.send(page, &pressed(page, action, which)).await;
    browser.follow(told).await
}

/// What names each authenticator of a list, in its order.
pub fn ids(page: &Shown) -> Vec<String> {
    let all = html::forms(&page.body).into_iter();
    let renamed = all.filter(|form| form.field("action") == Some("rename"));
    renamed.map(|form| form.field("id").unwrap().to_owned()).collect()
}
