//! Remembered devices on a real store: what a secret is worth, once, twice, and in a race.

use std::sync::Arc;
use std::time::Duration;

use super::{Device, DeviceSecret, Looks, MOST_DEVICES, Presented, Remembered, Taken};
use crate::account::tests::{Desk, NOW, account, code, desk, told};
use crate::account::{AccountId, Accounts, Verified};
use crate::clock::UnixMillis;
use crate::session::{FactorUsed, Level, SessionRecord};
use crate::store::{Space, Write};

const DAY: Duration = Duration::from_secs(86_400);
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

fn looks() -> Looks {
    Looks { browser: "Firefox on Linux".to_owned(), network: "192.0.2.0/24".to_owned() }
}

fn later(seconds: u64) -> UnixMillis {
    NOW.plus(Duration::from_secs(seconds))
}

/// A copy, as whoever reads a cookie has one.
fn copy(secret: &DeviceSecret) -> DeviceSecret {
    DeviceSecret::decode(&secret.encode()).unwrap()
}

/// Gives codes, each once.
struct User {
    secret: Vec<u8>,
    id: AccountId,
    given: u64,
}

impl User {
    async fn enrolled(desk: &Desk, user: u8) -> Self {
        let session = desk.sign_in(user, 100 + user).await;
        let (secret, _) = desk.enrol(&session).await;
        Self { secret, id: account(&session), given: 0 }
    }

    async fn give_code(&mut self, desk: &Desk, session: &SessionRecord) -> Verified {
        self.given += 1;
        let at = later(60 * self.given);
        let typed = code(&self.secret, at);
        desk.accounts.verify(at, self.id, session, &told(session), &typed).await.unwrap()
    }

    /// Remembers a device as if the code had been given just now.
    async fn remember(&mut self, desk: &Desk, bind: u8, at: UnixMillis) -> DeviceSecret {
        let session = desk.sign_in(self.id.sub.0[0], bind).await;
        let verified = self.give_code(desk, &session).await;
        let made =
            desk.accounts.remember_device(at, self.id, &verified, looks(), LIFETIME, None).await;
        made.unwrap().unwrap().secret
    }

    async fn devices(&self, desk: &Desk, at: UnixMillis) -> Vec<Device> {
        desk.accounts.devices(at, self.id).await.unwrap()
    }
}

async fn show(
    desk: &Desk,
    at: UnixMillis,
    session: &SessionRecord,
    secret: &DeviceSecret,
) -> Taken {
    take(&desk.accounts, at, session, secret, LIFETIME).await
}

async fn take(
    accounts: &Accounts,
    at: UnixMillis,
    session: &SessionRecord,
    secret: &DeviceSecret,
    lifetime: Duration,
) -> Taken {
    let presented = Presented { secret, looks: &looks(), owner: &told(session) };
    accounts.take_device(at, account(session), session, &presented, lifetime).await.unwrap()
}

fn proven(taken: Taken) -> (Arc<SessionRecord>, Option<Remembered>) {
    match taken {
        Taken::Proven { session, next } => (session, next),
        Taken::Nothing => panic!("nothing was proven"),
        Taken::Copied { .. } => panic!("a copy was seen"),
    }
}

#[tokio::test]
async fn a_secret_proves_once_and_leaves_the_next_one() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let mut secret = alice.remember(&desk, 10, NOW).await;
    for visit in 1..4_u8 {
        let session = desk.sign_in(1, 10 + visit).await;
        let at = later(100 * u64::from(visit));
        let (session, next) = proven(show(&desk, at, &session, &secret).await);
        let Level::Proven { factor, at: when } = session.level else { panic!("no proof") };
        assert_eq!(factor, FactorUsed::Device { series: secret.series() });
        assert_eq!((when, session.proof_age(at)), (at, None), "a device is no fresh proof");
        assert!(desk.sessions.known(at, session.bind).is_some_and(|known| known == session));
        let next = next.unwrap();
        assert_eq!(next.for_how_long, LIFETIME - at.since(NOW), "the lifetime is not prolonged");
        assert!(*next.secret.encode() != *secret.encode());
        secret = next.secret;
    }
    let devices = alice.devices(&desk, later(300)).await;
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].made, devices[0].used), (NOW, later(300)));
    assert_eq!(
        (devices[0].expires, devices[0].user.as_str()),
        (NOW.plus(LIFETIME), "user1@example.com")
    );
}

#[tokio::test]
async fn the_secret_just_replaced_counts_ten_seconds_and_gets_no_other() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    let session = desk.sign_in(1, 11).await;
    let (_, next) = proven(show(&desk, later(100), &session, &secret).await);
    let tab = desk.sign_in(1, 12).await;
    let (_, none) = proven(show(&desk, later(109), &tab, &secret).await);
    assert!(none.is_none());
    let (_, next) = {
        let tab = desk.sign_in(1, 13).await;
        proven(show(&desk, later(120), &tab, &next.unwrap().secret).await)
    };
    assert!(next.is_some(), "the tab changed the secret");
}

