//! Accounts on a real store: enrolment, verification, and what wrong codes cost.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{AccountId, Accounts, EnrolFault, Enrolling, PortalTag, VerifyFault};
use crate::clock::UnixMillis;
use crate::config::{Enrolment, EnrolmentGuard, TotpAlgorithm, TotpParameters};
use crate::notify::Addressee;
use crate::policy::Standing;
use crate::session::{Learned, Level, Place, SessionRecord, Sessions};
use crate::store::sled::SledStore;
use crate::store::{Space, Store};
use crate::user::{Opaque, UserName};

pub(super) const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const STEP: Duration = Duration::from_secs(30);

pub(super) struct Desk {
    pub(super) accounts: Arc<Accounts>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) store: Arc<dyn Store>,
    /// Lasts as long as the desk.
    _beneath: Option<tempfile::TempDir>,
}

pub(super) async fn desk() -> Desk {
    desk_over(|opened| Arc::new(opened)).await
}

/// The same over a store that stands in front of a real one.
pub(super) async fn desk_over(front: impl FnOnce(SledStore) -> Arc<dyn Store>) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let key = crate::config::MasterKey::Given(crate::config::Secret::new(vec![5; 32]));
    let keyring = crate::store::keyring::Keyring::load(&key).unwrap();
    let opened = SledStore::open(&folder.path().join("store"), &keyring, NOW).unwrap();
    let store = front(opened);
    let clock = Arc::new(crate::clock::MovableClock::at(NOW));
    let sessions = Arc::new(Sessions::load(Arc::clone(&store), clock).await.unwrap());
    desk_of(store, sessions, Some(folder))
}

pub(super) fn desk_of(
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    beneath: Option<tempfile::TempDir>,
) -> Desk {
    let totp = TotpParameters {
        issuer: "Example".to_owned(),
        digits: 6,
        period: STEP,
        algorithm: TotpAlgorithm::Sha1,
        skew: 1,
    };
    let pepper = Zeroizing::new([9; 32]);
    let metrics = Arc::new(crate::telemetry::metrics::Metrics::new().unwrap());
    let ways = crate::notify::Ways { mails: true, webhook: true };
    let post = Some(Arc::new(crate::notify::Post::new(ways, metrics)));
    let accounts = Accounts::new(Arc::clone(&store), Arc::clone(&sessions), totp, 10, pepper);
    Desk { accounts: Arc::new(accounts.telling(post)), sessions, store, _beneath: beneath }
}

impl Desk {
    /// A session in which `user` gave the password just now.
    pub(super) async fn sign_in(&self, user: u8, bind: u8) -> Arc<SessionRecord> {
        self.sign_in_with(user, bind, 1).await
    }

    /// The same at a portal that sets this many cookies.
    pub(super) async fn sign_in_with(&self, user: u8, bind: u8, cookies: u8) -> Arc<SessionRecord> {
        let record = SessionRecord {
            portal: "wiki".to_owned(),
            root: Opaque([bind; 16]),
            sid: Opaque([bind; 16]),
            sub: Opaque([user; 16]),
            user: UserName::canonical(format!("user{user}@example.com")),
            bind: Opaque([bind; 16]),
            parts: (bind..bind + cookies).map(|part| Opaque([part; 16])).collect(),
            scoped: Vec::new(),
            started: NOW,
            ends: NOW.plus(Duration::from_secs(3600)),
            level: Level::Password,
            learned: Learned::default(),
            place: Place::default(),
        };
        self.sessions.begin(NOW, record).await.unwrap()
    }

    /// How many mails wait.
    pub(super) async fn mails(&self) -> usize {
        self.store.scan(NOW, Space::Outbox, &[], None, 10).await.unwrap().len()
    }

    /// What another system is told, in order.
    pub(super) async fn heard(&self) -> Vec<String> {
        let waiting = self.store.scan(NOW, Space::Hook, &[], None, 100).await.unwrap();
        let kind = |record: &crate::store::Record| {
            let json: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
            json["news"].as_str().unwrap().to_owned()
        };
        waiting.iter().map(|(_, record)| kind(record)).collect()
    }

