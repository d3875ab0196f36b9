//! C24, OTP-7 and LOG-2: no page, number, line of a log or dump of memory holds what somebody
//! has to keep secret.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::guessing::seen;
use crate::dsl::browser::Shown;
use crate::dsl::client;
use crate::dsl::console::{ADMIN, ANN, join};
use crate::dsl::desk::{DESK, VIEWER, ask, call};
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::traces::{Traces, from_base32, holds_word};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

/// What nobody may find again, in each place where a browser or a script may put something.
const PLANTED: [&str; 5] = [
    "Planted-In-A-Bearer-Line-11",
    "Planted-In-A-Query-22",
    "Planted-In-A-Line-33",
    "Planted-In-A-Form-44",
    "Planted-As-A-Wrong-Code-55",
];

struct Scene {
    _portal: Portal,
    gateway: Gateway,
    alice: Enrolled,
    /// Long ones, and the six digits of codes.
    secrets: Vec<Vec<u8>>,
    digits: Vec<String>,
    /// All that anybody was told.
    told: String,
}

/// A day in which each kind of secret passes through the gateway, at its most talkative.
async fn a_day() -> Scene {
    let more =
        "remember_device: {}\nspa: true\nupstream_headers: { assertion: X-Portcullis-Assertion }";
    let portal = portal::form().yaml(more).run().await;
    let log = "telemetry: { log: json, level: trace, access_log: true, audit: data/audit.jsonl }";
    let gateway = gateway::new().portal("wiki", &portal).yaml(log).person(ANN);
    let mut gateway = gateway.token(DESK).token(VIEWER).token(ADMIN).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let mut digits = vec![alice.phone.code(alice.spent)];
    let mut secrets: Vec<String> = alice.browser.jar.values().cloned().collect();
    gateway.next_code();
    let mut browser = gateway.browser("wiki").over(true);
    let page = sign_in_again(&mut browser, ALICE).await;
    secrets.extend(browser.jar.values().cloned());
    secrets.extend(page.form("code").field("csrf").map(str::to_owned));
    give_code(&mut browser, &page, PLANTED[4]).await;
    digits.push(alice.phone.code(gateway.now()));
    let form = page.form("code").fill("code", &digits[1]).fill("remember", "yes");
    assert_eq!(browser.send(&page, &form).await.status, 303);
    // Its first letters name the device, which opens nothing; the rest does.
    secrets.push(browser.jar["__Host-mfa-device"][22..].to_owned());
    secrets.push(browser.jar["__Host-mfa"].clone());
    let mut lost = gateway.browser("wiki");
    let page = sign_in_again(&mut lost, ALICE).await;
    assert_eq!(give_code(&mut lost, &page, &alice.codes[0]).await.status, 303);
    secrets.extend(lost.jar.values().cloned());
    let mut late = gateway.browser("wiki");
    sign_in_again(&mut late, ALICE).await;
    assert_eq!(late.post("/notes/save", &[("text", PLANTED[3])]).await.status, 401);
    let line = format!("Bearer {}", PLANTED[0]);
    browser.authorization = Some(line);
    browser.lines.push(("x-api-key".to_owned(), PLANTED[2].to_owned()));
    browser.call("GET", &format!("/home?token={}", PLANTED[1])).await;
    browser.call("POST", &format!("/.mfa/verify?code={}", PLANTED[1])).await;
    alice.browser = browser;
    secrets.extend(alice.codes.iter().map(|code| code.replace('-', "")).chain(alice.codes.clone()));
    secrets.push(alice.phone.secret().to_owned());
    secrets.extend([ALICE.1, DESK.secret, VIEWER.secret, ADMIN.secret].map(str::to_owned));
    secrets.extend(PLANTED.map(str::to_owned));
    let mut secrets: Vec<Vec<u8>> = secrets.into_iter().map(String::into_bytes).collect();
    secrets.push(from_base32(alice.phone.secret()));
    Scene { _portal: portal, gateway, alice, secrets, digits, told: String::new() }
}

impl Scene {
    fn hears(&mut self, shown: &Shown) {
        self.told.push_str(&format!("{} {:?}\n{}\n", shown.path, shown.lines, shown.body));
    }

    /// Everything that a visitor can open or send.
    async fn crawl(&mut self, visitor: &Browser) {
        let pages = [
            "/.mfa/",
            "/.mfa/enrol",
            "/.mfa/recovery-codes",
            "/.mfa/verify",
            "/.mfa/notice",
            "/.mfa/verify?with=recovery&step_up=yes",
            "/.mfa/help",
            "/.mfa/devices",
            "/.mfa/logout",
            "/.mfa/style.css",
            "/.mfa/spa.js",
            "/.mfa/jwks.json",
            "/.mfa/nothing",
            "/.mfa/../home",
            "/.mfa/authenticators",
            "/.mfa/sessions",
            "/.mfa/vouch",
            "/home%00",
            "/home#x",
        ];
        for path in pages {
            for http2 in [false, true] {
                let visitor = visitor.clone().over(http2);
                if !(http2 && path.contains('#')) {
                    let page = visitor.clone().open(path).await;
                    self.hears(&page);
                }
                let calls = ["GET", "HEAD", "DELETE"];
                for method in calls.iter().filter(|_| !path.contains('#')) {
                    let told = visitor.clone().call(method, path).await;
                    self.hears(&told);
                }
            }
            if !path.contains('#') && path != "/.mfa/logout" {
                let told = visitor.clone().post(path, &[("csrf", "none"), ("code", "123")]).await;
                self.hears(&told);
            }
        }
    }

