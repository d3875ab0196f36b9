//! The stories in a real Chromium: on a phone and a desk, with scripts and without.

// The helpers of a test crate may panic as its tests may, and run the tools of the desk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub
)]

#[path = "../e2e/dsl/mod.rs"]
mod dsl;

mod chromium;
mod editor;
mod frames;
mod injected;
mod person;
mod spa;
mod story;
mod webdriver;

use chromium::{Scripts, Window};

/// Each way to look at a page.
const WAYS: [(Window, Scripts); 4] = [
    (Window::Phone, Scripts::Off),
    (Window::Phone, Scripts::On),
    (Window::Desk, Scripts::Off),
    (Window::Desk, Scripts::On),
];

/// Without this, a story told "without scripts" could be told with them.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_of_the_size_and_runs_the_scripts_it_was_asked_for() {
    for (window, scripts) in WAYS {
        let browser = chromium::open(window, scripts).await;
        let page = "<meta name=viewport content='width=device-width'><p>off</p>\
                    <script>document.querySelector('p').textContent = 'on'</script>";
        browser.goto(&format!("data:text/html,{page}")).await;
        let expected = if scripts == Scripts::On { "on" } else { "off" };
        assert_eq!(browser.text("p").await, expected, "{window:?} {scripts:?}");
        let size = browser.run("return [innerWidth, innerHeight]").await;
        assert_eq!(size, serde_json::json!(window.size()), "{window:?} {scripts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_a_phone_without_scripts() {
    story::tell(Window::Phone, Scripts::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_a_phone_with_scripts() {
    story::tell(Window::Phone, Scripts::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_a_desk_without_scripts() {
    story::tell(Window::Desk, Scripts::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_a_desk_with_scripts() {
    story::tell(Window::Desk, Scripts::On).await;
}
