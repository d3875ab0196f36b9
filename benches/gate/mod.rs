//! A gateway within this process, and requests of a proven visitor at it. They are real: read from
//! a socket, and judged by the callbacks that the framework calls, in the order in which it does.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::future::Future;
use std::os::fd::AsRawFd as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Polled, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::{GetSocketDigest as _, SocketDigest};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{ProxyHttp, Session};
use portcullis::clock::{Clock, SystemClock, UnixMillis};
use portcullis::config;
use portcullis::identity::{CookieSet, normalise};
use portcullis::net::cookies::{Cookies, SESSION};
use portcullis::net::host::Host;
use portcullis::proxy::in_force::InForce;
use portcullis::proxy::recall::Recall;
use portcullis::server;
use portcullis::session::{FactorUsed, Learned, Level, Place, SessionRecord};
use portcullis::site::{Parts, Site};
use portcullis::store;
use portcullis::store::keyring::Keyring;
use portcullis::telemetry::{log, metrics::Metrics};
use portcullis::user::Opaque;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

mod unwritten;

use unwritten::Unwritten;

/// The host of the portal that is asked.
const HOST: &str = "p7.example.com";
/// The portal's session cookie.
const PORTAL_COOKIE: &str = "PHPSESSID=q8f3kd0s9vlm2n4b6c7x8z1a5w";
/// What gathers in a browser.
const OTHERS: &str = "_ga=GA1.2.1234567890.1700000000; _gid=GA1.2.987654321.1700000000; \
                      theme=dark; consent=necessary%2Cstatistics";
/// The lines of a browser on its way to a page, without the cookies.
const LINES: &str = "\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
Accept-Language: de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3\r
Accept-Encoding: gzip, deflate, br, zstd\r
Referer: https://p7.example.com/projects\r
Connection: keep-alive\r
Upgrade-Insecure-Requests: 1\r
Sec-Fetch-Dest: document\r
Sec-Fetch-Mode: navigate\r
Sec-Fetch-Site: same-origin\r
Sec-Fetch-User: ?1\r
Priority: u=0, i\r
";

/// How much there is beside what is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Portals, at least eight.
    pub(crate) portals: usize,
    /// Rules of the one that is asked.
    pub(crate) rules: usize,
    /// Sessions of others that stand.
    pub(crate) sessions: usize,
}

/// A gateway with one visitor who gave the second factor.
pub(crate) struct Gate {
    in_force: InForce,
    recall: Arc<Recall>,
    request: String,
    runtime: Runtime,
    listener: TcpListener,
    _folder: tempfile::TempDir,
}

/// A request on its way, with what the framework holds of it.
pub(crate) struct Arrived {
    session: Session,
    for_portal: RequestHeader,
    answer: ResponseHeader,
    body: Option<Bytes>,
    ctx: Option<<InForce as ProxyHttp>::CTX>,
    _client: TcpStream,
}

impl Gate {
    /// Builds it, and lets everybody sign in.
    pub(crate) fn new(sizes: Sizes) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (parts, request) = runtime.block_on(house(&folder, sizes));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let in_force = InForce::new(parts, vec![None]);
        Self { in_force, recall: Arc::default(), request, runtime, listener, _folder: folder }
    }

    /// A request whose head was read.
    pub(crate) fn arrived(&self) -> Arrived {
        self.runtime.block_on(async {
            let address = self.listener.local_addr().unwrap();
            let (client, accepted) =
                tokio::join!(TcpStream::connect(address), self.listener.accept());
            let (mut client, (stream, peer)) = (client.unwrap(), accepted.unwrap());
            client.write_all(self.request.as_bytes()).await.unwrap();
            let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
            digest.peer_addr.set(Some(peer.into())).unwrap();
            let mut stream = Stream::from(stream);
            stream.set_socket_digest(digest);
            let mut session = Session::new_h1(Box::new(stream));
            assert!(session.read_request().await.unwrap());
            let for_portal = session.req_header().clone();
            let (answer, body) = (answer(), Some(Bytes::from_static(b"<p>Hello.</p>")));
            Arrived { session, for_portal, answer, body, ctx: None, _client: client }
        })
    }

    /// Everything that we do about a request until its answer is on its way. All come on one
    /// connection, as a browser's do.
    pub(crate) fn way(&self, arrived: &mut Arrived) {
        let _within = self.runtime.enter();
        self.recall.within(|| self.judged(arrived));
    }

    fn judged(&self, arrived: &mut Arrived) {
        let Arrived { session, for_portal, answer, body, .. } = arrived;
        let gate = &self.in_force;
        let mut ctx = gate.new_ctx();
        at_once(gate.early_request_filter(session, &mut ctx)).unwrap();
        assert!(!at_once(gate.request_filter(session, &mut ctx)).unwrap(), "it was answered");
        at_once(gate.upstream_peer(session, &mut ctx)).unwrap();
        at_once(gate.upstream_request_filter(session, for_portal, &mut ctx)).unwrap();
        at_once(gate.request_body_filter(session, &mut None, true, &mut ctx)).unwrap();
        at_once(gate.response_filter(session, answer, &mut ctx)).unwrap();
        gate.response_body_filter(session, body, true, &mut ctx).unwrap();
        arrived.ctx = Some(ctx);
    }

    /// What the framework does in between: the head of the answer goes out.
    pub(crate) fn answered(&self, arrived: &mut Arrived) {
        let head = Box::new(arrived.answer.clone());
        self.runtime.block_on(arrived.session.write_response_header(head, false)).unwrap();
    }

    /// The line in the access log and the metrics.
    pub(crate) fn record(&self, arrived: &mut Arrived) {
        let mut ctx = arrived.ctx.take().unwrap();
        at_once(self.in_force.logging(&mut arrived.session, None, &mut ctx));
        drop(ctx);
    }
}

