//! A reset at one gateway cuts what its user has open at the others: pages and an open WebSocket,
//! within a second. Measured as often as `scripts/faults` says, and the longest is printed.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{self, Cluster};
use crate::dsl::desk::{DESK, ORGANISATION, call_with};
use crate::dsl::gateway::Builder;
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol_by_link, sign_in_anew};
use crate::dsl::{Browser, html, member, portal};
use crate::engine::Engine;
use crate::figures::{self, number};
use crate::history::A_SECOND;
use crate::tab::{self, Tab};

on_each_engine!(alone: a_reset_at_one_gateway_cuts_the_others_within_a_second);

/// Both measured from the moment that the desk was told.
struct Cut {
    pages: Duration,
    socket: Duration,
}

async fn a_reset_at_one_gateway_cuts_the_others_within_a_second(engine: &Engine) {
    let portal = portal::form().yaml(ORGANISATION).run().await;
    let equip = |_, builder: Builder| builder.portal("wiki", &portal).token(DESK);
    let cluster = cluster::of(3, engine).run(equip).await;
    let (times, mut cuts) = (number("FAULTS_RESETS", 20), Vec::new());
    for number in 0..times {
        cuts.push(one(&cluster, number).await);
    }
    let longest = |of: fn(&Cut) -> Duration| cuts.iter().map(of).max().unwrap();
    let (pages, sockets) = (longest(|cut| cut.pages), longest(|cut| cut.socket));
    figures::say(
        engine.kind,
        "a reset cuts the others",
        &[
            ("times", times.to_string()),
            ("last page, longest", figures::ms(pages)),
            ("socket ended, longest", figures::ms(sockets)),
        ],
    );
    assert!(pages <= A_SECOND && sockets <= A_SECOND, "{pages:?} and {sockets:?}");
}

/// Somebody enrols, opens a socket at each gateway, and is reset at one of them.
async fn one(cluster: &Cluster, number: usize) -> Cut {
    let (user, password) = member(number);
    let browser = cluster.any().browser("wiki");
    let browser = enrol_by_link(cluster.any(), browser, (&user, &password)).await.browser;
    let mut sockets = Vec::new();
    for gateway in &cluster.gateways {
        let mut socket = Socket::open_at(gateway, &browser, "/ws").await;
        assert_eq!(socket.next().await, Some(format!("hello {user}")));
        sockets.push(socket);
    }
    let looking = cluster.direct.iter().map(|to| Tab::of(browser.clone(), *to)).collect();
    let looking = tokio::spawn(until_turned_away(looking));
    let admin = cluster.gateways[number % cluster.gateways.len()].admin();
    let path = format!("/api/v1/portals/wiki/users/{user}/reset");
    let by = "bob@example.com";
    let reset = json!({ "reason": "lost phone", "requested_by": by, "channel": "colleague" });
    let answer = tab::ask(admin, call_with(DESK, "POST", &path, &reset.to_string())).await.unwrap();
    let told = Instant::now();
    assert_eq!(answer.status, 200, "{answer:?}");
    let ends = sockets.iter_mut().map(async |socket| {
        assert_eq!(socket.next().await, None, "the socket goes on");
        told.elapsed()
    });
    let ends = futures_util::future::join_all(ends).await;
    let last_page = looking.await.unwrap();
    is_new_everywhere(cluster, &user, &password).await;
    let pages = last_page.saturating_duration_since(told);
    Cut { pages, socket: ends.into_iter().max().unwrap() }
}

/// Looks at every gateway until each turns the visitor away; gives when the last page that was
/// shown was asked for.
async fn until_turned_away(tabs: Vec<Tab>) -> Instant {
    let looking = tabs.into_iter().map(async |mut tab| {
        let mut last = Instant::now();
        let mut cut = 0;
        loop {
            let asked = Instant::now();
            let Some(shown) = tab.open("/home").await else {
                // An answer that was under way is cut with the session that it was for.
                cut += 1;
                assert!(cut < 3, "nobody answers");
                continue;
            };
            if !shown.body.contains("secret-page") {
                return last;
            }
            last = asked;
        }
    });
    futures_util::future::join_all(looking).await.into_iter().max().unwrap()
}

/// Whoever was reset enrols anew, whichever gateway is asked.
async fn is_new_everywhere(cluster: &Cluster, user: &str, password: &str) {
    let mut browser: Browser = cluster.any().browser("wiki");
    let page = sign_in_anew(&mut browser, (user, password)).await;
    assert!(html::svg(&page.body).is_some(), "{}", page.text());
}
