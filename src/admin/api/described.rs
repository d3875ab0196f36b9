//! What the API document says of each endpoint: the one match that a new deed has to answer.
//! The forms of bodies and answers are the types themselves, so that nothing said here can
//! differ from what is done.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::endpoint::Deed;
use super::{
    audit, devices, invite, keys, openapi, people, portals, reset, reset_requests, rollout,
    sessions, store, tokens, users,
};
use crate::admin::deeds::resets;

/// What is said of an endpoint beside what the table has.
pub(super) struct Described {
    /// The noun that it belongs to.
    pub(super) tag: &'static str,
    /// What it does, in one line.
    pub(super) summary: &'static str,
    /// What its query may hold.
    pub(super) query: &'static [Parameter],
    /// The body that it takes.
    pub(super) body: Option<Body>,
    /// The status of its answer, where it does what it is asked.
    pub(super) status: u16,
    /// The form of that answer.
    pub(super) answer: Form,
    /// Its media type.
    pub(super) kind: &'static str,
    /// The form of an answer 202, where the deed may need more of people or of time.
    pub(super) accepted: Option<Form>,
    /// Refusals of its own, beside those that any endpoint has.
    pub(super) refusals: &'static [(u16, &'static str)],
}

/// Gives the form of a type.
pub(super) type Form = fn(&mut SchemaGenerator) -> Schema;

/// A value of a path or a query.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Its form, as JSON Schema in JSON.
    pub(super) form: &'static str,
    /// One that does no harm.
    pub(super) example: &'static str,
}

/// A body.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) form: Form,
    /// One, in JSON.
    pub(super) example: &'static str,
    /// Whether it has to be there.
    pub(super) needed: bool,
}

/// Everything that stands in braces in a path of the table.
pub(super) const IN_PATHS: &[Parameter] = &[
    Parameter {
        name: "portal",
        about: "The portal, by its name in the configuration.",
        form: r#"{"type":"string","minLength":1,"maxLength":64}"#,
        example: "wiki",
    },
    Parameter {
        name: "user",
        about: "The user's name at the portal.",
        form: r#"{"type":"string","minLength":1,"maxLength":256}"#,
        example: "alice",
    },
    Parameter {
        name: "series",
        about: "A remembered device, as the list of them names it.",
        form: r#"{"type":"string","pattern":"^[A-Za-z0-9_-]{21}[AQgw]$"}"#,
        example: "AAAAAAAAAAAAAAAAAAAAAA",
    },
    Parameter {
        name: "id",
        about: "A request for a reset, as the list of them names it.",
        form: r#"{"type":"string","pattern":"^[A-Za-z0-9_-]{21}[AQgw]$"}"#,
        example: "AAAAAAAAAAAAAAAAAAAAAA",
    },
    Parameter {
        name: "name",
        about: "A token, by its name.",
        form: r#"{"type":"string","pattern":"^[a-z0-9_-]{1,32}$"}"#,
        example: "night",
    },
];

const USERS_QUERY: &[Parameter] = &[
    Parameter {
        name: "state",
        about: "Only users in this state.",
        form: r#"{"type":"string","enum":["missing","enrolled","locked","disabled"]}"#,
        example: "enrolled",
    },
    Parameter {
        name: "q",
        about: "Only users whose name has this in it, whatever its case.",
        form: r#"{"type":"string"}"#,
        example: "ali",
    },
    Parameter {
        name: "after",
        about: "The cursor of the page before, as its next says.",
        form: r#"{"type":"string","pattern":"^[A-Za-z0-9_-]{21}[AQgw]$"}"#,
        example: "AAAAAAAAAAAAAAAAAAAAAA",
    },
];

const REQUESTS_QUERY: &[Parameter] = &[
    Parameter {
        name: "state",
        about: "Only requests in this state.",
        form: r#"{"type":"string","enum":["open","waiting","done","denied","stopped","expired"]}"#,
        example: "open",
    },
    Parameter {
        name: "portal",
        about: "Only requests at this portal.",
        form: r#"{"type":"string","minLength":1,"maxLength":64}"#,
        example: "wiki",
    },
    Parameter {
        name: "after",
        about: "The cursor of the page before, as its next says.",
        form: r#"{"type":"string","pattern":"^[A-Za-z0-9_-]{21}[AQgw]$"}"#,
        example: "AAAAAAAAAAAAAAAAAAAAAA",
    },
];

