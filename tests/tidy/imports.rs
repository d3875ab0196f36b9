//! Who may use what. A room knows only the rooms below it; the rooms that decide know no
//! clock, store, HTTP or async; time and environment enter at one place each.

use crate::source::{statements, words};

/// Something that only some places may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// A crate that we depend on, by its name in code.
    Crate(&'static str),
    /// A room of ours.
    Room(&'static str),
    /// Any word of code: a type, a function, a keyword.
    Word(&'static str),
}
use Name::{Crate, Room, Word};

struct Rule {
    names: &'static [Name],
    /// Where the rule holds.
    within: Places,
    /// Where it does not hold all the same.
    except: &'static [&'static str],
    /// Why.
    because: &'static str,
}

#[derive(Clone, Copy)]
enum Places {
    Everywhere,
    In(&'static [&'static str]),
}

const LOWER_ROOMS: Places = Places::In(&[
    "src/account",
    "src/audit",
    "src/identity",
    "src/notify",
    "src/policy",
    "src/session",
    "src/factor",
    "src/store",
    "src/config",
    "src/net",
    "src/telemetry",
    "src/tokens",
]);
const PURE_ROOMS: Places = Places::In(&["src/policy", "src/factor"]);

const RULES: &[Rule] = &[
    Rule {
        names: &[Crate("pingora_proxy")],
        within: Places::Everywhere,
        except: &["src/proxy"],
        because: "only proxy/ knows the framework's callbacks",
    },
    Rule {
        names: &[Room("proxy"), Room("pages"), Room("admin"), Room("cli"), Room("server")],
        within: LOWER_ROOMS,
        except: &[],
        because: "imports run downwards only",
    },
    Rule {
        names: &[Crate("axum"), Crate("hyper"), Crate("pingora_core"), Crate("pingora_http")],
        within: LOWER_ROOMS,
        except: &[],
        because: "what lies below proxy/, pages/ and admin/ knows no HTTP server",
    },
    Rule {
        names: &[
            Word("Clock"),
            Word("SystemClock"),
            Word("MovableClock"),
            Word("Instant"),
            Word("SystemTime"),
        ],
        within: PURE_ROOMS,
        except: &[],
        because: "a decision is handed the moment, not the clock",
    },
    Rule {
        names: &[Room("store"), Room("account"), Room("session"), Room("identity")],
        within: PURE_ROOMS,
        except: &[],
        because: "a decision is handed facts and reads none",
    },
    Rule {
        names: &[Crate("http"), Crate("tokio"), Crate("async_trait"), Word("async"), Word("await")],
        within: PURE_ROOMS,
        except: &[],
        because: "a decision waits for nothing and knows no protocol",
    },
    Rule {
        names: &[
            Word("SystemTime::now"),
            Word("Instant::now"),
            Word("OffsetDateTime::now_utc"),
            Word("OffsetDateTime::now_local"),
        ],
        within: Places::Everywhere,
        except: &["src/clock.rs"],
        because: "only clock.rs reads the time",
    },
    Rule {
        names: &[Word("std::env"), Word("env::var"), Word("env::var_os"), Word("env::args")],
        within: Places::Everywhere,
        except: &["src/config", "src/cli"],
        because: "only config/ and cli/ read the environment",
    },
];

/// Lines of the file at `path` that use what they may not.
pub(crate) fn faults(path: &str, source: &str) -> Vec<String> {
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.holds(path)).collect();
    let mut faults = Vec::new();
    for statement in statements(source) {
        for rule in &rules {
            for name in rule.names.iter().filter(|name| name.is_in(&statement.code)) {
                let line = statement.line;
                faults.push(format!("{path}:{line}: uses {name:?}: {}", rule.because));
            }
        }
    }
    faults
}

impl Rule {
    fn holds(&self, path: &str) -> bool {
        // A test may start itself again as another process, which is told what to do so.
        let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        if is_test && self.names.contains(&Word("std::env")) {
            return false;
        }
        let is_within = match self.within {
            Places::Everywhere => true,
            Places::In(places) => places.iter().any(|place| is_at(path, place)),
        };
        is_within && !self.except.iter().any(|place| is_at(path, place))
    }
}

