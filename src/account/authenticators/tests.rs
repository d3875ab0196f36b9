//! Users change their own factor: what each change is worth, what ends with it, two at once, and
//! whatever breaks off.

use std::sync::Arc;
use std::time::Duration;

use super::NewPhone::{self, InPlaceOf, OneMore};
use crate::account::tests::brittle::{Brittle, Fuse};
use crate::account::tests::{Desk, NOW, account, code, desk, desk_over, secret_of, told};
use crate::account::{
    AccountId, Accounts, ChangeFault, Changing, FRESH_PROOF, Looks, PortalTag, Verified,
};
use crate::clock::UnixMillis;
use crate::session::{FactorUsed, Level, SessionRecord, Sessions};
use crate::user::Opaque;

/// Long enough for the next code.
const STEP: Duration = Duration::from_secs(30);

/// Somebody who has just enrolled.
struct User {
    secret: Vec<u8>,
    session: Arc<SessionRecord>,
    id: AccountId,
}

impl User {
    async fn enrolled(desk: &Desk) -> Self {
        let (secret, session) = desk.enrol(&*desk.sign_in(1, 10).await).await;
        let id = account(&session);
        Self { secret, session, id }
    }

    fn changing(&self) -> Changing<'_> {
        fresh(&self.session)
    }

    /// The authenticators by name and label.
    async fn apps(&self, accounts: &Accounts) -> Vec<(Opaque, String)> {
        let factor = accounts.authenticators(NOW, self.id).await.unwrap().unwrap();
        factor.authenticators.into_iter().map(|one| (one.id, one.label)).collect()
    }

    async fn first(&self, accounts: &Accounts) -> Opaque {
        self.apps(accounts).await[0].0
    }

    /// What comes of a code of this secret at `at`, in a session of its own.
    async fn sign_in(
        &self,
        desk: &Desk,
        typed: &str,
        at: UnixMillis,
        bind: u8,
    ) -> Option<Verified> {
        let session = desk.sign_in(1, bind).await;
        desk.accounts.verify(at, self.id, &session, &told(&session), typed).await.ok()
    }

    async fn signs_in(&self, desk: &Desk, secret: &[u8], at: UnixMillis, bind: u8) -> bool {
        self.sign_in(desk, &code(secret, at), at, bind).await.is_some()
    }
}

fn fresh(session: &SessionRecord) -> Changing<'_> {
    Changing::proven(NOW, account(session), session, told(session)).unwrap()
}

async fn offered(desk: &Desk, who: &Changing<'_>, purpose: NewPhone) -> Vec<u8> {
    secret_of(&desk.accounts.offer_phone(NOW, who, purpose).await.unwrap().groups)
}

/// Sets a new phone up; gives its secret.
async fn set_up(desk: &Desk, who: &Changing<'_>, purpose: NewPhone, label: &str) -> Vec<u8> {
    let secret = offered(desk, who, purpose).await;
    let typed = code(&secret, NOW);
    desk.accounts.confirm_phone(NOW, who, purpose, &typed, label).await.unwrap();
    secret
}

#[tokio::test]
async fn only_a_code_of_a_moment_ago_changes_anything() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let at = |now, session: &SessionRecord| {
        Changing::proven(now, user.id, session, told(session)).is_some()
    };
    assert!(at(NOW, &user.session) && at(NOW.plus(FRESH_PROOF), &user.session));
    assert!(!at(NOW.plus(FRESH_PROOF + Duration::from_millis(1)), &user.session));
    let device = FactorUsed::Device { series: Opaque([1; 16]) };
    for level in [Level::Password, Level::Ended, Level::Proven { factor: device, at: NOW }] {
        assert!(!at(NOW, &SessionRecord { level, ..(*user.session).clone() }), "{level:?}");
    }
    let recovered = Level::Proven { factor: FactorUsed::RecoveryCode, at: NOW };
    assert!(at(NOW, &SessionRecord { level: recovered, ..(*user.session).clone() }));
}

#[tokio::test]
async fn codes_of_every_app_count_and_each_once() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let second = set_up(&desk, &user.changing(), OneMore, "tablet").await;
    let apps = user.apps(&desk.accounts).await;
    assert_eq!(
        apps.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(),
        ["phone", "tablet"]
    );
    assert!(!user.signs_in(&desk, &second, NOW, 11).await, "the first code was spent");
    let later = NOW.plus(STEP);
    assert!(user.signs_in(&desk, &user.secret, later, 12).await);
    assert!(user.signs_in(&desk, &second, later, 13).await, "each app has a register of its own");
    assert!(!user.signs_in(&desk, &second, later, 14).await);
    assert_eq!(desk.mails().await, 2);
}