    pub(super) async fn enrol(&self, session: &SessionRecord) -> (Vec<u8>, Arc<SessionRecord>) {
        let offer = self.accounts.offer(NOW, &who(session)).await.unwrap();
        let secret = secret_of(&offer.groups);
        let code = code(&secret, NOW);
        let confirmed = self.accounts.confirm(NOW, &who(session), &code, "phone").await;
        (secret, confirmed.unwrap().session)
    }
}

/// A portal where the password is enough to enrol.
static OPEN: Enrolment = Enrolment {
    guard: EnrolmentGuard::None,
    within: None,
    dormant: None,
    invite: Duration::from_secs(600),
    email: None,
};

pub(super) fn who(session: &SessionRecord) -> Enrolling<'_> {
    under(&OPEN, session)
}

pub(super) fn under<'a>(rules: &'a Enrolment, session: &'a SessionRecord) -> Enrolling<'a> {
    let email = rules.email.as_ref();
    let to = Addressee { email, ..told(session) };
    Enrolling { account: account(session), session, rules, to }
}

pub(super) fn told(session: &SessionRecord) -> Addressee<'_> {
    let (user, portal, host) = (&session.user, "wiki", "wiki.test");
    Addressee { user, portal, host, email: None, language: None }
}

pub(super) fn account(session: &SessionRecord) -> AccountId {
    AccountId { portal: PortalTag([7; 8]), sub: session.sub }
}

pub(super) fn secret_of(groups: &[String]) -> Vec<u8> {
    let secret = totp_rs::Secret::try_from_base32(groups.concat()).unwrap();
    secret.as_ref().to_vec()
}

/// What an app with this secret shows at that time.
pub(super) fn code(secret: &[u8], at: UnixMillis) -> String {
    let totp = totp_rs::Builder::new().with_secret(secret.to_vec()).build().unwrap();
    totp.generate(at.seconds()).to_string()
}

pub(super) mod brittle;
mod houses;
mod reset;

#[tokio::test]
async fn an_offer_becomes_a_factor_with_the_right_code_alone() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    let account = account(&session);
    assert_eq!(desk.accounts.standing(NOW, account).await.unwrap(), Standing::NotEnrolled);
    let offer = desk.accounts.offer(NOW, &who(&session)).await.unwrap();
    let again = desk.accounts.offer(NOW, &who(&session)).await.unwrap();
    assert_eq!(offer.groups, again.groups);
    let wrong = desk.accounts.confirm(NOW, &who(&session), "000000", "").await;
    assert!(matches!(wrong, Err(EnrolFault::WrongCode)));
    assert_eq!(desk.mails().await, 0, "what did not happen was told");
    let secret = secret_of(&offer.groups);
    let right = code(&secret, NOW);
    let confirmed = desk.accounts.confirm(NOW, &who(&session), &right, "").await.unwrap();
    assert!(matches!(confirmed.session.level, Level::Proven { .. }));
    assert_eq!(desk.accounts.standing(NOW, account).await.unwrap(), Standing::Enrolled);
    assert_eq!(desk.accounts.recovery_codes_left(NOW, account).await.unwrap(), 10);
    let enrolled = desk.accounts.all_enrolled(NOW, account.portal).await.unwrap();
    assert_eq!(enrolled, [account.sub]);
    assert_eq!(desk.mails().await, 1);
}

/// A session with eight cookies takes ten of the sixteen writes of a transaction.
#[tokio::test]
async fn an_enrolment_and_its_mail_are_one_step_however_many_cookies_there_are() {
    let desk = desk().await;
    let session = desk.sign_in_with(1, 10, 8).await;
    let (_, proven) = desk.enrol(&session).await;
    assert!(matches!(proven.level, Level::Proven { .. }));
    assert_eq!(desk.mails().await, 1);
}

