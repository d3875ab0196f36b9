//! What breaks while a crowd signs in, what everybody sees of it, and how soon it is over. The
//! history is judged as a whole in the end: nothing of it may ever be so.

use std::time::Duration;

use crate::cluster::{self, Cluster, name};
use crate::crowd::{Crowd, Work};
use crate::dsl::desk::DESK;
use crate::dsl::gateway::Builder;
use crate::dsl::{Portal, eventually, portal};
use crate::engine::{Engine, Kind};
use crate::fence::Fence;
use crate::figures::{self, ms, number, seconds};
use crate::history::{self, Code, Deed, Event, Moment, Shown, Verdict};
use crate::lane::{Lane, Reached};

/// How soon people sign in again after the end of a fault, by themselves.
const AGAIN: Duration = Duration::from_secs(20);
/// As long as a store that answers late does so.
const LATE: Duration = Duration::from_secs(5);

/// How long one code of an app counts.
const STEP: Duration = Duration::from_secs(30);
/// What is judged: codes that were given, enrolments, and sessions that were ended.
const JUDGED: [fn(&Deed) -> bool; 3] = [
    |deed| matches!(deed, Deed::Code { .. }),
    |deed| matches!(deed, Deed::Enrolled { .. }),
    |deed| matches!(deed, Deed::Revoked { told: true, .. }),
];

/// A cluster with a crowd in front of it.
struct Scene<'a> {
    engine: &'a Engine,
    cluster: Cluster,
    crowd: Crowd,
    work: Work,
    _portal: Portal,
}

/// From when to when something was broken.
#[derive(Clone, Copy)]
struct Outage {
    from: Moment,
    to: Moment,
}

impl<'a> Scene<'a> {
    /// With a fence around the last gateway, where there is one.
    async fn set(engine: &'a Engine, count: usize, fence: Option<&'a Fence>) -> Self {
        let portal = portal::form().run().await;
        let line = match fence {
            Some(fence) => Some(Lane::lay(fence.outside(), portal.address).await),
            None => None,
        };
        let equip = |number: usize, builder: Builder| {
            let builder = builder.token(DESK);
            match &line {
                Some(line) if number + 1 == count => {
                    builder.portal("wiki", &Reached(&portal, line.address))
                }
                _ => builder.portal("wiki", &portal),
            }
        };
        let plan = cluster::of(count, engine).with_lanes();
        let plan = match fence {
            Some(fence) => plan.fenced(fence),
            None => plan,
        };
        let mut cluster = plan.run(equip).await;
        cluster.keeps(line);
        let crowd = Crowd::gather(&cluster, number("FAULTS_USERS", 200)).await;
        let work = crowd.works().await;
        let scene = Self { engine, cluster, crowd, work, _portal: portal };
        scene.goes_on_since(scene.crowd.history.now()).await;
        scene
    }

    /// How long each fault lasts.
    async fn lasts(&self) {
        let length = number("FAULTS_SECONDS", 4);
        tokio::time::sleep(Duration::from_secs(u64::try_from(length).unwrap())).await;
    }

    /// Waits until somebody's code is accepted again, and every gateway shows pages.
    async fn goes_on_since(&self, moment: Moment) {
        let names: Vec<String> = (0..self.cluster.gateways.len()).map(name).collect();
        eventually("sign-ins at all gateways", async || {
            let events = self.crowd.history.events();
            let shown = |name: &String| {
                let by = |event: &&Event| event.at == *name && event.began >= moment;
                let is_page =
                    |event: &Event| matches!(event.deed, Deed::Page { answer: Shown::Served, .. });
                events.iter().filter(by).any(is_page)
            };
            let resumed = history::resumed(&events, moment).is_some();
            (resumed && names.iter().all(shown)).then_some(())
        })
        .await;
    }

