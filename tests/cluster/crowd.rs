//! A crowd that signs in without end: with codes of their apps and with recovery codes, some of
//! them twice at once, while others enrol, look at pages, and have their sessions ended. All of
//! it is written down.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::dsl::desk::{self, DESK};
use crate::dsl::{Gateway, browser, member};
use crate::history::{Code, Deed, History, Shown, Verdict};
use crate::member::{Asked, Member};
use crate::tab::{self, Tab};

/// How many sign in at the same moment.
const AT_THE_DOOR: usize = 16;
/// How many look at pages all the time, at every gateway alone.
const WATCHERS: usize = 2;
/// How many end sessions at the same time.
const AT_THE_DESK: usize = 3;
/// How long a session that was ended is tried on.
const HAUNTS: Duration = Duration::from_secs(2);
/// Between two looks at one page by one person.
const A_LOOK: Duration = Duration::from_millis(50);

/// Everybody there is, and what they go by.
pub struct Crowd {
    pub history: Arc<History>,
    street: Arc<Street>,
    members: Arc<Mutex<VecDeque<Member>>>,
    everybody: usize,
}

/// What each of them needs to know.
pub struct Street {
    pub history: Arc<History>,
    /// A way in that leads each request to another gateway.
    pub plain: SocketAddr,
    /// A way to each gateway alone.
    pub direct: Vec<SocketAddr>,
    /// Where each gateway takes orders.
    admins: Vec<SocketAddr>,
    /// How far the gateways' clock is ahead, in seconds.
    ahead: AtomicI64,
    pattern: browser::Browser,
    sessions: AtomicUsize,
    stop: AtomicBool,
}

