//! What each page says, as data: the templates decide how it looks and get nothing else.

use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::line::{AuthenticatorLine, DeviceLine, Done, SessionLine};
use super::reset::{HelpPage, ResetPage, VouchPage};
use super::verify::{CodeField, KeptNotice, VerifyState, verify};

/// What every page shows around its own matter.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The portal, in words its users know.
    pub portal: &'a str,
    /// Where our pages are, without a trailing slash.
    pub prefix: &'a str,
    /// Who is signed in, if that is known.
    pub user: Option<&'a str>,
    /// The token of the forms; without it no form is accepted, so only strangers go without.
    pub csrf: Option<&'a str>,
    /// What the support desk finds the request by.
    pub request_id: &'a str,
}

/// One of our pages. No `Debug`: two of them hold secrets.
#[derive(Clone, Copy)]
pub enum Page<'a> {
    /// A new authenticator is set up.
    Enrol {
        /// Markup from [`crate::pages::qr::svg`], put in unescaped.
        qr_svg: &'a str,
        /// The secret in base32, in groups of four.
        secret_groups: &'a [String],
        /// The same as a link for an app on this device.
        otpauth: &'a str,
        /// Where the user was going.
        return_to: &'a str,
        /// What was wrong with the form that was sent, as a sentence.
        fault: Option<&'a str>,
    },
    /// A code is asked for before an authenticator is set up.
    Invite {
        /// Whether a code comes by mail.
        mail: MailWay<'a>,
        /// Whether one may be typed.
        state: GuardState<'a>,
        /// Whether the visitor may go on without.
        later: bool,
        /// Where the user was going.
        return_to: &'a str,
    },
    /// The new recovery codes, shown once.
    RecoveryCodes {
        /// In the order in which they were made.
        codes: &'a [String],
        /// Whether they take the place of others.
        renewed: bool,
        /// Where the user was going.
        return_to: &'a str,
    },
    /// The recovery codes were shown before; new ones can be made.
    RecoveryCodesShown {
        /// How many are unused.
        left: u32,
        /// Whether the user signed in with one just now.
        used: bool,
        /// Where the user was going.
        return_to: &'a str,
        /// Why no new ones were made, as a sentence.
        fault: Option<&'a str>,
    },
    /// The authenticators, and what can be done with each.
    Authenticators {
        /// In the order in which they were added.
        authenticators: &'a [AuthenticatorLine],
        /// Whether one more may be added.
        room: bool,
        /// How many recovery codes are unused.
        recovery_left: u32,
        /// What was done just now.
        done: Option<Done>,
        /// Why nothing was done, as a sentence.
        fault: Option<&'a str>,
    },
    /// One more authenticator is set up, or one in the place of another.
    NewPhone {
        /// Markup from [`crate::pages::qr::svg`], put in unescaped.
        qr_svg: &'a str,
        /// The secret in base32, in groups of four.
        secret_groups: &'a [String],
        /// The same as a link for an app on this device.
        otpauth: &'a str,
        /// Whose place it takes.
        before: Option<&'a AuthenticatorLine>,
        /// What was wrong with the form that was sent, as a sentence.
        fault: Option<&'a str>,
    },
    /// Where the user is signed in.
    Sessions {
        /// The one that asks first.
        sessions: &'a [SessionLine],
        /// Whether some were ended just now.
        ended: bool,
    },
    /// A code is asked for.
    Verify {
        /// What came of the last attempt.
        state: VerifyState<'a>,
        /// Which kind of code the field is made for; either kind may be typed.
        field: CodeField,
        /// How many recovery codes are unused, where the visitor may know.
        recovery_left: Option<u32>,
        /// Where the user was going.
        return_to: &'a str,
        /// What waits for the code.
        kept: KeptNotice<'a>,
        /// How long the device would be remembered, where that is offered.
        remember: Option<&'a str>,
        /// Whether a code was given before, too long ago.
        step_up: bool,
        /// When a reset that waits is carried out.
        reset: Option<&'a str>,
    },
    /// From when on a second factor is needed.
    Notice {
        /// The date, where there is one.
        until: Option<&'a str>,
        /// Where the user was going.
        return_to: &'a str,
    },
    /// Who you are and what you can do.
    Home {
        /// Whether a second factor was given in this session.
        proven: bool,
        /// Whether there is one to give.
        enrolled: bool,
        /// Only for a session that is proven.
        authenticators: &'a [AuthenticatorLine],
        /// How many recovery codes are unused.
        recovery_left: u32,
        /// Only for a session that is proven.
        sessions: &'a [SessionLine],
        /// Whether devices can be remembered here.
        remembers: bool,
        /// When a reset that waits is carried out.
        reset: Option<&'a str>,
    },
    /// The devices that are remembered.
    Devices {
        /// The newest first.
        devices: &'a [DeviceLine],
    },
    /// What to do without the phone.
    Help(HelpPage<'a>),
    /// Asking for a colleague's reset.
    Vouch(VouchPage<'a>),
    /// A reset that waits.
    Reset(ResetPage<'a>),
    /// Asks whether to sign out.
    Logout {},
    /// Something went wrong.
    Error {
        /// The status of the answer.
        status: u16,
        /// What happened, in a few words.
        title: &'a str,
        /// What to do, in plain sentences.
        text: &'a str,
    },
}

/// How the code for an enrolment comes by mail. Addresses are masked.
#[derive(Clone, Copy)]
pub enum MailWay<'a> {
    /// It does not; an invitation is needed.
    None,
    /// It would, but nobody knows where to.
    Unknown,
    /// It will, when asked for.
    Ready {
        /// Where to.
        to: &'a str,
    },
    /// It did.
    Sent {
        /// Where to.
        to: &'a str,
    },
}

/// Whether the code for an enrolment may be typed.
#[derive(Clone, Copy)]
pub enum GuardState<'a> {
    /// It may.
    Ask {
        /// What was wrong with the form that was sent, as a sentence.
        fault: Option<&'a str>,
    },
    /// Too many were wrong.
    Locked {
        /// How long that takes.
        seconds: u64,
    },
    /// Far too many were wrong; only a new invitation helps.
    Disabled,
}

