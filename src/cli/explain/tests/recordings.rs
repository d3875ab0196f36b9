//! Recorded sessions: what is learned, decided and warned of, and what is never printed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{YAML, said};

const PASSWORD: &str = "correct-horse";
const KEY: &str = "the key by which the portal signs its tokens";
const COOKIE: &str = "c00k1evalue";

/// A request with its answer, as browsers write it down.
struct Call(Value);

impl Call {
    fn new(method: &str, path: &str, status: u16) -> Self {
        Self(json!({
            "startedDateTime": "2026-03-01T10:00:00.000Z",
            "request": {
                "method": method,
                "url": format!("https://wiki.test{path}"),
                "headers": [{ "name": "Sec-Fetch-Mode", "value": "navigate" }],
            },
            "response": { "status": status, "headers": [], "content": { "size": 0 } },
        }))
    }

    fn line(mut self, of: &str, name: &str, value: &str) -> Self {
        let lines = self.0[of]["headers"].as_array_mut().unwrap();
        lines.push(json!({ "name": name, "value": value }));
        self
    }

    fn carries(self, cookies: &str) -> Self {
        self.line("request", "Cookie", cookies)
    }

    fn sets(self, line: &str) -> Self {
        self.line("response", "Set-Cookie", line)
    }

    fn to(self, location: &str) -> Self {
        self.line("response", "Location", location)
    }

    fn sends(mut self, kind: &str, text: &str) -> Self {
        self.0["request"]["postData"] = json!({ "mimeType": kind, "text": text });
        self
    }

    fn shows(mut self, text: &str) -> Self {
        self.0["response"]["content"] = json!({ "size": text.len(), "text": text });
        self
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn login_page() -> Call {
    Call::new("GET", "/login", 200).sets(&format!("sid={COOKIE}1; Path=/"))
}

fn login(user: &str) -> Call {
    Call::new("POST", "/login", 302)
        .carries(&format!("sid={COOKIE}1"))
        .sends(FORM, &format!("do=login&user={user}&password={PASSWORD}"))
}

fn taken(user: &str) -> Call {
    login(user).to("/start").sets(&format!("sid={COOKIE}2; Path=/"))
}

fn page(path: &str, number: u8) -> Call {
    Call::new("GET", path, 200).carries(&format!("theme=dark; sid={COOKIE}{number}"))
}

fn har(calls: Vec<Call>) -> String {
    let entries: Vec<Value> = calls.into_iter().map(|call| call.0).collect();
    json!({ "log": { "version": "1.2", "entries": entries } }).to_string()
}

fn replayed_by(yaml: &str, calls: Vec<Call>, more: &[&str]) -> String {
    let text = har(calls);
    let files = [("gateway.yaml", yaml), ("session.har", text.as_str())];
    let said = said(&files, &[&["--har", "session.har"], more].concat()).unwrap();
    assert!(!said.contains(PASSWORD) && !said.contains(COOKIE), "a secret was printed: {said}");
    said
}

fn replayed(calls: Vec<Call>) -> String {
    replayed_by(YAML, calls, &[])
}

fn holds(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "'{words}' is not in:\n{said}");
    }
}

