//! What guards an enrolment, on a real store: which code is needed when, that it counts once,
//! and what guessing costs.

use std::sync::Arc;
use std::time::Duration;

use super::{AdmitFault, Gate, Need, Waits};
use crate::account::tests::{Desk, NOW, account, code, desk, secret_of, told, under};
use crate::account::{
    Confirmed, EnrolFault, Enrolling, InviteFault, MailFault, Sight, VerifyFault,
};
use crate::clock::UnixMillis;
use crate::config::{Enrolment, EnrolmentGuard};
use crate::net::email::EmailTemplate;
use crate::policy::Standing;
use crate::session::{Level, SessionRecord};
use crate::store::Space;
use crate::user::UserName;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn rules(guard: EnrolmentGuard) -> Enrolment {
    Enrolment { guard, within: None, dormant: None, invite: 7 * DAY, email: None }
}

fn sight(first: UnixMillis, quiet: Duration) -> Sight {
    Sight {
        user: UserName::canonical("alice".to_owned()),
        first,
        last: first,
        quiet: u64::try_from(quiet.as_millis()).unwrap(),
        reminded: None,
        held: None,
        reported: None,
        language: None,
    }
}

async fn invited(desk: &Desk, session: &SessionRecord) -> String {
    let invited = desk.accounts.invite(NOW, account(session), &session.user, DAY).await;
    invited.unwrap().code.to_string()
}

/// The code in the last mail with one that waits.
async fn mailed(desk: &Desk) -> String {
    let waiting = desk.store.scan(NOW, Space::Outbox, &[], None, 100).await.unwrap();
    let codes = waiting.iter().filter_map(|(_, kept)| {
        let record: serde_json::Value = serde_json::from_slice(&kept.value).unwrap();
        record["mail"]["code"]["code"].as_str().map(str::to_owned)
    });
    codes.last().unwrap()
}

async fn enrolled(
    desk: &Desk,
    now: UnixMillis,
    who: &Enrolling<'_>,
) -> Result<Confirmed, EnrolFault> {
    let offer = desk.accounts.offer(now, who).await?;
    desk.accounts.confirm(now, who, &code(&secret_of(&offer.groups), now), "").await
}

#[test]
fn what_is_needed_follows_from_the_rules_and_what_was_seen() {
    let seen = sight(NOW, 5 * DAY);
    let at = NOW.plus(10 * DAY);
    for (guard, need) in [
        (EnrolmentGuard::None, Need::Nothing),
        (EnrolmentGuard::Email, Need::MailedCode),
        (EnrolmentGuard::Invite, Need::Invitation),
    ] {
        let plain = rules(guard);
        assert_eq!(Need::of(&plain, None, at), need);
        for (within, dormant, expected) in [
            (Some(11 * DAY), Some(6 * DAY), need),
            (Some(10 * DAY), None, Need::Invitation),
            (None, Some(5 * DAY), Need::Invitation),
            (Some(DAY), Some(DAY), Need::Invitation),
        ] {
            let rules = Enrolment { within, dormant, ..plain.clone() };
            assert_eq!(Need::of(&rules, Some(&seen), at), expected, "{rules:?}");
            assert_eq!(Need::of(&rules, None, at), Need::Invitation, "nothing is known");
        }
    }
}

#[tokio::test]
async fn without_an_invitation_there_is_no_secret() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Invite);
    let session = desk.sign_in(1, 10).await;
    let who = under(&rules, &session);
    let shut = Gate::Shut { need: Need::Invitation, mailed: false, waits: Waits::No };
    assert_eq!(desk.accounts.gate(NOW, &who).await.unwrap(), shut);
    assert!(matches!(enrolled(&desk, NOW, &who).await, Err(EnrolFault::Guarded)));
    assert!(matches!(
        desk.accounts.confirm(NOW, &who, "123456", "").await,
        Err(EnrolFault::Guarded)
    ));
    assert!(matches!(desk.accounts.mail_code(NOW, &who).await, Err(MailFault::NotHere)));
    let invitation = invited(&desk, &session).await;
    let wrong = desk.accounts.admit(NOW, &who, "0000-0000-0000").await;
    assert!(matches!(wrong, Err(AdmitFault::Wrong)));
    desk.accounts.admit(NOW, &who, &invitation.to_lowercase().replace('-', " ")).await.unwrap();
    assert_eq!(desk.accounts.gate(NOW, &who).await.unwrap(), Gate::Open);
    let other = desk.sign_in(1, 11).await;
    let elsewhere = desk.accounts.offer(NOW, &under(&rules, &other)).await;
    assert!(matches!(elsewhere, Err(EnrolFault::Guarded)), "it counts for one session");
    let proven = enrolled(&desk, NOW, &who).await.unwrap().session;
    assert!(matches!(proven.level, Level::Proven { .. }));
    assert_eq!(desk.store.scan(NOW, Space::Invite, &[], None, 9).await.unwrap().len(), 0);
    let again = desk.accounts.invite(NOW, who.account, &session.user, DAY).await;
    assert!(matches!(again, Err(InviteFault::AlreadyEnrolled)));
}