#[tokio::test]
async fn an_offer_is_for_one_session_and_for_minutes() {
    let desk = desk().await;
    let first = desk.sign_in(1, 10).await;
    let second = desk.sign_in(1, 11).await;
    let offer = desk.accounts.offer(NOW, &who(&first)).await.unwrap();
    let other = desk.accounts.offer(NOW, &who(&second)).await.unwrap();
    assert_ne!(offer.groups, other.groups);
    let code_of_first = code(&secret_of(&offer.groups), NOW);
    let crossed = desk.accounts.confirm(NOW, &who(&second), &code_of_first, "").await;
    assert!(matches!(crossed, Err(EnrolFault::WrongCode)));
    let late = NOW.plus(Duration::from_secs(600));
    let code = code(&secret_of(&offer.groups), late);
    let expired = desk.accounts.confirm(late, &who(&first), &code, "").await;
    assert!(matches!(expired, Err(EnrolFault::NoOffer)));
}

/// C20: two enrolments in parallel, one winner.
#[tokio::test]
async fn of_two_enrolments_one_wins() {
    let desk = desk().await;
    let first = desk.sign_in(1, 10).await;
    let second = desk.sign_in(1, 11).await;
    let offers = (
        desk.accounts.offer(NOW, &who(&first)).await.unwrap(),
        desk.accounts.offer(NOW, &who(&second)).await.unwrap(),
    );
    let codes = (code(&secret_of(&offers.0.groups), NOW), code(&secret_of(&offers.1.groups), NOW));
    let (to_first, to_second) = (who(&first), who(&second));
    let (one, two) = tokio::join!(
        desk.accounts.confirm(NOW, &to_first, &codes.0, ""),
        desk.accounts.confirm(NOW, &to_second, &codes.1, ""),
    );
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|won| **won).count(), 1);
    assert_eq!(desk.mails().await, 1, "the one that did not happen was told");
    assert!(matches!(
        desk.accounts.offer(NOW, &who(&second)).await,
        Err(EnrolFault::AlreadyEnrolled)
    ));
}

/// RFC 6238 section 5.2.
#[tokio::test]
async fn a_code_counts_once_however_many_send_it() {
    let desk = desk().await;
    let (secret, _) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let enrolled_with = code(&secret, NOW);
    let session = desk.sign_in(1, 11).await;
    let account = account(&session);
    let again = desk.accounts.verify(NOW, account, &session, &told(&session), &enrolled_with).await;
    assert!(matches!(again, Err(VerifyFault::Used)));
    let next = code(&secret, NOW.plus(STEP));
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (accounts, session, next) =
            (Arc::clone(&desk.accounts), Arc::clone(&session), next.clone());
        tries.spawn(async move {
            accounts.verify(NOW, account, &session, &told(&session), &next).await.is_ok()
        });
    }
    let accepted = tries.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn an_older_code_does_not_count_after_a_newer_one() {
    let desk = desk().await;
    let (secret, _) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let later = NOW.plus(STEP * 3);
    let session = desk.sign_in(1, 11).await;
    let ahead = code(&secret, later.plus(STEP));
    assert!(
        desk.accounts
            .verify(later, account(&session), &session, &told(&session), &ahead)
            .await
            .is_ok()
    );
    let session = desk.sign_in(1, 12).await;
    let present = code(&secret, later);
    let older =
        desk.accounts.verify(later, account(&session), &session, &told(&session), &present).await;
    assert!(matches!(older, Err(VerifyFault::Used)));
}

#[tokio::test]
async fn a_recovery_code_opens_once() {
    let desk = desk().await;
    let (_, proven) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let account = account(&proven);
    let codes = desk.accounts.take_new_codes(NOW, account, &proven).await.unwrap().unwrap();
    assert_eq!(codes.len(), 10);
    assert!(desk.accounts.take_new_codes(NOW, account, &proven).await.unwrap().is_none());
    let session = desk.sign_in(1, 11).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    assert!(desk.accounts.verify(NOW, account, &session, &told(&session), &typed).await.is_ok());
    assert_eq!(desk.accounts.recovery_codes_left(NOW, account).await.unwrap(), 9);
    let session = desk.sign_in(1, 12).await;
    let again = desk.accounts.verify(NOW, account, &session, &told(&session), &codes[3]).await;
    assert!(matches!(again, Err(VerifyFault::Wrong { .. })));
}

