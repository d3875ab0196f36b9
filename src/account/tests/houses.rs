//! Two houses that share a store: each step of one user's story may come to another one, and
//! what is done to the factor at one of them is done everywhere.

use super::reset::colleague;
use super::*;
use crate::account::{ChangeFault, Changing};
use crate::session::FactorUsed;
use crate::site::house::{House, houses};
use crate::store::StoreError;
use crate::store::turn::{TurnName, Turns};

fn desk_in(house: &House) -> Desk {
    desk_of(Arc::clone(&house.parts.store), Arc::clone(&house.parts.sessions), None)
}

fn turns(house: &House) -> &Turns {
    house.parts.sessions.turns()
}

fn change_of(session: &SessionRecord) -> TurnName {
    let AccountId { portal, sub } = account(session);
    TurnName::Change(portal.0, sub.0)
}

fn fresh(session: &SessionRecord) -> Changing<'_> {
    Changing::proven(NOW, account(session), session, told(session)).unwrap()
}

#[tokio::test]
async fn each_step_of_an_enrolment_may_come_to_another_house() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let session = one.sign_in(1, 10).await;
    let offer = two.accounts.offer(NOW, &who(&session)).await.unwrap();
    let again = one.accounts.offer(NOW, &who(&session)).await.unwrap();
    assert_eq!(offer.groups, again.groups);
    let secret = secret_of(&offer.groups);
    let typed = code(&secret, NOW);
    let confirmed = two.accounts.confirm(NOW, &who(&session), &typed, "phone").await.unwrap();
    // The codes are shown at the first house, once, and the proof counts there.
    let proven = one.sessions.look(NOW, session.bind).await.unwrap().unwrap();
    assert_eq!(*proven, *confirmed.session);
    assert!(one.accounts.take_new_codes(NOW, account(&proven), &proven).await.unwrap().is_some());
    assert!(two.accounts.take_new_codes(NOW, account(&proven), &proven).await.unwrap().is_none());
    // A sign-in at the second one, its code at the first one.
    here.clock.advance(STEP);
    let later = here.clock_now();
    let other = two.sign_in(1, 20).await;
    let typed = code(&secret, later);
    let verified =
        one.accounts.verify(later, account(&other), &other, &told(&other), &typed).await.unwrap();
    let stands = two.sessions.look(later, other.bind).await.unwrap().unwrap();
    assert_eq!(*stands, *verified.session);
    // A change at the second one ends the other session at the first one.
    let ended = two.accounts.renew_codes(later, &fresh(&stands)).await;
    ended.unwrap();
    assert!(one.sessions.look(later, proven.bind).await.unwrap().is_none());
    here.hears().await;
    assert!(!one.sessions.goes_on(here.clock_now(), proven.root));
    assert!(one.sessions.look(later, stands.bind).await.unwrap().is_some());
}

/// C17: at the same moment at two houses.
#[tokio::test]
async fn a_code_counts_at_one_house() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (secret, _) = one.enrol(&*one.sign_in(1, 10).await).await;
    for round in 1..=20_u8 {
        let at = NOW.plus(STEP * u32::from(round));
        let (first, second) = (one.sign_in(1, 20 + round).await, two.sign_in(1, 60 + round).await);
        let typed = code(&secret, at);
        let (id, to) = (account(&first), told(&first));
        let (first, second) = tokio::join!(
            one.accounts.verify(at, id, &first, &to, &typed),
            two.accounts.verify(at, id, &second, &to, &typed),
        );
        assert!(first.is_ok() != second.is_ok(), "a code counted twice, or for nobody");
    }
}

