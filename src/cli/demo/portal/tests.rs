//! The portal as a browser meets it, without a gateway in front.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::clock::{MovableClock, UnixMillis};

async fn portal() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // 2009-02-13T23:31:30Z
    let clock = Arc::new(MovableClock::at(UnixMillis::from_seconds(1_234_567_890)));
    tokio::spawn(serve(listener, clock));
    address
}

async fn get(address: SocketAddr, path: &str, cookie: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nCookie: {cookie}\r\n"), "").await
}

async fn post(address: SocketAddr, cookie: &str, form: &str) -> String {
    let head = format!(
        "POST /login HTTP/1.1\r\nCookie: {cookie}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n",
        form.len()
    );
    ask(address, &head, form).await
}

async fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}Host: intranet\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn cookie_of(answer: &str) -> &str {
    let (_, line) = answer.split_once("set-cookie: ").expect("no cookie was set");
    line.split(';').next().unwrap()
}

fn token_of(answer: &str) -> &str {
    let (_, rest) = answer.split_once("name=\"csrf\" value=\"").expect("no token in the form");
    rest.split('"').next().unwrap()
}

/// Signs in and gives the cookie before and after.
async fn signed_in(address: SocketAddr, user: &str, password: &str) -> (String, String) {
    let form = get(address, "/login", "").await;
    let before = cookie_of(&form).to_owned();
    let fields = format!("csrf={}&user={user}&password={password}", token_of(&form));
    let answer = post(address, &before, &fields).await;
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    assert!(answer.contains("location: /\r\n"), "{answer}");
    (before, cookie_of(&answer).to_owned())
}

#[tokio::test]
async fn the_right_password_opens_the_page_under_a_new_session() {
    let address = portal().await;
    let (before, after) = signed_in(address, "alice", "Correct-Horse-9").await;
    assert_ne!(before, after);
    assert!(get(address, "/", &after).await.contains("Welcome, Alice!"));
    assert!(get(address, "/", &before).await.contains("location: /login\r\n"));
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again() {
    let address = portal().await;
    let form = get(address, "/login", "").await;
    let fields = format!("csrf={}&user=%3Cb%3E&password=x", token_of(&form));
    let answer = post(address, cookie_of(&form), &fields).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("Wrong user name or password."), "{answer}");
    assert!(answer.contains("value=\"&lt;b&gt;\""), "{answer}");
    assert!(!answer.contains("set-cookie"), "{answer}");
}

#[tokio::test]
async fn a_form_without_its_token_signs_nobody_in() {
    let address = portal().await;
    let form = get(address, "/login", "").await;
    let fields = "csrf=guessed&user=alice&password=Correct-Horse-9";
    let answer = post(address, cookie_of(&form), fields).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let without_session = post(address, "", fields).await;
    assert!(without_session.starts_with("HTTP/1.1 200 "), "{without_session}");
}

#[tokio::test]
async fn after_logging_out_the_session_is_worth_nothing() {
    let address = portal().await;
    let (_, cookie) = signed_in(address, "bob", "Battery-Staple-7").await;
    let answer = get(address, "/logout", &cookie).await;
    assert!(answer.contains("Max-Age=0"), "{answer}");
    assert!(get(address, "/", &cookie).await.contains("location: /login\r\n"));
}

#[tokio::test]
async fn the_stylesheet_is_for_everybody() {
    let answer = get(portal().await, "/static/style.css", "").await;
    assert!(answer.contains("content-type: text/css\r\n"), "{answer}");
}

fn upgrade(cookie: &str, origin: &str) -> String {
    format!(
        "GET /clock HTTP/1.1\r\nHost: intranet\r\nCookie: {cookie}\r\nOrigin: {origin}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

async fn first_line(address: SocketAddr, request: &str) -> (String, BufReader<TcpStream>) {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    (line, stream)
}

#[tokio::test]
async fn the_clock_tells_the_time_to_those_who_signed_in() {
    let address = portal().await;
    let (_, cookie) = signed_in(address, "alice", "Correct-Horse-9").await;
    let (line, mut stream) = first_line(address, &upgrade(&cookie, "https://intranet")).await;
    assert!(line.starts_with("HTTP/1.1 101 "), "{line}");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).await.unwrap();
    }
    // RFC 6455 section 5.2: a final text frame of 12 bytes, unmasked.
    let mut frame = [0_u8; 14];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x0c23:31:30 UTC");
}

#[tokio::test]
async fn the_clock_is_silent_for_strangers_and_other_sites() {
    let address = portal().await;
    let (line, _) = first_line(address, &upgrade("", "https://intranet")).await;
    assert!(line.starts_with("HTTP/1.1 401 "), "{line}");
    let (_, cookie) = signed_in(address, "alice", "Correct-Horse-9").await;
    let (line, _) = first_line(address, &upgrade(&cookie, "https://evil.example")).await;
    assert!(line.starts_with("HTTP/1.1 403 "), "{line}");
}
