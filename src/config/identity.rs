//! How the users of one portal are learned from the portal's own login, as used. The
//! patterns here are matched by [`crate::identity`].

use http::HeaderName;
use regex::Regex;

use super::jwt::{Carrier, JwtSource};
use super::login_rule::{LoginRule, UsernameSource};
use super::source::{BasicRule, HeaderRule, WhoamiRule};
use crate::net::glob::Glob;

/// All that is known about a portal's login.
#[derive(Debug)]
pub struct Identity {
    /// Every address at which the portal takes a password.
    pub logins: Vec<LoginRule>,
    /// Names of the cookies by which the portal knows its session; `*` stands for any run.
    pub session_cookies: Vec<Glob>,
    /// Where the answer to a login has the token, for a portal whose session is carried in
    /// `Authorization: Bearer`.
    pub session_bearer: Option<String>,
    /// What a changed session cookie does to a proof.
    pub rotation: Rotation,
    /// The portal's own word on who a session belongs to.
    pub whoami: Option<WhoamiRule>,
    /// A proxy in front of us that names the user.
    pub header: Option<HeaderRule>,
    /// Credentials in every request.
    pub basic: Option<BasicRule>,
    /// Tokens that the portal signs, in every request.
    pub jwt: Option<JwtSource>,
    /// The response header with which the portal names who signed in.
    pub announce: Option<HeaderName>,
    /// How a name is made canonical.
    pub username: UsernameRule,
    /// Where the login page is: a path with an optional query. A portal has none where each
    /// request brings its own credentials.
    pub login_url: Option<String>,
    /// Which request signs a user out of the portal.
    pub logout: Option<LogoutRule>,
}

impl Identity {
    /// Whether a request's `Authorization` line is part of the portal's session.
    pub fn reads_authorization(&self) -> bool {
        self.takes_bearer() || self.basic.is_some() || self.whoami.is_some()
    }

    /// Whether the portal's session is a bearer token.
    pub fn takes_bearer(&self) -> bool {
        let signed = self.jwt.as_ref().is_some_and(|jwt| jwt.carrier == Carrier::Bearer);
        signed || self.session_bearer.is_some()
    }

    /// Whether some login takes the name that was given in a step before.
    pub fn remembers_names(&self) -> bool {
        let is_remembered =
            |login: &LoginRule| matches!(login.username, UsernameSource::Remembered);
        self.logins.iter().any(is_remembered)
    }
}

/// What a changed session cookie does to a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum Rotation {
    /// The proof goes along.
    Follow,
    /// The proof ends; the user is asked for a code.
    Reverify,
}

/// How a name is made canonical before anything else uses it.
#[derive(Debug)]
pub struct UsernameRule {
    /// Lower and upper case mean the same user.
    pub fold_case: bool,
    /// White space around the name is dropped.
    pub trim: bool,
    /// What a canonical name has to look like, anchored at both ends.
    pub pattern: Regex,
}

/// The portal's own sign-out.
#[derive(Debug)]
pub struct LogoutRule {
    /// The exact canonical path.
    pub path: String,
    /// Query keys that have to be there with these values.
    pub query: Vec<(String, String)>,
}