/// An offer that was made before there was a guard is worth nothing behind it.
#[tokio::test]
async fn an_earlier_offer_does_not_go_past_the_guard() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let open = rules(EnrolmentGuard::None);
    let offer = desk.accounts.offer(NOW, &under(&open, &session)).await.unwrap();
    let code = code(&secret_of(&offer.groups), NOW);
    let shut = rules(EnrolmentGuard::Invite);
    let confirmed = desk.accounts.confirm(NOW, &under(&shut, &session), &code, "").await;
    assert!(matches!(confirmed, Err(EnrolFault::Guarded)));
}

#[tokio::test]
async fn an_invitation_holds_for_its_time_and_is_replaced_by_the_next() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Invite);
    let session = desk.sign_in(1, 10).await;
    let who = under(&rules, &session);
    let first = invited(&desk, &session).await;
    let second = invited(&desk, &session).await;
    assert!(matches!(desk.accounts.admit(NOW, &who, &first).await, Err(AdmitFault::Wrong)));
    let late = NOW.plus(DAY);
    assert!(matches!(desk.accounts.admit(late, &who, &second).await, Err(AdmitFault::Wrong)));
    let just = late.minus(Duration::from_millis(1));
    desk.accounts.admit(just, &who, &second).await.unwrap();
    let third = invited(&desk, &session).await;
    assert!(matches!(desk.accounts.offer(just, &who).await, Err(EnrolFault::Guarded)));
    desk.accounts.admit(NOW, &who, &third).await.unwrap();
    desk.accounts.offer(NOW, &who).await.unwrap();
    let forgotten = NOW.plus(10 * MINUTE);
    assert!(matches!(desk.accounts.offer(forgotten, &who).await, Err(EnrolFault::Guarded)));
}

#[tokio::test]
async fn an_invitation_is_for_one_person_at_one_portal() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Invite);
    let (alice, bob) = (desk.sign_in(1, 10).await, desk.sign_in(2, 20).await);
    let code = invited(&desk, &alice).await;
    invited(&desk, &bob).await;
    let tried = desk.accounts.admit(NOW, &under(&rules, &bob), &code).await;
    assert!(matches!(tried, Err(AdmitFault::Wrong)));
    let mut elsewhere = under(&rules, &alice);
    elsewhere.account.portal.0[0] ^= 1;
    desk.accounts.invite(NOW, elsewhere.account, &alice.user, DAY).await.unwrap();
    assert!(matches!(desk.accounts.admit(NOW, &elsewhere, &code).await, Err(AdmitFault::Wrong)));
    // A record that somebody moves to another user's place fits nothing there either.
    let key = account(&alice).key(Space::Invite);
    let stolen = desk.store.get(NOW, &key).await.unwrap().unwrap();
    let place = account(&bob).key(Space::Invite);
    let moved = crate::store::Write::put(place, stolen.value, None);
    desk.store.commit(NOW, vec![moved]).await.unwrap();
    let tried = desk.accounts.admit(NOW, &under(&rules, &bob), &code).await;
    assert!(matches!(tried, Err(AdmitFault::Wrong)));
}

#[tokio::test]
async fn an_invitation_that_two_sessions_use_at_once_enrols_one() {
    let desk = desk().await;
    let rules = Arc::new(rules(EnrolmentGuard::Invite));
    let mut ready = Vec::new();
    let invitation = invited(&desk, &*desk.sign_in(1, 9).await).await;
    for bind in 10..14 {
        let session = desk.sign_in(1, bind).await;
        let who = under(&rules, &session);
        desk.accounts.admit(NOW, &who, &invitation).await.unwrap();
        let offer = desk.accounts.offer(NOW, &who).await.unwrap();
        ready.push((session, code(&secret_of(&offer.groups), NOW)));
    }
    let mut tries = tokio::task::JoinSet::new();
    for (session, code) in ready {
        let (accounts, rules) = (Arc::clone(&desk.accounts), Arc::clone(&rules));
        tries.spawn(async move {
            accounts.confirm(NOW, &under(&rules, &session), &code, "").await.is_ok()
        });
    }
    let won = tries.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, desk.mails().await), (1, 1));
}

