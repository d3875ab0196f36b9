//! The desk takes a factor away: nothing that stood on it is left, whatever happens meanwhile.

use crate::account::requester::{Channel, Requester, judge};
use crate::account::{State, UnlockFault};
use crate::config::desk::Organisation;
use crate::config::identity::UsernameRule;
use crate::store::{Key, Space, Write};

use super::brittle::{Brittle, Fuse};
use super::*;

pub(super) fn colleague() -> Requester {
    let organisation =
        Organisation { domains: vec!["example.com".to_owned()], managers: Vec::new() };
    let pattern = regex::Regex::new("^user[0-9]$").unwrap();
    let rule = UsernameRule { fold_case: true, trim: true, pattern };
    let user = UserName::canonical("user1".to_owned());
    judge(Some(&organisation), &rule, &user, "bob@example.com", Channel::Colleague).unwrap()
}

#[tokio::test]
async fn after_a_reset_nothing_is_left_and_nobody_else_is_touched() {
    let desk = desk().await;
    let (_, proven) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let (secret, other) = desk.enrol(&*desk.sign_in(2, 20).await).await;
    let named = desk.sign_in(1, 11).await;
    let device =
        |user: u8, last: u8| Key::new(Space::Device, [&[7; 8][..], &[user; 16], &[last]].concat());
    let all = (0..40).map(|last| Write::put(device(1, last), vec![1], None)).collect::<Vec<_>>();
    for some in all.chunks(16) {
        desk.accounts.store.commit(NOW, some.to_vec()).await.unwrap();
    }
    let others = Write::put(device(2, 0), vec![1], None);
    desk.accounts.store.commit(NOW, vec![others]).await.unwrap();

    let reset = desk
        .accounts
        .reset(NOW, account(&proven), &colleague(), &told(&proven), Vec::new())
        .await
        .unwrap();
    assert_eq!((reset.was_enrolled, reset.sessions_ended), (true, 2));
    let standing = desk.accounts.standing(NOW, account(&proven)).await.unwrap();
    assert_eq!(standing, Standing::NotEnrolled);
    for session in [&proven, &named] {
        assert!(desk.sessions.known(NOW, session.bind).is_none());
        assert!(!desk.sessions.goes_on(NOW, session.root));
    }
    let prefix = account(&proven).key(Space::Factor).id;
    for space in [Space::Factor, Space::Recovery, Space::Counter, Space::Pending, Space::Device] {
        let left = desk.accounts.store.scan(NOW, space, &prefix, None, 10).await.unwrap();
        assert!(left.is_empty(), "{space:?}");
    }
    assert!(desk.sessions.known(NOW, other.bind).is_some());
    assert!(desk.accounts.store.get(NOW, &device(2, 0)).await.unwrap().is_some());
    let later = NOW.plus(STEP);
    let again = desk
        .accounts
        .verify(later, account(&other), &other, &told(&other), &code(&secret, later))
        .await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn a_reset_can_be_repeated() {
    let desk = desk().await;
    let (_, proven) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let account = account(&proven);
    assert!(
        desk.accounts
            .reset(NOW, account, &colleague(), &told(&proven), Vec::new())
            .await
            .unwrap()
            .was_enrolled
    );
    let again =
        desk.accounts.reset(NOW, account, &colleague(), &told(&proven), Vec::new()).await.unwrap();
    assert_eq!((again.was_enrolled, again.sessions_ended), (false, 0));
    assert_eq!(desk.mails().await, 2, "what did not happen twice was told twice");
    let (_, anew) = desk.enrol(&*desk.sign_in(1, 12).await).await;
    assert!(desk.sessions.known(NOW, anew.bind).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_while_it_is_reset_is_ended_too() {
    let desk = Arc::new(desk().await);
    for round in 0..20_u8 {
        let (secret, _) = desk.enrol(&*desk.sign_in(1, 100 + round).await).await;
        let session = desk.sign_in(1, 200 + round).await;
        let later = NOW.plus(STEP * (u32::from(round) + 1));
        let proving = {
            let (desk, session) = (Arc::clone(&desk), Arc::clone(&session));
            let code = code(&secret, later);
            tokio::spawn(async move {
                let account = account(&session);
                desk.accounts.verify(later, account, &session, &told(&session), &code).await.is_ok()
            })
        };
        desk.accounts
            .reset(later, account(&session), &colleague(), &told(&session), Vec::new())
            .await
            .unwrap();
        let _either = proving.await.unwrap();
        let standing = desk.sessions.of_user(later, session.sub).await.unwrap();
        assert!(standing.is_empty(), "{standing:?}");
    }
}

#[tokio::test]
async fn unlocking_forgives_but_does_not_enable() {
    let desk = desk().await;
    let (_, proven) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let account = account(&proven);
    let state = async |now| desk.accounts.member(now, account).await.unwrap().unwrap().state(now);
    assert_eq!(state(NOW).await, State::Enrolled);
    assert!(!desk.accounts.unlock(NOW, account).await.unwrap());
    for _ in 0..5 {
        let _wrong = desk.accounts.verify(NOW, account, &proven, &told(&proven), "000000").await;
    }
    assert_eq!(state(NOW).await, State::Locked);
    assert!(desk.accounts.unlock(NOW, account).await.unwrap());
    assert_eq!(state(NOW).await, State::Enrolled);
    let mut now = NOW;
    for _ in 0..50 {
        let _wrong = desk.accounts.verify(now, account, &proven, &told(&proven), "000000").await;
        now = now.plus(Duration::from_secs(3600));
    }
    assert_eq!(state(now).await, State::Disabled);
    let refused = desk.accounts.unlock(now, account).await;
    assert!(matches!(refused, Err(UnlockFault::Disabled)));
    assert!(
        desk.accounts
            .reset(now, account, &colleague(), &told(&proven), Vec::new())
            .await
            .unwrap()
            .was_enrolled
    );
}

#[tokio::test]
async fn a_reset_that_is_broken_off_leaves_the_user_as_before_or_reset() {
    let mut outcomes = Vec::new();
    for commits in 0.. {
        let fuse = Arc::new(Fuse::default());
        let desk = desk_over(|opened| Arc::new(Brittle::new(opened, Arc::clone(&fuse)))).await;
        let (secret, proven) = desk.enrol(&*desk.sign_in(1, 10).await).await;
        desk.sign_in(1, 11).await;
        let account = account(&proven);
        let device = Key::new(Space::Device, [&[7; 8][..], &[1; 16], &[1]].concat());
        desk.accounts
            .store
            .commit(NOW, vec![Write::put(device.clone(), vec![1], None)])
            .await
            .unwrap();
        fuse.blows_after(commits);
        let done =
            desk.accounts.reset(NOW, account, &colleague(), &told(&proven), Vec::new()).await;
        fuse.is_mended();

        // As the next start finds it.
        let sessions = Arc::new(
            Sessions::load(
                Arc::clone(&desk.accounts.store),
                Arc::new(crate::clock::MovableClock::at(NOW)),
            )
            .await
            .unwrap(),
        );
        let enrolled = desk.accounts.member(NOW, account).await.unwrap().is_some();
        let is_in = sessions.known(NOW, proven.bind).is_some();
        let is_known_device = desk.accounts.store.get(NOW, &device).await.unwrap().is_some();
        assert!(enrolled || !(is_in || is_known_device), "after {commits} commits");
        // One mail tells of the enrolment, and one of the reset, if there was one.
        assert_eq!(desk.mails().await, if enrolled { 1 } else { 2 }, "after {commits} commits");
        assert_eq!(desk.heard().await.len(), desk.mails().await, "after {commits} commits");
        outcomes.push(enrolled);
        if enrolled {
            let session = desk.sign_in(1, 12).await;
            let later = NOW.plus(STEP);
            let code = code(&secret, later);
            assert!(
                desk.accounts
                    .verify(later, account, &session, &told(&session), &code)
                    .await
                    .is_ok()
            );
        }
        assert!(
            desk.accounts
                .reset(NOW, account, &colleague(), &told(&proven), Vec::new())
                .await
                .is_ok()
        );
        assert!(desk.accounts.member(NOW, account).await.unwrap().is_none());
        if done.is_ok() {
            break;
        }
    }
    assert!(outcomes.len() > 3 && outcomes.first() == Some(&true), "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|enrolled| !**enrolled).count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn the_roster_goes_page_by_page() {
    let desk = desk().await;
    for user in 1..=5 {
        desk.enrol(&*desk.sign_in(user, 10 + user).await).await;
    }
    // Two of them were seen as well, and three others were seen alone.
    for user in [2, 4, 6, 7, 8] {
        let account = AccountId { portal: PortalTag([7; 8]), sub: Opaque([user; 16]) };
        let name = UserName::canonical(format!("user{user}@example.com"));
        desk.accounts.seen(NOW, account, &name, Standing::NotEnrolled, None).await.unwrap();
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = desk.accounts.roster(NOW, PortalTag([7; 8]), after, 2).await.unwrap();
        names.extend(page.members.values().map(|member| member.user.as_str().to_owned()));
        let Some(rest) = page.rest else { break };
        after = Some(rest);
    }
    let expected: Vec<String> = (1..=8).map(|user| format!("user{user}@example.com")).collect();
    assert_eq!(names, expected);
    let elsewhere = desk.accounts.roster(NOW, PortalTag([8; 8]), None, 2).await.unwrap();
    assert!(elsewhere.members.is_empty() && elsewhere.rest.is_none());
}