#[tokio::test]
async fn a_reset_at_one_house_leaves_nothing_at_the_other() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (_, proven) = two.enrol(&*two.sign_in(1, 10).await).await;
    assert!(two.sessions.known(there.clock_now(), proven.bind).is_some());
    let (id, to) = (account(&proven), told(&proven));
    let reset = one.accounts.reset(NOW, id, &colleague(), &to, Vec::new()).await.unwrap();
    assert_eq!((reset.was_enrolled, reset.sessions_ended), (true, 1));
    there.hears().await;
    assert!(two.sessions.known(there.clock_now(), proven.bind).is_none());
    assert!(!two.sessions.goes_on(there.clock_now(), proven.root));
    assert_eq!(two.accounts.standing(NOW, id).await.unwrap(), Standing::NotEnrolled);
}

/// Nobody proves at one house what is taken away at another.
#[tokio::test]
async fn nothing_is_proven_while_another_house_changes_the_factor() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (secret, proven) = one.enrol(&*one.sign_in(1, 10).await).await;
    let named = two.sign_in(1, 20).await;
    here.clock.advance(STEP);
    let (at, to) = (here.clock_now(), told(&named));
    let turn = turns(&here).take(&[change_of(&proven)], STEP).await.unwrap();
    let refused = two.accounts.verify(at, account(&named), &named, &to, &code(&secret, at)).await;
    assert!(matches!(refused, Err(VerifyFault::Used)));
    assert!(two.sessions.look(NOW, named.bind).await.unwrap().unwrap().level == Level::Password);
    turn.give_back().await;
    // The code was not spent.
    two.accounts.verify(at, account(&named), &named, &to, &code(&secret, at)).await.unwrap();
}

/// A gateway that was cut off in the middle of a change changes nothing any more.
#[tokio::test]
async fn a_change_that_lost_its_turn_changes_nothing() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (_, proven) = one.enrol(&*one.sign_in(1, 10).await).await;
    let alone = one.accounts.alone(account(&proven)).await.unwrap();
    turns(&there).break_open(NOW, &[change_of(&proven)]).await.unwrap();
    let write = crate::store::Write::delete(account(&proven).key(Space::Factor));
    let lost = alone.commit(&*one.store, NOW, vec![write]).await;
    assert!(matches!(lost, Err(StoreError::Conflict { .. })));
    assert_eq!(two.accounts.standing(NOW, account(&proven)).await.unwrap(), Standing::Enrolled);
}

#[tokio::test]
async fn changes_of_one_user_go_one_after_the_other_over_all_houses() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (_, proven) = one.enrol(&*one.sign_in(1, 10).await).await;
    let who = fresh(&proven);
    let id = one.accounts.authenticators(NOW, who.account).await.unwrap().unwrap();
    let id = id.authenticators[0].id;
    let (first, second) = tokio::join!(
        one.accounts.rename(NOW, &who, id, "one"),
        two.accounts.rename(NOW, &who, id, "two"),
    );
    assert_eq!((first.unwrap(), second.unwrap()), ("one".to_owned(), "two".to_owned()));
    // Other users wait for nobody.
    let turn = turns(&there).take(&[change_of(&proven)], STEP).await.unwrap();
    let (_, other) = one.enrol(&*one.sign_in(2, 30).await).await;
    assert!(matches!(other.level, Level::Proven { factor: FactorUsed::Totp, .. }));
    turn.give_back().await;
}

#[tokio::test]
async fn without_the_store_nothing_is_changed_or_proven() {
    let [here, there] = houses().await;
    let (one, two) = (desk_in(&here), desk_in(&there));
    let (secret, proven) = one.enrol(&*one.sign_in(1, 10).await).await;
    let named = one.sign_in(1, 20).await;
    here.link().is_up(false);
    let at = NOW.plus(STEP);
    let (id, to) = (account(&named), told(&named));
    let refused = one.accounts.verify(at, id, &named, &to, &code(&secret, at)).await;
    assert!(matches!(refused, Err(VerifyFault::Account(_))));
    let refused = one.accounts.renew_codes(NOW, &fresh(&proven)).await;
    assert!(matches!(refused, Err(ChangeFault::Account(_))));
    two.accounts.verify(at, id, &named, &to, &code(&secret, at)).await.unwrap();
}