#[tokio::test]
async fn an_offer_stays_until_it_is_confirmed_and_is_shown_to_nobody_else() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let who = user.changing();
    let secret = offered(&desk, &who, OneMore).await;
    assert_eq!(offered(&desk, &who, OneMore).await, secret);
    let (_, other) = desk.enrol(&*desk.sign_in(2, 20).await).await;
    assert_ne!(offered(&desk, &fresh(&other), OneMore).await, secret);
    let first = user.first(&desk.accounts).await;
    assert_ne!(offered(&desk, &who, InPlaceOf(first)).await, secret);
    let own = user.sign_in(&desk, &code(&user.secret, NOW.plus(STEP)), NOW, 30).await.unwrap();
    let own = offered(&desk, &fresh(&own.session), OneMore).await;
    assert_ne!(own, secret, "another session of the user");
    let typed = code(&secret, NOW);
    desk.accounts.confirm_phone(NOW, &who, OneMore, &typed, "").await.unwrap();
    assert_ne!(offered(&desk, &who, OneMore).await, secret, "a live secret is shown again");
}

#[tokio::test]
async fn an_offer_outlasts_another_code_in_its_session() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let secret = offered(&desk, &user.changing(), OneMore).await;
    let (session, typed) = (&user.session, code(&user.secret, NOW.plus(STEP)));
    let again = desk.accounts.verify(NOW, user.id, session, &told(session), &typed).await.unwrap();
    assert_eq!(offered(&desk, &fresh(&again.session), OneMore).await, secret);
}

#[tokio::test]
async fn nothing_is_added_with_a_wrong_code_or_a_foreign_offer() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let who = user.changing();
    let confirm = async |now, who: &Changing<'_>, purpose, typed: &str| {
        desk.accounts.confirm_phone(now, who, purpose, typed, "").await
    };
    let none = confirm(NOW, &who, OneMore, "000000").await;
    assert!(matches!(none, Err(ChangeFault::NoOffer)));
    let secret = offered(&desk, &who, OneMore).await;
    for typed in ["", "000000", "abc", &code(&user.secret, NOW)] {
        let wrong = confirm(NOW, &who, OneMore, typed).await;
        assert!(matches!(wrong, Err(ChangeFault::WrongCode)), "{typed}");
    }
    let (first, right) = (user.first(&desk.accounts).await, code(&secret, NOW));
    let other_use = confirm(NOW, &who, InPlaceOf(first), &right).await;
    assert!(matches!(other_use, Err(ChangeFault::NoOffer)), "an offer to add moved a phone");
    let (_, other) = desk.enrol(&*desk.sign_in(2, 20).await).await;
    let foreign = confirm(NOW, &fresh(&other), OneMore, &right).await;
    assert!(matches!(foreign, Err(ChangeFault::NoOffer)), "another user's offer");
    let elsewhere = AccountId { portal: PortalTag([8; 8]), sub: user.session.sub };
    let elsewhere = Changing::proven(NOW, elsewhere, &user.session, told(&user.session)).unwrap();
    let foreign = confirm(NOW, &elsewhere, OneMore, &right).await;
    assert!(matches!(foreign, Err(ChangeFault::NotThere)), "another portal's offer");
    let late = NOW.plus(Duration::from_secs(600));
    let expired = confirm(late, &who, OneMore, &code(&secret, late)).await;
    assert!(matches!(expired, Err(ChangeFault::NoOffer)), "an offer of ten minutes ago");
    assert_eq!(user.apps(&desk.accounts).await.len(), 1);
    assert_eq!(desk.mails().await, 2, "only the two enrolments were told");
}

#[tokio::test]
async fn a_move_ends_the_old_phone_in_the_same_step() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let codes = desk.accounts.take_new_codes(NOW, user.id, &user.session).await.unwrap().unwrap();
    let first = user.first(&desk.accounts).await;
    let new = set_up(&desk, &user.changing(), InPlaceOf(first), " ").await;
    let apps = user.apps(&desk.accounts).await;
    assert!(apps.len() == 1 && apps[0].0 != first && apps[0].1 == "phone", "{apps:?}");
    let later = NOW.plus(STEP);
    assert!(!user.signs_in(&desk, &user.secret, later, 11).await, "the old phone still opens");
    assert!(user.signs_in(&desk, &new, later, 12).await);
    let recovered = user.sign_in(&desk, &codes[0], later, 13).await.unwrap();
    assert_eq!(recovered.recovery_left, Some(9), "recovery codes stay with a move");
    let gone = desk.accounts.offer_phone(NOW, &user.changing(), InPlaceOf(first)).await;
    assert!(matches!(gone, Err(ChangeFault::NotThere)));
}

