//! How long the decision takes for a proven visitor, whose requests are nearly all there are:
//! as a whole, from the header lines to the verdict, and part by part, to find what grew.

// A bench may panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::future::Future as _;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis::clock::{Clock, MovableClock, UnixMillis};
use portcullis::config;
use portcullis::identity::{CookieSet, normalise};
use portcullis::net::cookies::{Cookies, SESSION};
use portcullis::net::host::Host;
use portcullis::net::path::RequestPath;
use portcullis::policy::{Demand, Destination, Facts, Stage, Verdict, Visitor, decide};
use portcullis::proxy::identify::identify;
use portcullis::server;
use portcullis::session::{FactorUsed, Learned, Level, Place, SessionRecord};
use portcullis::site::{Parts, Site};
use portcullis::store;
use portcullis::store::keyring::Keyring;
use portcullis::telemetry::metrics::Metrics;
use portcullis::user::Opaque;
use portcullis::visit::Visit;

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

const YAML: &str = "\
listeners: [{ address: 127.0.0.1:8080 }]
store: { engine: sled, path: store }
keys: { master: env:MASTER }
portals:
  intranet:
    hosts: [intranet.example.com]
    upstreams: ['http://127.0.0.1:8081']
    public: [/static/**, /favicon.ico]
    identity:
      logins:
        - request: { method: POST, path: /login }
          username: { form: user }
          success: { status: [302] }
      session_cookies: [PHPSESSID]
      rotation: follow
      login_url: /login
      logout: { path: /logout }
";

/// The lines of a browser on its way to a page, without the cookies.
const LINES: [(&str, &str); 14] = [
    ("host", "intranet.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://intranet.example.com/projects"),
    ("connection", "keep-alive"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("priority", "u=0, i"),
    ("dnt", "1"),
];

/// A gateway's parts with one proven session, and a request of it.
struct House {
    parts: Parts,
    site: Arc<Site>,
    headers: HeaderMap,
    token: String,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, YAML).unwrap();
    let master =
        |name: &str| (name == "MASTER").then(|| OsString::from("BQUF".repeat(10) + "BQU="));
    let loaded = config::load_with(&file, &master);
    let config = loaded.unwrap_or_else(|faults| panic!("{faults}")).config;
    let keyring = Keyring::load(&config.master_key).unwrap();
    let store = store::open(&config.store, &keyring, NOW).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(MovableClock::at(NOW));
    let metrics = Arc::new(Metrics::new().unwrap());
    let parts = server::build(config, keyring, store, clock, metrics).await.unwrap();
    let host = Host::parse("intranet.example.com").unwrap();
    let site = Arc::clone(parts.sites.at(&host).unwrap());
    let session = begin(&parts, &site).await;
    let token = site.token.mint(&parts.keys, NOW, &session).unwrap();
    House { headers: request(&token), parts, site, token, _folder: folder }
}

async fn begin(parts: &Parts, site: &Site) -> Arc<SessionRecord> {
    let headers = request("none yet");
    let set = cookie_set(site, &headers);
    let user = normalise(&site.portal.identity.username, "alice").unwrap();
    let record = SessionRecord {
        portal: site.portal.name.clone(),
        root: Opaque([1; 16]),
        sid: Opaque([2; 16]),
        sub: site.binder.subject(&user),
        user,
        bind: site.binder.bind(&set),
        parts: site.binder.parts(&set),
        scoped: Vec::new(),
        started: NOW,
        ends: NOW.plus(Duration::from_secs(3600)),
        level: Level::Proven { factor: FactorUsed::Totp, at: NOW },
        learned: Learned::default(),
        place: Place::default(),
    };
    parts.sessions.begin(NOW, record).await.unwrap()
}

/// A request with six cookies: the portal's session, ours, and what gathers in a browser.
fn request(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in LINES {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let cookies = format!(
        "_ga=GA1.2.1234567890.1700000000; _gid=GA1.2.987654321.1700000000; \
         PHPSESSID=q8f3kd0s9vlm2n4b6c7x8z1a5w; theme=dark; consent=necessary%2Cstatistics; \
         {SESSION}={token}"
    );
    headers.append("cookie", HeaderValue::from_str(&cookies).unwrap());
    headers
}

fn cookie_set(site: &Site, headers: &HeaderMap) -> CookieSet {
    let names = &site.portal.identity.session_cookies;
    CookieSet::of_request(&Cookies::read(headers, &site.cookie_rules).unwrap(), names)
}

/// A proven visitor never has to wait, so asking once is enough; a runtime would only be
/// measured along.
fn identify_at_once(house: &House) -> Visit {
    let identifying = pin!(identify(&house.parts, &house.site, NOW, &house.headers, None));
    match identifying.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(visit) => visit.unwrap(),
        Poll::Pending => panic!("a proven visitor had to wait"),
    }
}

fn verdict(visit: &Visit) -> Verdict {
    decide(&Facts {
        destination: Destination::Protected,
        demand: Demand::Mfa,
        visitor: visit.visitor(NOW),
        stage: Stage::Required,
        notice_due: false,
        service: false,
        portal_session: visit.portal_session,
    })
}

fn whole(criterion: &mut Criterion, house: &House) {
    let visit = identify_at_once(house);
    assert!(matches!(visit.visitor(NOW), Visitor::Proven(_)));
    assert!(matches!(verdict(&visit), Verdict::Forward(_)));
    criterion.bench_function("decision", |bencher| {
        bencher.iter(|| verdict(&identify_at_once(black_box(house))));
    });
}

fn in_parts(criterion: &mut Criterion, house: &House) {
    let House { parts, site, headers, token, .. } = house;
    let set = cookie_set(site, headers);
    let bind = site.binder.bind(&set);
    let visit = identify_at_once(house);
    let mut group = criterion.benchmark_group("part");
    group.bench_function("cookies", |bencher| {
        bencher.iter(|| cookie_set(site, black_box(headers)));
    });
    group.bench_function("binding", |bencher| bencher.iter(|| site.binder.bind(black_box(&set))));
    group.bench_function("path", |bencher| {
        bencher.iter(|| RequestPath::parse(black_box("/projects/7/issues/list.html")).unwrap());
    });
    group.bench_function("token", |bencher| {
        bencher.iter(|| site.token.read(&parts.keys, NOW, black_box(token)).unwrap());
    });
    // What it costs once for each token.
    let session = parts.sessions.known(NOW, bind).unwrap();
    let mut number = 0;
    group.bench_function("token for the first time", |bencher| {
        let mint = || {
            number += 1;
            let sid = Opaque(u128::to_be_bytes(number));
            let session = SessionRecord { sid, ..(*session).clone() };
            site.token.mint(&parts.keys, NOW, &session).unwrap()
        };
        let read = |token: String| site.token.read(&parts.keys, NOW, &token).unwrap();
        bencher.iter_batched(mint, read, BatchSize::SmallInput);
    });
    group.bench_function("session", |bencher| {
        bencher.iter(|| parts.sessions.known(NOW, black_box(bind)).unwrap());
    });
    group.bench_function("assertion", |bencher| {
        bencher.iter(|| parts.assertions.of(NOW, &site.portal, black_box(&session)).unwrap());
    });
    // What it costs once in forty seconds.
    let mut now = NOW;
    group.bench_function("assertion signed", |bencher| {
        bencher.iter(|| {
            now = now.plus(Duration::from_secs(60));
            parts.assertions.of(now, &site.portal, black_box(&session)).unwrap()
        });
    });
    group.bench_function("decide", |bencher| bencher.iter(|| verdict(black_box(&visit))));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(house());
    whole(criterion, &house);
    in_parts(criterion, &house);
}

criterion_group!(decision, benches);
criterion_main!(decision);
