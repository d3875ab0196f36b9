//! Many portals, the first of them with many rules: how long the configuration takes to be read, to
//! be served for the first time and again, to be replaced; and what it needs of memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::desk;
use crate::dsl::client::{self, Call};
use crate::dsl::gateway::{self, Fronted};
use crate::dsl::place::Place;
use crate::dsl::{Gateway, Portal, portal};
use crate::figures::{Memory, number, percentiles, say, size};

pub async fn measure() {
    let (portals, rules) = (number("SCALE_PORTALS", 1_000), number("SCALE_RULES", 100));
    if portals == 0 {
        return;
    }
    let portal = portal::form().run().await;
    let folder = tempfile::tempdir().unwrap();
    let master = folder.path().join("master.key");
    desk::make_key(&master);
    let place = Place {
        store: format!("{{ path: {} }}", folder.path().join("store").display()),
        master: master.display().to_string(),
        real_time: true,
        ..Place::default()
    };
    let first = Ruled(&portal, rules);
    let builder = gateway::new().at(place).yaml("limits: { connections_per_client: 65536 }");
    let mut gateway = builder.portal("wiki", &first).run().await;
    say("memory of a gateway with one portal", Memory::of(gateway.pid()));
    assert_eq!(gateway.stop(), 0);
    let yaml = gateway.yaml() + &others(&portal, portals - 1);
    gateway.write_yaml(&yaml);
    let file = gateway.folder().join("portcullis.yaml");
    say("portals, and rules of the first", format!("{portals}, {rules}, {}", size(&file)));
    check(&file);
    for time in ["first", "second"] {
        let begun = Instant::now();
        gateway.start().await;
        say(&format!("from the {time} start to ready"), format!("{:.1?}", begun.elapsed()));
        if time == "first" {
            assert_eq!(gateway.stop(), 0);
        }
    }
    say("memory of the gateway", Memory::of(gateway.pid()));
    reload(&gateway, &yaml).await;
    let begun = Instant::now();
    let metrics = client::plain(gateway.admin(), Call::get("localhost", "/metrics")).await.body;
    let lines = metrics.lines().filter(|line| !line.starts_with('#')).count();
    say("all metrics", format!("{lines} lines in {:.1?}", begun.elapsed()));
    say("memory of the gateway after that", Memory::of(gateway.pid()));
    let few = yaml.split("  more0:").next().unwrap();
    replace("to be replaced by one portal", &gateway, few).await;
    assert_eq!(gateway.stop(), 0);
}

/// Has the configuration read and judged, and nothing else.
fn check(file: &Path) {
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["check", "--offline", "--config", file.to_str().unwrap()])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{complaint}");
    say("to read and check it", format!("{:.1?}", begun.elapsed()));
}

/// Replaces the configuration by a slightly other one, while somebody asks for pages.
async fn reload(gateway: &Gateway, yaml: &str) {
    let other = yaml.replacen("/public/**", "/public/**, /also/**", 1);
    replace("to be replaced by one like it", gateway, &other).await;
    say("memory of the gateway after that", Memory::of(gateway.pid()));
}

async fn replace(what: &str, gateway: &Gateway, yaml: &str) {
    let count = || gateway.log().matches("was read again and is in force").count();
    let before = count();
    gateway.write_yaml(yaml);
    let begun = Instant::now();
    gateway.hang_up();
    let mut waited = Vec::new();
    let mut connection = client::connect_plainly(gateway.http()).await.unwrap();
    while count() == before {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", gateway.log());
        let asked = Instant::now();
        let answer = connection.send(Call::get("wiki.test", "/public/page")).await;
        assert_eq!(answer.unwrap().status, 200);
        waited.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    say(what, format!("{:.1?}", begun.elapsed()));
    let longest = waited.iter().max().unwrap();
    say("  a page meanwhile, p50 and p99", percentiles(waited.iter().copied()));
    say("  the slowest", format!("{longest:.1?}"));
}

/// A portal with many rules.
struct Ruled<'a>(&'a Portal, usize);

impl Fronted for Ruled<'_> {
    fn entry(&self, host: &str) -> String {
        let mut entry = self.0.entry(host);
        if self.1 > 0 {
            entry.push_str("\nrules:");
        }
        for number in 0..self.1 {
            let minutes = 1 + number % 60;
            entry.push_str(&format!(
                "\n  - match: {{ path: /part{number}/*/admin/**, method: [POST] }}\n    require: fresh\n    within: {minutes}m"
            ));
        }
        entry
    }
}

fn others(portal: &Portal, count: usize) -> String {
    let mut yaml = String::new();
    for number in 0..count {
        let entry = portal.entry(&format!("more{number}.test")).replace('\n', "\n    ");
        yaml.push_str(&format!("  more{number}:\n    {}\n", entry.trim_end()));
    }
    yaml
}
