//! What the logins of one portal look like, as used: which request, whose name, which answer.

use http::HeaderName;

use crate::net::glob::Glob;
use crate::net::json::JsonPointer;
use crate::user::UserName;

/// One address that takes a password, or a name for the password that follows.
#[derive(Debug)]
pub struct LoginRule {
    /// The method, upper-case.
    pub method: String,
    /// The exact canonical path.
    pub path: String,
    /// Fields that the form has to carry with these values.
    pub form: Vec<(String, String)>,
    /// What the request is in the login.
    pub step: Step,
    /// Where the user's name comes from.
    pub username: UsernameSource,
    /// All that hold mean a login. Empty for a step that only names the user, where nothing
    /// is asked of the answer.
    pub success: Outcome,
    /// Any that holds means none.
    pub failure: Outcome,
}

/// What a request is in a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It carries the password.
    Password,
    /// It only names the user.
    Name,
}

/// Where the user's name comes from.
#[derive(Debug)]
pub enum UsernameSource {
    /// A field of a form, urlencoded or multipart.
    Form(String),
    /// A place in a JSON body.
    Json(JsonPointer),
    /// Everybody is this user: the portal has one password for all.
    Fixed(UserName),
    /// The step before named the user.
    Remembered,
    /// The portal says it: the request does not.
    Portal,
}

impl LoginRule {
    /// Whether the answer's body has to be read to judge it.
    pub fn reads_body(&self) -> bool {
        self.success.reads_body() || self.failure.reads_body()
    }

    /// Names of fields that a portal may take for the user's: that of a form, or the keys at
    /// both ends of the way into a JSON body.
    pub fn name_fields(&self) -> impl Iterator<Item = &str> {
        let names = match &self.username {
            UsernameSource::Form(field) => [Some(field), None],
            UsernameSource::Json(pointer) => {
                let tokens = pointer.tokens();
                let last = tokens.last().filter(|_| tokens.len() > 1);
                [tokens.first(), last]
            }
            UsernameSource::Fixed(_) | UsernameSource::Remembered | UsernameSource::Portal => {
                [None, None]
            }
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

/// Marks in the answer to a login. As `success`, all that are named have to hold; as
/// `failure`, any that holds means no login. An empty one never holds, and no `success` of a
/// password is empty.
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
    /// What header lines say.
    pub headers: Vec<(HeaderName, HeaderMark)>,
    /// The body contains this text.
    pub body_contains: Option<String>,
    /// What a body in JSON says.
    pub json: Vec<(JsonPointer, JsonMark)>,
}

impl Outcome {
    /// Whether no mark is named.
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
            && self.location.is_none()
            && self.location_not.is_none()
            && self.set_cookie.is_none()
            && self.headers.is_empty()
            && !self.reads_body()
    }

    fn reads_body(&self) -> bool {
        self.body_contains.is_some() || !self.json.is_empty()
    }
}

/// What a header line has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderMark {
    /// There.
    Present,
    /// Not there.
    Absent,
    /// There once, with a value that fits.
    Like(Glob),
}

/// What has to stand at a place of a body in JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonMark {
    /// Anything.
    Present,
    /// Nothing.
    Absent,
    /// This text.
    Text(String),
    /// This number.
    Number(serde_json::Number),
    /// This.
    Bool(bool),
}
