//! What users see of their own, and what they can do with it.

use super::*;
use crate::pages::render::Done;

#[test]
fn home_shows_each_visitor_the_one_next_step() {
    let (apps, sessions) = ([app("Work phone")], [session("Firefox")]);
    let home = |proven, enrolled| Page::Home {
        proven,
        enrolled,
        authenticators: &apps,
        recovery_left: 9,
        sessions: &sessions,
        remembers: true,
        reset: None,
    };
    assert!(rendered(home(false, false)).contains("class=\"button\" href=\"/.mfa/enrol\""));
    assert!(rendered(home(false, true)).contains("class=\"button\" href=\"/.mfa/verify\""));
    let proven = rendered(home(true, true));
    assert!(shown(&proven).contains("Work phone added Work phone"), "{proven}");
    assert!(shown(&proven).contains("Firefox, since Firefox from Firefox"), "{proven}");
    assert!(proven.contains("<form class=\"apart\" method=\"post\" action=\"/.mfa/logout\">"));
    for unproven in [home(false, false), home(false, true)] {
        assert!(!rendered(unproven).contains("Work phone"), "the password alone shows no factor");
    }
}

fn apps<'a>(all: &'a [AuthenticatorLine], done: Option<Done>, fault: Option<&'a str>) -> Page<'a> {
    Page::Authenticators { authenticators: all, room: true, recovery_left: 3, done, fault }
}

#[test]
fn the_last_app_cannot_be_removed_and_every_other_can() {
    let one = [app("phone")];
    let html = rendered(apps(&one, None, None));
    assert!(html.contains("value=\"rename\"") && !html.contains("value=\"remove\""), "{html}");
    assert!(shown(&html).contains("your only app, so it cannot be removed"), "{html}");
    let two = [app("phone"), app("tablet")];
    let html = rendered(apps(&two, None, None));
    assert_eq!(html.matches("value=\"remove\"").count(), 2, "{html}");
    assert!(html.contains("href=\"/.mfa/authenticators/move?id=tablet\""), "{html}");
}

#[test]
fn a_change_is_told_unless_something_was_wrong() {
    let one = [app("phone")];
    for (done, words) in [
        (Done::Added, "Your other app is set up."),
        (Done::Renamed, "The name was changed."),
        (Done::Removed, "The app was removed."),
        (Done::Moved, "Your new phone is set up."),
    ] {
        assert_eq!(Done::read(done.as_str()), Some(done));
        assert!(shown(&rendered(apps(&one, Some(done), None))).contains(words));
        let wrong = shown(&rendered(apps(&one, Some(done), Some("Nothing was changed."))));
        assert!(wrong.contains("Nothing was changed.") && !wrong.contains(words), "{wrong}");
    }
    assert_eq!(Done::read("<script>"), None);
}

#[test]
fn few_recovery_codes_are_warned_of_and_new_ones_offered() {
    for (left, words) in [
        (0, "You have none left."),
        (1, "You have only 1 left. Make new ones before you need it."),
        (3, "You have only 3 left. Make new ones before you need them."),
        (4, "You have 4 left."),
    ] {
        let page = Page::RecoveryCodesShown { left, used: false, return_to: "/wiki", fault: None };
        let html = rendered(page);
        assert!(shown(&html).contains(words), "{html}");
        assert_eq!(html.contains("notice warn"), left <= 3, "{left}");
        assert!(html.contains("name=\"action\" value=\"new\""), "{html}");
    }
}

#[test]
fn a_new_phone_is_shown_as_at_the_first_visit() {
    let before = app("\"><script>");
    let groups = texts(&["GEZD", "GNBV"]);
    for (before, place) in [(None, "add"), (Some(&before), "move")] {
        let page = Page::NewPhone {
            qr_svg: "<svg></svg>",
            secret_groups: &groups,
            otpauth: "otpauth://totp/a",
            before,
            fault: None,
        };
        let html = rendered(page);
        assert!(html.contains("<svg></svg>") && !html.contains("<script"), "{html}");
        assert!(html.contains("<code id=\"secret\" class=\"secret\"><span>GEZD</span>"), "{html}");
        assert!(tag(&html, "id=\"otpauth\"").contains("href=\"otpauth://totp/a\""));
        assert!(html.contains(&format!("action=\"/.mfa/authenticators/{place}\"")), "{html}");
        assert_eq!(html.contains("name=\"id\""), before.is_some());
    }
}

#[test]
fn a_session_is_ended_by_its_name_and_never_the_one_that_asks() {
    let here = SessionLine { current: true, ..session("here") };
    let html = rendered(Page::Sessions { sessions: &[here, session("there")], ended: false });
    assert!(html.contains("name=\"session\" value=\"there\""), "{html}");
    assert!(!html.contains("value=\"here\"") && html.contains("value=\"end_others\""), "{html}");
    let here = SessionLine { current: true, ..session("here") };
    let alone = rendered(Page::Sessions { sessions: &[here], ended: true });
    assert!(!alone.contains("<form"), "{alone}");
}