/// A proven visitor never has to wait, so asking once is enough; a runtime would only be
/// measured along.
fn at_once<T>(asked: impl Future<Output = T>) -> T {
    match pin!(asked).poll(&mut Polled::from_waker(Waker::noop())) {
        Poll::Ready(given) => given,
        Poll::Pending => panic!("a proven visitor had to wait"),
    }
}

fn answer() -> ResponseHeader {
    let mut head = ResponseHeader::build(200, None).unwrap();
    for (name, value) in [
        ("Date", "Fri, 27 Nov 2026 08:00:00 GMT"),
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", "13"),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Accept-Encoding"),
    ] {
        head.append_header(name, value).unwrap();
    }
    head
}

fn yaml(sizes: Sizes) -> String {
    let mut yaml = "listeners: [{ address: 127.0.0.1:8080 }]\n\
                    store: { engine: sled, path: store }\n\
                    keys: { master: env:MASTER }\n\
                    portals:\n"
        .to_owned();
    for portal in 0..sizes.portals {
        let _ = write!(
            yaml,
            "  p{portal}:\n    hosts: [p{portal}.example.com]\n    \
             upstreams: ['http://127.0.0.1:8081']\n    public: [/static/**]\n    \
             identity: {{ logins: [{{ request: {{ method: POST, path: /login }}, username: {{ form: user }}, \
             success: {{ status: [302] }} }}], session_cookies: [PHPSESSID], rotation: follow, \
             login_url: /login, logout: {{ path: /logout }} }}\n"
        );
        if portal == 7 {
            yaml.push_str("    rules:\n");
            for rule in 0..sizes.rules {
                let path = format!("/part{rule}/*/admin/**");
                let _ = writeln!(yaml, "      - {{ match: {{ path: {path} }}, require: deny }}");
            }
        }
    }
    yaml
}

async fn house(folder: &tempfile::TempDir, sizes: Sizes) -> (Parts, String) {
    let file = folder.path().join("portcullis.yaml");
    let master =
        |name: &str| (name == "MASTER").then(|| OsString::from("BQUF".repeat(10) + "BQU="));
    std::fs::write(&file, yaml(sizes)).unwrap();
    let loaded = config::load_with(&file, &master);
    let config = loaded.unwrap_or_else(|faults| panic!("{faults}")).config;
    let _there_is_one_log_for_all = log::init(&config.telemetry);
    let keyring = Keyring::load(&config.master_key).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new().unwrap());
    let opened = store::open(&config.store, &keyring, clock.now()).await.unwrap();
    let store = Arc::new(Unwritten::new(opened));
    let shared = Arc::clone(&store);
    let parts = server::build(config, keyring, shared, Arc::clone(&clock), metrics).await.unwrap();
    let site = Arc::clone(parts.sites.at(&Host::parse(HOST).unwrap()).unwrap());
    let now = clock.now();
    let session = parts.sessions.begin(now, record(&site, now, PORTAL_COOKIE, 0)).await.unwrap();
    store.keep_nothing(true);
    for other in 0..sizes.sessions {
        let cookie = format!("PHPSESSID=of-somebody-else-{other}");
        parts.sessions.begin(now, record(&site, now, &cookie, other as u64 + 1)).await.unwrap();
    }
    store.keep_nothing(false);
    // A large crowd takes minutes, and an old token would be made anew with each answer.
    let token = site.token.mint(&parts.keys, clock.now(), &session).unwrap();
    let request = format!(
        "GET /projects/7/issues?state=open HTTP/1.1\r\nHost: {HOST}\r\n{LINES}\
         Cookie: {OTHERS}; {PORTAL_COOKIE}; {SESSION}={token}\r\n\r\n"
    );
    (parts, request)
}

fn record(site: &Site, now: UnixMillis, cookie: &str, user: u64) -> SessionRecord {
    let mut headers = HeaderMap::new();
    headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
    let names = &site.portal.identity.session_cookies;
    let set = CookieSet::of_request(&Cookies::read(&headers, &site.cookie_rules).unwrap(), names);
    let name = normalise(&site.portal.identity.username, &format!("user{user}")).unwrap();
    let id = |kind: u64| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&user.to_le_bytes());
        bytes[8..].copy_from_slice(&kind.to_be_bytes());
        Opaque(bytes)
    };
    SessionRecord {
        portal: site.portal.name.clone(),
        root: id(1),
        sid: id(2),
        sub: site.binder.subject(&name),
        user: name,
        bind: site.binder.bind(&set),
        parts: site.binder.parts(&set),
        scoped: Vec::new(),
        started: now,
        ends: now.plus(Duration::from_secs(12 * 3600)),
        level: Level::Proven { factor: FactorUsed::Totp, at: now },
        learned: Learned::default(),
        place: Place::default(),
    }
}