#[tokio::test]
async fn a_copy_ends_the_device_and_what_it_proved() {
    for idle_too in [false, true] {
        let desk = desk().await;
        let mut alice = User::enrolled(&desk, 1).await;
        let stolen = alice.remember(&desk, 10, NOW).await;
        let other = alice.remember(&desk, 20, NOW).await;
        let by_code = desk.sessions.of_user(NOW, alice.id.sub).await.unwrap();
        let mine = desk.sign_in(1, 11).await;
        let (mine, next) = proven(show(&desk, later(100), &mine, &copy(&stolen)).await);
        let next = next.unwrap().secret;
        let comes = if idle_too { Arc::clone(&mine) } else { desk.sign_in(1, 12).await };
        let Taken::Copied { instead } = show(&desk, later(110), &comes, &stolen).await else {
            panic!("the copy was not seen");
        };
        assert_eq!(instead.is_some(), idle_too);
        let stands = |bind| desk.sessions.known(later(110), bind).map(|known| known.level);
        let expected = idle_too.then_some(Level::Password);
        assert_eq!(stands(mine.bind), expected, "what the device proved goes on");
        let mut left = desk.sessions.of_user(later(110), alice.id.sub).await.unwrap();
        left.retain(|one| one.bind != mine.bind && one.bind != comes.bind);
        assert_eq!(left.len(), by_code.len(), "what a code proved has ended");
        // From now on neither secret is anything, and nobody is told twice.
        for secret in [&stolen, &next] {
            let session = desk.sign_in(1, 13).await;
            assert!(matches!(show(&desk, later(111), &session, secret).await, Taken::Nothing));
        }
        let devices = alice.devices(&desk, later(111)).await;
        assert_eq!(devices.iter().map(|one| one.series).collect::<Vec<_>>(), [other.series()]);
    }
}

#[tokio::test]
async fn a_made_up_token_of_a_device_is_a_copy() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    let session = desk.sign_in(1, 11).await;
    let made_up = secret.next().unwrap();
    assert!(matches!(show(&desk, NOW, &session, &made_up).await, Taken::Copied { .. }));
    let unknown = DeviceSecret::begin().unwrap();
    assert!(matches!(show(&desk, NOW, &session, &unknown).await, Taken::Nothing));
}

#[tokio::test]
async fn another_users_device_is_nothing_and_stays() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    let bob = User::enrolled(&desk, 2).await;
    let session = desk.sign_in(2, 11).await;
    for shown in [copy(&secret), secret.next().unwrap()] {
        assert!(matches!(show(&desk, NOW, &session, &shown).await, Taken::Nothing));
    }
    assert!(bob.devices(&desk, NOW).await.is_empty());
    let session = desk.sign_in(1, 12).await;
    assert!(proven(show(&desk, NOW, &session, &secret).await).1.is_some());
}

#[tokio::test]
async fn the_lifetime_is_over_when_ops_say_so() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    let at = NOW.plus(2 * DAY);
    let mut session = (*desk.sign_in(1, 11).await).clone();
    session.ends = at.plus(DAY);
    let session = desk.sessions.begin(NOW, session).await.unwrap();
    let shorter = take(&desk.accounts, at, &session, &secret, 2 * DAY).await;
    assert!(matches!(shorter, Taken::Nothing));
    let longer = take(&desk.accounts, at, &session, &secret, 3 * LIFETIME).await;
    let (_, next) = proven(longer);
    assert_eq!(next.unwrap().for_how_long, LIFETIME - 2 * DAY);
    assert!(alice.devices(&desk, NOW.plus(LIFETIME)).await.is_empty());
}

#[tokio::test]
async fn a_device_ends_with_its_authenticator() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    // What a reset takes away, but for the devices, and an enrolment after it.
    let ends = [Space::Factor, Space::Recovery].map(|space| Write::delete(alice.id.key(space)));
    desk.accounts.store.commit(NOW, ends.to_vec()).await.unwrap();
    let session = desk.sign_in(1, 11).await;
    assert!(matches!(show(&desk, NOW, &session, &secret).await, Taken::Nothing));
    desk.enrol(&session).await;
    let session = desk.sign_in(1, 12).await;
    assert!(matches!(show(&desk, NOW, &session, &secret).await, Taken::Nothing));
    assert!(alice.devices(&desk, NOW).await.is_empty());
}

#[tokio::test]
async fn a_recovery_code_remembers_nothing() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let (_, enrolled) = desk.enrol(&session).await;
    let id = account(&session);
    let codes = desk.accounts.take_new_codes(NOW, id, &enrolled).await.unwrap().unwrap();
    let session = desk.sign_in(1, 11).await;
    let verified =
        desk.accounts.verify(NOW, id, &session, &told(&session), &codes[0]).await.unwrap();
    let made = desk.accounts.remember_device(NOW, id, &verified, looks(), LIFETIME, None).await;
    assert!(made.unwrap().is_none());
    assert!(desk.accounts.devices(NOW, id).await.unwrap().is_empty());
}

