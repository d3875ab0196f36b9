//! Tries out every page with made-up values, each in all its states, so that a broken override
//! stops the start and not a user.

use std::sync::LazyLock;

use super::{
    AuthenticatorLine, CodeField, DeviceLine, Done, Frame, GuardState, HelpPage, KeptNotice,
    MailWay, Page, RenderError, Renderer, ResetPage, SessionLine, VerifyState, VouchPage,
};

/// Not a token: only looked for in the page.
const CSRF: &str = "rehearsal-of-the-csrf-field";
/// No sealed form: only looked for in the page.
const KEPT: &str = "rehearsal-of-the-kept-field";

/// A device as a user sees it.
static DEVICES: LazyLock<[DeviceLine; 2]> = LazyLock::new(|| {
    [true, false].map(|here| DeviceLine {
        series: "made-up".to_owned(),
        browser: "Firefox on Linux".to_owned(),
        network: if here { "192.0.2.0/24".to_owned() } else { String::new() },
        made: "3 May 2026, 09:12 UTC".to_owned(),
        used: "4 May 2026, 08:30 UTC".to_owned(),
        until: "2 June 2026, 09:12 UTC".to_owned(),
        here,
    })
});

/// What may have been done just now.
const DONE: [Option<Done>; 5] =
    [None, Some(Done::Added), Some(Done::Renamed), Some(Done::Removed), Some(Done::Moved)];

/// Authenticators as a user sees them.
static APPS: LazyLock<[AuthenticatorLine; 2]> = LazyLock::new(|| {
    ["phone", "tablet"].map(|label| AuthenticatorLine {
        id: format!("made-up-{label}"),
        label: label.to_owned(),
        added: "3 May 2026, 09:12 UTC".to_owned(),
    })
});

/// Sessions as a user sees them: with all that can be known of one, and with nothing.
static SESSIONS: LazyLock<[SessionLine; 2]> = LazyLock::new(|| {
    [true, false].map(|known| SessionLine {
        name: "made-up".to_owned(),
        place: if known { "192.0.2.7".to_owned() } else { String::new() },
        browser: if known { "Firefox on Linux".to_owned() } else { String::new() },
        since: "3 May 2026, 09:12 UTC".to_owned(),
        proven: known,
        current: known,
    })
});

/// The frames that occur: somebody, and nobody.
const FRAMES: [Frame<'static>; 2] = [
    Frame {
        portal: "wiki",
        prefix: "/.mfa",
        user: Some("alice"),
        csrf: Some(CSRF),
        request_id: "rehearsal",
    },
    Frame { portal: "wiki", prefix: "/.mfa", user: None, csrf: None, request_id: "rehearsal" },
];

/// Renders every page and says which template fails first.
pub(super) fn every_page(renderer: &Renderer) -> Result<(), RenderError> {
    let codes = ["made-up".to_owned(), "made-up".to_owned()];
    for page in pages(&codes) {
        for frame in &FRAMES {
            let html = renderer
                .fill(frame, &page)
                .map_err(|error| renderer.broken(&error, page.template()))?;
            if frame.csrf.is_some() && sends(&page) && !html.contains(CSRF) {
                return Err(RenderError::Unsendable { file: renderer.file(page.template()) });
            }
            if frame.csrf.is_some() && keeps(&page) && !html.contains(KEPT) {
                return Err(RenderError::Losing { file: renderer.file(page.template()) });
            }
        }
    }
    Ok(())
}

/// Whether the page is of no use without its form.
fn sends(page: &Page<'_>) -> bool {
    match page {
        Page::Enrol { .. }
        | Page::NewPhone { .. }
        | Page::Authenticators { .. }
        | Page::RecoveryCodes { .. }
        | Page::RecoveryCodesShown { .. }
        | Page::Notice { .. }
        | Page::Logout {} => true,
        Page::Verify { state, .. } => match state {
            VerifyState::Ask
            | VerifyState::Copied
            | VerifyState::Wrong { .. }
            | VerifyState::Used => true,
            VerifyState::Locked { .. } | VerifyState::Disabled => false,
        },
        Page::Invite { state, .. } => matches!(state, GuardState::Ask { .. }),
        // Without a device there is nothing to end.
        Page::Devices { devices } => !devices.is_empty(),
        Page::Vouch(page) => matches!(page, VouchPage::Ask { .. }),
        Page::Reset(page) => matches!(page, ResetPage::Waiting { .. }),
        // The one that asks is ended elsewhere.
        Page::Sessions { sessions, .. } => sessions.iter().any(|line| !line.current),
        Page::Home { .. } | Page::Help(_) | Page::Error { .. } => false,
    }
}

/// Whether a form of the portal waits in the page for a code that can still be given.
fn keeps(page: &Page<'_>) -> bool {
    let Page::Verify { state, kept: KeptNotice::Sealed(_), .. } = page else { return false };
    *state != VerifyState::Disabled
}