/// A session with eight cookies takes ten of the sixteen writes of a transaction.
#[tokio::test]
async fn an_invitation_is_used_up_however_many_cookies_there_are() {
    let desk = desk().await;
    for (user, guard) in [(1, EnrolmentGuard::Invite), (2, EnrolmentGuard::Email)] {
        let session = desk.sign_in_with(user, user * 20, 8).await;
        let rules = rules(guard);
        let who = under(&rules, &session);
        let code = if guard == EnrolmentGuard::Invite {
            invited(&desk, &session).await
        } else {
            desk.accounts.mail_code(NOW, &who).await.unwrap();
            mailed(&desk).await
        };
        desk.accounts.admit(NOW, &who, &code).await.unwrap();
        // Somebody guesses meanwhile.
        let guess = desk.accounts.admit(NOW, &who, "0000-0000").await;
        assert!(matches!(guess, Err(AdmitFault::Wrong)));
        enrolled(&desk, NOW, &who).await.unwrap();
        let other = desk.sign_in(user, user * 20 + 10).await;
        desk.store
            .commit(NOW, vec![crate::store::Write::delete(who.account.key(Space::Factor))])
            .await
            .unwrap();
        let again = desk.accounts.admit(NOW, &under(&rules, &other), &code).await;
        assert!(matches!(again, Err(AdmitFault::Wrong)), "used twice");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_like_every_code_and_the_desk_helps() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Invite);
    let session = desk.sign_in(1, 10).await;
    let who = under(&rules, &session);
    let right = invited(&desk, &session).await;
    for guess in ["", "0000-0000-0000", "00000000", "nothing of ours"] {
        let wrong = desk.accounts.admit(NOW, &who, guess).await;
        assert!(matches!(wrong, Err(AdmitFault::Wrong)), "{guess}");
    }
    let fifth = desk.accounts.admit(NOW, &who, "0000-0000-0000").await;
    assert!(matches!(fifth, Err(AdmitFault::Waits)));
    assert!(matches!(desk.accounts.admit(NOW, &who, &right).await, Err(AdmitFault::Waits)));
    let waits = Waits::For(Duration::from_secs(30));
    let shut = Gate::Shut { need: Need::Invitation, mailed: false, waits };
    assert_eq!(desk.accounts.gate(NOW, &who).await.unwrap(), shut);
    let mut now = NOW;
    for _ in 5..50 {
        now = now.plus(HOUR);
        assert!(desk.accounts.admit(now, &who, "0000-0000-0000").await.is_err());
    }
    now = now.plus(HOUR);
    assert!(matches!(desk.accounts.admit(now, &who, &right).await, Err(AdmitFault::Waits)));
    let shut = Gate::Shut { need: Need::Invitation, mailed: false, waits: Waits::ForTheDesk };
    assert_eq!(desk.accounts.gate(now, &who).await.unwrap(), shut);
    let renewed = desk.accounts.invite(now, who.account, &session.user, DAY).await.unwrap();
    desk.accounts.admit(now, &who, &renewed.code).await.unwrap();
}

/// The counter is one for all codes of an account: who guesses at one has fewer tries at the
/// other.
#[tokio::test]
async fn guesses_at_a_guard_and_at_a_factor_are_counted_together() {
    let desk = desk().await;
    let open = rules(EnrolmentGuard::None);
    let session = desk.sign_in(1, 10).await;
    let guarded = rules(EnrolmentGuard::Invite);
    for _ in 0..3 {
        let wrong = desk.accounts.admit(NOW, &under(&guarded, &session), "00000000").await;
        assert!(matches!(wrong, Err(AdmitFault::Wrong)));
    }
    let key = account(&session).key(Space::Counter);
    assert_eq!(desk.store.counter(NOW, &key).await.unwrap().failures, 3);
    enrolled(&desk, NOW, &under(&open, &session)).await.unwrap();
    let session = desk.sign_in(1, 11).await;
    let wrong =
        desk.accounts.verify(NOW, account(&session), &session, &told(&session), "000000").await;
    assert!(matches!(wrong, Err(VerifyFault::Wrong { tries_left: 4 })), "a success forgives");
}

