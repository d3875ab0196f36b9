//! Several gateways on one store behind HAProxy, which sends every request to another of them.
//! It has a way to each of them alone too, for who has to know which one answers.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::dsl::gateway::Builder;
use crate::dsl::place::{Front, Place};
use crate::dsl::{Browser, Gateway, client, eventually, free_port, gateway};
use crate::engine::{Engine, Kind};
use crate::fence::Fence;
use crate::lane::Lane;
use crate::real::RealPortal;

/// HAProxy speaks from here, and is believed.
const BALANCER: &str = "127.0.0.3";

/// Gateways that are one to whoever looks from outside.
pub struct Cluster {
    pub gateways: Vec<Gateway>,
    /// Where HAProxy takes requests without TLS, each for another gateway.
    pub plain: SocketAddr,
    /// The same for one gateway alone, in their order.
    pub direct: Vec<SocketAddr>,
    /// The lines between each gateway and each server of the engine, where there are any.
    pub lanes: Vec<Vec<Lane>>,
    portal_line: Option<Lane>,
    engine: PathBuf,
    _haproxy: RealPortal,
    _shared: TempDir,
}

/// A cluster to be.
pub struct Plan<'a> {
    engine: &'a Engine,
    count: usize,
    laned: bool,
    fence: Option<&'a Fence>,
    store: Option<(String, PathBuf)>,
    real_time: bool,
}

/// Starts to describe so many gateways on a new store of this engine.
pub fn of(count: usize, engine: &Engine) -> Plan<'_> {
    Plan { engine, count, laned: false, fence: None, store: None, real_time: false }
}

impl<'a> Plan<'a> {
    /// With a line of our own between each gateway and its store.
    pub fn with_lanes(mut self) -> Self {
        self.laned = true;
        self
    }

    /// The last gateway lives behind this fence.
    pub fn fenced(mut self, fence: &'a Fence) -> Self {
        self.fence = Some(fence);
        self
    }

    /// On a store that there is, under this master key.
    pub fn on(mut self, store: &str, key: &Path) -> Self {
        self.store = Some((store.to_owned(), key.to_owned()));
        self
    }

    /// By the machine's own clock, which costs less than one that can be moved.
    pub fn in_real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    /// Starts all of it; `equip` says what each gateway is told, by its number.
    pub async fn run(self, equip: impl Fn(usize, Builder) -> Builder) -> Cluster {
        let shared = tempfile::tempdir().unwrap();
        let key = shared.path().join("master.key");
        let store = match &self.store {
            Some((store, known)) => {
                fs::copy(known, &key).unwrap();
                store.clone()
            }
            None => {
                make_key(&key);
                self.engine.new_store()
            }
        };
        let trusted = client::certificate(shared.path(), &hosts());
        let ports: Vec<u16> = (0..self.count + 2).map(|_| free_port()).collect();
        let here = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let front = Front { address: here(ports[0]), trusted: Arc::clone(&trusted) };
        fs::write(shared.path().join("clock"), "+0").unwrap();
        let (mut lanes, mut building) = (Vec::new(), Vec::new());
        for number in 0..self.count {
            let fence = self.fence.filter(|_| number + 1 == self.count);
            let own = self.lanes(fence).await;
            let place = self.place(shared.path(), &store, &own, &front, fence);
            let builder = gateway::new().at(place).yaml(&self.common(number));
            building.push(equip(number, builder).run());
            lanes.push(own);
        }
        let gateways = join_all(building).await;
        let file = shared.path().join("haproxy.cfg");
        fs::write(&file, sections(shared.path(), &ports, &gateways, self.fence)).unwrap();
        let haproxy = RealPortal::start_at(ports[0], "haproxy", &[&file]);
        let direct = ports[2..].iter().copied().map(here).collect();
        let plain = here(ports[1]);
        Cluster {
            gateways,
            plain,
            direct,
            lanes,
            portal_line: None,
            engine: self.engine.folder(),
            _haproxy: haproxy,
            _shared: shared,
        }
    }

    async fn lanes(&self, fence: Option<&Fence>) -> Vec<Lane> {
        let near = match fence {
            Some(fence) => fence.store_side(),
            None if self.laned => Ipv4Addr::LOCALHOST,
            None => return Vec::new(),
        };
        let servers = self.engine.addresses();
        join_all(servers.into_iter().map(|server| Lane::lay(near, server))).await
    }

