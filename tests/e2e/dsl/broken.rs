//! Portals that answer nobody.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::gateway::Fronted;

/// A portal that does not answer as it should.
pub struct Broken {
    authority: String,
}

impl Broken {
    /// One that answers everything with these bytes, and hangs up.
    pub async fn that_says(answer: &'static str) -> Self {
        Self::run(answer, false).await
    }

    /// The same, but it waits for more before it hangs up, as the end of a tunnel would.
    pub async fn that_says_and_waits(answer: &'static str) -> Self {
        Self::run(answer, true).await
    }

    async fn run(answer: &'static str, waits: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if waits {
                        let _ = stream.read(&mut head).await;
                    }
                });
            }
        });
        Self::at(address)
    }

    /// One where nobody listens.
    pub fn that_is_gone() -> Self {
        // Nobody may listen there without being asked to.
        Self::at(([127, 0, 0, 1], 1).into())
    }

    /// One whose name has no address, as no such name ever has (RFC 6761 section 6.4).
    pub fn without_an_address() -> Self {
        Self { authority: "nobody.invalid".to_owned() }
    }

    fn at(address: SocketAddr) -> Self {
        Self { authority: address.to_string() }
    }
}

impl Fronted for Broken {
    fn entry(&self, host: &str) -> String {
        format!(
            "hosts: [{host}]
upstreams: [\"http://{}\"]
identity:
  logins:
    - request: {{ method: POST, path: /login }}
      username: {{ form: user }}
      success: {{ status: [302] }}
  session_cookies: [portalsession]
  login_url: /login
public: [/public/**]
",
            self.authority
        )
    }
}