    /// Waits until all goes on, prints what was measured, and gives the history up to now.
    async fn is_over(&self, what: &str, outage: Outage) -> Vec<Event> {
        self.goes_on_since(outage.to).await;
        let events = self.crowd.history.events();
        let until = self.crowd.history.now();
        let again = history::resumed(&events, outage.to);
        let during: Vec<&Event> =
            events.iter().filter(|it| it.ended >= outage.from && it.began <= until).collect();
        let count = |is: &dyn Fn(&Deed) -> bool| {
            during.iter().filter(|event| is(&event.deed)).count().to_string()
        };
        let code = |wanted| {
            count(&move |deed| matches!(deed, Deed::Code { answer, .. } if *answer == wanted))
        };
        let page = |wanted| {
            count(&move |deed| matches!(deed, Deed::Page { answer, .. } if *answer == wanted))
        };
        let silence = history::longest_silence(&events, outage.from, until);
        figures::say(
            self.engine.kind,
            what,
            &[
                ("lasted", seconds(Some(outage.to - outage.from))),
                ("no sign-in for", seconds(Some(silence))),
                ("sign-ins after its end", seconds(again)),
                ("codes taken", code(Verdict::Accepted)),
                ("refused", code(Verdict::Refused)),
                ("unknown", code(Verdict::Unknown)),
                ("pages shown", page(Shown::Served)),
                ("answered 503", page(Shown::InDoubt)),
            ],
        );
        assert!(again.is_some_and(|again| again < AGAIN), "{what}: {again:?}");
        events
    }

    /// These gateways had no store meanwhile.
    fn was_blind(&self, what: &str, events: &[Event], at: &[String], Outage { from, to }: Outage) {
        let blindly = history::served_blindly(events, at, from, to);
        assert!(blindly.is_empty(), "{what}: {blindly:#?}");
        let latest = history::latest_from_memory(events, at, from, to);
        let told = [("last page from memory", ms(latest))];
        figures::say(self.engine.kind, &format!("{what}: proven users"), &told);
    }

