//! Resets that were asked for, on a real store: who may decide, what comes of it, and that it
//! comes once.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Approving, MOST_VOUCHES, OPEN_FOR, Objection, RequestFault, RequestState, ResetRequest,
    Vouched, Wanted, Wish,
};
use crate::account::requester::{Channel, Requester};
use crate::account::tests::brittle::{Brittle, Fuse};
use crate::account::tests::{Desk, NOW, account, desk, desk_over, told};
use crate::account::{AccountError, AccountId, PortalTag};
use crate::clock::UnixMillis;
use crate::config::desk::{Approval, ResetTerms, Role, Staff, StaffKind};
use crate::policy::Standing;
use crate::session::SessionRecord;
use crate::store::{Space, StoreError};
use crate::user::{Opaque, UserName};

const AT_ONCE: ResetTerms = ResetTerms { approval: Approval::One, wait: Duration::ZERO };
const A_DAY: ResetTerms =
    ResetTerms { approval: Approval::One, wait: Duration::from_secs(24 * 3600) };
const BY_TWO: ResetTerms = ResetTerms { approval: Approval::Two, wait: Duration::ZERO };

fn staff(name: &str) -> Staff {
    let kind = StaffKind::Token;
    Staff { name: name.to_owned(), kind, role: Role::Desk, portals: None }
}

static COLLEAGUE: Requester = Requester::judged(Channel::Colleague);

fn wish(session: &SessionRecord) -> Wish<'_> {
    Wish {
        account: account(session),
        user: &session.user,
        portal: "wiki",
        requested_by: "bob@example.com",
        requester: &COLLEAGUE,
        reason: "lost phone",
        ticket: Some("T-17"),
    }
}

impl Desk {
    async fn ask(
        &self,
        session: &SessionRecord,
        name: &str,
        terms: ResetTerms,
    ) -> Result<ResetRequest, RequestFault> {
        let (staff, to) = (staff(name), told(session));
        let approving = Approving { staff: &staff, terms, to: &to };
        self.accounts.ask_for_reset(NOW, wish(session), approving).await
    }

    async fn approve(
        &self,
        now: UnixMillis,
        session: &SessionRecord,
        id: Opaque,
        (name, terms): (&str, ResetTerms),
    ) -> Result<ResetRequest, RequestFault> {
        let (staff, to) = (staff(name), told(session));
        let approving = Approving { staff: &staff, terms, to: &to };
        self.accounts.approve_reset(now, (account(session), id), approving).await
    }

    async fn carry_out(&self, now: UnixMillis, session: &SessionRecord) -> bool {
        let done = self.accounts.carry_out_reset(now, account(session), &told(session)).await;
        done.unwrap().is_some()
    }

    async fn is_enrolled(&self, session: &SessionRecord) -> bool {
        let standing = self.accounts.standing(NOW, account(session)).await.unwrap();
        standing != Standing::NotEnrolled
    }

    async fn state(&self, now: UnixMillis, id: Opaque) -> RequestState {
        self.accounts.reset_request(now, id).await.unwrap().unwrap().state(now)
    }

    async fn vouch(&self, voucher: u8, colleague: &SessionRecord) -> Vouched {
        let voucher = AccountId { portal: PortalTag([7; 8]), sub: Opaque([voucher; 16]) };
        self.accounts.vouch(NOW, voucher, wish(colleague)).await.unwrap()
    }
}

#[tokio::test]
async fn one_approval_and_no_wait_is_done_by_who_approved() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let request = desk.ask(&alice, "ann", AT_ONCE).await.unwrap();
    assert!(request.is_ripe(NOW) && request.seen);
    assert_eq!(request.approvers(), "ann");
    // Nobody else takes it meanwhile; after half a minute it is left over.
    let ripe = desk.accounts.ripe_resets(NOW, |_| true).await.unwrap();
    assert!(ripe.is_empty());
    assert!(desk.carry_out(NOW, &alice).await);
    assert!(!desk.is_enrolled(&alice).await);
    assert_eq!(desk.state(NOW, request.id).await, RequestState::Done { at: NOW });
    assert!(!desk.carry_out(NOW, &alice).await, "it was done twice");
    // What is over stands in the way of nothing.
    assert!(desk.ask(&alice, "ann", AT_ONCE).await.is_ok());
}

