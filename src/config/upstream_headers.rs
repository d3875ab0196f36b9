//! What a portal is told of a proven visitor, as used.

use http::HeaderName;

/// Request headers that Portcullis sets for a proven visitor alone, and that no client sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamHeaders {
    /// Carries the user's canonical name, escaped as in addresses.
    pub user: Option<HeaderName>,
    /// Carries a signed token that says the same, and how and when it was proven.
    pub assertion: Option<HeaderName>,
}

impl UpstreamHeaders {
    /// The names that are set.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.user.iter().chain(&self.assertion)
    }
}