impl Frame<'_> {
    pub(super) fn values(&self, brand: &str) -> Value {
        context! {
            brand,
            portal => self.portal,
            prefix => self.prefix,
            user => self.user,
            csrf => self.csrf,
            request_id => self.request_id,
        }
    }
}

impl Page<'_> {
    /// The name of the template, by which operators override it.
    pub(super) fn template(&self) -> &'static str {
        match self {
            Page::Enrol { .. } => "enrol.html",
            Page::Invite { .. } => "invite.html",
            Page::RecoveryCodes { .. } => "recovery-codes.html",
            Page::RecoveryCodesShown { .. } => "recovery-codes-shown.html",
            Page::Authenticators { .. } => "authenticators.html",
            Page::NewPhone { .. } => "new-phone.html",
            Page::Sessions { .. } => "sessions.html",
            Page::Verify { .. } => "verify.html",
            Page::Notice { .. } => "notice.html",
            Page::Home { .. } => "home.html",
            Page::Devices { .. } => "devices.html",
            Page::Help(_) => "help.html",
            Page::Vouch(_) => "vouch.html",
            Page::Reset(_) => "reset.html",
            Page::Logout {} => "logout.html",
            Page::Error { .. } => "error.html",
        }
    }

    /// What the template may print. `frame` is for the file of recovery codes, which must say
    /// what it opens.
    pub(super) fn values(&self, frame: &Frame<'_>) -> Value {
        match *self {
            Page::Enrol { qr_svg, secret_groups, otpauth, return_to, fault } => context! {
                qr_svg => Value::from_safe_string(qr_svg.to_owned()),
                secret_groups => texts(secret_groups),
                otpauth,
                return_to => local(return_to),
                fault,
            },
            Page::Invite { mail, state, later, return_to } => context! {
                later,
                ..guard(mail, state, local(return_to))
            },
            Page::RecoveryCodes { codes, renewed, return_to } => context! {
                renewed,
                codes => texts(codes),
                download => text_file(codes, frame),
                return_to => local(return_to),
            },
            Page::RecoveryCodesShown { left, used, return_to, fault } => {
                context! { left, used, return_to => local(return_to), fault }
            }
            Page::Authenticators { authenticators, room, recovery_left, done, fault } => context! {
                authenticators => Value::from_iter(authenticators.iter().map(AuthenticatorLine::values)),
                room,
                recovery_left,
                done => done.map(Done::as_str),
                fault,
            },
            Page::NewPhone { qr_svg, secret_groups, otpauth, before, fault } => context! {
                qr_svg => Value::from_safe_string(qr_svg.to_owned()),
                secret_groups => texts(secret_groups),
                otpauth,
                before => before.map(AuthenticatorLine::values),
                fault,
            },
            Page::Sessions { sessions, ended } => context! {
                sessions => Value::from_iter(sessions.iter().map(SessionLine::values)),
                ended,
            },
            Page::Verify {
                state,
                field,
                recovery_left,
                return_to,
                kept,
                remember,
                step_up,
                reset,
            } => context! {
                remember,
                reset,
                ..verify(state, field, recovery_left, return_to, kept, step_up)
            },
            Page::Notice { until, return_to } => context! { until, return_to => local(return_to) },
            Page::Devices { devices } => context! {
                devices => Value::from_iter(devices.iter().map(DeviceLine::values)),
            },
            Page::Home {
                proven,
                enrolled,
                authenticators,
                recovery_left,
                sessions,
                remembers,
                reset,
            } => {
                context! {
                    proven,
                    enrolled,
                    authenticators =>
                        Value::from_iter(authenticators.iter().map(AuthenticatorLine::values)),
                    recovery_left,
                    sessions => Value::from_iter(sessions.iter().map(SessionLine::values)),
                    remembers,
                    reset,
                }
            }
            Page::Help(page) => page.values(),
            Page::Vouch(page) => page.values(),
            Page::Reset(page) => page.values(local),
            Page::Logout {} => context! {},
            Page::Error { status, title, text } => context! { status, title, text },
        }
    }
}