#[tokio::test]
async fn two_approve_who_are_not_the_same() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let request = desk.ask(&alice, "ann", BY_TWO).await.unwrap();
    assert_eq!(request.state, RequestState::Open);
    assert!(!desk.carry_out(NOW, &alice).await);
    for (name, objection) in
        [("ann", Objection::Twice), ("bob", Objection::Requester), ("user1", Objection::User)]
    {
        let refused = desk.approve(NOW, &alice, request.id, (name, BY_TWO)).await;
        assert!(matches!(refused, Err(RequestFault::Objection(why)) if why == objection), "{name}");
    }
    assert!(desk.is_enrolled(&alice).await);
    let approved = desk.approve(NOW, &alice, request.id, ("carol", BY_TWO)).await.unwrap();
    assert_eq!(approved.approvers(), "ann, carol");
    assert!(desk.carry_out(NOW, &alice).await);
    let late = desk.approve(NOW, &alice, request.id, ("dave", BY_TWO)).await;
    assert!(matches!(late, Err(RequestFault::Decided(RequestState::Done { .. }))));
}

#[tokio::test]
async fn whoever_asks_does_not_write_it_down() {
    let desk = desk().await;
    let alice = desk.sign_in(1, 10).await;
    for name in ["bob", "user1"] {
        let refused = desk.ask(&alice, name, AT_ONCE).await;
        assert!(matches!(refused, Err(RequestFault::Objection(_))), "{name}");
    }
    let none = desk.accounts.reset_requests(NOW, Wanted::default(), |_| true).await.unwrap();
    assert!(none.found.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_approvals_at_once_each_counts_once() {
    let desk = Arc::new(desk().await);
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    desk.vouch(9, &alice).await;
    let open = desk.accounts.reset_requests(NOW, Wanted::default(), |_| true).await.unwrap();
    let id = open.found.first().unwrap().id;
    let at_once = ["ann", "ann", "carol", "ann", "carol", "dave"].map(|name| {
        let (desk, alice) = (Arc::clone(&desk), Arc::clone(&alice));
        tokio::spawn(async move { desk.approve(NOW, &alice, id, (name, BY_TWO)).await.is_ok() })
    });
    let mut counted = 0;
    for approving in at_once {
        counted += usize::from(approving.await.unwrap());
    }
    assert_eq!(counted, 2);
    let request = desk.accounts.reset_request(NOW, id).await.unwrap().unwrap();
    assert_eq!(request.approvals.len(), 2);
    assert_ne!(request.approvals[0].by.name, request.approvals[1].by.name);
}

#[tokio::test]
async fn a_reset_that_waits_is_told_and_can_be_stopped() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let before = desk.mails().await;
    let request = desk.ask(&alice, "ann", A_DAY).await.unwrap();
    let until = NOW.plus(A_DAY.wait);
    assert_eq!(request.state, RequestState::Waiting { until });
    assert_eq!(desk.mails().await, before + 1, "the user was not told");
    assert!(!desk.carry_out(NOW, &alice).await, "it did not wait");
    let waiting = desk.accounts.waiting_reset(NOW, account(&alice)).await.unwrap();
    assert_eq!(waiting.map(|request| request.id), Some(request.id));
    let stopped = desk.accounts.stop_reset(NOW, account(&alice), &told(&alice)).await.unwrap();
    assert!(stopped.is_some());
    assert_eq!(desk.mails().await, before + 2, "nobody was told of the stop");
    let again = desk.accounts.stop_reset(NOW, account(&alice), &told(&alice)).await.unwrap();
    assert!(again.is_none());
    assert!(!desk.carry_out(until, &alice).await);
    assert!(desk.accounts.ripe_resets(until, |_| true).await.unwrap().is_empty());
    assert!(desk.is_enrolled(&alice).await);
    let late = desk.approve(NOW, &alice, request.id, ("carol", A_DAY)).await;
    assert!(matches!(late, Err(RequestFault::Decided(RequestState::Stopped { .. }))));
}

#[tokio::test]
async fn a_reset_whose_time_has_come_is_taken_by_one_gateway() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let request = desk.ask(&alice, "ann", A_DAY).await.unwrap();
    let until = NOW.plus(A_DAY.wait);
    let early = until.minus(Duration::from_millis(1));
    assert!(desk.accounts.ripe_resets(early, |_| true).await.unwrap().is_empty());
    assert!(desk.accounts.ripe_resets(until, |_| false).await.unwrap().is_empty());
    let ripe = desk.accounts.ripe_resets(until, |_| true).await.unwrap();
    assert_eq!(ripe.len(), 1);
    assert_eq!((ripe[0].account, ripe[0].request.id), (account(&alice), request.id));
    assert!(desk.accounts.ripe_resets(until, |_| true).await.unwrap().is_empty());
    // The one that took it is gone: half a minute later another one may.
    let later = until.plus(Duration::from_secs(30));
    assert_eq!(desk.accounts.ripe_resets(later, |_| true).await.unwrap().len(), 1);
    assert!(desk.carry_out(later, &alice).await);
    assert_eq!(desk.state(later, request.id).await, RequestState::Done { at: later });
}