#[test]
fn a_login_is_learned_and_what_follows_is_proven() {
    let calls = vec![
        Call::new("GET", "/start", 302).to("/login"),
        login_page(),
        taken("Alice"),
        page("/start", 2),
        page("/static/a.css", 2),
    ];
    let said = replayed(calls);
    let expected = "   \
   1 GET wiki.test/start [unknown] 303 to /login
       a protected page: no rule opens it
   2 GET wiki.test/login [unknown] goes to the portal
       the portal's login page, by login_url /login
       the portal's session begins here, as nobody's
   3 POST wiki.test/login [unknown] goes to the portal
       login by logins[0] POST /login with do=login, names alice
       success: the status is 302: yes
       success: there is a Location and it is not /login*: yes
       success: a cookie sid is set: yes
       failure: the body contains 'wrong password': no
       outcome: the portal took the password
       the portal's login
       learned: alice, bound to sid
       the browser is led to the second factor; that it is given is taken as given
   4 GET wiki.test/start [proven, alice] goes to the portal
       a protected page: no rule opens it
   5 GET wiki.test/static/a.css [proven, alice] goes to the portal
       open to everybody, by public /static/**

5 requests
  4 forward
  1 sign_in
  1 logins, learned: alice
";
    assert_eq!(said.trim_start(), expected.trim_start());
}

#[test]
fn a_wrong_password_learns_nobody_and_says_which_mark_failed() {
    let wrong = login("alice").to("/login?failed").shows("wrong password");
    let said = replayed(vec![login_page(), wrong, page("/start", 1)]);
    holds(
        &said,
        &[
            "success: there is a Location and it is not /login*: no",
            "success: a cookie sid is set: no",
            "failure: the body contains 'wrong password': yes",
            "outcome: the portal did not take the password",
            "3 GET wiki.test/start [unknown] 303 to /login",
            "! no login was learned: see the marks that do not hold",
        ],
    );
}

#[test]
fn a_login_that_no_rule_names_is_warned_of() {
    let body = format!(r#"{{"user":"alice","credentials":{{"password":"{PASSWORD}"}}}}"#);
    let call = Call::new("POST", "/api/login", 200)
        .sends("application/json", &body)
        .sets(&format!("sid={COOKIE}7; Path=/"));
    let said = replayed(vec![call, page("/start", 7)]);
    holds(
        &said,
        &[
            "! the portal's session began or changed here (sid) without a login that the rules see",
            "POST wiki.test/api/login looks like a login: it has a field 'password', and no rule",
            "2 GET wiki.test/start [unknown] 303 to /login",
            "its portal session began without a login that the rules see",
        ],
    );
}

#[test]
fn a_session_that_moves_is_told_by_its_rule() {
    let moving = || page("/start", 2).sets(&format!("sid={COOKIE}3; Path=/"));
    let calls = || vec![login_page(), taken("alice"), moving(), page("/next", 3), page("/old", 2)];
    let said = replayed(calls());
    holds(
        &said,
        &[
            "the portal's session changes (sid): the user gives a code again",
            "4 GET wiki.test/next [proven, alice]",
            "5 GET wiki.test/old [unknown] 303 to /login",
            "its portal session is not the one that was learned",
        ],
    );
}

#[test]
fn what_may_be_somebody_elses_login_ends_the_proof() {
    let suspect =
        page("/profile", 2).sets(&format!("sid={COOKIE}4; Path=/")).sends(FORM, "user=mallory&x=1");
    let mut suspect = suspect;
    suspect.0["request"]["method"] = json!("POST");
    let said = replayed(vec![login_page(), taken("alice"), suspect, page("/start", 4)]);
    holds(
        &said,
        &[
            "! it may carry somebody's password where no rule looks",
            "4 GET wiki.test/start [unknown] 303 to /login",
        ],
    );
}

#[test]
fn signing_out_ends_the_session() {
    let said = replayed(vec![login_page(), taken("alice"), page("/logout", 2), page("/a", 2)]);
    holds(&said, &["the user signed out: the session ends", "4 GET wiki.test/a [unknown]"]);
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let twice = login("alice&user=bob").to("/start").sets(&format!("sid={COOKIE}2; Path=/"));
    let cookies = Call::new("GET", "/a", 200).carries(&format!("sid={COOKIE}1; sid={COOKIE}2"));
    let said = replayed(vec![twice, cookies, Call::new("GET", "/static/../a", 200)]);
    holds(
        &said,
        &[
            "refused with 400\n       it is a login that can be read in two ways",
            "its cookies can be read in two ways: a protected cookie came twice",
            "the path is ambiguous: one of its segments means another",
        ],
    );
}

#[test]
fn the_portals_own_word_counts_where_the_recording_has_it() {
    let whoami = "      whoami: { path: /api/me, username: { json: /login } }\n      rotation";
    let yaml = YAML.replacen("      rotation", whoami, 1);
    let me = page("/api/me", 2).shows(r#"{"login":"Alice.Liddell"}"#);
    let said = replayed_by(&yaml, vec![login_page(), taken("al"), page("/a", 2), me], &[]);
    holds(
        &said,
        &[
            "names alice.liddell elsewhere in the recording",
            "learned: alice.liddell, bound to sid",
            "3 GET wiki.test/a [proven, alice.liddell]",
        ],
    );
    let me = page("/api/me", 9).shows(r#"{"login":"carol"}"#);
    let said = replayed_by(&yaml, vec![page("/a", 9), me], &[]);
    holds(&said, &["before that: 303 to /.mfa/verify", "[proven, carol] goes to the portal"]);
}

#[test]
fn a_name_waits_for_its_password() {
    let step = "      logins:\n        - request: { method: POST, path: /name }\n          \
                step: name\n          username: { form: user }\n";
    let yaml = YAML.replacen("      logins:\n", step, 1).replacen(
        "username: { form: user }\n          success",
        "username: { remembered: true }\n          success",
        1,
    );
    let name = Call::new("POST", "/name", 302)
        .carries(&format!("sid={COOKIE}1"))
        .sends(FORM, "user=alice")
        .to("/login");
    let password = Call::new("POST", "/login", 302)
        .carries(&format!("sid={COOKIE}1"))
        .sends(FORM, &format!("do=login&password={PASSWORD}"))
        .to("/start")
        .sets(&format!("sid={COOKIE}2; Path=/"));
    let said = replayed_by(&yaml, vec![login_page(), name, password, page("/a", 2)], &[]);
    holds(
        &said,
        &[
            "outcome: the name waits for the password of the next step",
            "learned: alice, bound to sid",
            "4 GET wiki.test/a [proven, alice]",
        ],
    );
}

#[test]
fn a_token_in_a_script_is_followed_and_never_shown() {
    let yaml = YAML
        .replacen("/login, form: { do: login } }", "/api/login }", 1)
        .replacen("username: { form: user }", "username: { json: /user }", 1)
        .replacen(
            "{ status: [302], location: { not: \"/login*\" }, set_cookie: sid }",
            "{ status: [200], json: { /ok: true } }",
            1,
        )
        .replacen("session_cookies: [sid]", "session_bearer: { json: /access_token }", 1);
    let mut login = Call::new("POST", "/api/login", 200)
        .sends("application/json", &format!(r#"{{"user":"Alice","password":"{PASSWORD}"}}"#))
        .shows(&format!(r#"{{"ok":true,"access_token":"{COOKIE}"}}"#));
    login.0["request"]["headers"] = json!([{ "name": "Sec-Fetch-Mode", "value": "cors" }]);
    let bearer = |method: &str, target: &str| {
        let call = Call::new(method, target, 200);
        call.line("request", "Authorization", &format!("Bearer {COOKIE}"))
    };
    let hidden = format!("/api/files?access_token={COOKIE}");
    let calls = vec![
        login,
        bearer("GET", "/api/files"),
        bearer("DELETE", "/api/files"),
        Call::new("GET", &hidden, 200),
        Call::new("POST", "/api/files", 200),
    ];
    let said = replayed_by(&yaml, calls, &[]);
    holds(
        &said,
        &[
            "success: /ok in the body is true: yes",
            "learned: alice, bound to a token",
            "a script signs in: it gets the answer as it is",
            "2 GET wiki.test/api/files [proven, alice] goes to the portal",
            "3 DELETE wiki.test/api/files [proven, alice] goes to the portal",
            "4 GET wiki.test/api/files?access_token=… [unknown] refused with 400",
            "5 POST wiki.test/api/files [unknown] 401 urn:portcullis:login_required",
            "it may bring a token in its body, so it is nobody's",
        ],
    );
    assert!(!said.contains("holds no cookie"), "{said}");
}

/// A token as the portal signs it, for `name` until 2026-03-01T11:00:00Z.
fn token(name: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = json!({ "sub": name, "iss": "wiki", "aud": "wiki", "exp": 1_772_362_800 });
    let body = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn the_portals_own_token_names_the_user_while_it_counts() {
    let jwt = "      jwt: { bearer: true, keys: { secret: file:token.key }, claim: sub, \
               issuer: wiki, audience: wiki }\n      login_url";
    let yaml = YAML
        .replacen("      login_url", jwt, 1)
        .replacen("      session_cookies: [sid]\n", "", 1)
        .replacen(", set_cookie: sid", "", 1);
    let asks = |when: &str, token: &str| {
        let call = Call::new("GET", "/api/files", 200);
        let mut call = call.line("request", "Authorization", &format!("bearer {token}"));
        call.0["startedDateTime"] = json!(when);
        call
    };
    let good = token("Alice");
    let forged = format!("{}x", token("mallory"));
    let calls = vec![
        asks("2026-03-01T10:00:00Z", &good),
        asks("2026-03-01T10:00:01Z", &forged),
        asks("2026-03-01T12:00:00Z", &token("bob")),
    ];
    let text = har(calls);
    let files =
        [("gateway.yaml", yaml.as_str()), ("session.har", text.as_str()), ("token.key", KEY)];
    let said = said(&files, &["--har", "session.har"]).unwrap();
    assert!(!said.contains(&good) && !said.contains(KEY), "{said}");
    holds(
        &said,
        &[
            "the portal's own token names alice",
            "1 GET wiki.test/api/files [proven, alice] goes to the portal",
            "2 GET wiki.test/api/files [unknown] 303 to /login",
            "! the portal's token names nobody: the token's signature is wrong",
            "3 GET wiki.test/api/files [unknown] 303 to /login",
            "! the portal's token names nobody: the token has expired",
        ],
    );
}

#[test]
fn other_hosts_are_counted_and_the_portals_own_address_is_known() {
    let mut other = page("/x", 1);
    other.0["request"]["url"] = json!(format!("https://cdn.test/x?token={PASSWORD}"));
    let mut direct = page("/static/a", 1);
    direct.0["request"]["url"] = json!(format!("http://127.0.0.1:8000/static/a?t={PASSWORD}"));
    let said = replayed(vec![other, direct]);
    holds(
        &said,
        &[
            "1 to cdn.test, which no portal has: passed over",
            "GET 127.0.0.1/static/a?t=… [unknown] goes to the portal without the portal's session",
            "the recording was made at the portal itself",
            "no login was seen",
        ],
    );
    let said = replayed(vec![Call::new("GET", "/a", 200)]);
    holds(&said, &["! the recording holds no cookie"]);
}

#[test]
fn json_is_one_object_a_line() {
    let said = replayed_by(YAML, vec![login_page(), taken("alice")], &["--output", "json"]);
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["login"]["marks"][0]["holds"], true);
    assert_eq!(lines[1]["learned"], "alice");
    assert_eq!(lines[2]["summary"]["learned"][0], "alice");
}

#[test]
fn what_is_no_recording_is_refused_without_its_text() {
    let files = [("gateway.yaml", YAML), ("session.har", "{ \"log\": correct-horse")];
    let (code, complaint) = said(&files, &["--har", "session.har"]).unwrap_err();
    assert_eq!(code, 2);
    assert!(complaint.contains("no HAR file") && !complaint.contains(PASSWORD), "{complaint}");
    let (code, _) = said(&files, &["--har", "nowhere.har"]).unwrap_err();
    assert_eq!(code, 2);
    let (code, _) = said(&files, &["--har", "session.har", "GET", "https://a.test"]).unwrap_err();
    assert_eq!(code, 2);
}

/// Requests near to those that count, with odd texts in every place.
fn any_call() -> impl Strategy<Value = Value> {
    let path = prop_oneof!["/login", "/start", "/static/x", "/logout", "/\\PC{0,8}"];
    let method = prop_oneof!["GET", "POST", "\\PC{0,4}"];
    let kind = prop_oneof![
        Just(FORM.to_owned()),
        Just("application/json".to_owned()),
        Just("multipart/form-data; boundary=b".to_owned()),
        "\\PC{0,12}",
    ];
    let body = prop_oneof!["do=login&user=\\PC{0,6}", "\\PC{0,40}", Just("--b\r\n".to_owned())];
    let cookies = prop_oneof!["sid=[a-c]", "\\PC{0,12}", Just(String::new())];
    let sets = prop_oneof!["sid=[a-c]; Path=/", "\\PC{0,12}"];
    let status = prop_oneof![Just(302i64), Just(200), any::<i64>()];
    (method, path, kind, body, cookies, sets, status, "\\PC{0,12}").prop_map(
        |(method, path, kind, body, cookies, sets, status, odd)| {
            json!({
                "startedDateTime": odd,
                "request": {
                    "method": method,
                    "url": format!("https://wiki.test{path}"),
                    "headers": [{ "name": "cookie", "value": cookies }, { "name": odd, "value": odd }],
                    "postData": { "mimeType": kind, "text": body },
                },
                "response": {
                    "status": status,
                    "headers": [
                        { "name": "set-cookie", "value": sets },
                        { "name": "location", "value": path },
                    ],
                    "content": { "size": status, "text": odd, "encoding": "base64" },
                },
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_recording_breaks_it(calls in proptest::collection::vec(any_call(), 0..12)) {
        let text = json!({ "log": { "entries": calls } }).to_string();
        let files = [("gateway.yaml", YAML), ("session.har", text.as_str())];
        let said = said(&files, &["--har", "session.har"]).unwrap();
        let quiet = |sign: char| sign == '\n' || !sign.is_control();
        prop_assert!(said.chars().all(quiet), "{said:?}");
    }
}
