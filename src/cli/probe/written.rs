//! What was learned of a portal, each part with its reason: what the YAML is written from.

use serde_json::Value;

/// A value and why it is this one.
#[derive(Clone, Debug)]
pub(super) struct Told<T> {
    /// What was chosen.
    pub(super) value: T,
    /// Why, in one line.
    pub(super) why: String,
}

impl<T> Told<T> {
    /// A choice and its reason.
    pub(super) fn new(value: T, why: impl Into<String>) -> Self {
        Self { value, why: why.into() }
    }
}

/// A mark of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Status(u16),
    Location(String),
    LocationNot(String),
    SetCookie(String),
    /// At this pointer stands this value, or any where there is none.
    Json(String, Option<Value>),
    Body(String),
}

/// Where a login names the user.
#[derive(Clone, Debug)]
pub(super) enum NameSource {
    Form(String),
    Multipart(String),
    Json(String),
    Remembered,
    /// One password for all.
    Fixed(String),
}

/// One request of a login.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) path: String,
    /// Hidden fields that tell it from other forms at its path.
    pub(super) form: Vec<(String, String)>,
    /// Whether other forms go to its path.
    pub(super) shares: bool,
    /// The first of two steps, which names the user alone.
    pub(super) is_name_step: bool,
    pub(super) why: Option<String>,
    pub(super) username: Told<NameSource>,
    pub(super) success: Vec<Told<Mark>>,
    pub(super) failure: Vec<Told<Mark>>,
}

/// Where the portal says who somebody is.
#[derive(Clone, Debug)]
pub(super) struct Whoami {
    pub(super) path: String,
    pub(super) pointer: String,
}

/// How names are made one.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) folds: Told<bool>,
    pub(super) trims: Told<bool>,
    pub(super) pattern: Told<String>,
}

/// The portal's own sign-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logout {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
}

/// All that was learned.
#[derive(Debug)]
pub(super) struct Learned {
    /// The key below `portals`.
    pub(super) name: String,
    pub(super) host: String,
    pub(super) upstream: String,
    /// What has to be known before this is used, and what could not be learned.
    pub(super) notes: Vec<String>,
    pub(super) logins: Vec<Login>,
    pub(super) basic: Option<Told<String>>,
    pub(super) session_cookies: Vec<Told<String>>,
    pub(super) bearer: Option<Told<String>>,
    pub(super) rotation: Option<Told<&'static str>>,
    pub(super) whoami: Option<Told<Whoami>>,
    pub(super) names: Names,
    pub(super) login_url: Option<Told<String>>,
    pub(super) logout: Option<Told<Logout>>,
    pub(super) public: Vec<String>,
    pub(super) is_spa: bool,
}
