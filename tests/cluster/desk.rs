//! What the desk does at one gateway counts at all: resets, keys, tokens, people at the console;
//! and what several could do at once is done once.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{self, Cluster, ends_everywhere, soon};
use crate::dsl::console::{self, ANN, Console};
use crate::dsl::desk::{ADMIN, DESK, ORGANISATION, Said, Token, VIEWER, command, said};
use crate::dsl::gateway::Builder;
use crate::dsl::mailbox::Mailbox;
use crate::dsl::steps::{Enrolled, enrol, enrol_by_link, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Gateway, Portal, eventually, member, portal};
use crate::engine::Engine;

const HOUR: Duration = Duration::from_secs(3_600);
const CAROL: Token =
    Token { name: "carol", role: "desk", secret: "cA4oL5tYuI6oP7aSdFgHjKlZ", portals: "" };
const EMAIL: &str = "enrolment: { email: \"{user}@example.com\" }";

on_each_engine!(
    two_at_the_desk_approve_at_two_gateways,
    a_reset_that_nobody_stops_is_done_once,
    keys_are_changed_for_all_at_one_gateway,
    a_token_of_one_gateway_opens_the_others_until_it_ends,
    who_works_at_the_console_may_come_to_any_gateway,
    every_mail_is_sent_once,
);

async fn is_in(alice: &Enrolled) -> bool {
    alice.browser.clone().open("/home").await.body.contains("for alice alone")
}

async fn house(engine: &Engine, count: usize, yaml: &str) -> (Portal, Cluster) {
    let portal = portal::form().yaml(ORGANISATION).yaml(yaml).run().await;
    let equip = |_, builder: Builder| {
        [VIEWER, DESK, CAROL, ADMIN]
            .into_iter()
            .fold(builder.portal("wiki", &portal), Builder::token)
    };
    let cluster = cluster::of(count, engine).run(equip).await;
    (portal, cluster)
}

fn reset(gateway: &Gateway, token: Token) -> Said {
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    let by = ["--requested-by", "bob@example.com", "--output", "json"];
    command(gateway, token, &[&words[..], &by].concat())
}

fn requests(gateway: &Gateway, token: Token, words: &[&str]) -> Said {
    command(gateway, token, &[&["reset-request"], words].concat())
}

/// How many requests there are in this state, as each gateway says.
fn listed(cluster: &Cluster, state: &str) -> Vec<usize> {
    let one = |gateway: &Gateway| {
        let said = requests(gateway, VIEWER, &["list", "--state", state, "--output", "json"]);
        let said: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        said["requests"].as_array().unwrap().len()
    };
    cluster.gateways.iter().map(one).collect()
}

async fn two_at_the_desk_approve_at_two_gateways(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 3, "reset: { approval: two }").await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    let first = reset(&cluster.gateways[0], DESK);
    let first: Value = serde_json::from_str(&first.out).unwrap_or_else(|_| panic!("{first:?}"));
    assert_eq!(listed(&cluster, "open"), [1, 1, 1]);
    let id = first["id"].as_str().unwrap();
    let again = requests(&cluster.gateways[1], DESK, &["approve", id]);
    assert!(again.complaint.contains("approved already"), "{again:?}");
    assert!(is_in(&alice).await, "one approval is not two");
    let second = requests(&cluster.gateways[2], CAROL, &["approve", id]);
    assert_eq!(second.code, 0, "{second:?}");
    ends_everywhere(&cluster, &alice.browser).await;
    assert_eq!(listed(&cluster, "done"), [1, 1, 1]);
    cluster.next_code();
    let anew = enrol(cluster.any(), "wiki", ALICE).await;
    assert!(is_in(&anew).await);
    // The phone that was lost opens nothing, at none of them.
    let mut browser = cluster.any().browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    for _ in 0..2 {
        let old = alice.phone.code(cluster.any().now());
        assert_eq!(give_code(&mut browser, &page, &old).await.status, 401);
    }
}

/// Every gateway looks for what is due. One of them does it.
async fn a_reset_that_nobody_stops_is_done_once(engine: &Engine) {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal =
        portal::form().yaml(ORGANISATION).yaml("reset: { wait: 24h }").yaml(EMAIL).run().await;
    let equip = |_, builder: Builder| {
        builder.portal("wiki", &portal).yaml(&mailbox.yaml()).token(VIEWER).token(DESK)
    };
    let mut cluster = cluster::of(3, engine).run(equip).await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    let asked = reset(&cluster.gateways[1], DESK);
    assert_eq!(asked.code, 0, "{asked:?}");
    mailbox.first(2).await;
    cluster.advance(23 * HOUR);
    assert_eq!(listed(&cluster, "waiting"), [1, 1, 1]);
    cluster.advance(HOUR);
    eventually("the reset", async || (listed(&cluster, "done") == [1, 1, 1]).then_some(())).await;
    ends_everywhere(&cluster, &alice.browser).await;
    mailbox.first(3).await;
    none_waits(&cluster).await;
    let mails = mailbox.mails();
    let was_reset =
        |mail: &&crate::dsl::mailbox::Received| mail.header("subject").contains("was reset");
    assert_eq!((mails.len(), mails.iter().filter(was_reset).count()), (3, 1), "{mails:?}");
    sign_in_anew(&mut cluster.any().browser("wiki"), ALICE).await;
}

