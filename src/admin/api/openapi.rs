//! `GET /openapi.json`: the API as OpenAPI 3.1 describes it, made from the table of endpoints and
//! from the types of bodies and answers.

use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::described::{Described, IN_PATHS, Parameter, described};
use super::endpoint::{BASE, ENDPOINTS, Endpoint};
use super::problem::{self, Problem};
use super::view;

/// What any endpoint may answer in place of what it was asked for, with the lines of its head.
const REFUSALS: &[(u16, &str, &[&str])] = &[
    (400, "The request is not as it has to be.", &[]),
    (401, "There is no token, or a wrong one.", &["WWW-Authenticate"]),
    (403, "The token's role is too small, or a page of another origin asked.", &[]),
    (404, "There is no such thing, or not for this token.", &[]),
    (405, "The address takes other methods.", &["Allow"]),
    (408, "The body did not come in time.", &[]),
    (409, "It cannot be done as things stand; reason says why.", &[]),
    (413, "The body is too long.", &[]),
    (415, "The body is not application/json.", &[]),
    (421, "The host is neither an address nor localhost.", &[]),
    (422, "What was asked for may not be done; reason says why.", &[]),
    (429, "Too many requests with this token, or wrong tokens.", &["Retry-After"]),
    (500, "Something of the gateway's own went wrong; its log says what.", &[]),
    (503, "The store, the clock or the audit log is in doubt; nothing was done by halves.", &[]),
];
/// Those that belong to some endpoints alone.
const OF_SOME: &[u16] = &[404, 409, 415, 422];

/// The document itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenApiDocument")]
pub(super) struct Document {
    openapi: &'static str,
    info: Value,
    servers: Value,
    security: Value,
    paths: Map<String, Value>,
    components: Value,
}

/// `GET /openapi.json`
pub(super) fn show(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    view::json(&document())
}

/// What the API is, whole.
pub(super) fn document() -> Document {
    let mut forms = Forms::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let path = endpoint.path.strip_prefix(BASE).unwrap_or(endpoint.path);
        let operation = operation(endpoint, &described(endpoint.deed), &mut forms);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(endpoint.method.to_lowercase(), operation);
        }
    }
    Document {
        openapi: "3.1.0",
        info: json!({
            "title": "Portcullis, the desk's API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "For the support desk and for ops, on the admin listener. No answer \
                            holds a secret, but where one is made and told once.",
        }),
        servers: json!([{ "url": BASE }]),
        security: json!([{ "token": [] }]),
        paths,
        components: json!({
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of the configuration, or one that portcullis token made.",
            } },
            "responses": responses(&mut forms),
            "schemas": forms.named(),
        }),
    }
}

/// Makes the forms of types. What is sent and what is answered differ in what may be left out.
struct Forms {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Forms {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let bodies = settings.clone().for_deserialize().with(|settings| {
            settings.inline_subschemas = true;
        });
        let answers = settings.for_serialize().into_generator();
        Self { bodies: bodies.into_generator(), answers }
    }

    fn named(mut self) -> Map<String, Value> {
        let mut named = self.answers.take_definitions(true);
        named.values_mut().for_each(without_rust);
        named
    }
}

/// Formats such as uint64 are of Rust alone, and no program of another language knows them.
fn without_rust(form: &mut Value) {
    fn strip(form: &mut Schema) {
        let of_rust = |format: &str| format.starts_with("uint") || format.starts_with("int");
        if form.get("format").and_then(Value::as_str).is_some_and(of_rust) {
            form.remove("format");
        }
        transform_subschemas(&mut strip, form);
    }
    if let Ok(schema) = <&mut Schema>::try_from(form) {
        strip(schema);
    }
}

fn operation(endpoint: &Endpoint, said: &Described, forms: &mut Forms) -> Value {
    let mut operation = json!({
        "operationId": format!("{:?}", endpoint.deed),
        "summary": said.summary,
        "tags": [said.tag],
        // What a token needs is no scope of OAuth, so OpenAPI has no word for it.
        "x-role": endpoint.needs.as_str(),
        "parameters": parameters(endpoint, said),
        "responses": answers(endpoint, said, forms),
    });
    if let (Some(body), Some(operation)) = (said.body, operation.as_object_mut()) {
        let form = (body.form)(&mut forms.bodies);
        let example: Value = serde_json::from_str(body.example).unwrap_or_default();
        let content = json!({ "application/json": { "schema": form, "example": example } });
        let body = json!({ "required": body.needed, "content": content });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn parameters(endpoint: &Endpoint, said: &Described) -> Vec<Value> {
    let named = |parameter: &&Parameter| endpoint.names().any(|name| name == parameter.name);
    let in_path = IN_PATHS.iter().filter(named).map(|one| parameter(one, "path"));
    in_path.chain(said.query.iter().map(|one| parameter(one, "query"))).collect()
}

fn parameter(said: &Parameter, place: &str) -> Value {
    let form: Value = serde_json::from_str(said.form).unwrap_or_default();
    json!({
        "name": said.name,
        "in": place,
        "required": place == "path",
        "description": said.about,
        "schema": form,
        "example": said.example,
    })
}

fn answers(endpoint: &Endpoint, said: &Described, forms: &mut Forms) -> Map<String, Value> {
    let mut answers = Map::new();
    let form = (said.answer)(&mut forms.answers);
    let content = json!({ said.kind: { "schema": form } });
    let done = json!({ "description": "It is done, and this came of it.", "content": content });
    answers.insert(said.status.to_string(), done);
    if let Some(form) = said.accepted {
        let content = json!({ said.kind: { "schema": form(&mut forms.answers) } });
        let held =
            json!({ "description": "It needs more first, as this says.", "content": content });
        answers.insert("202".to_owned(), held);
    }
    for (status, ..) in REFUSALS {
        let is_own = match status {
            404 => endpoint.names().next().is_some(),
            415 => said.body.is_some(),
            _ => !OF_SOME.contains(status),
        };
        if is_own {
            let place = format!("#/components/responses/{status}");
            answers.insert(status.to_string(), json!({ "$ref": place }));
        }
    }
    for (status, about) in said.refusals {
        let lines = REFUSALS.iter().find(|(known, ..)| known == status);
        let lines = lines.map_or(&[][..], |(_, _, lines)| lines);
        answers.insert(status.to_string(), refusal(about, lines, forms));
    }
    answers
}

fn responses(forms: &mut Forms) -> Map<String, Value> {
    let each = REFUSALS.iter();
    each.map(|(status, about, lines)| (status.to_string(), refusal(about, lines, forms))).collect()
}

fn refusal(about: &str, lines: &[&str], forms: &mut Forms) -> Value {
    let form = forms.answers.subschema_for::<problem::Said<'_>>();
    let line = |name: &&str| {
        let form = json!({ "required": true, "schema": { "type": "string", "minLength": 1 } });
        ((*name).to_owned(), form)
    };
    let lines: Map<String, Value> = lines.iter().map(line).collect();
    json!({
        "description": about,
        "headers": lines,
        "content": { problem::KIND: { "schema": form } },
    })
}

#[cfg(test)]
mod tests;