#[tokio::test]
async fn a_denied_reset_is_not_carried_out_although_it_was_approved() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let request = desk.ask(&alice, "ann", A_DAY).await.unwrap();
    let which = (account(&alice), request.id);
    let long = "x".repeat(251);
    let refused = desk.accounts.deny_reset(NOW, which, &staff("carol"), &long).await;
    assert!(matches!(refused, Err(RequestFault::TooLong)));
    let denied = desk.accounts.deny_reset(NOW, which, &staff("carol"), "a hoax").await.unwrap();
    assert_eq!(denied.state.as_str(), "denied");
    assert!(!desk.carry_out(NOW.plus(A_DAY.wait), &alice).await);
    assert!(desk.is_enrolled(&alice).await);
    let again = desk.accounts.deny_reset(NOW, which, &staff("carol"), "a hoax").await;
    assert!(matches!(again, Err(RequestFault::Decided(RequestState::Denied { .. }))));
}

#[tokio::test]
async fn what_nobody_decides_in_a_week_expires_and_is_kept_for_ninety_days() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    desk.vouch(9, &alice).await;
    let open = desk.accounts.reset_requests(NOW, Wanted::default(), |_| true).await.unwrap();
    let id = open.found.first().unwrap().id;
    let last = NOW.plus(OPEN_FOR);
    let early = last.minus(Duration::from_millis(1));
    assert_eq!(desk.state(early, id).await, RequestState::Open);
    assert!(desk.accounts.expire_reset(early, account(&alice)).await.unwrap().is_none());
    // It counts as expired before anybody has written that down.
    let late = desk.approve(last, &alice, id, ("ann", AT_ONCE)).await;
    assert!(matches!(late, Err(RequestFault::Decided(RequestState::Expired { .. }))));
    let ripe = desk.accounts.ripe_resets(last, |_| true).await.unwrap();
    assert_eq!(ripe.len(), 1);
    assert!(!desk.carry_out(last, &alice).await);
    assert!(desk.accounts.expire_reset(last, account(&alice)).await.unwrap().is_some());
    assert!(desk.accounts.expire_reset(last, account(&alice)).await.unwrap().is_none());
    assert!(desk.is_enrolled(&alice).await);
    let kept = last.plus(Duration::from_secs(90 * 24 * 3600 - 1));
    assert!(desk.accounts.reset_request(kept, id).await.unwrap().is_some());
    let gone = kept.plus(Duration::from_secs(1));
    assert!(desk.accounts.reset_request(gone, id).await.unwrap().is_none());
}

