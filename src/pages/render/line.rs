//! What of a user's own a page lists, line by line, as data.

use minijinja::{Value, context};

/// What was done with the authenticators. The words stand in addresses, so that whoever knows
/// them can show somebody a page that says so; it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// One came beside the others.
    Added,
    /// One has another label.
    Renamed,
    /// One is gone.
    Removed,
    /// One took the place of another.
    Moved,
}

impl Done {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Renamed => "renamed",
            Self::Removed => "removed",
            Self::Moved => "moved",
        }
    }

    /// Reads that word.
    pub fn read(word: &str) -> Option<Self> {
        let all = [Self::Added, Self::Renamed, Self::Removed, Self::Moved];
        all.into_iter().find(|done| done.as_str() == word)
    }
}

/// An authenticator of the user.
#[derive(Clone, Debug)]
pub struct AuthenticatorLine {
    /// What the form names it by.
    pub id: String,
    /// What the user called it.
    pub label: String,
    /// When it was added, as the user reads the time.
    pub added: String,
}

/// A session of the user.
#[derive(Clone, Debug)]
pub struct SessionLine {
    /// What the form names it by.
    pub name: String,
    /// The address it was begun from; empty if that is not known.
    pub place: String,
    /// What the browser said it was; empty if that is not known.
    pub browser: String,
    /// When it began, as the user reads the time.
    pub since: String,
    /// Whether a second factor was given in it.
    pub proven: bool,
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

impl AuthenticatorLine {
    pub(super) fn values(&self) -> Value {
        context! {
            id => self.id.as_str(),
            label => self.label.as_str(),
            added => self.added.as_str(),
        }
    }
}

impl SessionLine {
    pub(super) fn values(&self) -> Value {
        context! {
            name => self.name.as_str(),
            place => self.place.as_str(),
            browser => self.browser.as_str(),
            since => self.since.as_str(),
            proven => self.proven,
            current => self.current,
        }
    }
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