#[tokio::test]
async fn there_are_ten_at_most_and_each_can_be_ended() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let mut secrets = Vec::new();
    for number in 0..12_u8 {
        let at = later(u64::from(number));
        secrets.push(alice.remember(&desk, 10 + number, at).await);
    }
    let kept = alice.devices(&desk, later(20)).await;
    let newest: Vec<_> = secrets.iter().rev().take(MOST_DEVICES).map(|one| one.series()).collect();
    assert_eq!(kept.iter().map(|one| one.series).collect::<Vec<_>>(), newest);
    assert!(desk.accounts.end_device(later(20), alice.id, newest[3]).await.unwrap());
    assert!(!desk.accounts.end_device(later(20), alice.id, newest[3]).await.unwrap());
    assert_eq!(alice.devices(&desk, later(20)).await.len(), MOST_DEVICES - 1);
    let ended = desk.accounts.end_devices(later(20), alice.id).await.unwrap();
    assert_eq!((ended, alice.devices(&desk, later(20)).await.len()), (MOST_DEVICES - 1, 0));
    let session = desk.sign_in(1, 50).await;
    assert!(matches!(show(&desk, later(20), &session, &secrets[11]).await, Taken::Nothing));
}

#[tokio::test]
async fn a_browser_that_is_remembered_anew_is_so_once() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let first = alice.remember(&desk, 10, NOW).await;
    let other = alice.remember(&desk, 11, NOW).await;
    let session = desk.sign_in(1, 12).await;
    let verified = alice.give_code(&desk, &session).await;
    let stale = other.next().unwrap();
    for before in [&first, &stale] {
        let made = desk.accounts.remember_device(
            later(1),
            alice.id,
            &verified,
            looks(),
            LIFETIME,
            Some(before),
        );
        assert!(made.await.unwrap().is_some());
    }
    let kept: Vec<_> = alice.devices(&desk, NOW).await.iter().map(|one| one.series).collect();
    assert!(!kept.contains(&first.series()) && kept.contains(&other.series()) && kept.len() == 3);
}

/// Fifty tabs at once, in one portal session or in fifty, show the same secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_at_once_one_gets_the_next_secret_and_none_is_a_copy() {
    for in_one_session in [true, false] {
        let desk = desk().await;
        let mut alice = User::enrolled(&desk, 1).await;
        let secret = alice.remember(&desk, 10, NOW).await;
        let mut tabs = tokio::task::JoinSet::new();
        let shared = desk.sign_in(1, 20).await;
        for tab in 0..50_u8 {
            let own = desk.sign_in(1, if in_one_session { 200 } else { 21 + tab }).await;
            let session = if in_one_session { Arc::clone(&shared) } else { own };
            let (accounts, secret) = (Arc::clone(&desk.accounts), copy(&secret));
            tabs.spawn(async move { take(&accounts, NOW, &session, &secret, LIFETIME).await });
        }
        let (mut rotated, mut let_in) = (Vec::new(), 0);
        for taken in tabs.join_all().await {
            match taken {
                Taken::Proven { next, .. } => {
                    let_in += 1;
                    rotated.extend(next);
                }
                Taken::Nothing => {}
                Taken::Copied { .. } => panic!("a tab was taken for a thief"),
            }
        }
        assert_eq!(rotated.len(), 1, "in one session: {in_one_session}");
        assert!(let_in > 1, "no tab came in with another: {in_one_session}");
        let session = desk.sign_in(1, 99).await;
        assert!(proven(show(&desk, later(60), &session, &rotated[0].secret).await).1.is_some());
    }
}

/// Of fifty copies at once each is refused, and one is told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_copies_at_once_are_one_alarm() {
    let desk = desk().await;
    let mut alice = User::enrolled(&desk, 1).await;
    let secret = alice.remember(&desk, 10, NOW).await;
    let session = desk.sign_in(1, 11).await;
    assert!(proven(show(&desk, NOW, &session, &secret).await).1.is_some());
    let mut thieves = tokio::task::JoinSet::new();
    for thief in 0..50_u8 {
        let session = desk.sign_in(1, 20 + thief).await;
        let (accounts, secret) = (Arc::clone(&desk.accounts), copy(&secret));
        thieves.spawn(async move { take(&accounts, later(10), &session, &secret, LIFETIME).await });
    }
    let all = thieves.join_all().await;
    let alarms = all.iter().filter(|taken| matches!(taken, Taken::Copied { .. })).count();
    assert!(all.iter().all(|taken| !matches!(taken, Taken::Proven { .. })));
    assert_eq!(alarms, 1);
    assert_eq!(desk.mails().await, 2, "one mail tells of the enrolment, one of the copy");
}
