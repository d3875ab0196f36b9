//! What a person does in a browser, over the W3C's WebDriver protocol. Waiting is the
//! driver's own: it looks for an element until it is there or patience ends.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::chromium::{Driver, PATIENCE};

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser with one window.
pub struct Browser {
    address: SocketAddr,
    session: String,
    driver: Option<Driver>,
}

/// An element of the page shown. It is gone with the page.
#[derive(Debug)]
pub struct Element(String);

impl Browser {
    /// A browser that is not open yet.
    pub fn over(address: SocketAddr) -> Self {
        Self { address, session: String::new(), driver: None }
    }

    /// Opens it.
    pub async fn begin(&mut self, wanted: Value) -> String {
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let answer = send(self.address, Method::POST, "/session", Some(body)).await;
        let answer = answer.unwrap_or_else(|error| {
            panic!("chromium does not start ({error}): apt-get install chromium chromium-driver")
        });
        self.session = text_of(&answer["sessionId"]);
        self.session.clone()
    }

    /// Lets the driver end with the browser.
    pub fn own(&mut self, driver: Driver) {
        self.driver = Some(driver);
    }

    /// Sends a command that changes something.
    pub async fn command(&self, name: &str, body: Value) -> Value {
        self.call(Method::POST, name, Some(body)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn ask(&self, name: &str) -> Value {
        self.call(Method::GET, name, None).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn call(&self, method: Method, name: &str, body: Option<Value>) -> Result<Value, String> {
        let path = format!("/session/{}/{name}", self.session);
        let said = format!("{method} {name}");
        // Longer than the driver's own patience, whose messages say more.
        let answer = tokio::time::timeout(3 * PATIENCE, send(self.address, method, &path, body));
        let answer = answer.await.unwrap_or_else(|_| Err("no answer from the driver".to_owned()));
        answer.map_err(|error| format!("{said}: {error}"))
    }

    /// Opens an address and waits until it is there.
    pub async fn goto(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// The address shown.
    pub async fn url(&self) -> String {
        text_of(&self.ask("url").await)
    }

    /// The first element that a CSS selector finds; waits for it.
    pub async fn find(&self, css: &str) -> Element {
        let wanted = json!({ "using": "css selector", "value": css });
        match self.call(Method::POST, "element", Some(wanted)).await {
            Ok(found) => Element(text_of(&found[ELEMENT])),
            Err(error) => {
                panic!("no {css} at {}: {error}\n{}", self.url().await, self.source().await)
            }
        }
    }

    /// All elements that a CSS selector finds; waits for one.
    pub async fn find_all(&self, css: &str) -> Vec<Element> {
        let wanted = json!({ "using": "css selector", "value": css });
        let found = self.command("elements", wanted).await;
        let each = found.as_array().unwrap().iter();
        each.map(|element| Element(text_of(&element[ELEMENT]))).collect()
    }

    /// Clicks what leads to another page, and waits until this one is gone. The driver alone
    /// does not always notice that a form was sent.
    pub async fn follow(&self, css: &str) {
        let Element(id) = self.find(css).await;
        self.command(&format!("element/{id}/click"), json!({})).await;
        let gone = async {
            let name = format!("element/{id}/name");
            while self.call(Method::GET, &name, None).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        let left = tokio::time::timeout(PATIENCE, gone).await;
        assert!(left.is_ok(), "{css} leads nowhere at {}", self.url().await);
    }

    /// Clicks what stays on this page.
    pub async fn click(&self, css: &str) {
        let Element(id) = self.find(css).await;
        self.command(&format!("element/{id}/click"), json!({})).await;
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let Element(id) = self.find(css).await;
        self.command(&format!("element/{id}/clear"), json!({})).await;
        self.command(&format!("element/{id}/value"), json!({ "text": text })).await;
    }

    /// The text of an element, as it is shown.
    pub async fn text(&self, css: &str) -> String {
        self.text_of(&self.find(css).await).await
    }

    /// The text of one of the elements that were found.
    pub async fn text_of(&self, Element(id): &Element) -> String {
        text_of(&self.ask(&format!("element/{id}/text")).await)
    }

    /// An attribute as the page has it.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let Element(id) = self.find(css).await;
        let value = self.ask(&format!("element/{id}/attribute/{name}")).await;
        value.as_str().map(str::to_owned)
    }

    /// Loses all cookies of the page shown.
    pub async fn forget_cookies(&self) {
        self.call(Method::DELETE, "cookie", None).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The page's own text.
    pub async fn source(&self) -> String {
        text_of(&self.ask("source").await)
    }

    /// A picture, PNG, of the whole page, also of what the window does not show.
    pub async fn picture_of_page(&self) -> Vec<u8> {
        let mut size = self.size_of_page().await;
        (size["x"], size["y"]) = (json!(0), json!(0));
        self.picture_within(size).await
    }

    /// How wide the whole page is, also what the window does not show. No script of the page's
    /// is needed to know.
    pub async fn width_of_page(&self) -> f64 {
        self.size_of_page().await["width"].as_f64().unwrap()
    }

    async fn size_of_page(&self) -> Value {
        let wanted = json!({ "cmd": "Page.getLayoutMetrics", "params": {} });
        self.command("goog/cdp/execute", wanted).await["cssContentSize"].take()
    }

    /// A picture, PNG, of one element. The driver's own would end where the window does.
    pub async fn picture_of(&self, css: &str) -> Vec<u8> {
        let Element(id) = self.find(css).await;
        self.picture_within(self.ask(&format!("element/{id}/rect")).await).await
    }

    async fn picture_within(&self, mut clip: Value) -> Vec<u8> {
        clip["scale"] = json!(1);
        let wanted = json!({
            "cmd": "Page.captureScreenshot",
            "params": { "captureBeyondViewport": true, "clip": clip },
        });
        let taken = self.command("goog/cdp/execute", wanted).await;
        STANDARD.decode(text_of(&taken["data"])).unwrap()
    }

    /// The cookies of the page shown, HttpOnly ones too.
    pub async fn cookies(&self) -> Vec<Value> {
        self.ask("cookie").await.as_array().unwrap().clone()
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Runs a script that calls its last argument when it is done.
    pub async fn run_until_done(&self, script: &str) -> Value {
        self.command("execute/async", json!({ "script": script, "args": [] })).await
    }

    /// What the console has said since it was last asked.
    pub async fn console(&self) -> Vec<Value> {
        self.command("se/log", json!({ "type": "browser" })).await.as_array().unwrap().clone()
    }
}

async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    let mut answer: Value =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if status.is_success() { Ok(value) } else { Err(format!("{}", value["message"])) }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