    /// Waits until somebody has done each of what is judged in the end: whoever ends a session
    /// needs one to end, and a quick crowd has given all codes of a step before it is over.
    async fn is_all_done(&self) {
        let deadline = self.crowd.history.now() + STEP + AGAIN;
        loop {
            let events = self.crowd.history.events();
            if JUDGED.iter().all(|is| events.iter().any(|event| is(&event.deed))) {
                return;
            }
            assert!(self.crowd.history.now() < deadline, "nobody does what is to be judged");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Judges all of it.
    async fn ends(self) {
        self.is_all_done().await;
        self.work.ends().await;
        self.crowd.is_counted().await;
        let events = self.crowd.history.events();
        let faults = history::faults(&events);
        assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
        let [codes, enrolments, ends] =
            JUDGED.map(|is| events.iter().filter(|event| is(&event.deed)).count().to_string());
        let length = events.iter().map(|event| event.ended).max().unwrap();
        let accepted = events.iter().filter(|event| history::is_accepted(event)).count();
        figures::say(
            self.engine.kind,
            "all of it",
            &[
                ("lasted", seconds(Some(length))),
                ("codes given", codes),
                ("taken", accepted.to_string()),
                ("taken twice", "0".to_owned()),
                ("enrolments", enrolments),
                ("lost", "0".to_owned()),
                ("sessions ended", ends),
                ("last page of one", ms(history::latest_of_revoked(&events))),
            ],
        );
    }

    async fn a_gateway_is_killed(&mut self) {
        let from = self.crowd.history.now();
        self.cluster.gateways[0].kill();
        self.lasts().await;
        self.cluster.gateways[0].start().await;
        let to = self.crowd.history.now();
        self.is_over("a gateway is killed", Outage { from, to }).await;
    }

    /// As for an update: one after the other is stopped with its requests, and started.
    async fn all_are_replaced(&mut self) {
        let from = self.crowd.history.now();
        for number in 0..self.cluster.gateways.len() {
            let gateway = &mut self.cluster.gateways[number];
            assert_eq!(tokio::task::block_in_place(|| gateway.stop()), 0);
            gateway.start().await;
            self.goes_on_since(self.crowd.history.now()).await;
        }
        let outage = Outage { from, to: self.crowd.history.now() };
        self.is_over("all gateways are replaced, one after the other", outage).await;
    }

    async fn a_gateway_is_cut_off(&self, fence: &Fence) {
        fence.pull();
        let from = self.crowd.history.now();
        self.lasts().await;
        let to = self.crowd.history.now();
        fence.mend();
        let (what, outage) = ("a gateway is cut off from the store", Outage { from, to });
        let events = self.is_over(what, outage).await;
        let last = name(self.cluster.gateways.len() - 1);
        self.was_blind(what, &events, &[last], outage);
        let meanwhile = history::resumed(&events, from).unwrap();
        assert!(from + meanwhile < to, "nobody could sign in at the others");
    }

    async fn the_store_is_late(&self) {
        let from = self.crowd.history.now();
        let lanes = || self.cluster.lanes.iter().flatten();
        lanes().for_each(|lane| lane.takes(LATE));
        self.lasts().await;
        lanes().for_each(|lane| lane.takes(Duration::ZERO));
        let to = self.crowd.history.now();
        self.is_over("the store is late by 5 s", Outage { from, to }).await;
    }

    /// Has the engine's script do something, while everybody goes on.
    fn engine_does(&self, deed: &str, words: &[&str]) -> String {
        tokio::task::block_in_place(|| self.engine.does(deed, words))
    }

    async fn the_primary_is_killed(&mut self) {
        self.engine_does("kill", &["primary"]);
        let from = self.crowd.history.now();
        self.lasts().await;
        let to = self.crowd.history.now();
        self.engine_does("promote", &[]);
        let outage = Outage { from, to: self.crowd.history.now() };
        let what = "the primary is killed, the standby promoted";
        let events = self.is_over(what, outage).await;
        let all: Vec<String> = (0..self.cluster.gateways.len()).map(name).collect();
        self.was_blind(what, &events, &all, Outage { from, to });
        self.app_codes_count_again(what, outage.to).await;
    }

    /// Codes of apps are refused for up to 90 seconds after a failover. Unless figures are
    /// wanted, the clock moves instead.
    async fn app_codes_count_again(&mut self, what: &str, since: Moment) {
        let wait = Duration::from_secs(90);
        let patient = number("FAULTS_PATIENT", 0) > 0;
        if !patient {
            self.cluster.advance(wait);
            self.crowd.clock_is(self.cluster.any().ahead());
        }
        let deadline = self.crowd.history.now() + wait + AGAIN;
        let again = loop {
            let events = self.crowd.history.events();
            let taken = events.iter().find(|event| {
                let of_app = matches!(
                    event.deed,
                    Deed::Code { code: Code::Step(_), answer: Verdict::Accepted, .. }
                );
                of_app && event.began >= since
            });
            if let Some(taken) = taken {
                break taken.ended - since;
            }
            assert!(self.crowd.history.now() < deadline, "codes of apps are refused for good");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        if patient {
            let told = [("codes of apps again after", seconds(Some(again)))];
            figures::say(self.engine.kind, &format!("{what}: replay floor"), &told);
        }
    }

    #[cfg(feature = "etcd")]
    async fn the_leader_is_killed(&self) {
        let from = self.crowd.history.now();
        let leader = self.engine_does("kill-leader", &[]);
        self.lasts().await;
        self.engine_does("restart", &[&leader]);
        let to = self.crowd.history.now();
        self.is_over("the leader is killed", Outage { from, to }).await;
    }
}

/// Puts up a fence, or says that nobody may.
#[allow(clippy::print_stdout, reason = "what was not tried must not look as if it had been")]
fn fence() -> Option<Fence> {
    let fence = Fence::put_up();
    if fence.is_none() {
        println!(
            "NOT TRIED: to cut a gateway off from its store takes root, for a network of its own"
        );
    }
    fence
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_alone_is_killed_and_nothing_is_lost() {
    let _quiet = figures::QUIET.write().await;
    let mut scene = Scene::set(Engine::of_all(Kind::Sled), 1, None).await;
    scene.a_gateway_is_killed().await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_on_postgres_come_through_every_fault() {
    let _quiet = figures::QUIET.write().await;
    let (engine, fence) = (Engine::start(Kind::Postgres), fence());
    let mut scene = Scene::set(&engine, 3, fence.as_ref()).await;
    scene.all_are_replaced().await;
    scene.a_gateway_is_killed().await;
    if let Some(fence) = &fence {
        scene.a_gateway_is_cut_off(fence).await;
    }
    scene.the_store_is_late().await;
    scene.the_primary_is_killed().await;
    scene.ends().await;
}

#[cfg(feature = "etcd")]
#[tokio::test(flavor = "multi_thread")]
async fn gateways_on_etcd_come_through_every_fault() {
    let _quiet = figures::QUIET.write().await;
    let (engine, fence) = (Engine::start(Kind::Etcd), fence());
    let mut scene = Scene::set(&engine, 3, fence.as_ref()).await;
    scene.a_gateway_is_killed().await;
    if let Some(fence) = &fence {
        scene.a_gateway_is_cut_off(fence).await;
    }
    scene.the_store_is_late().await;
    scene.the_leader_is_killed().await;
    scene.ends().await;
}
