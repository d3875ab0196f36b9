//! A portal that answers each path with bytes prepared beforehand, in parts. All of it is
//! public, so that nobody has to sign in.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::gateway::Fronted;

/// A running portal.
pub struct Shelf {
    address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

struct Inner {
    answers: HashMap<String, Vec<Vec<u8>>>,
    heads: Mutex<Vec<String>>,
    next: Notify,
}

impl Shelf {
    /// Puts answers at paths. Between the parts of one it waits for [`Shelf::go_on`].
    pub async fn run(answers: impl IntoIterator<Item = (String, Vec<Vec<u8>>)>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = answers.into_iter().collect();
        let inner = Arc::new(Inner { answers, heads: Mutex::default(), next: Notify::new() });
        let kept = Arc::clone(&inner);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&kept), stream));
            }
        });
        Self { address, inner, server }
    }

    /// Lets an answer that waits send its next part.
    pub fn go_on(&self) {
        self.inner.next.notify_one();
    }

    /// The heads of all requests since the last time, in lower case.
    pub fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.heads.lock().unwrap())
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fronted for Shelf {
    fn entry(&self, host: &str) -> String {
        format!(
            "hosts: [{host}]
upstreams: [\"http://{}\"]
identity:
  logins:
    - request: {{ method: POST, path: /login }}
      username: {{ form: user }}
      success: {{ status: [302] }}
  session_cookies: [shelfsession]
  login_url: /login
public: [/**]
spa: true
",
            self.address
        )
    }
}

async fn serve(shelf: Arc<Inner>, mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    shelf.heads.lock().unwrap().push(head.to_lowercase());
    for (number, part) in shelf.answers[&path].iter().enumerate() {
        if number > 0 {
            shelf.next.notified().await;
        }
        if stream.write_all(part).await.is_err() {
            return;
        }
    }
}