#[tokio::test]
async fn of_one_user_one_request_is_undecided() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    let Vouched::Asked(first) = desk.vouch(9, &alice).await else { panic!("not asked") };
    let Vouched::Joined(same) = desk.vouch(8, &alice).await else { panic!("not joined") };
    assert_eq!(first.id, same.id);
    let refused = desk.ask(&alice, "ann", AT_ONCE).await;
    assert!(matches!(refused, Err(RequestFault::Undecided(id)) if id == first.id));
    // A portal of another name and another user know nothing of it.
    let bob = desk.sign_in(2, 20).await;
    assert!(desk.ask(&bob, "ann", BY_TWO).await.is_ok());
    assert!(desk.is_enrolled(&alice).await);
}

#[tokio::test]
async fn somebody_vouches_a_few_times_a_day() {
    let desk = desk().await;
    for colleague in 0..5 {
        let colleague = desk.sign_in(20 + colleague, 20 + colleague).await;
        assert!(matches!(desk.vouch(9, &colleague).await, Vouched::Asked(_)));
    }
    assert_eq!(MOST_VOUCHES, 5);
    let another = desk.sign_in(30, 30).await;
    assert!(matches!(desk.vouch(9, &another).await, Vouched::TooOften));
    assert!(matches!(desk.vouch(8, &another).await, Vouched::Asked(_)));
}

#[tokio::test]
async fn requests_are_listed_page_by_page_and_by_state() {
    let desk = desk().await;
    let mut asked = Vec::new();
    for user in 1..=120 {
        let session = desk.sign_in(user, user).await;
        asked.push(desk.ask(&session, "ann", BY_TWO).await.unwrap().id);
    }
    let denied = (account(&*desk.sign_in(3, 3).await), asked[2]);
    desk.accounts.deny_reset(NOW, denied, &staff("carol"), "a hoax").await.unwrap();
    let list = async |state, after| {
        let wanted = Wanted { state, after };
        desk.accounts.reset_requests(NOW, wanted, |portal| portal == "wiki").await.unwrap()
    };
    let first = list(None, None).await;
    let second = list(None, first.rest).await;
    assert_eq!((first.found.len(), second.found.len()), (100, 20));
    assert!(second.rest.is_none());
    assert_eq!(list(Some("denied"), None).await.found.len(), 1);
    assert_eq!(list(Some("open"), None).await.found.len(), 100);
    let elsewhere = desk.accounts.reset_requests(NOW, Wanted::default(), |_| false).await;
    assert!(elsewhere.unwrap().found.is_empty());
}

#[tokio::test]
async fn a_text_that_fits_into_no_record_is_refused() {
    let desk = desk().await;
    let alice = desk.sign_in(1, 10).await;
    let (staff, to, long) = (staff("ann"), told(&alice), "\u{1f512}".repeat(700));
    let approving = Approving { staff: &staff, terms: AT_ONCE, to: &to };
    let wish = Wish { reason: &long, ..wish(&alice) };
    let refused = desk.accounts.ask_for_reset(NOW, wish, approving).await;
    assert!(matches!(refused, Err(RequestFault::TooLong)));
}