/// Each page in each of its states. `codes` stands for all lists of texts.
pub(super) fn pages(codes: &[String]) -> Vec<Page<'_>> {
    let mut pages = vec![
        Page::Devices { devices: &[] },
        Page::Devices { devices: &*DEVICES },
        Page::RecoveryCodes { codes, renewed: false, return_to: "/" },
        Page::RecoveryCodes { codes, renewed: true, return_to: "/" },
        Page::Sessions { sessions: SESSIONS.split_at(1).0, ended: false },
        Page::Sessions { sessions: &*SESSIONS, ended: true },
        Page::Notice { until: Some("1 December 2026, 00:00 UTC"), return_to: "/" },
        Page::Notice { until: None, return_to: "/" },
        Page::Logout {},
        Page::Error { status: 503, title: "Not now", text: "Try again in a minute." },
    ];
    pages.extend([None, Some("That code is not right.")].map(|fault| Page::Enrol {
        qr_svg: "<svg></svg>",
        secret_groups: codes,
        otpauth: "otpauth://totp/made-up",
        return_to: "/",
        fault,
    }));
    pages.extend(resets());
    pages.extend(changes(codes));
    pages.extend(guards());
    pages.extend(verifications());
    pages.extend(homes());
    pages
}

fn resets() -> Vec<Page<'static>> {
    let (colleague, reason) = ("alice", "lost phone");
    let mut pages = vec![
        Page::Vouch(VouchPage::Asked { colleague }),
        Page::Vouch(VouchPage::Stranger),
        Page::Reset(ResetPage::Stopped { return_to: "/" }),
        Page::Reset(ResetPage::Waiting {
            by: "a colleague",
            until: "3 May 2026, 09:12 UTC",
            return_to: "/",
        }),
    ];
    pages.extend(
        [None, Some("Try again tomorrow.")]
            .map(|fault| Page::Vouch(VouchPage::Ask { colleague, reason, fault })),
    );
    for (colleagues, managers) in [(false, false), (false, true), (true, false), (true, true)] {
        pages.push(Page::Help(HelpPage { colleagues, managers, host: "wiki.example.com" }));
    }
    pages
}

/// What a user changes, in each state.
fn changes(codes: &[String]) -> Vec<Page<'_>> {
    let mut pages = Vec::new();
    for fault in [None, Some("Nothing was changed.")] {
        for (recovery_left, used) in [(0, true), (1, true), (3, true), (9, false)] {
            let left = recovery_left;
            pages.push(Page::RecoveryCodesShown { left, used, return_to: "/", fault });
            for (apps, room) in [(APPS.split_at(1).0, true), (APPS.as_slice(), false)] {
                pages.extend(DONE.map(|done| Page::Authenticators {
                    authenticators: apps,
                    room,
                    recovery_left,
                    done,
                    fault,
                }));
            }
        }
        pages.extend([None, APPS.first()].map(|before| Page::NewPhone {
            qr_svg: "<svg></svg>",
            secret_groups: codes,
            otpauth: "otpauth://totp/made-up",
            before,
            fault,
        }));
    }
    pages
}

fn guards() -> Vec<Page<'static>> {
    let to = "a•••@example.com";
    let states = [
        GuardState::Ask { fault: None },
        GuardState::Ask { fault: Some("That code is not right.") },
        GuardState::Locked { seconds: 30 },
        GuardState::Disabled,
    ];
    let mut pages = Vec::new();
    for mail in [MailWay::None, MailWay::Unknown, MailWay::Ready { to }, MailWay::Sent { to }] {
        for state in states {
            pages.extend([false, true].map(|later| Page::Invite {
                mail,
                state,
                later,
                return_to: "/",
            }));
        }
    }
    pages
}

fn verifications() -> Vec<Page<'static>> {
    let states = [
        VerifyState::Ask,
        VerifyState::Copied,
        VerifyState::Wrong { tries_left: 0 },
        VerifyState::Wrong { tries_left: 1 },
        VerifyState::Wrong { tries_left: 4 },
        VerifyState::Used,
        VerifyState::Locked { seconds: 30, until: "14:05 UTC" },
        VerifyState::Disabled,
    ];
    let mut pages = Vec::new();
    for state in states {
        for field in [CodeField::App, CodeField::Recovery] {
            let mut add = |recovery_left, kept| {
                for (step_up, remember) in [(false, None), (true, None), (false, Some("30 days"))] {
                    let return_to = "/";
                    let reset = remember.map(|_| "3 May 2026, 09:12 UTC");
                    pages.push(Page::Verify {
                        state,
                        field,
                        recovery_left,
                        return_to,
                        kept,
                        remember,
                        step_up,
                        reset,
                    });
                }
            };
            for recovery_left in [None, Some(0), Some(1), Some(9)] {
                add(recovery_left, KeptNotice::Nothing);
            }
            add(Some(9), KeptNotice::Sealed(KEPT));
            add(Some(9), KeptNotice::TooLarge);
        }
    }
    pages
}

fn homes() -> Vec<Page<'static>> {
    let mut pages = Vec::new();
    for (proven, enrolled) in [(false, false), (false, true), (true, true)] {
        for recovery_left in [0, 1, 9] {
            pages.push(Page::Home {
                proven,
                enrolled,
                authenticators: &*APPS,
                recovery_left,
                sessions: &*SESSIONS,
                remembers: recovery_left == 9,
                reset: (recovery_left == 1).then_some("1 December 2026, 00:00 UTC"),
            });
        }
        pages.push(Page::Home {
            proven,
            enrolled,
            authenticators: &[],
            recovery_left: 0,
            sessions: &[],
            remembers: false,
            reset: None,
        });
    }
    pages
}