#[tokio::test]
async fn a_mailed_code_opens_for_ten_minutes_and_an_invitation_does_too() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Email);
    let session = desk.sign_in(1, 10).await;
    let who = under(&rules, &session);
    desk.accounts.mail_code(NOW, &who).await.unwrap();
    let shut = Gate::Shut { need: Need::MailedCode, mailed: true, waits: Waits::No };
    assert_eq!(desk.accounts.gate(NOW, &who).await.unwrap(), shut);
    let first = mailed(&desk).await;
    assert_eq!(first.len(), 9, "{first}");
    let kept = desk.store.scan(NOW, Space::Pending, &[], None, 9).await.unwrap();
    assert!(kept.iter().all(|(_, kept)| {
        !String::from_utf8_lossy(&kept.value).contains(&first.replace('-', ""))
    }));
    let late = NOW.plus(10 * MINUTE);
    assert!(matches!(desk.accounts.admit(late, &who, &first).await, Err(AdmitFault::Wrong)));
    desk.accounts.admit(late.minus(MINUTE), &who, &first).await.unwrap();
    assert_eq!(desk.accounts.gate(late, &who).await.unwrap(), Gate::Open);
    let other = desk.sign_in(1, 11).await;
    let who = under(&rules, &other);
    let invitation = invited(&desk, &other).await;
    desk.accounts.admit(NOW, &who, &invitation).await.unwrap();
    enrolled(&desk, NOW, &who).await.unwrap();
}

/// Once `within` has passed, a mail is not enough, also for who has shown it before.
#[tokio::test]
async fn a_mailed_code_is_not_enough_once_an_invitation_is_needed() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    desk.accounts.seen(NOW, account, &session.user, Standing::NotEnrolled, None).await.unwrap();
    let rules = Enrolment { within: Some(5 * MINUTE), ..rules(EnrolmentGuard::Email) };
    let who = under(&rules, &session);
    desk.accounts.mail_code(NOW, &who).await.unwrap();
    let code = mailed(&desk).await;
    desk.accounts.admit(NOW, &who, &code).await.unwrap();
    let late = NOW.plus(5 * MINUTE);
    assert!(matches!(desk.accounts.offer(late, &who).await, Err(EnrolFault::Guarded)));
    assert!(matches!(desk.accounts.admit(late, &who, &code).await, Err(AdmitFault::Wrong)));
    assert!(matches!(desk.accounts.mail_code(late, &who).await, Err(MailFault::NotHere)));
}

#[tokio::test]
async fn mails_are_few_whoever_asks() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Email);
    let session = desk.sign_in(1, 10).await;
    let mut now = NOW;
    let mut sent = 0;
    for _ in 0..120 {
        let tried = desk.accounts.mail_code(now, &under(&rules, &session)).await;
        sent += usize::from(tried.is_ok());
        now = now.plus(MINUTE / 2);
    }
    assert_eq!((sent, desk.mails().await), (5, 5));
    let next = desk.accounts.mail_code(now, &under(&rules, &session)).await;
    assert!(next.is_ok(), "an hour later");
    let soon = now.plus(MINUTE).minus(Duration::from_millis(1));
    let again = desk.accounts.mail_code(soon, &under(&rules, &session)).await;
    assert!(matches!(again, Err(MailFault::TooSoon(wait)) if wait == Duration::from_millis(1)));
}

#[tokio::test]
async fn many_who_ask_at_once_are_sent_one_mail() {
    let desk = desk().await;
    let rules = Arc::new(rules(EnrolmentGuard::Email));
    let mut tries = tokio::task::JoinSet::new();
    for bind in 10..18 {
        let session = desk.sign_in(1, bind).await;
        let (accounts, rules) = (Arc::clone(&desk.accounts), Arc::clone(&rules));
        tries.spawn(async move { accounts.mail_code(NOW, &under(&rules, &session)).await.is_ok() });
    }
    let sent = tries.join_all().await.into_iter().filter(|sent| *sent).count();
    assert_eq!((sent, desk.mails().await), (1, 1));
}

#[tokio::test]
async fn who_has_no_address_is_sent_nothing() {
    let desk = desk().await;
    let rules = rules(EnrolmentGuard::Email);
    let session = desk.sign_in(1, 10).await;
    let nameless = UserName::canonical("alice".to_owned());
    let mut who = under(&rules, &session);
    who.to.user = &nameless;
    assert!(matches!(desk.accounts.mail_code(NOW, &who).await, Err(MailFault::NoAddress)));
    let template = EmailTemplate::parse("{user}@example.com").unwrap();
    who.to.email = Some(&template);
    assert!(desk.accounts.mail_code(NOW, &who).await.is_ok());
}