fn guard(mail: MailWay<'_>, state: GuardState<'_>, return_to: &str) -> Value {
    let (mail, address) = match mail {
        MailWay::None => ("none", None),
        MailWay::Unknown => ("unknown", None),
        MailWay::Ready { to } => ("ready", Some(to)),
        MailWay::Sent { to } => ("sent", Some(to)),
    };
    let (state, fault, wait) = match state {
        GuardState::Ask { fault } => ("ask", fault, None),
        GuardState::Locked { seconds } => ("locked", None, Some(in_words(seconds))),
        GuardState::Disabled => ("disabled", None, None),
    };
    context! { mail, address, state, fault, wait, return_to }
}

/// The path itself, or `/`. Escaping cannot make a link safe: `javascript:` or `//elsewhere`
/// would pass it unchanged, so what is not a plain path on this host never reaches a template.
pub(super) fn local(path: &str) -> &str {
    let mut bytes = path.bytes();
    let rooted = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if rooted && printable { path } else { "/" }
}

fn texts(texts: &[String]) -> Value {
    Value::from_iter(texts.iter().map(String::as_str))
}

/// A text file as a link, since a page without scripts has no other way to offer one that is
/// not asked of the server again. Lines end as the plainest editors expect.
fn text_file(codes: &[String], frame: &Frame<'_>) -> String {
    let mut text = format!("Recovery codes for {}", frame.portal);
    if let Some(user) = frame.user {
        text.push_str(&format!(" ({user})"));
    }
    text.push_str("\r\nEach code works once. Keep them away from your phone.\r\n\r\n");
    for (number, code) in codes.iter().enumerate() {
        text.push_str(&format!("{:>2}. {code}\r\n", number + 1));
    }
    format!("data:text/plain;charset=utf-8,{}", utf8_percent_encode(&text, NON_ALPHANUMERIC))
}

/// A wait as one would say it, rounded up: who comes back too early waits again.
pub(super) fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds.max(1), "second"),
        60..3600 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
