//! The members of the etcd and the way to them. One is asked until it fails; then the next. What
//! only reads is asked again elsewhere; what writes never is, once it may have been taken.

use std::fs;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, TlsOptions, Txn, TxnResponse};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::refusal::OpenError;
use crate::clock::Stopwatch;
use crate::config::EtcdConfig;
use crate::config::etcd::without_scheme;
use crate::store::StoreError;

/// How long one member may take to be connected to.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one member may take to answer a question that another could answer.
const ANSWER: Duration = Duration::from_millis(1500);
/// How long questions are put to one member after the other.
const PATIENCE: Duration = Duration::from_millis(4500);
/// The wait after all were asked in vain.
const PAUSE: Duration = Duration::from_millis(100);
/// A connection that is idle for so long is tried. etcd cuts off who tries more often than each
/// five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The largest answer that is taken in, in bytes: a page of the largest records fits.
const LARGEST: usize = 8 << 20;

// The codes of gRPC that mean something here.
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const OUT_OF_RANGE: i32 = 11;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// All members that the address names.
pub(super) struct Members {
    slots: Vec<Slot>,
    options: ConnectOptions,
    current: AtomicUsize,
}

struct Slot {
    endpoint: String,
    client: Mutex<Option<Client>>,
}

/// What an answer that is no answer means.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Certainly nothing was done; another member may do it.
    Elsewhere(String),
    /// It may have been done.
    Unknown(String),
    /// The lease that it names is no more; nothing was done.
    LeaseGone,
    /// Nothing was done, and no other member would.
    Final(StoreError),
}

impl Trouble {
    /// The same where only something was to be read.
    pub(super) fn of_reading(self) -> StoreError {
        match self {
            Self::Elsewhere(why) | Self::Unknown(why) => StoreError::Unavailable(why),
            Self::LeaseGone => StoreError::Unavailable("a lease has ended".to_owned()),
            Self::Final(error) => error,
        }
    }

    /// The same where something was to be written.
    pub(super) fn of_writing(self) -> StoreError {
        match self {
            Self::Unknown(why) => StoreError::Indeterminate(why),
            other @ (Self::Elsewhere(_) | Self::LeaseGone | Self::Final(_)) => other.of_reading(),
        }
    }
}

impl Members {
    /// The members that `config` names. None is connected to yet.
    pub(super) fn of(config: &EtcdConfig) -> Result<Self, OpenError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(KEEP_ALIVE, CONNECT)
            .with_tcp_keepalive(KEEP_ALIVE)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(user) = &config.user {
            options = options.with_user(user.name.as_str(), user.password.as_str());
        }
        if config.endpoints.iter().all(|endpoint| endpoint.starts_with("https://")) {
            options = options.with_tls(tls(config)?);
        }
        let slot =
            |endpoint: &String| Slot { endpoint: endpoint.clone(), client: Mutex::default() };
        let slots = config.endpoints.iter().map(slot).collect();
        Ok(Self { slots, options, current: AtomicUsize::new(0) })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// The member that is asked now.
    pub(super) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// Its address, without user or password.
    pub(super) fn name(&self, member: usize) -> &str {
        self.slots.get(member).map_or("", |slot| without_scheme(&slot.endpoint))
    }

    /// Asks other members than `member` from now on, unless they are asked already.
    pub(super) fn leave(&self, member: usize) {
        let next = self.next(member);
        let _ = self.current.compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The member to ask when `member` did not answer.
    pub(super) fn next(&self, member: usize) -> usize {
        member.saturating_add(1) % self.slots.len().max(1)
    }

    /// The way to one member.
    pub(super) async fn client(&self, member: usize) -> Result<Client, Trouble> {
        let nobody = || Trouble::Final(StoreError::Unavailable("there is no member".to_owned()));
        let slot = self.slots.get(member).ok_or_else(nobody)?;
        let mut client = slot.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let connecting = Client::connect([&slot.endpoint], Some(self.options.clone()));
        match timeout(CONNECT, connecting).await {
            Ok(Ok(made)) => Ok(client.insert(made).clone()),
            Ok(Err(error)) => Err(self.unless_known(member, trouble(&error))),
            Err(_) => Err(Trouble::Elsewhere(format!("{} is silent", self.name(member)))),
        }
    }

    /// Puts a question that changes nothing, to one member after the other.
    pub(super) async fn ask<T, F>(&self, question: impl Fn(Client) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let began = Stopwatch::start();
        let mut asked = 0_usize;
        loop {
            let member = self.current();
            let trouble = match self.ask_one(member, &question).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(trouble) => trouble,
            };
            self.leave(member);
            if began.elapsed() > PATIENCE {
                return Err(trouble.of_reading());
            }
            asked = asked.saturating_add(1);
            if asked.is_multiple_of(self.slots.len()) {
                sleep(PAUSE).await;
            }
        }
    }

