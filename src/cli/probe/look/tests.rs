//! Portals that ask for more passwords than were named, and those that do not answer.

use axum::Router;
use axum::response::Html as Answer;
use axum::routing::get;

use super::{forms, warning};
use crate::cli::probe::page::Html;
use crate::config::{self, Config};

const TWO: &str = "<form method=post action=/login><input name=u><input type=password name=p></form>\
    <form method=post action=/guests><input type=password name=p></form>";

fn config(port: u16) -> Config {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:8080 }}]
store: {{ engine: sled, path: data }}
keys: {{ master: file:master.key }}
portals:
  wiki:
    hosts: [wiki.test]
    upstreams: [\"http://127.0.0.1:{port}\"]
    identity:
      logins:
        - request: {{ method: POST, path: /login }}
          username: {{ form: u }}
          success: {{ status: [302] }}
      session_cookies: [sid]
      login_url: /login
"
    );
    config::load_text("x.yaml".as_ref(), &text, &|_| None).unwrap().config
}

/// A portal whose login page is this one.
async fn portal(page: &'static str) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().route("/login", get(move || async move { Answer(page) }));
    (port, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

#[tokio::test]
async fn a_second_address_for_passwords_is_told() {
    let (port, server) = portal(TWO).await;
    let told = warning(&config(port).portals[0]).await.unwrap();
    assert!(told.contains("more password fields in the portal than logins named"), "{told}");
    assert!(told.starts_with("warning: portals.wiki.identity.logins: "), "{told}");
    server.abort();
}

#[tokio::test]
async fn a_portal_with_one_form_or_without_an_answer_is_not_spoken_of() {
    let (port, server) = portal("<form action=/login><input type=password name=p></form>").await;
    assert_eq!(warning(&config(port).portals[0]).await, None);
    server.abort();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(warning(&config(free).portals[0]).await, None);
}

#[test]
fn forms_to_one_address_count_once() {
    let at = url::Url::parse("http://wiki.test/login").unwrap();
    let count = |page: &str| forms(&Html::read(page), &at);
    let one = "<form action=/login><input type=password></form>";
    assert_eq!(count(one), 1);
    assert_eq!(count(&one.repeat(2)), 1);
    assert_eq!(count(&format!("{one}<form><input type=password></form>")), 1);
    assert_eq!(count(&format!("{one}<input type=password>")), 2);
    assert_eq!(count("<form><input name=q></form>"), 0);
}
