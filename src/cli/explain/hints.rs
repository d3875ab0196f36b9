//! Requests that look like a login although no rule takes them: they have a field for a
//! password. Names alone are looked at.

use http::{HeaderMap, header};

use super::recorded::Recorded;
use super::words::plain;

/// The field for a password in a request, by its name.
pub(super) fn password_field(recorded: &Recorded) -> Option<String> {
    let query = recorded.asked.query().unwrap_or_default();
    let mut names = names_in(&recorded.headers, &recorded.body);
    names.extend(form_names(query.as_bytes()));
    names.into_iter().find(|name| is_for_passwords(name)).map(|name| plain(&name))
}

fn is_for_passwords(name: &str) -> bool {
    let name = name.to_lowercase();
    let inside = ["password", "passwd", "passwort", "kennwort", "contraseña", "motdepasse"];
    let whole = ["pass", "pwd", "pw", "passphrase", "user_pass", "mot_de_passe"];
    inside.iter().any(|word| name.contains(word)) || whole.contains(&name.as_str())
}

fn names_in(headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if kind.contains("json") {
        return json_names(body);
    }
    match kind.starts_with("multipart/") {
        true => part_names(body),
        false if kind.contains("urlencoded") => form_names(body),
        false => Vec::new(),
    }
}

fn form_names(fields: &[u8]) -> Vec<String> {
    form_urlencoded::parse(fields).map(|(name, _)| name.into_owned()).collect()
}

/// The keys of all objects in a JSON body, however deep.
fn json_names(body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut open: Vec<serde_json::Value> = serde_json::from_slice(body).into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    names.push(name);
                    open.push(value);
                }
            }
            serde_json::Value::Array(values) => open.extend(values),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    names
}

/// The names of the parts of a multipart body.
fn part_names(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let lines =
        text.lines().filter(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
    let name = |line: &str| {
        let (_, rest) = line.split_once(" name=\"")?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    lines.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{is_for_passwords, names_in};

    #[test]
    fn names_are_found_in_every_kind_of_body() {
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nname=\"x\"\r\n\
                         --b\r\ncontent-disposition: form-data; name=\"pass\"; filename=\"f\"\r\n\r\n";
        for (kind, body, expected) in [
            ("application/x-www-form-urlencoded", "user=a&pass=b", vec!["user", "pass"]),
            ("application/json; charset=utf-8", r#"[{"a":{"b":1}}]"#, vec!["a", "b"]),
            ("multipart/form-data; boundary=b", multipart, vec!["user", "pass"]),
            ("text/plain", "pass=1", vec![]),
            ("application/json", "{", vec![]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(kind));
            assert_eq!(names_in(&headers, body.as_bytes()), expected, "{kind}");
        }
    }

    #[test]
    fn fields_for_passwords_are_known_by_their_names() {
        for name in ["password", "Passwd", "user[password]", "newPassword", "pw", "pass"] {
            assert!(is_for_passwords(name), "{name}");
        }
        for name in ["user", "passage", "compass", "code", ""] {
            assert!(!is_for_passwords(name), "{name}");
        }
    }
}