    async fn ask_one<T, F>(
        &self,
        member: usize,
        question: &impl Fn(Client) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let silent = |_| Trouble::Elsewhere(format!("{} is silent", self.name(member)));
        // Others may be waiting for the same member already.
        let client = timeout(ANSWER, self.client(member)).await.map_err(silent)??;
        match timeout(ANSWER, question(client)).await.map_err(silent)? {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failed(member, &error).await),
        }
    }

    /// Sends a transaction that writes, once. Whoever gives it up does not know what became of it.
    pub(super) async fn write(&self, tx: Txn) -> Result<TxnResponse, Trouble> {
        let member = self.current();
        let client = self.client(member).await.inspect_err(|_| self.leave(member))?;
        let answer = client.kv_client().max_decoding_message_size(LARGEST).txn(tx).await;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let trouble = self.failed(member, &error).await;
                if matches!(trouble, Trouble::Elsewhere(_) | Trouble::Unknown(_)) {
                    self.leave(member);
                }
                Err(trouble)
            }
        }
    }

    async fn failed(&self, member: usize, error: &Error) -> Trouble {
        if let Error::GRpcStatus(status) = error
            && [INVALID_ARGUMENT, UNAUTHENTICATED].contains(&(status.code() as i32))
            && let Some(slot) = self.slots.get(member)
        {
            // Users or rights changed: signing in anew is part of connecting anew.
            *slot.client.lock().await = None;
        }
        self.unless_known(member, trouble(error))
    }

    // Says which member it was.
    fn unless_known(&self, member: usize, trouble: Trouble) -> Trouble {
        let named = |why: String| format!("{}: {why}", self.name(member));
        match trouble {
            Trouble::Elsewhere(why) => Trouble::Elsewhere(named(why)),
            Trouble::Unknown(why) => Trouble::Unknown(named(why)),
            known @ (Trouble::LeaseGone | Trouble::Final(_)) => known,
        }
    }
}

/// The part of etcd that reads.
pub(super) fn reader(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(LARGEST)
}

fn tls(config: &EtcdConfig) -> Result<TlsOptions, OpenError> {
    let Some(path) = &config.authorities else {
        return Ok(TlsOptions::new().with_native_roots());
    };
    let pem =
        fs::read(path).map_err(|source| OpenError::Authorities { path: path.clone(), source })?;
    Ok(TlsOptions::new().ca_certificate(Certificate::from_pem(pem)))
}

/// What `error` means for whoever sent something.
pub(super) fn trouble(error: &Error) -> Trouble {
    let Error::GRpcStatus(status) = error else {
        return match error {
            // These come before anything was sent.
            Error::TransportError(_)
            | Error::InvalidArgs(_)
            | Error::InvalidUri(_)
            | Error::InvalidMetadataValue(_)
            | Error::EndpointError(_)
            | Error::EndpointsNotManaged => Trouble::Elsewhere(error.to_string()),
            _ => Trouble::Unknown(error.to_string()),
        };
    };
    let why = status.message();
    let says = |text: &str| why.contains(text);
    let refused = || Trouble::Final(StoreError::Unavailable(format!("etcd refuses: {why}")));
    match status.code() as i32 {
        RESOURCE_EXHAUSTED if says("space exceeded") => Trouble::Final(StoreError::Full),
        RESOURCE_EXHAUSTED => Trouble::Elsewhere(why.to_owned()),
        NOT_FOUND if says("lease") => Trouble::LeaseGone,
        INVALID_ARGUMENT if says("auth") => Trouble::Elsewhere(why.to_owned()),
        UNAUTHENTICATED => Trouble::Elsewhere(why.to_owned()),
        PERMISSION_DENIED | OUT_OF_RANGE | INVALID_ARGUMENT => refused(),
        UNAVAILABLE if says("no leader") => Trouble::Elsewhere(why.to_owned()),
        _ if says("connect error") => Trouble::Elsewhere(why.to_owned()),
        _ => Trouble::Unknown(why.to_owned()),
    }
}