    /// All that the desk can look at: the console, the audit log, and the rest of the API.
    async fn asks_the_desk(&mut self) {
        let ann = join(&self.gateway, ANN).await;
        self.secrets.extend(ann.codes.into_iter().map(String::into_bytes));
        self.secrets.extend([ANN.password, ann.phone.secret()].map(|text| text.as_bytes().into()));
        for path in [
            "/desk/",
            "/desk/users",
            "/desk/user?portal=wiki&user=alice",
            "/desk/user?portal=wiki&user=bob",
            "/desk/requests",
            "/desk/rollout?portal=wiki",
            "/desk/recovery-codes",
            "/desk/code",
            "/desk/sign-in",
            "/desk/nothing",
        ] {
            let page = ann.console.clone().open(path).await;
            self.hears(&page);
        }
        for path in [
            "/audit",
            "/audit/verify",
            "/openapi.json",
            "/people",
            "/portals/wiki/users",
            "/portals/wiki/users/alice",
            "/portals/wiki/users/alice/devices",
            "/portals/wiki/users/alice/sessions",
            "/reset-requests",
            "/store",
            "/tokens",
        ] {
            let answer = ask(&self.gateway, call(ADMIN, "GET", &format!("/api/v1{path}"))).await;
            assert_eq!(answer.status, 200, "{path}");
            self.told.push_str(&format!("{path} {:?}\n{}\n", answer.lines, answer.body));
        }
    }

    async fn asks_the_admin_listener(&mut self) {
        for path in ["/metrics", "/healthz", "/readyz", "/", "/nothing", "/api/v1/portals"] {
            let answer = client::plain(self.gateway.admin(), Call::get("localhost", path)).await;
            self.told.push_str(&format!("{path} {:?}\n{}\n", answer.lines, answer.body));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c24_no_page_no_number_and_no_line_holds_a_secret() {
    let mut scene = a_day().await;
    let nobody = scene.gateway.browser("wiki");
    let mut bob = scene.gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    let mut alice = scene.alice.browser.clone();
    alice.lines.clear();
    for visitor in [nobody, bob, alice] {
        scene.crawl(&visitor).await;
    }
    scene.asks_the_admin_listener().await;
    scene.asks_the_desk().await;
    assert!(scene.told.contains("Your authenticator apps"), "alice saw nothing of her own");
    assert!(scene.told.contains("Got new recovery codes"), "the desk saw nothing of alice");
    assert!(scene.told.contains("\"event\":\"code_wrong\""), "no line of the audit log");
    assert_eq!(scene.gateway.stop(), 0);
    let log = scene.gateway.log();
    assert!(log.contains("\"path\":\"/notes/save\""), "{log}");
    for (place, text) in [("an answer", &scene.told), ("the log", &log)] {
        let traces = Traces::of(text.as_bytes());
        for secret in &scene.secrets {
            assert_eq!(traces.found(secret), None, "in {place}");
        }
        for code in &scene.digits {
            assert!(!holds_word(text, code), "{code} in {place}");
        }
    }
    assert!(!log.contains("alice"), "a name in the log");
}

/// OTP-7: an address is kept in histories, logs and referrers, so a code in one is no code.
#[tokio::test(flavor = "multi_thread")]
async fn otp_7_a_code_counts_in_the_body_of_a_form_alone() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER);
    let mut gateway = gateway.yaml("telemetry: { log: json, level: trace }").run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        gateway.next_code();
        let mut browser = gateway.browser("wiki").over(http2);
        let page = sign_in_again(&mut browser, ALICE).await;
        let csrf = page.form("code").field("csrf").unwrap().to_owned();
        let code = alice.phone.code(gateway.now());
        let query = format!("/.mfa/verify?csrf={csrf}&code={code}&return_to=%2Fhome");
        assert_eq!(browser.open(&query).await.status, 200);
        assert_eq!(browser.call("HEAD", &query).await.status, 200);
        assert_eq!(browser.call("PUT", &query).await.status, 405);
        assert_eq!(browser.post(&query, &[]).await.status, 403, "the token was in the address");
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], 0, "looking is no try");
        assert_eq!(browser.post(&query, &[("csrf", &csrf)]).await.status, 401);
        assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
        for path in ["/.mfa/verify", "/.mfa/verify?with=recovery"] {
            let page = browser.open(path).await;
            assert_eq!(page.line("referrer-policy"), Some("no-referrer"));
            let form = page.form("code");
            assert!(form.action.is_none_or(|action| !action.contains("code")), "{}", page.body);
            assert!(!page.body.contains("method=\"get\""), "{}", page.body);
        }
        assert!(page.body.contains("autocomplete=\"one-time-code\""), "{}", page.body);
        let passed = give_code(&mut browser, &page, &code).await;
        assert_eq!((passed.status, passed.location()), (303, "/home"));
        assert!(!holds_word(&gateway.log(), &code), "the code is in the log");
    }
}

/// LOG-2: whatever brings the gateway down, what it knew is not written to a file.
#[tokio::test(flavor = "multi_thread")]
async fn log_2_no_core_is_dumped() {
    // As far as this process may ask for dumps, it does, and so would its children.
    let most = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).unwrap();
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[4..], ["0", "0", "bytes"], "{line}");
    let ended = gateway.abort();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}