const AFTER_LINE: Parameter = Parameter {
    name: "after",
    about: "The number of a line; only those after it.",
    form: r#"{"type":"integer","minimum":0,"maximum":9007199254740991}"#,
    example: "0",
};

const AUDIT_QUERY: &[Parameter] = &[
    AFTER_LINE,
    Parameter {
        name: "last",
        about: "In place of after: so many of the last lines, 500 at most.",
        form: r#"{"type":"integer","minimum":0,"maximum":9007199254740991}"#,
        example: "10",
    },
];

const NO_AUDIT_LOG: &[(u16, &str)] = &[(404, "The configuration names no audit log.")];

const VERIFY_QUERY: &[Parameter] = &[AFTER_LINE];

const RESET: &str = r#"{"requested_by":"bob@example.com","channel":"colleague","reason":"The phone is lost.","ticket":"T-1"}"#;

/// What is said of an endpoint.
pub(super) fn described(deed: Deed) -> Described {
    match deed {
        Deed::Document => answering::<openapi::Document>("api", "This document."),
        Deed::Portals => {
            answering::<portals::Portals<'static>>("portals", "The portals that the token is for.")
        }
        Deed::Rollout => answering::<rollout::Standing<'static>>(
            "portals",
            "Where a portal stands on the way to the day nobody gets in without a second factor.",
        ),
        Deed::Users => {
            answering::<users::Users>("users", "The users of a portal, a page of them at a time.")
                .asking(USERS_QUERY)
        }
        Deed::User => answering::<users::Details>("users", "One user."),
        Deed::Reset => answering::<reset_requests::Done<'static>>(
            "resets",
            "Asks for a user's second factor to be taken away, on the word of somebody else; that \
             is the first approval too. As an account manager's word it needs account_manager or \
             more.",
        )
        .or_accepting::<reset_requests::Request>()
        .taking::<resets::Asked>(RESET)
        .refusing(&[
            (409, "A reset of this user was asked for already and is not decided."),
            (422, "The word of whoever asks does not count; reason says why."),
        ]),
        Deed::Unlock => {
            answering::<reset::Unlocked<'static>>("users", "Forgives a user's wrong codes.")
                .refusing(&[(422, "Only a reset helps any more.")])
        }
        Deed::Invite => answering::<invite::Invited<'static>>(
            "users",
            "Makes an invitation to enrol; its code is told this once.",
        )
        .created()
        .taking_perhaps::<invite::Wish>(r#"{"valid":"1h"}"#)
        .refusing(&[
            (409, "The user has enrolled already."),
            (422, "The invitation would hold too short or too long."),
        ]),
        Deed::Sessions => answering::<sessions::Sessions>("sessions", "The sessions of a user."),
        Deed::EndSessions => {
            answering::<sessions::Ended<'static>>("sessions", "Ends every session of a user.")
        }
        Deed::Devices => {
            answering::<devices::Devices>("devices", "The browsers that need no code for a while.")
        }
        Deed::EndDevices => {
            answering::<devices::Ended<'static>>("devices", "Forgets every device of a user.")
        }
        Deed::EndDevice => {
            answering::<devices::Ended<'static>>("devices", "Forgets one device of a user.")
        }
        Deed::Requests => {
            answering::<reset_requests::Requests>("resets", "The resets that were asked for.")
                .asking(REQUESTS_QUERY)
                .refusing(&[(404, "There is no such portal.")])
        }
        Deed::Approve => answering::<reset_requests::Done<'static>>("resets", "Approves a reset.")
            .or_accepting::<reset_requests::Request>()
            .refusing(&[
                (409, "The request is decided already."),
                (422, "This approval does not count; reason says why."),
            ]),
        Deed::Deny => answering::<reset_requests::Request>("resets", "Denies a reset.")
            .taking::<reset_requests::Denial>(r#"{"reason":"Nobody there knows of it."}"#)
            .refusing(&[
                (409, "The request is decided already."),
                (422, "This word does not count; reason says why."),
            ]),
        Deed::RotateKeys => answering::<keys::Rotated>(
            "keys",
            "Makes new keys for sessions and assertions. In an emergency the ones before end at \
             once, and every session with them.",
        )
        .taking_perhaps::<keys::Wish>(r#"{"emergency":false}"#)
        .refusing(&[(409, "There are too many keys that count still.")]),
        Deed::Store => answering::<store::Standing<'static>>("store", "How the store stands."),
        Deed::ExportStore => answering::<()>(
            "store",
            "Copies the whole store as it is at this moment. Without the master key nobody reads \
             anything in it.",
        )
        .in_bytes(),
        Deed::Audit => answering::<audit::Lines>(
            "audit",
            "Lines of the audit log: those after one of them, or the last.",
        )
        .asking(AUDIT_QUERY)
        .refusing(&[
            (404, "The configuration names no audit log."),
            (422, "Both after and last are there."),
        ]),
        Deed::VerifyAudit => answering::<audit::Verified>(
            "audit",
            "Whether the audit log is as it was written, and else the first line that is not.",
        )
        .asking(VERIFY_QUERY)
        .refusing(NO_AUDIT_LOG),
        Deed::People => answering::<people::People<'static>>(
            "people",
            "Who works at the console, and whether they have set up a second factor.",
        ),
        Deed::InvitePerson => answering::<people::Invited<'static>>(
            "people",
            "Invites somebody of the console to set up a second factor; the code is told this once.",
        )
        .created()
        .refusing(&[(409, "This person has a second factor already.")]),
        Deed::UnlockPerson => answering::<people::Unlocked<'static>>(
            "people",
            "Lets somebody of the console try again who has to wait.",
        )
        .refusing(&[(422, "So many codes were wrong that only a reset helps.")]),
        Deed::ResetPerson => answering::<people::Done<'static>>(
            "people",
            "Takes the second factor of somebody of the console away, and ends the sessions.",
        ),
        Deed::Tokens => answering::<tokens::Tokens>(
            "tokens",
            "The tokens of the API that may do no more than the asker's own.",
        ),
        Deed::MakeToken => answering::<tokens::Made<'static>>(
            "tokens",
            "Makes a token of the API, of no more than the asker's own; its secret is told this \
             once.",
        )
        .created()
        .taking::<tokens::Wish>(r#"{"name":"night","role":"viewer","valid":"90d"}"#)
        .refusing(&[
            (409, "There is a token of this name, or there are too many."),
            (422, "A portal is not there or not the asker's, or the time is too short or long."),
        ]),
        Deed::EndToken => answering::<tokens::Ended<'static>>(
            "tokens",
            "Ends a token: the next request that carries it is refused.",
        )
        .refusing(&[(409, "The token is one of the configuration, and is ended there.")]),
    }
}