async fn keys_are_changed_for_all_at_one_gateway(engine: &Engine) {
    let (_portal, mut cluster) = house(engine, 3, "").await;
    let alice = enrol(cluster.any(), "wiki", ALICE).await;
    for (number, gateway) in cluster.gateways.iter().enumerate() {
        let done = command(gateway, ADMIN, &["keys", "rotate"]);
        assert_eq!(done.code, 0, "{done:?}");
        for _ in 0..4 {
            assert!(is_in(&alice).await, "signed out by {}", cluster::name(number));
        }
        // A cookie of the newest key is taken by who has not heard of that yet.
        let (user, password) = member(number);
        let browser = cluster.any().browser("wiki");
        let newcomer = enrol_by_link(cluster.any(), browser, (&user, &password)).await;
        for _ in 0..3 {
            let shown = newcomer.browser.clone().open("/home").await;
            assert!(shown.body.contains("secret-page"), "{:?}", shown.answer);
        }
    }
    let done = command(&cluster.gateways[1], ADMIN, &["keys", "rotate", "--emergency"]);
    assert_eq!(done.code, 0, "{done:?}");
    ends_everywhere(&cluster, &alice.browser).await;
    for _ in 0..6 {
        assert!(!is_in(&alice).await, "a session of before the emergency is back");
    }
    cluster.next_code();
    let mut browser = cluster.any().browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let led = give_code(&mut browser, &page, &alice.phone.code(cluster.any().now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));
}

async fn a_token_of_one_gateway_opens_the_others_until_it_ends(engine: &Engine) {
    let (_portal, cluster) = house(engine, 3, "").await;
    let [one, two, three] = &cluster.gateways[..] else { panic!("three were asked for") };
    let made = command(one, ADMIN, &["token", "make", "--name", "night", "--role", "desk"]);
    assert_eq!((made.code, made.complaint.as_str()), (0, ""), "{made:?}");
    let secret = made.out.lines().next().unwrap().to_owned();
    let is_let_in = |gateway: &Gateway| {
        let admin = format!("http://{}", gateway.admin());
        let words = ["user", "list", "--portal", "wiki", "--admin", &admin];
        said(&words, Some(&secret)).code == 0
    };
    for gateway in [three, two, one] {
        assert!(is_let_in(gateway));
    }
    let ended = command(two, ADMIN, &["token", "end", "night"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for gateway in [two, one, three] {
        soon("the end of the token", async || !is_let_in(gateway)).await;
    }
}

async fn who_works_at_the_console_may_come_to_any_gateway(engine: &Engine) {
    let portal = portal::form().yaml(ORGANISATION).run().await;
    let equip =
        |_, builder: Builder| builder.portal("wiki", &portal).person(ANN).token(console::ADMIN);
    let mut cluster = cluster::of(2, engine).run(equip).await;
    enrol(cluster.any(), "wiki", ALICE).await;
    let mut ann = console::join(&cluster.gateways[0], ANN).await;
    let page = ann.console.looks_at("wiki", "alice").await;
    assert!(page.text().contains("alice"), "{:?}", page.answer);
    let mut other = Console::at(&cluster.gateways[1]);
    other.jar = ann.console.jar.clone();
    let page = other.looks_at("wiki", "alice").await;
    assert!(page.text().contains("alice"), "{:?}", page.answer);
    // A code of hers that was given at the one is spent at the other.
    cluster.next_code();
    let code = ann.phone.code(cluster.any().now());
    let mut first = Console::at(&cluster.gateways[0]);
    assert_eq!(first.signs_in(ANN, &code).await.status, 200);
    let mut second = Console::at(&cluster.gateways[1]);
    let again = second.signs_in(ANN, &code).await;
    assert_ne!(again.status, 200, "{}", again.text());
}

async fn every_mail_is_sent_once(engine: &Engine) {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal = portal::form().yaml(EMAIL).run().await;
    let equip = |_, builder: Builder| builder.portal("wiki", &portal).yaml(&mailbox.yaml());
    let cluster = cluster::of(3, engine).run(equip).await;
    const PEOPLE: usize = 12;
    for number in 0..PEOPLE {
        let (user, password) = member(number);
        enrol_by_link(cluster.any(), cluster.any().browser("wiki"), (&user, &password)).await;
    }
    mailbox.first(PEOPLE).await;
    none_waits(&cluster).await;
    let mails = mailbox.mails();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.header("message-id")).collect();
    let to: BTreeSet<&String> = mails.iter().flat_map(|mail| &mail.recipients).collect();
    assert_eq!((mails.len(), ids.len(), to.len()), (PEOPLE, PEOPLE, PEOPLE));
}

/// Nothing waits to be sent any more, as every gateway sees it.
async fn none_waits(cluster: &Cluster) {
    for gateway in &cluster.gateways {
        eventually("an empty outbox", async || {
            (gateway.metric("portcullis_mails_waiting", &[]).await == 0.0).then_some(())
        })
        .await;
    }
}
