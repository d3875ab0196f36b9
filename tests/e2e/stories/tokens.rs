//! Tokens of the API that ops make, see and end by command.

use std::time::Duration;

use crate::dsl::desk::{ADMIN, DESK, Said, VIEWER, ask, call_with, command, said};
use crate::dsl::{Call, Gateway, Portal, gateway, portal};

async fn house() -> (Portal, Portal, Gateway) {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop);
    let gateway = gateway.token(VIEWER).token(DESK).token(ADMIN).run().await;
    (wiki, shop, gateway)
}

/// Runs a command with a token of which nothing is known but its secret.
fn with(gateway: &Gateway, secret: &str, words: &[&str]) -> Said {
    let admin = format!("http://{}", gateway.admin());
    said(&[words, &["--admin", &admin]].concat(), Some(secret))
}

fn make(gateway: &Gateway, by: &str, name: &str, role: &str, more: &[&str]) -> Said {
    let words = ["token", "make", "--name", name, "--role", role];
    with(gateway, by, &[&words[..], more].concat())
}

/// The secret of a token that was made.
fn secret(said: &Said) -> String {
    assert_eq!((said.code, said.complaint.as_str()), (0, ""), "{said:?}");
    let secret = said.out.lines().next().unwrap().to_owned();
    assert!(secret.starts_with("portcullis_desk_") && secret.len() == 59, "{secret}");
    secret
}