/// Whether `path` is `place`, or in it: `src/store` covers `src/store.rs` and `src/store/`.
fn is_at(path: &str, place: &str) -> bool {
    path == place
        || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

impl Name {
    fn is_in(self, code: &str) -> bool {
        match self {
            // `crate::net::http` is another, and so is a variable of that name.
            Self::Crate(name) => words(code, name).any(|(before, after)| {
                let is_root = !before.ends_with("::") || before.ends_with(" ::");
                is_root && (after.starts_with("::") || after.starts_with(';'))
            }),
            // Alone or in a group: `use crate::{net, store::Store};`.
            Self::Room(name) => words(code, name).any(|(before, _)| {
                let in_group = || before.contains("crate::{") && before.ends_with(['{', ',', ' ']);
                before.ends_with("crate::") || in_group()
            }),
            Self::Word(name) => words(code, name).next().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, line: &str) -> usize {
        faults(path, line).len()
    }

    #[test]
    fn pingora_proxy_is_for_the_proxy_room_alone() {
        let line = "use pingora_proxy::Session;";
        assert_eq!(count("src/server.rs", line), 1);
        assert_eq!(count("src/pages/mod.rs", line), 1);
        assert_eq!(count("src/proxy/gateway.rs", line), 0);
        assert_eq!(count("src/proxy.rs", line), 0);
        assert_eq!(count("src/proxying.rs", line), 1);
        assert_eq!(count("src/server.rs", "// pingora_proxy::Session is not for us"), 0);
    }

    #[test]
    fn lower_rooms_do_not_know_upper_ones() {
        assert_eq!(count("src/session/mint.rs", "use crate::pages::csrf;"), 1);
        assert_eq!(count("src/store/sled.rs", "use crate::{admin::Readiness, net};"), 1);
        assert_eq!(count("src/store/sled.rs", "use crate::{\n    net,\n    cli::demo,\n};"), 1);
        assert_eq!(count("src/account/mod.rs", "use axum::Router;"), 1);
        assert_eq!(count("src/account/mod.rs", "use crate::net::pages;"), 0);
        assert_eq!(count("src/pages/mod.rs", "use crate::account::Account;"), 0);
        assert_eq!(count("src/proxy/answer.rs", "use crate::pages::csrf;"), 0);
    }

    #[test]
    fn pure_rooms_know_no_clock_store_http_or_async() {
        for line in [
            "use crate::clock::{Clock, UnixMillis};",
            "use crate::store::Store;",
            "use crate::{net, store::Store};",
            "use http::Method;",
            "use tokio;",
            "fn f() { tokio::spawn(g()); }",
            "pub async fn decide() {}",
            "    f().await",
            "#[async_trait::async_trait]",
        ] {
            assert_ne!(count("src/policy/decide.rs", line), 0, "{line}");
            assert_ne!(count("src/factor/totp.rs", line), 0, "{line}");
        }
        for line in [
            "use crate::clock::UnixMillis;",
            "use crate::config::TotpParameters;",
            "/// No clock, no store, no async.",
            "let http = \"http://example\";",
        ] {
            assert_eq!(count("src/policy/decide.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn time_and_environment_enter_at_one_place() {
        assert_eq!(count("src/account/mod.rs", "let now = std::time::SystemTime::now();"), 1);
        assert_eq!(count("src/proxy/admit.rs", "let start = Instant::now();"), 1);
        assert_eq!(count("src/clock.rs", "std::time::SystemTime::now()"), 0);
        assert_ne!(count("src/store/sled.rs", "std::env::var(\"HOME\")"), 0);
        assert_eq!(count("src/config/secret.rs", "std::env::var(\"HOME\")"), 0);
        assert_eq!(count("src/cli/serve.rs", "std::env::args()"), 0);
        assert_eq!(count("src/admin/mod.rs", "env!(\"CARGO_PKG_VERSION\")"), 0);
    }
}
