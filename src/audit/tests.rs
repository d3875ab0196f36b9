//! The log as whoever tells it sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::clock::MovableClock;
use crate::config::MasterKey;
use crate::store::keyring::Keyring;
use crate::store::sled::SledStore;

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

struct House {
    folder: TempDir,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::File(folder.path().join("master.key"));
        let keyring = Keyring::load(&key).unwrap();
        let store = SledStore::open(&folder.path().join("store"), &keyring, NOW).unwrap();
        Self { folder, store: Arc::new(store), metrics: Arc::new(Metrics::new().unwrap()) }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("audit/audit.jsonl")
    }

    async fn open(&self) -> Audit {
        self.open_with(1 << 20).await
    }

    async fn open_with(&self, rotate: u64) -> Audit {
        let named = AuditLog { path: self.place(), rotate, syslog: None };
        let (store, metrics) = (Arc::clone(&self.store), Arc::clone(&self.metrics));
        let turns = Turns::new(Arc::clone(&store), Arc::new(MovableClock::at(NOW)));
        Audit::open((Some(&named), "gateway-1"), store, &turns, NOW, metrics).await.unwrap()
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.place()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn number(&self, name: &str) -> String {
        let all = self.metrics.render().unwrap();
        let line = all.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split(' ').next_back().unwrap().to_owned()
    }
}