#[tokio::test]
async fn the_last_app_stays_and_five_are_the_most() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let who = user.changing();
    let first = user.first(&desk.accounts).await;
    let refused = desk.accounts.remove(NOW, &who, first).await;
    assert!(matches!(refused, Err(ChangeFault::Last)));
    let nobodys = desk.accounts.remove(NOW, &who, Opaque([9; 16])).await;
    assert!(matches!(nobodys, Err(ChangeFault::NotThere)));
    for _ in 0..4 {
        set_up(&desk, &who, OneMore, "").await;
    }
    let labels = user.apps(&desk.accounts).await.into_iter().map(|(_, label)| label);
    let labels = labels.collect::<Vec<_>>().join(", ");
    let unnamed = "Authenticator app";
    assert_eq!(labels, format!("phone, {unnamed}, {unnamed} 2, {unnamed} 3, {unnamed} 4"));
    let sixth = desk.accounts.offer_phone(NOW, &who, OneMore).await;
    assert!(matches!(sixth, Err(ChangeFault::TooMany)));
    assert_eq!(desk.accounts.remove(NOW, &who, first).await.unwrap(), "phone");
    assert!(!user.signs_in(&desk, &user.secret, NOW.plus(STEP), 11).await, "a removed app opens");
    assert_eq!(user.apps(&desk.accounts).await.len(), 4);
}

#[tokio::test]
async fn a_label_is_plain_and_ends_nobody() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let other = desk.sign_in(1, 11).await;
    let first = user.first(&desk.accounts).await;
    let long = "x".repeat(100);
    let typed =
        [("mine", "mine"), ("a\r\nb", "ab"), ("  ", "Authenticator app"), (&long, &long[..40])];
    for (typed, kept) in typed {
        let label = desk.accounts.rename(NOW, &user.changing(), first, typed).await.unwrap();
        assert_eq!(label, kept);
        assert_eq!(user.apps(&desk.accounts).await[0].1, kept);
    }
    assert!(desk.sessions.known(NOW, other.bind).is_some());
    assert_eq!(desk.mails().await, 5);
}