impl Street {
    /// The time as the gateways see it, in seconds.
    pub fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        real.as_secs().saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }

    /// A browser without cookies, that goes this way.
    pub fn tab(&self, to: SocketAddr) -> Tab {
        Tab::of(self.pattern.clone(), to)
    }

    /// The number of a session that somebody proved.
    pub fn next_session(&self) -> usize {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Crowd {
    /// Enrols so many people.
    pub async fn gather(cluster: &Cluster, count: usize) -> Self {
        let history = Arc::new(History::begin());
        let any = cluster.any();
        let street = Arc::new(Street {
            history: Arc::clone(&history),
            plain: cluster.plain,
            direct: cluster.direct.clone(),
            admins: cluster.gateways.iter().map(Gateway::admin).collect(),
            ahead: AtomicI64::new(any.ahead()),
            pattern: any.browser("wiki"),
            sessions: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let members = Arc::default();
        let everybody = enrol_so_many(&street, &members, count).await;
        Self { history, street, members, everybody }
    }

    /// From now on the gateways' clock is so many seconds ahead.
    pub fn clock_is(&self, ahead: i64) {
        self.street.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Sets all of them to work; gives what ends it.
    pub async fn works(&self) -> Work {
        let mut tasks = JoinSet::new();
        for _ in 0..WATCHERS {
            let member = self.members.lock().await.pop_front().unwrap();
            let watching = watch(Arc::clone(&self.street), member, Arc::clone(&self.members));
            tasks.spawn(watching);
        }
        for _ in 0..AT_THE_DOOR {
            tasks.spawn(sign_in_without_end(Arc::clone(&self.street), Arc::clone(&self.members)));
        }
        tasks.spawn(enrol_without_end(Arc::clone(&self.street), self.everybody));
        for number in 0..AT_THE_DESK {
            let members = Arc::clone(&self.members);
            tasks.spawn(end_sessions(Arc::clone(&self.street), members, number));
        }
        Work { street: Arc::clone(&self.street), tasks }
    }

    /// Looks at the end whether everybody who was told to be enrolled still is.
    pub async fn is_counted(&self) {
        let told: BTreeSet<String> = self
            .history
            .events()
            .into_iter()
            .filter_map(|event| match event.deed {
                Deed::Enrolled { user } => Some(user),
                _ => None,
            })
            .collect();
        let told = Arc::new(Mutex::new(told.into_iter().collect::<VecDeque<_>>()));
        let mut asking = JoinSet::new();
        for _ in 0..AT_THE_DOOR {
            let (street, told) = (Arc::clone(&self.street), Arc::clone(&told));
            asking.spawn(async move {
                while let Some(user) = { told.lock().await.pop_front() } {
                    let number = user.strip_prefix("member").unwrap().parse().unwrap();
                    let mut tab = street.tab(street.plain);
                    let (name, password) = member(number);
                    let asked = Member::gives_password(&street, &mut tab, &name, &password).await;
                    assert!(asked.is_some(), "{user} cannot sign in after all was mended");
                }
            });
        }
        asking.join_all().await;
    }
}

/// Enrols people until there are so many; gives the number that nobody has yet. Whoever came to
/// an unknown end, on a machine that has too much to do, does not come again.
async fn enrol_so_many(
    street: &Arc<Street>,
    members: &Arc<Mutex<VecDeque<Member>>>,
    count: usize,
) -> usize {
    let came = Arc::new(AtomicUsize::new(0));
    let mut enrolling = JoinSet::new();
    for _ in 0..AT_THE_DOOR {
        let (street, members, came) = (Arc::clone(street), Arc::clone(members), Arc::clone(&came));
        enrolling.spawn(async move {
            while members.lock().await.len() < count {
                let number = came.fetch_add(1, Ordering::Relaxed);
                assert!(number < count * 2 + AT_THE_DOOR, "most people cannot enrol");
                let enrolled = Member::enrols(&street, member(number)).await;
                members.lock().await.extend(enrolled);
            }
        });
    }
    enrolling.join_all().await;
    came.load(Ordering::Relaxed)
}

/// People at work.
pub struct Work {
    street: Arc<Street>,
    tasks: JoinSet<()>,
}

impl Work {
    /// Lets everybody end what they are at.
    pub async fn ends(self) {
        self.street.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.street.stop.store(false, Ordering::Relaxed);
    }
}

async fn sign_in_without_end(street: Arc<Street>, members: Arc<Mutex<VecDeque<Member>>>) {
    while street.goes_on() {
        let Some(mut member) = members.lock().await.pop_front() else {
            tokio::task::yield_now().await;
            continue;
        };
        if !member.signs_in(&street).await {
            // Nobody answers, or there is no code to give: a page instead, and no hurry.
            member.looks(&street).await;
            tokio::time::sleep(A_LOOK).await;
        }
        members.lock().await.push_back(member);
    }
}

async fn enrol_without_end(street: Arc<Street>, first: usize) {
    static NEWCOMERS: AtomicUsize = AtomicUsize::new(0);
    while street.goes_on() {
        let number = first + NEWCOMERS.fetch_add(1, Ordering::Relaxed);
        // Somebody whose enrolment came to an unknown end does not come again.
        if Member::enrols(&street, member(number)).await.is_none() {
            tokio::time::sleep(A_LOOK).await;
        }
    }
}

/// Looks at a page through every gateway alone, all the time.
async fn watch(street: Arc<Street>, mut member: Member, all: Arc<Mutex<VecDeque<Member>>>) {
    while street.goes_on() && !member.signs_in(&street).await {
        tokio::time::sleep(A_LOOK).await;
    }
    let mut looking = JoinSet::new();
    for to in street.direct.clone() {
        let (street, session) = (Arc::clone(&street), member.session(to));
        looking.spawn(async move {
            let Some(mut session) = session else { return };
            while street.goes_on() {
                session.looks(&street).await;
                tokio::time::sleep(A_LOOK).await;
            }
        });
    }
    looking.join_all().await;
    all.lock().await.push_back(member);
}

/// Ends the sessions of one after the other, and tries them on at every gateway.
async fn end_sessions(
    street: Arc<Street>,
    members: Arc<Mutex<VecDeque<Member>>>,
    mut orders: usize,
) {
    while street.goes_on() {
        let Some(mut member) = members.lock().await.pop_back() else { continue };
        if member.signs_in(&street).await {
            let mut haunting = JoinSet::new();
            for to in street.direct.clone() {
                if let Some(session) = member.session(to) {
                    haunting.spawn(haunt(Arc::clone(&street), session));
                }
            }
            tokio::time::sleep(A_LOOK).await;
            let admin = street.admins[orders % street.admins.len()];
            end_all(&street, admin, &member.user).await;
            orders += 1;
            haunting.join_all().await;
        }
        members.lock().await.push_front(member);
        tokio::time::sleep(A_LOOK).await;
    }
}

async fn haunt(street: Arc<Street>, mut session: crate::member::Session) {
    let until = street.history.now() + HAUNTS;
    while street.history.now() < until {
        session.looks(&street).await;
        tokio::time::sleep(A_LOOK).await;
    }
}

/// The desk ends all sessions of somebody; gives whether it was told so.
async fn end_all(street: &Street, admin: SocketAddr, user: &str) -> bool {
    let path = format!("/api/v1/portals/wiki/users/{user}/sessions");
    let began = street.history.now();
    let answer = tab::ask(admin, desk::call(DESK, "DELETE", &path)).await;
    let told = answer.is_some_and(|answer| match answer.status {
        200 => true,
        409 | 429 | 500.. => false,
        _ => panic!("the desk is not understood: {answer:?}"),
    });
    street.history.note(began, "", Deed::Revoked { user: user.to_owned(), told });
    told
}

/// Gives a code and writes down what became of it.
pub async fn give(
    street: &Street,
    asked: &mut Asked,
    user: &str,
    code: &Code,
    text: &str,
) -> Verdict {
    let began = street.history.now();
    let form = asked.page.form("code").fill("code", text);
    let shown = asked.tab.send(&asked.page, &form).await;
    let answer = match shown.as_ref().map(|shown| shown.status) {
        Some(303) if leads_on(shown.as_ref().unwrap().location()) => Verdict::Accepted,
        // Also who is sent back to the beginning has not been let in.
        Some(303 | 401 | 429) => Verdict::Refused,
        _ => Verdict::Unknown,
    };
    let deed = Deed::Code { user: user.to_owned(), code: code.clone(), answer };
    street.history.note(began, &asked.tab.at, deed);
    answer
}

/// Whether a right code leads there: to the page, or past a word on how few codes are left.
fn leads_on(location: &str) -> bool {
    location == "/home" || location.starts_with("/.mfa/recovery-codes?")
}

/// What became of a request for a page.
pub fn seen(shown: Option<&browser::Shown>) -> Shown {
    match shown {
        Some(shown) if shown.status == 200 && shown.body.contains("secret-page") => Shown::Served,
        Some(shown) if shown.status == 503 => Shown::InDoubt,
        Some(shown) if [303, 401].contains(&shown.status) => Shown::TurnedAway,
        Some(shown) => panic!("not expected: {:?}", shown.answer),
        None => Shown::Nobody,
    }
}