fn answering<T: JsonSchema>(tag: &'static str, summary: &'static str) -> Described {
    Described {
        tag,
        summary,
        query: &[],
        body: None,
        status: 200,
        answer: SchemaGenerator::subschema_for::<T>,
        kind: "application/json",
        accepted: None,
        refusals: &[],
    }
}

impl Described {
    fn asking(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    fn taking<T: JsonSchema>(self, example: &'static str) -> Self {
        let form = SchemaGenerator::subschema_for::<T>;
        Self { body: Some(Body { form, example, needed: true }), ..self }
    }

    fn taking_perhaps<T: JsonSchema>(self, example: &'static str) -> Self {
        let form = SchemaGenerator::subschema_for::<T>;
        Self { body: Some(Body { form, example, needed: false }), ..self }
    }

    /// Or it is accepted, and this says what it waits for.
    fn or_accepting<T: JsonSchema>(self) -> Self {
        Self { accepted: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Its answer is no JSON but bytes, which have no form.
    fn in_bytes(self) -> Self {
        Self { answer: |_| Schema::default(), kind: "application/octet-stream", ..self }
    }

    /// It makes something.
    fn created(self) -> Self {
        Self { status: 201, ..self }
    }

    fn refusing(self, refusals: &'static [(u16, &'static str)]) -> Self {
        Self { refusals, ..self }
    }
}