#[tokio::test]
async fn other_sessions_end_with_a_change_and_devices_with_the_end_of_an_app() {
    for moves in [false, true] {
        let desk = desk().await;
        let user = User::enrolled(&desk).await;
        let later = NOW.plus(STEP);
        let named = desk.sign_in(1, 12).await;
        let verified = user.sign_in(&desk, &code(&user.secret, later), later, 11).await.unwrap();
        let looks = Looks { browser: "Firefox".to_owned(), network: String::new() };
        let (accounts, month) = (&desk.accounts, Duration::from_secs(30 * 86_400));
        accounts.remember_device(NOW, user.id, &verified, looks, month, None).await.unwrap();
        let (_, stranger) = desk.enrol(&*desk.sign_in(2, 20).await).await;
        let purpose = if moves { InPlaceOf(user.first(accounts).await) } else { OneMore };
        set_up(&desk, &user.changing(), purpose, "new").await;
        for ended in [&verified.session, &named] {
            assert!(desk.sessions.known(NOW, ended.bind).is_none());
            assert!(!desk.sessions.goes_on(NOW, ended.root));
        }
        for goes_on in [&user.session, &stranger] {
            assert!(desk.sessions.known(NOW, goes_on.bind).is_some());
            assert!(desk.sessions.goes_on(NOW, goes_on.root));
        }
        let devices = accounts.devices(later, user.id).await.unwrap();
        assert_eq!(devices.len(), usize::from(!moves));
    }
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_and_are_shown_once() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let accounts = &desk.accounts;
    let old = accounts.take_new_codes(NOW, user.id, &user.session).await.unwrap().unwrap();
    let used = user.sign_in(&desk, &old[0], NOW, 11).await.unwrap();
    assert_eq!(desk.mails().await, 2, "a used code is told");
    assert_eq!(accounts.renew_codes(NOW, &user.changing()).await.unwrap(), 10);
    assert_eq!(accounts.recovery_codes_left(NOW, user.id).await.unwrap(), 10);
    assert!(desk.sessions.known(NOW, used.session.bind).is_none());
    let other = desk.sign_in(1, 12).await;
    assert!(accounts.take_new_codes(NOW, user.id, &other).await.unwrap().is_none());
    let new = accounts.take_new_codes(NOW, user.id, &user.session).await.unwrap().unwrap();
    assert!(accounts.take_new_codes(NOW, user.id, &user.session).await.unwrap().is_none());
    for (typed, opens) in [(&old[0], false), (&old[1], false), (&new[0], true), (&new[0], false)] {
        assert_eq!(user.sign_in(&desk, typed, NOW, 13).await.is_some(), opens, "{typed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sessions_that_change_at_once_one_ends_the_other() {
    let desk = Arc::new(desk().await);
    let user = User::enrolled(&desk).await;
    set_up(&desk, &user.changing(), OneMore, "second").await;
    let apps = user.apps(&desk.accounts).await;
    let other = user.sign_in(&desk, &code(&user.secret, NOW.plus(STEP)), NOW, 11).await;
    let other = other.unwrap().session;
    let removing = |session: &Arc<SessionRecord>, id: Opaque| {
        let (desk, session) = (Arc::clone(&desk), Arc::clone(session));
        tokio::spawn(async move { desk.accounts.remove(NOW, &fresh(&session), id).await })
    };
    let (one, two) = tokio::join!(removing(&user.session, apps[0].0), removing(&other, apps[1].0));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.is_ok() != two.is_ok(), "{one:?} and {two:?}");
    assert_eq!(user.apps(&desk.accounts).await.len(), 1);
    let standing = desk.sessions.of_user(NOW, user.session.sub).await.unwrap();
    let winner = if one.is_ok() { &user.session } else { &other };
    assert_eq!(standing, [(**winner).clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_while_a_phone_moves_is_ended_too() {
    let desk = Arc::new(desk().await);
    let user = User::enrolled(&desk).await;
    let mut secret = user.secret.clone();
    for round in 0..10_u8 {
        let now = NOW.plus(STEP * (u32::from(round) + 1));
        let session = desk.sign_in(1, 100 + round).await;
        let proving = {
            let (desk, typed) = (Arc::clone(&desk), code(&secret, now));
            tokio::spawn(async move {
                let to = told(&session);
                desk.accounts.verify(now, account(&session), &session, &to, &typed).await.is_ok()
            })
        };
        let first = user.first(&desk.accounts).await;
        secret = set_up(&desk, &user.changing(), InPlaceOf(first), "").await;
        let _either = proving.await.unwrap();
        let standing = desk.sessions.of_user(now, user.session.sub).await.unwrap();
        assert!(standing.iter().all(|one| match one.level {
            Level::Proven { .. } => one.sid == user.session.sid,
            Level::Password | Level::Ended => false,
        }));
        assert_eq!(standing.len(), 1, "round {round}: {standing:?}");
    }
}

#[tokio::test]
async fn a_change_that_is_broken_off_leaves_the_factor_as_it_was() {
    let mut outcomes = Vec::new();
    for commits in 0.. {
        let fuse = Arc::new(Fuse::default());
        let desk = desk_over(|opened| Arc::new(Brittle::new(opened, Arc::clone(&fuse)))).await;
        let user = User::enrolled(&desk).await;
        let other = desk.sign_in(1, 11).await;
        let first = user.first(&desk.accounts).await;
        let who = user.changing();
        let secret = offered(&desk, &who, InPlaceOf(first)).await;
        let typed = code(&secret, NOW);
        fuse.blows_after(commits);
        let done = desk.accounts.confirm_phone(NOW, &who, InPlaceOf(first), &typed, "").await;
        fuse.is_mended();

        // As the next start finds it.
        let sessions =
            Sessions::load(Arc::clone(&desk.store), Arc::new(crate::clock::MovableClock::at(NOW)))
                .await
                .unwrap();
        let moved = user.first(&desk.accounts).await != first;
        assert_eq!(moved, done.is_ok(), "after {commits} commits");
        assert!(sessions.known(NOW, user.session.bind).is_some(), "who changes is still in");
        assert!(!moved || sessions.known(NOW, other.bind).is_none(), "after {commits} commits");
        assert_eq!(desk.mails().await, if moved { 2 } else { 1 }, "after {commits} commits");
        let valid = if moved { &secret } else { &user.secret };
        assert!(user.signs_in(&desk, valid, NOW.plus(STEP), 12).await);
        outcomes.push(moved);
        if done.is_ok() {
            break;
        }
    }
    assert!(outcomes.len() > 1 && !outcomes[0], "{outcomes:?}");
}

#[tokio::test]
async fn a_session_that_ended_changes_nothing() {
    let desk = desk().await;
    let user = User::enrolled(&desk).await;
    let who = user.changing();
    let first = user.first(&desk.accounts).await;
    let typed = code(&offered(&desk, &who, OneMore).await, NOW);
    desk.sessions.end(NOW, &user.session).await.unwrap();
    let added = desk.accounts.confirm_phone(NOW, &who, OneMore, &typed, "").await;
    assert!(matches!(added, Err(ChangeFault::Overtaken)));
    let renamed = desk.accounts.rename(NOW, &who, first, "mine").await;
    assert!(matches!(renamed, Err(ChangeFault::Overtaken)));
    let renewed = desk.accounts.renew_codes(NOW, &who).await;
    assert!(matches!(renewed, Err(ChangeFault::Overtaken)));
    assert_eq!(user.apps(&desk.accounts).await, [(first, "phone".to_owned())]);
    assert_eq!(desk.mails().await, 1);
}