#[tokio::test]
async fn a_reset_that_is_broken_off_is_done_later_and_once() {
    for commits in 0.. {
        let fuse = Arc::new(Fuse::default());
        let desk = desk_over(|opened| Arc::new(Brittle::new(opened, Arc::clone(&fuse)))).await;
        let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
        // Her session still stands when the time has come.
        let wait = Duration::from_secs(600);
        let terms = ResetTerms { wait, ..AT_ONCE };
        let request = desk.ask(&alice, "ann", terms).await.unwrap();
        let mails = desk.mails().await;
        let until = NOW.plus(wait);
        fuse.blows_after(commits);
        let done = desk.accounts.carry_out_reset(until, account(&alice), &told(&alice)).await;
        fuse.is_mended();
        let state = desk.state(until, request.id).await;
        assert_eq!(desk.is_enrolled(&alice).await, state.decided().is_none(), "{commits}");
        match done {
            Ok(done) => {
                assert!(done.is_some() && commits > 1);
                assert_eq!(desk.mails().await, mails + 1);
                return;
            }
            Err(AccountError::Store(StoreError::Unavailable(_))) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(desk.carry_out(until, &alice).await, "after {commits} commits");
        assert!(!desk.is_enrolled(&alice).await);
        assert_eq!(desk.mails().await, mails + 1, "after {commits} commits");
    }
}

/// Whoever reads the files of the store learns no name, and whoever is asked for is found by no
/// key that holds one.
#[tokio::test]
async fn no_key_holds_a_name() {
    let desk = desk().await;
    let (_, alice) = desk.enrol(&*desk.sign_in(1, 10).await).await;
    desk.vouch(9, &alice).await;
    let all = desk.store.scan(NOW, Space::Request, &[], None, 10).await.unwrap();
    assert_eq!(all.len(), 3);
    let name = UserName::canonical("user1@example.com".to_owned());
    for (key, _) in all {
        let key = String::from_utf8_lossy(&key.id).into_owned();
        assert!(!key.contains(name.as_str()) && !key.contains("bob"), "{key}");
    }
}

#[tokio::test]
async fn another_system_hears_what_becomes_of_a_request() {
    let (soon, later) = (NOW.plus(Duration::from_secs(1)), NOW.plus(Duration::from_secs(2)));
    let done = desk().await;
    let (_, alice) = done.enrol(&*done.sign_in(1, 10).await).await;
    let id = done.ask(&alice, "ann", BY_TWO).await.unwrap().id;
    assert_eq!(done.heard().await, ["enrolled", "reset_requested"]);
    done.approve(soon, &alice, id, ("ben", BY_TWO)).await.unwrap();
    assert!(done.carry_out(later, &alice).await);
    let all = ["enrolled", "reset_requested", "reset_approved", "reset_done"];
    assert_eq!(done.heard().await, all);

    let stopped = desk().await;
    let alice = stopped.sign_in(1, 10).await;
    stopped.ask(&alice, "ann", A_DAY).await.unwrap();
    let (account, to) = (account(&alice), told(&alice));
    stopped.accounts.stop_reset(soon, account, &to).await.unwrap().unwrap();
    let all = ["reset_requested", "reset_approved", "reset_stopped"];
    assert_eq!(stopped.heard().await, all);

    let denied = desk().await;
    let alice = denied.sign_in(1, 10).await;
    let Vouched::Asked(request) = denied.vouch(2, &alice).await else { panic!("not asked") };
    assert!(matches!(denied.vouch(3, &alice).await, Vouched::Joined(_)));
    denied.accounts.deny_reset(soon, (account, request.id), &staff("ann"), "no").await.unwrap();
    assert_eq!(denied.heard().await, ["reset_requested", "reset_denied"]);
}

#[tokio::test]
async fn another_system_hears_of_each_end_that_a_request_can_have() {
    let soon = NOW.plus(Duration::from_secs(1));
    let never_enrolled = desk().await;
    let alice = never_enrolled.sign_in(1, 10).await;
    never_enrolled.ask(&alice, "ann", AT_ONCE).await.unwrap();
    assert!(never_enrolled.carry_out(soon, &alice).await);
    let all = ["reset_requested", "reset_approved", "reset_done"];
    assert_eq!(never_enrolled.heard().await, all);

    let expired = desk().await;
    let alice = expired.sign_in(1, 10).await;
    expired.vouch(2, &alice).await;
    let late = NOW.plus(OPEN_FOR);
    assert!(expired.accounts.expire_reset(late, account(&alice)).await.unwrap().is_some());
    assert!(expired.accounts.expire_reset(late, account(&alice)).await.unwrap().is_none());
    assert_eq!(expired.heard().await.last().map(String::as_str), Some("reset_expired"));
}