    fn place(
        &self,
        shared: &Path,
        store: &str,
        lanes: &[Lane],
        front: &Front,
        fence: Option<&Fence>,
    ) -> Place {
        let servers = match lanes.is_empty() {
            true => self.engine.addresses(),
            false => lanes.iter().map(|lane| lane.address).collect(),
        };
        Place {
            address: fence.map_or(Ipv4Addr::LOCALHOST, Fence::inside),
            store: self.engine.entry(store, &servers, shared),
            master: shared.join("master.key").to_str().unwrap().to_owned(),
            clock: Some(shared.join("clock")),
            front: Some(front.clone()),
            network: fence.map(|fence| fence.name.clone()),
            real_time: self.real_time,
        }
    }

    fn common(&self, number: usize) -> String {
        let outside = self.fence.map(|fence| format!(", {}/32", fence.outside()));
        let proxies = format!("trusted_proxies: [{BALANCER}/32{}]\n", outside.unwrap_or_default());
        match self.engine.kind {
            Kind::Sled => proxies,
            _ => format!("{proxies}telemetry: {{ node: \"{}\" }}\n", name(number)),
        }
    }
}

impl Cluster {
    /// Any of them, to whoever needs one: what browsers are told of it leads to all.
    pub fn any(&self) -> &Gateway {
        &self.gateways[0]
    }

    /// Keeps the line that a gateway reaches its portal by.
    pub fn keeps(&mut self, line: Option<Lane>) {
        self.portal_line = line;
    }

    /// Moves the clock of all on.
    pub fn advance(&mut self, by: Duration) {
        self.gateways[0].advance(by);
        let ahead = self.gateways[0].ahead();
        self.gateways.iter_mut().for_each(|gateway| gateway.set_clock(ahead));
    }

    /// Moves the clock of all to the next time step.
    pub fn next_code(&mut self) {
        self.advance(Duration::from_secs(60));
    }
}

// A test that fails says what the engine said.
#[allow(clippy::print_stderr)]
impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine's logs:\n{}", Engine::logs(&self.engine));
        }
    }
}

/// What a gateway is called, from g1 on.
pub fn name(number: usize) -> String {
    format!("g{}", number + 1)
}

/// Every portal of these stories.
fn hosts() -> Vec<String> {
    ["wiki.test", "shop.test", "desk.test"].map(str::to_owned).to_vec()
}

/// Puts a new master key there.
pub fn make_key(file: &Path) {
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    fs::write(file, STANDARD.encode(key)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// HAProxy's configuration: the ports are for TLS, for none, and for each gateway alone.
fn sections(shared: &Path, ports: &[u16], gateways: &[Gateway], fence: Option<&Fence>) -> String {
    let pem = shared.join("haproxy.pem");
    let part = |name: &str| fs::read_to_string(shared.join(name)).unwrap();
    fs::write(&pem, part("tls.crt") + &part("tls.key")).unwrap();
    let mut servers = String::new();
    let mut alone = String::new();
    for (number, gateway) in gateways.iter().enumerate() {
        let is_fenced = fence.is_some() && number + 1 == gateways.len();
        let from = if is_fenced { String::new() } else { format!(" source {BALANCER}") };
        let server = format!("server {} {}{from}", name(number), gateway.http());
        let check = format!("check port {} inter 200ms fall 2 rise 1", gateway.admin().port());
        servers.push_str(&format!("  {server} {check}\n"));
        alone.push_str(&format!(
            "listen alone-{number}\n  bind 127.0.0.1:{}\n{TOLD}  {server}\n",
            ports[2 + number]
        ));
    }
    format!(
        "global
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 30s
  timeout tunnel 1h
  timeout check 2s
  option redispatch
  http-reuse always
frontend web
  bind 127.0.0.1:{} ssl crt {} alpn h2,http/1.1
  bind 127.0.0.1:{}
{TOLD}  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk
  http-check send meth GET uri /readyz hdr Host localhost
{servers}{alone}",
        ports[0],
        pem.display(),
        ports[1]
    )
}

/// Waits until this is so, which has to come about within a second.
pub async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    eventually(what, async || is_so().await.then_some(())).await;
    // What was asked just before the second was over may be answered after it.
    assert!(begun.elapsed() < Duration::from_secs(2), "{what} took {:?}", begun.elapsed());
}

/// Waits until no gateway lets this browser in any more.
pub async fn ends_everywhere(cluster: &Cluster, browser: &Browser) {
    soon("the end of a session at every gateway", async || {
        for _ in &cluster.gateways {
            if browser.clone().open("/home").await.status == 200 {
                return false;
            }
        }
        true
    })
    .await;
}

/// What HAProxy tells a gateway of the client, and the client of the gateway.
const TOLD: &str = "  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-response set-header X-Served-By %s
";
