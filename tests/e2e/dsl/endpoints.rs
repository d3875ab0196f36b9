//! The API of the desk as a running gateway describes it itself: every endpoint, with an address
//! and a body that do for a test.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Gateway;
use super::client::Call;
use super::desk::{Token, ask, call, call_with};

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub method: String,
    /// With the examples of the document in it.
    pub path: String,
    /// As the document has it, from its server on.
    pub form: String,
    /// The least role that may use it.
    pub role: String,
    /// An example of its body, where it takes one.
    pub body: Option<String>,
    /// Every status that is described.
    pub statuses: Vec<u16>,
}

impl Endpoint {
    /// A request with this token.
    pub fn call(&self, token: Token) -> Call {
        match &self.body {
            Some(body) => call_with(token, &self.method, &self.path, body),
            None => call(token, &self.method, &self.path),
        }
    }

    /// A request with no token.
    pub fn bare(&self) -> Call {
        Call::new(&self.method, "localhost", &self.path)
    }

    /// Whether it only tells.
    pub fn looks(&self) -> bool {
        self.method == "GET"
    }
}

/// What the gateway says that it has: first what changes nothing, and of the rest what ends
/// things last.
pub async fn endpoints(gateway: &Gateway, token: Token) -> Vec<Endpoint> {
    let document = document(gateway, token).await;
    let base = document["servers"][0]["url"].as_str().unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut found: Vec<Endpoint> = Vec::new();
    for (path, item) in paths {
        for (method, said) in item.as_object().unwrap() {
            found.push(endpoint(base, path, method, said));
        }
    }
    let order = |one: &Endpoint| match one.method.as_str() {
        "GET" => 0,
        "POST" => 1,
        _ => 2,
    };
    found.sort_by_key(|one| (order(one), one.path.clone()));
    found
}

/// The document.
pub async fn document(gateway: &Gateway, token: Token) -> Value {
    let answer = ask(gateway, call(token, "GET", "/api/v1/openapi.json")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn endpoint(base: &str, path: &str, method: &str, said: &Value) -> Endpoint {
    let parameters = said["parameters"].as_array().unwrap().iter();
    let in_path = parameters.filter(|one| one["in"] == "path");
    let examples: BTreeMap<&str, &str> = in_path
        .map(|one| (one["name"].as_str().unwrap(), one["example"].as_str().unwrap()))
        .collect();
    let mut filled = format!("{base}{path}");
    for (name, example) in examples {
        filled = filled.replace(&format!("{{{name}}}"), example);
    }
    let body = said.pointer("/requestBody/content/application~1json/example");
    Endpoint {
        method: method.to_uppercase(),
        path: filled,
        form: path.to_owned(),
        role: said["x-role"].as_str().unwrap().to_owned(),
        body: body.map(Value::to_string),
        statuses: said["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(|key| key.parse().unwrap())
            .collect(),
    }
}
