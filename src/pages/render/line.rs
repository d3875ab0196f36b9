//! What stands in the lists of our pages, one line each.

use minijinja::{Value, context};

/// An authenticator of the user.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatorLine<'a> {
    /// What the user called it.
    pub label: &'a str,
    /// The day it was added, as the user reads dates.
    pub added: &'a str,
}

/// A session of the user.
#[derive(Clone, Copy, Debug)]
pub struct SessionLine<'a> {
    /// When it began, as the user reads the time.
    pub since: &'a str,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A remembered device of the user.
#[derive(Clone, Debug)]
pub struct DeviceLine {
    /// What the form names it by.
    pub series: String,
    /// What the browser said it was.
    pub browser: String,
    /// The network it was last seen in; empty if that is not known.
    pub network: String,
    /// When it was remembered, as the user reads the time.
    pub made: String,
    /// When it was used last.
    pub used: String,
    /// Until when it is remembered.
    pub until: String,
    /// Whether it is the one that asks.
    pub here: bool,
}

impl DeviceLine {
    pub(super) fn values(&self) -> Value {
        context! {
            series => self.series.as_str(),
            browser => self.browser.as_str(),
            network => self.network.as_str(),
            made => self.made.as_str(),
            used => self.used.as_str(),
            until => self.until.as_str(),
            here => self.here,
        }
    }
}
