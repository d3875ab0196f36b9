//! One thing that happened, as whoever did it tells of it.

use std::net::IpAddr;

use serde::Serialize;

use super::Event;

/// What happened, to whom, by whom, from where. Every value is escaped and cut when the line is
/// written, so that nothing that somebody typed makes a line of its own.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What.
    pub event: Event,
    /// By whom.
    pub by: By<'a>,
    /// At which portal.
    pub portal: Option<&'a str>,
    /// To which of its users.
    pub user: Option<&'a str>,
    /// The address of the client.
    pub client: Option<IpAddr>,
    /// Names the request in the access log.
    pub request: Option<&'a str>,
    /// What else there is to say.
    pub with: Vec<(Detail, String)>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// Somebody who is not known.
    Nobody,
    /// The user whom it happened to.
    User,
    /// Another user of the portal, by name.
    Colleague(&'a str),
    /// The holder of a token of the API, by its name.
    Token(&'a str),
    /// Somebody at the desk's console, by name.
    Person(&'a str),
    /// The gateway itself, or ops at its machine.
    Gateway,
}

/// What a line may say besides. None of it may ever be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Which kind of factor.
    Factor,
    /// Why it was refused: one word of a closed list.
    Refusal,
    /// Why, in somebody's own words.
    Reason,
    /// What a user calls an authenticator.
    Label,
    /// The browser, as it calls itself.
    Browser,
    /// How many.
    Count,
    /// On whose word: an address of mail or a user's name.
    RequestedBy,
    /// As what: colleague, account_manager.
    Channel,
    /// The desk's ticket.
    Ticket,
    /// Names a request for a reset.
    ResetRequest,
    /// Names a token, a key or a person.
    Name,
    /// What somebody may do.
    Role,
    /// What was asked for, where it was refused: method and path without query.
    Target,
    /// Until when, RFC 3339.
    Until,
    /// Which version or fingerprint.
    Version,
}

impl Detail {
    /// Every detail there is.
    pub const ALL: [Self; 15] = [
        Self::Factor,
        Self::Refusal,
        Self::Reason,
        Self::Label,
        Self::Browser,
        Self::Count,
        Self::RequestedBy,
        Self::Channel,
        Self::Ticket,
        Self::ResetRequest,
        Self::Name,
        Self::Role,
        Self::Target,
        Self::Until,
        Self::Version,
    ];

    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Factor => "factor",
            Self::Refusal => "refusal",
            Self::Reason => "reason",
            Self::Label => "label",
            Self::Browser => "browser",
            Self::Count => "count",
            Self::RequestedBy => "requested_by",
            Self::Channel => "channel",
            Self::Ticket => "ticket",
            Self::ResetRequest => "reset_request",
            Self::Name => "name",
            Self::Role => "role",
            Self::Target => "target",
            Self::Until => "until",
            Self::Version => "version",
        }
    }
}

impl<'a> Entry<'a> {
    /// Something that happened.
    pub const fn new(event: Event, by: By<'a>) -> Self {
        Self { event, by, portal: None, user: None, client: None, request: None, with: Vec::new() }
    }

    /// At this portal.
    pub fn at(self, portal: &'a str) -> Self {
        Self { portal: Some(portal), ..self }
    }

    /// To this user.
    pub fn to(self, user: &'a str) -> Self {
        Self { user: Some(user), ..self }
    }

    /// From this address, with this request.
    pub fn from(self, client: Option<IpAddr>, request: Option<&'a str>) -> Self {
        Self { client, request, ..self }
    }

    /// With one thing more.
    pub fn with(mut self, detail: Detail, value: impl Into<String>) -> Self {
        self.with.push((detail, value.into()));
        self
    }
}
