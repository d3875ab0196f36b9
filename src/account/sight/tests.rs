//! What is remembered of a user who is led to a second factor.

use std::time::Duration;

use super::{Mark, Sight};
use crate::account::PortalTag;
use crate::account::tests::{NOW, account, desk};
use crate::net::language::Language;
use crate::policy::Standing;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_sign_in_is_seen_first_and_last() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    let seen = async |at, standing| {
        desk.accounts.seen(at, account, &session.user, standing, None).await.unwrap()
    };
    assert_eq!(desk.accounts.sight(NOW, account).await.unwrap(), None);
    assert!(seen(NOW, Standing::NotEnrolled).await);
    assert!(!seen(NOW.plus(DAY), Standing::NotEnrolled).await);
    let sight = desk.accounts.sight(NOW, account).await.unwrap().unwrap();
    assert_eq!((sight.first, sight.last), (NOW, NOW.plus(DAY)));
    assert!(sight.was_quiet_for(DAY) && !sight.was_quiet_for(2 * DAY));
    assert!(!seen(NOW.plus(3 * DAY), Standing::Enrolled).await);
    let sight = desk.accounts.sight(NOW, account).await.unwrap().unwrap();
    assert!(!sight.was_quiet_for(DAY), "whoever gives a second factor was not quiet");
}

#[tokio::test]
async fn who_was_not_seen_since_the_portal_is_fronted_was_quiet_all_the_time() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    assert_eq!(desk.accounts.watch(NOW, account.portal).await.unwrap(), NOW);
    let later = NOW.plus(90 * DAY);
    assert_eq!(desk.accounts.watch(later, account.portal).await.unwrap(), NOW);
    // Many at once, some of them new, more than one transaction holds.
    let others: Vec<PortalTag> = (0..100).map(|number| PortalTag([number; 8])).collect();
    desk.accounts.watch_all(later, &[&[account.portal], &others[..]].concat()).await.unwrap();
    desk.accounts.watch_all(later.plus(DAY), &others).await.unwrap();
    assert_eq!(desk.accounts.watch(later.plus(DAY), account.portal).await.unwrap(), NOW);
    for other in others.into_iter().filter(|other| *other != account.portal) {
        assert_eq!(desk.accounts.watch(later.plus(DAY), other).await.unwrap(), later);
    }
    desk.accounts.seen(later, account, &session.user, Standing::NotEnrolled, None).await.unwrap();
    let sight = desk.accounts.sight(later, account).await.unwrap().unwrap();
    assert!(sight.was_quiet_for(90 * DAY) && !sight.was_quiet_for(91 * DAY));
}

#[tokio::test]
async fn the_language_is_that_of_the_last_sign_in_which_wished_for_one() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    let (nl, fr) = (Some(Language::Nl), Some(Language::Fr));
    for (wished, kept) in [(None, None), (nl, nl), (None, nl), (fr, fr)] {
        let standing = Standing::NotEnrolled;
        desk.accounts.seen(NOW, account, &session.user, standing, wished).await.unwrap();
        let sight = desk.accounts.sight(NOW, account).await.unwrap().unwrap();
        assert_eq!(sight.language, kept);
    }
}

#[test]
fn what_was_written_before_there_were_languages_is_read() {
    let before = r#"{"user":"alice","first":1,"last":2,"quiet":3,"reminded":null,"held":null,"reported":null}"#;
    let sight: Sight = serde_json::from_str(before).unwrap();
    assert_eq!((sight.quiet, sight.language), (3, None));
}

#[tokio::test]
async fn a_notice_is_due_once_in_a_while() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    assert!(!desk.accounts.mark(NOW, account, Mark::Reminded).await.unwrap(), "of nobody");
    desk.accounts.seen(NOW, account, &session.user, Standing::NotEnrolled, None).await.unwrap();
    for (days, first) in [(1, true), (2, false)] {
        let at = NOW.plus(days * DAY);
        let sight = desk.accounts.sight(at, account).await.unwrap().unwrap();
        assert!(sight.is_notice_due(at, DAY));
        assert_eq!(desk.accounts.mark(at, account, Mark::Reminded).await.unwrap(), first);
        let sight = desk.accounts.sight(at, account).await.unwrap().unwrap();
        assert!(!sight.is_notice_due(at.plus(DAY).minus(Duration::from_millis(1)), DAY));
    }
}

#[tokio::test]
async fn since_when_somebody_is_held_does_not_change() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    desk.accounts.seen(NOW, account, &session.user, Standing::NotEnrolled, None).await.unwrap();
    for mark in [Mark::Held, Mark::Reported] {
        assert!(desk.accounts.mark(NOW, account, mark).await.unwrap());
        assert!(!desk.accounts.mark(NOW.plus(DAY), account, mark).await.unwrap());
    }
    let sight = desk.accounts.sight(NOW, account).await.unwrap().unwrap();
    assert_eq!((sight.held, sight.reported), (Some(NOW), Some(NOW)));
}