fn is_let_in(gateway: &Gateway, secret: &str) -> bool {
    with(gateway, secret, &["user", "list", "--portal", "wiki"]).code == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_api_from_its_making_to_its_end() {
    let (_wiki, _shop, mut gateway) = house().await;
    let made = make(&gateway, ADMIN.secret, "night", "desk", &["--expires", "90d"]);
    let night = secret(&made);
    assert!(made.out.contains("role is desk, at all portals, until 20"), "{}", made.out);
    assert!(is_let_in(&gateway, &night));
    assert!(!is_let_in(&gateway, &night[..58]));
    let list = command(&gateway, ADMIN, &["token", "list"]).out;
    let line = list.lines().find(|line| line.starts_with("night ")).unwrap();
    assert!(line.contains("command") && line.matches(" UTC").count() == 3, "{list}");
    assert!(!list.contains(&night[20..]), "{list}");
    let json = command(&gateway, ADMIN, &["token", "list", "--output", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let sources: Vec<&str> = json["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["configuration", "configuration", "command", "configuration"]);

    // It outlives a power cut, and ends at once.
    gateway.kill();
    gateway.start().await;
    assert!(is_let_in(&gateway, &night));
    let ended = command(&gateway, ADMIN, &["token", "end", "night"]);
    assert_eq!(ended.out, "the token night opens nothing any more\n");
    assert!(!is_let_in(&gateway, &night));
    gateway.kill();
    gateway.start().await;
    assert!(!is_let_in(&gateway, &night));
    let again = command(&gateway, ADMIN, &["token", "end", "night"]);
    assert_eq!((again.code, again.complaint.lines().count()), (1, 1), "{again:?}");
    assert!(!gateway.log().contains(&night[20..]), "the log has the secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time() {
    let (_wiki, _shop, mut gateway) = house().await;
    let brief = secret(&make(&gateway, ADMIN.secret, "brief", "viewer", &["--expires", "10m"]));
    gateway.advance(Duration::from_secs(540));
    assert!(is_let_in(&gateway, &brief));
    gateway.advance(Duration::from_secs(60));
    assert!(!is_let_in(&gateway, &brief));
    assert!(!command(&gateway, ADMIN, &["token", "list"]).out.contains("brief"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_sees_or_ends_a_token_of_more_than_their_own() {
    let (_wiki, _shop, gateway) = house().await;
    for by in [VIEWER, DESK] {
        for words in [&["list"][..], &["end", "eyes"], &["make", "--name", "x", "--role", "viewer"]]
        {
            let refused = command(&gateway, by, &[&["token"], words].concat());
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.complaint.contains("needs admin"), "{}", refused.complaint);
        }
    }
    secret(&make(&gateway, ADMIN.secret, "all", "viewer", &[]));
    let shop = secret(&make(&gateway, ADMIN.secret, "shop", "admin", &["--portals", "shop"]));
    assert!(!is_let_in(&gateway, &shop), "a token of the shop sees the wiki");
    let wider = make(&gateway, &shop, "wider", "viewer", &["--portals", "shop,wiki"]);
    assert_eq!(wider.code, 1);
    assert!(wider.complaint.contains("not yours"), "{}", wider.complaint);
    // What it makes is as narrow as itself, and of the others it sees none.
    let made = make(&gateway, &shop, "inner", "admin", &[]);
    assert!(made.out.contains("at shop, until"), "{}", made.out);
    assert!(!is_let_in(&gateway, &secret(&made)));
    let seen = with(&gateway, &shop, &["token", "list"]).out;
    assert!(seen.contains("inner") && !seen.contains("all ") && !seen.contains("desk"), "{seen}");
    for name in ["all", "desk", "nobody"] {
        let refused = with(&gateway, &shop, &["token", "end", name]);
        assert!(refused.complaint.contains("there is no such token"), "{name}: {refused:?}");
    }
    assert_eq!(with(&gateway, &shop, &["token", "end", "inner"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stands_for_one_token_wherever_it_comes_from() {
    let (_wiki, _shop, gateway) = house().await;
    let night = secret(&make(&gateway, ADMIN.secret, "night", "viewer", &[]));
    for name in ["night", "desk"] {
        let taken = make(&gateway, ADMIN.secret, name, "viewer", &[]);
        assert!(taken.complaint.contains("of this name already"), "{taken:?}");
    }
    let written = command(&gateway, ADMIN, &["token", "end", "desk"]);
    assert!(written.complaint.contains("take it out of admin.tokens"), "{written:?}");
    // A name that the configuration takes for itself later is its own from then on.
    let yaml = gateway.yaml();
    gateway.take(&yaml.replace("name: eyes,", "name: night,")).await;
    assert!(!is_let_in(&gateway, &night));
    assert!(is_let_in(&gateway, VIEWER.secret));
    let list = command(&gateway, ADMIN, &["token", "list"]).out;
    assert!(list.contains("none: the configuration has its name"), "{list}");
    gateway.take(&yaml).await;
    assert!(is_let_in(&gateway, &night));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_makes_no_sense_makes_no_token() {
    let (_wiki, _shop, gateway) = house().await;
    for (name, more, why) in [
        ("Night", &[][..], "name has to be"),
        ("", &[], "name has to be"),
        ("night", &["--expires", "1m"], "valid has to be 10m to 3650d"),
        ("night", &["--expires", "soon"], "not a duration"),
        ("night", &["--portals", "nowhere"], "not there"),
    ] {
        let refused = make(&gateway, ADMIN.secret, name, "viewer", more);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.complaint.contains(why), "{why}: {}", refused.complaint);
    }
    assert_eq!(make(&gateway, ADMIN.secret, "night", "king", &[]).code, 2);
    assert!(!command(&gateway, ADMIN, &["token", "list"]).out.contains("command"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_too_often_has_to_wait_and_others_do_not() {
    let wiki = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &wiki).token(VIEWER).token(ADMIN).run().await;
    let slower = gateway.yaml().replace("tokens:", "requests_per_minute: 60, tokens:");
    gateway.take(&slower).await;
    let look = || {
        let call = Call::get("localhost", "/api/v1/portals");
        call.line("authorization", format!("Bearer {}", VIEWER.secret))
    };
    let mut taken = 0;
    let refused = loop {
        let answer = ask(&gateway, look()).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 200, "nobody has to wait");
    };
    assert!(taken >= 60, "{taken}");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.json()["reason"], "too_often");
    assert!(refused.line("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    let wish = r#"{"name":"other","role":"viewer"}"#;
    let other = ask(&gateway, call_with(ADMIN, "POST", "/api/v1/tokens", wish)).await;
    assert_eq!(other.status, 201, "{other:?}");
    // A command waits as long as it is told to.
    let list = command(&gateway, VIEWER, &["user", "list", "--portal", "wiki"]);
    assert_eq!((list.code, list.out.as_str()), (0, "0 users\n"), "{list:?}");
}
