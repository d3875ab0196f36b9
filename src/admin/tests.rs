//! The admin listener over a real connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::site::house::{self, house};
use crate::telemetry::label::{ReasonLabel, VerdictLabel};

/// A store in a known state.
enum Store {
    Well,
    Full,
    Silent,
}

#[async_trait]
impl Readiness for Store {
    async fn ready(&self) -> Result<(), String> {
        match self {
            Self::Well => Ok(()),
            Self::Full => Err("the disk of the store is full".to_owned()),
            Self::Silent => future::pending().await,
        }
    }
}

struct Running {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<Result<(), AdminError>>,
    _house: house::House,
}

async fn running(store: Store) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let (stop, stopped) = oneshot::channel();
    let house = house().await;
    let parts = Arc::clone(&house.parts);
    let now: House = Arc::new(move || Arc::clone(&parts));
    let shutdown = async move {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(serve(listener, metrics.clone(), Arc::new(store), now, shutdown));
    Running { address, metrics, stop, serving, _house: house }
}

impl Running {
    /// The whole answer to one request, head and body.
    async fn ask(&self, method: &str, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask("GET", path, "localhost").await
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn metrics_are_those_that_were_counted() {
    let admin = running(Store::Well).await;
    let wiki = admin.metrics.portal("wiki").unwrap();
    wiki.request(VerdictLabel::Forward, ReasonLabel::Proven, Duration::from_millis(1));
    let answer = admin.get("/metrics").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    let series =
        "portcullis_requests_total{portal=\"wiki\",reason=\"proven\",verdict=\"forward\"} 1\n";
    assert!(answer.contains(series), "{answer}");
}

#[tokio::test]
async fn alive_does_not_mean_ready() {
    let admin = running(Store::Full).await;
    assert_eq!(status(&admin.get("/healthz").await), "200");
    let answer = admin.get("/readyz").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.ends_with("not ready: the disk of the store is full\n"), "{answer}");
}

#[tokio::test]
async fn a_store_that_takes_writes_is_ready() {
    let admin = running(Store::Well).await;
    assert_eq!(status(&admin.get("/readyz").await), "200");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_ready() {
    let admin = running(Store::Silent).await;
    let answer = admin.get("/readyz").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.ends_with("not ready: the store does not answer\n"), "{answer}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let admin = running(Store::Well).await;
    assert_eq!(status(&admin.get("/").await), "404");
    assert_eq!(status(&admin.get("/metrics/").await), "404");
    for method in ["POST", "DELETE", "OPTIONS", "TRACE"] {
        let answer = admin.ask(method, "/metrics", "localhost").await;
        assert_eq!(status(&answer), "405", "{method}");
        assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_rebound_name_learns_nothing() {
    let admin = running(Store::Well).await;
    let answer = admin.ask("GET", "/metrics", "evil.example").await;
    assert_eq!(status(&answer), "421");
    assert!(!answer.contains("portcullis_"), "{answer}");
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let admin = running(Store::Well).await;
    for (path, host) in
        [("/metrics", "localhost"), ("/nothing", "localhost"), ("/metrics", "evil.example")]
    {
        let answer = admin.ask("GET", path, host).await;
        for (name, value) in SECURITY_HEADERS {
            assert!(answer.contains(&format!("{name}: {value}\r\n")), "{name} in {answer}");
        }
    }
}

#[tokio::test]
async fn it_stops_when_told() {
    let admin = running(Store::Well).await;
    admin.stop.send(()).unwrap();
    admin.serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(admin.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_does_not_hold_up_the_stop() {
    let admin = running(Store::Silent).await;
    let mut stream = TcpStream::connect(admin.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    admin.stop.send(()).unwrap();
    admin.serving.await.unwrap().unwrap();
}
