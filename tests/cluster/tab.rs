//! A browser that goes on when nobody answers: every request ends with an answer or with none,
//! and connections that were cut are made anew. It also hears which gateway answered.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::html::Form;
use crate::dsl::{Browser, Call, Connection, Gateway, client};

/// Longer than a gateway waits for its store.
const PATIENCE: Duration = Duration::from_secs(20);

/// One tab of somebody's browser, which goes to HAProxy without TLS.
pub struct Tab {
    pub browser: Browser,
    /// Which gateway gave the last answer; empty where none did.
    pub at: String,
    to: SocketAddr,
    connection: Option<Connection>,
}

impl Tab {
    pub fn new(gateway: &Gateway, to: SocketAddr) -> Self {
        Self::of(gateway.browser("wiki"), to)
    }

    pub fn of(browser: Browser, to: SocketAddr) -> Self {
        Self { browser, at: String::new(), to, connection: None }
    }

    /// The same person at another way in.
    pub fn also(&self, to: SocketAddr) -> Self {
        Self::of(self.browser.clone(), to)
    }

    /// Opens a path; nothing when nobody answers.
    pub async fn open(&mut self, path: &str) -> Option<Shown> {
        let call = self.browser.navigation("GET", path);
        self.visit(path, call).await
    }

    /// Opens a path and goes wherever it leads.
    pub async fn go(&mut self, path: &str) -> Option<Shown> {
        let shown = self.open(path).await?;
        self.follow(shown).await
    }

    /// Goes wherever an answer leads.
    pub async fn follow(&mut self, mut shown: Shown) -> Option<Shown> {
        for _ in 0..10 {
            if !(300..400).contains(&shown.status) {
                return Some(shown);
            }
            let path = self.browser.resolve(&shown.path, shown.location());
            shown = self.open(&path).await?;
        }
        panic!("too many redirects, last to {}", shown.location());
    }

    /// Sends a form from the page it stands on.
    pub async fn send(&mut self, page: &Shown, form: &Form) -> Option<Shown> {
        let call = self.browser.sending(page, form);
        let path = call.target.clone();
        self.visit(&path, call).await
    }

    async fn visit(&mut self, path: &str, call: Call) -> Option<Shown> {
        let answer = tokio::time::timeout(PATIENCE, self.ask(call)).await;
        let Ok(Some(answer)) = answer else {
            // What comes on it later belongs to nobody.
            self.connection = None;
            self.at.clear();
            return None;
        };
        self.at = answer.line("x-served-by").unwrap_or_default().to_owned();
        if self.at.is_empty() {
            // HAProxy speaks for itself.
            return None;
        }
        Some(self.browser.takes(path, answer))
    }

    async fn ask(&mut self, call: Call) -> Option<crate::dsl::Answer> {
        if let Some(connection) = &mut self.connection {
            match connection.send(call.clone()).await {
                Ok(answer) => return Some(answer),
                // It was closed before anything was sent, as idle ones are.
                Err(error) if error.is_canceled() => {}
                Err(_) => return None,
            }
        }
        let mut connection = client::connect_plainly(self.to).await.ok()?;
        let answer = connection.send(call).await.ok()?;
        self.connection = Some(connection);
        Some(answer)
    }
}

/// Sends a request to a gateway's admin listener; nothing when nobody answers.
pub async fn ask(address: SocketAddr, call: Call) -> Option<crate::dsl::Answer> {
    let asking = async { client::connect_plainly(address).await.ok()?.send(call).await.ok() };
    tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
}
