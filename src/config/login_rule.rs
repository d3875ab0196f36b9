//! What the logins of one portal look like, as used: which request, whose name, which answer.

use crate::net::glob::Glob;

/// One address that takes a password.
#[derive(Debug)]
pub struct LoginRule {
    /// The method, upper-case.
    pub method: String,
    /// The exact canonical path.
    pub path: String,
    /// Fields that the form has to carry with these values.
    pub form: Vec<(String, String)>,
    /// The form field that names the user.
    pub username_field: String,
    /// All that hold mean a login.
    pub success: Outcome,
    /// Any that holds means none.
    pub failure: Outcome,
}

impl LoginRule {
    /// Whether the answer's body has to be read to judge it.
    pub fn reads_body(&self) -> bool {
        self.success.body_contains.is_some() || self.failure.body_contains.is_some()
    }
}

/// Marks in the answer to a login. As `success`, all that are named have to hold; as
/// `failure`, any that holds means no login. An empty one never holds, and no `success` is
/// empty.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Status codes.
    pub status: Vec<u16>,
    /// The `Location` header matches this.
    pub location: Option<Glob>,
    /// The `Location` header is there and does not match this.
    pub location_not: Option<Glob>,
    /// A cookie of this name is set (and not removed).
    pub set_cookie: Option<Glob>,
    /// The body contains this text.
    pub body_contains: Option<String>,
}