fn entry(event: Event) -> Entry<'static> {
    Entry::new(event, By::User).at("wiki").to("alice")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_noted_is_on_disk() {
    let house = House::new();
    let audit = house.open().await;
    for number in 1..=5 {
        audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
        assert_eq!(house.lines().len(), number);
    }
    assert_eq!(audit.verify(0).unwrap(), Ok(Whole { lines: 5, from: 1, to: 5 }));
    assert_eq!(house.number("portcullis_audit_lines_total"), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_one_chain() {
    let house = House::new();
    let audit = house.open().await;
    let told = (0..500).map(|_| {
        let audit = audit.clone();
        tokio::spawn(async move { audit.note(NOW, entry(Event::CodeWrong)).await })
    });
    for told in told.collect::<Vec<_>>() {
        told.await.unwrap().unwrap();
    }
    assert_eq!(audit.verify(0).unwrap().map(|whole| whole.lines), Ok(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_mentioned_is_there_at_the_end() {
    let house = House::new();
    let audit = house.open().await;
    for _ in 0..20 {
        audit.mention(NOW, entry(Event::AccessDenied));
    }
    audit.close().await;
    assert_eq!(house.lines().len(), 20);
    assert!(audit.note(NOW, entry(Event::CodeAccepted)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_beyond_the_budget_are_counted_in_the_next_line() {
    let house = House::new();
    let audit = house.open().await;
    for _ in 0..1500 {
        audit.mention(NOW, entry(Event::AccessDenied));
    }
    audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
    audit.close().await;
    let lines = house.lines();
    let lost: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
    assert_eq!((lines.len(), lost), (1001, 500));
    assert_eq!(house.number("portcullis_audit_lost_total"), "500");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_off_says_so_first() {
    let house = House::new();
    let audit = house.open().await;
    for _ in 0..5 {
        audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
    }
    audit.close().await;
    let text = fs::read_to_string(house.place()).unwrap();
    let cut: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
    fs::write(house.place(), cut).unwrap();
    let audit = house.open().await;
    audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
    let lines = house.lines();
    assert_eq!((&lines[0]["event"], &lines[0]["seq"]), (&"chain_broken".into(), &6.into()));
    assert_eq!((&lines[0]["refusal"], &lines[0]["count"]), (&"cut_off".into(), &"4".into()));
    let broken = audit.verify(0).unwrap().unwrap_err();
    assert_eq!((broken.line, broken.what), (1, Wrong::BegunAnew));
    assert_eq!(audit.verify(6).unwrap().map(|whole| whole.to), Ok(7));
    assert_eq!(house.number("portcullis_audit_broken_total"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_refuses_and_writes_later_what_waits() {
    let house = House::new();
    // Each line begins another file, for which its folder has to be there.
    let audit = house.open_with(1).await;
    audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
    let (folder, away) = (house.folder.path().join("audit"), house.folder.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    for _ in 0..3 {
        assert!(audit.note(NOW, entry(Event::CodeWrong)).await.is_err());
        assert!(audit.ready().is_err());
    }
    assert!(house.number("portcullis_audit_failures_total").parse::<u64>().unwrap() >= 3);
    fs::rename(&away, &folder).unwrap();
    audit.note(NOW, entry(Event::CodeAccepted)).await.unwrap();
    assert_eq!(audit.ready(), Ok(()));
    assert_eq!(audit.verify(0).unwrap(), Ok(Whole { lines: 5, from: 1, to: 5 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_from_any_place_on() {
    let house = House::new();
    let audit = house.open().await;
    for number in 0..3000 {
        let portal = if number % 3 == 0 { "shop" } else { "wiki" };
        audit.mention(NOW, Entry::new(Event::CodeWrong, By::User).at(portal).to("alice"));
    }
    audit.note(NOW, Entry::new(Event::Started, By::Gateway)).await.unwrap();
    let page = |after, limit, portals: Option<&[String]>| {
        audit.page(&Wanted { after, limit, portals, user: None }).unwrap()
    };
    let first = |page: &Page| page.lines.first().unwrap().split(',').next().unwrap().to_owned();
    for after in [0, 1, 500, 1777, 2999, 3000] {
        let found = page(after, 10, None);
        assert_eq!(first(&found), format!("{{\"seq\":{}", after + 1));
        assert_eq!(found.next, (after < 2991).then_some(after + 10));
    }
    assert_eq!(page(3001, 10, None), Page::default());
    let shop = page(0, 5000, Some(&["shop".to_owned()]));
    assert_eq!(shop.lines.len(), 1000);
    assert!(shop.lines.iter().all(|line| line.contains("\"portal\":\"shop\"")));
}

#[tokio::test]
async fn without_a_log_everything_goes_on() {
    let audit = Audit::nowhere();
    assert_eq!(audit.ready(), Ok(()));
    audit.note(NOW, entry(Event::Enrolled)).await.unwrap();
    audit.mention(NOW, entry(Event::AccessDenied));
    audit.close().await;
    assert_eq!(audit.verify(0), Err(AuditError::Nowhere));
}

#[test]
fn the_document_lists_every_event_and_detail() {
    let document = include_str!("../../docs/audit.md");
    let listed = |heading: &str| -> Vec<String> {
        let (_, rest) = document.split_once(heading).unwrap();
        let section = rest.split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("\n## Events\n"), Event::ALL.map(Event::as_str));
    assert_eq!(listed("\n## Details\n"), Detail::ALL.map(Detail::as_str));
}

/// The log of a gateway that shares its store with others.
async fn shared(
    house: &crate::site::house::House,
    node: &str,
    place: &Path,
) -> Result<Audit, OpenAuditError> {
    let named = AuditLog { path: place.to_owned(), rotate: 1 << 20, syslog: None };
    let (store, metrics) = (Arc::clone(&house.parts.store), Arc::new(Metrics::new().unwrap()));
    let turns = house.parts.sessions.turns();
    Audit::open((Some(&named), node), store, turns, house.clock_now(), metrics).await
}

#[tokio::test]
async fn gateways_that_share_a_store_have_a_log_each() {
    let [here, there] = crate::site::house::houses().await;
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.jsonl", "two.jsonl"].map(|name| folder.path().join(name));
    for lines in 1..=2 {
        let first = shared(&here, "gateway-1", &one).await.unwrap();
        let second = shared(&there, "gateway-2", &two).await.unwrap();
        first.note(NOW, entry(Event::Enrolled)).await.unwrap();
        second.note(NOW, entry(Event::Enrolled)).await.unwrap();
        first.close().await;
        second.close().await;
        for place in [&one, &two] {
            let text = fs::read_to_string(place).unwrap();
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(!text.contains("broken"), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_name_there_is_one_gateway() {
    let [here, there] = crate::site::house::houses().await;
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.jsonl", "two.jsonl"].map(|name| folder.path().join(name));
    let first = shared(&here, "gateway-1", &one).await.unwrap();
    let refused = shared(&there, "gateway-1", &two).await.err().unwrap();
    assert!(matches!(&refused, OpenAuditError::NameTaken { node } if node == "gateway-1"));
    assert!(refused.to_string().contains("telemetry.node"), "{refused}");
    let same_file = shared(&there, "gateway-2", &one).await.err().unwrap();
    assert!(matches!(same_file, OpenAuditError::File(FileError::InUse { .. })));
    first.close().await;
    drop(first);
    let again = shared(&there, "gateway-1", &two).await;
    again.unwrap().close().await;
}

/// A gateway that was cut off for so long that another one got its name.
#[tokio::test]
async fn whoever_lost_its_name_changes_nothing_any_more() {
    let [here, there] = crate::site::house::houses().await;
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.jsonl", "two.jsonl"].map(|name| folder.path().join(name));
    let first = shared(&here, "gateway-1", &one).await.unwrap();
    first.note(NOW, entry(Event::Enrolled)).await.unwrap();
    here.clock.advance(crate::store::turn::LEASE);
    let second = shared(&there, "gateway-1", &two).await.unwrap();
    // Its lines are on disk, and from then on it refuses.
    let _last = first.note(NOW, entry(Event::Enrolled)).await;
    assert_eq!(first.note(NOW, entry(Event::Enrolled)).await, Err(AuditError::NameTaken));
    assert_eq!(first.ready(), Err(AuditError::NameTaken));
    second.note(NOW, entry(Event::Enrolled)).await.unwrap();
    second.close().await;
}

/// One that was cut off alone goes on under its name.
#[tokio::test]
async fn a_name_that_nobody_else_took_is_taken_again() {
    let [here, _there] = crate::site::house::houses().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("one.jsonl");
    let log = shared(&here, "gateway-1", &place).await.unwrap();
    here.clock.advance(crate::store::turn::LEASE);
    for _ in 0..2 {
        log.note(NOW, entry(Event::Enrolled)).await.unwrap();
        assert_eq!(log.ready(), Ok(()));
    }
    log.close().await;
}
