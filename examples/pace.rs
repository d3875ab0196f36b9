//! Asks at an even pace, for `scripts/compare`: how long a request takes at half load is how long it
//! takes when requests come one by one, as those of many people do. Generators that fire in bursts
//! measure how long requests wait for each other.

// It measures real time, and each of its threads has a connection of its own to wait for.
#![allow(clippy::disallowed_methods)]

use std::error::Error;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Request, Version, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio_rustls::TlsConnector;

type Fault = Box<dyn Error + Send + Sync>;

/// So many connections, each of which asks in its turn.
const CLIENTS: u32 = 8;
/// What comes before that only warms up.
const WARM_UP: Duration = Duration::from_millis(500);

/// What is asked, and where: over TLS where there is a certificate to trust.
struct Asked {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    request: Request<Empty<Bytes>>,
}

/// One connection, by the protocol that it speaks.
enum Client {
    First(http1::SendRequest<Empty<Bytes>>),
    Second(http2::SendRequest<Empty<Bytes>>),
}

/// Arguments: `http`, or the certificate to trust where it is asked over TLS, an address, a path,
/// requests a second, seconds. The lines of the request come in, and out go the median and the 99th
/// percentile, in microseconds.
fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, address, target, rate, seconds] = words.as_slice() else {
        return Err("pace http|CERTIFICATE ADDRESS PATH RATE SECONDS <lines".into());
    };
    let tls = (what != "http").then(|| trusting(what)).transpose()?;
    let asked = Asked { address: address.parse()?, request: request(target, tls.is_some())?, tls };
    let (between, lasts) = (1.0 / rate.parse::<f64>()?, seconds.parse()?);
    let begin = Instant::now() + Duration::from_millis(100);
    let (asked, lasts) = (&asked, Duration::from_secs(lasts));
    let mut all = thread::scope(|scope| -> Result<Vec<Duration>, Fault> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let first = begin + Duration::from_secs_f64(between * f64::from(number));
                let every = Duration::from_secs_f64(between * f64::from(CLIENTS));
                scope.spawn(move || ask_in_turn(asked, first, every, begin + lasts))
            })
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().map_err(|_| "a client broke off")??);
        }
        Ok(all)
    })?;
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).map_or(0, Duration::as_micros);
    Ok(writeln!(stdout(), "{} {}", at(50), at(99))?)
}

/// HTTP/2 names the host in the target instead of in a line.
fn request(target: &str, tls: bool) -> Result<Request<Empty<Bytes>>, Fault> {
    let mut request = Request::new(Empty::new());
    for line in stdin().lock().lines() {
        let (name, value) = read(&line?)?;
        request.headers_mut().append(name, value);
    }
    *request.uri_mut() = target.parse()?;
    if tls {
        *request.uri_mut() = format!("https://localhost{target}").parse()?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
    }
    Ok(request)
}

fn trusting(certificate: &str) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn read(line: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let (name, value) = line.split_once(": ").ok_or("a line has a name and a value")?;
    Ok((name.parse()?, value.parse()?))
}

/// Asks at `first` and whenever `every` has gone by, until `last`. A request that is late because
/// the one before it took long counts from when it was due.
fn ask_in_turn(
    asked: &Asked,
    first: Instant,
    every: Duration,
    last: Instant,
) -> Result<Vec<Duration>, Fault> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut client = runtime.block_on(connect(asked))?;
    let (mut due, mut took) = (first, Vec::new());
    while due < last {
        let request = asked.request.clone();
        let early = due.saturating_duration_since(Instant::now());
        thread::sleep(early);
        let sent = if early.is_zero() { due } else { Instant::now() };
        runtime.block_on(ask(&mut client, request))?;
        if due.saturating_duration_since(first) > WARM_UP {
            took.push(sent.elapsed());
        }
        due += every;
    }
    Ok(took)
}

async fn connect(asked: &Asked) -> Result<Client, Fault> {
    let stream = TcpStream::connect(asked.address).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &asked.tls else {
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        return Ok(Client::First(client));
    };
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(Client::Second(client))
}

async fn ask(client: &mut Client, request: Request<Empty<Bytes>>) -> Result<(), Fault> {
    let answer = match client {
        Client::First(client) => {
            client.ready().await?;
            client.send_request(request).await?
        }
        Client::Second(client) => client.send_request(request).await?,
    };
    whole(answer).await
}

async fn whole(answer: http::Response<Incoming>) -> Result<(), Fault> {
    let status = answer.status();
    answer.into_body().collect().await?;
    if status.is_success() { Ok(()) } else { Err(format!("answered {status}").into()) }
}