/// NIST SP 800-63B-4 section 3.2.2.
#[tokio::test]
async fn wrong_codes_are_slowed_down_and_the_right_one_waits_too() {
    let desk = desk().await;
    let (secret, _) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let session = desk.sign_in(1, 11).await;
    let account = account(&session);
    for left in (1..=4).rev() {
        let wrong =
            desk.accounts.verify(NOW, account, &session, &told(&session), "not a code").await;
        assert!(matches!(wrong, Err(VerifyFault::Wrong { tries_left }) if tries_left == left));
    }
    let fifth = desk.accounts.verify(NOW, account, &session, &told(&session), "000000").await;
    assert!(matches!(fifth, Err(VerifyFault::Locked(wait)) if wait == STEP));
    let right = code(&secret, NOW.plus(STEP));
    let held = desk.accounts.verify(NOW, account, &session, &told(&session), &right).await;
    assert!(matches!(held, Err(VerifyFault::HeldBack(Some(_)))));
    assert!(matches!(
        desk.accounts.standing(NOW, account).await.unwrap(),
        Standing::Locked(wait) if wait == STEP
    ));
    let later = NOW.plus(STEP);
    assert!(desk.accounts.verify(later, account, &session, &told(&session), &right).await.is_ok());
    let session = desk.sign_in(1, 12).await;
    let anew = desk.accounts.verify(later, account, &session, &told(&session), "000000").await;
    assert!(matches!(anew, Err(VerifyFault::Wrong { tries_left: 4 })));
}

#[tokio::test]
async fn after_fifty_wrong_codes_only_the_desk_can_help() {
    let desk = desk().await;
    let (secret, _) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let mut now = NOW;
    let mut session = desk.sign_in(1, 11).await;
    let account = account(&session);
    for _ in 0..50 {
        now = now.plus(Duration::from_secs(3601));
        session = Arc::new(SessionRecord {
            ends: now.plus(Duration::from_secs(3600)),
            ..(*session).clone()
        });
        session = desk.sessions.begin(now, (*session).clone()).await.unwrap();
        assert!(
            desk.accounts.verify(now, account, &session, &told(&session), "000000").await.is_err()
        );
    }
    now = now.plus(Duration::from_secs(24 * 3600));
    let right = code(&secret, now);
    for _ in 0..2 {
        let refused = desk.accounts.verify(now, account, &session, &told(&session), &right).await;
        assert!(matches!(refused, Err(VerifyFault::HeldBack(None))));
    }
    assert_eq!(desk.heard().await, ["enrolled", "factor_disabled"]);
    assert_eq!(desk.accounts.standing(now, account).await.unwrap(), Standing::Disabled);
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_not_proven() {
    let desk = desk().await;
    let (secret, _) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let session = desk.sign_in(1, 11).await;
    desk.sessions.end(NOW, &session).await.unwrap();
    let next = code(&secret, NOW.plus(STEP));
    let verified =
        desk.accounts.verify(NOW, account(&session), &session, &told(&session), &next).await;
    assert!(verified.is_err());
    assert_eq!(desk.sessions.known(NOW, session.bind), None);
}

#[tokio::test]
async fn each_portal_has_its_own_factor_for_each_user() {
    let desk = desk().await;
    let session = desk.sign_in(1, 10).await;
    desk.enrol(&session).await;
    let elsewhere = AccountId { portal: PortalTag([8; 8]), sub: session.sub };
    let somebody = AccountId { portal: PortalTag([7; 8]), sub: Opaque([2; 16]) };
    for account in [elsewhere, somebody] {
        assert_eq!(desk.accounts.standing(NOW, account).await.unwrap(), Standing::NotEnrolled);
    }
}
