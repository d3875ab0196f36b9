//! Another configuration while the gateway runs: it counts for whatever begins afterwards, and
//! nobody who is in the middle of something notices.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use tokio::task::JoinSet;

use crate::dsl::gateway::Fronted as _;
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol, enrol_at, give_code, name_first, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Answer, BOB, Browser, Call, Gateway, client, eventually, gateway, portal};

const PUBLIC: &str = "public: [/public/**]";
const MORE_PUBLIC: &str = "public: [/public/**, /echo/**]";

/// What a stranger gets at a path that `MORE_PUBLIC` opens.
async fn stranger(gateway: &Gateway) -> u16 {
    gateway.browser("wiki").open("/echo/x").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_counts_after_a_signal_and_after_a_mere_change() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let before = gateway.yaml();
    assert_eq!(stranger(&gateway).await, 303);
    gateway.take(&before.replace(PUBLIC, MORE_PUBLIC)).await;
    assert_eq!(stranger(&gateway).await, 200);
    let on = |occasion: &str| -> Vec<String> {
        let log = gateway.log();
        let told = log.lines().filter(|line| line.contains("is in force"));
        told.filter(|line| line.contains(occasion)).map(str::to_owned).collect()
    };
    let [signal] = &on("SIGHUP")[..] else { panic!("{}", gateway.log()) };
    assert!(signal.contains("\"portals\":\"wiki\""), "{signal}");
    let changes = on("a changed file").len();
    gateway.write_yaml(&before);
    let again = async || (on("a changed file").len() > changes).then_some(());
    eventually("the file to be read", again).await;
    assert_eq!(stranger(&gateway).await, 303);
    assert_eq!((on("SIGHUP").len(), on("a changed file").len()), (1, changes + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_the_configuration_names_are_looked_at_too() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let folder = gateway.folder().join("templates");
    fs::create_dir(&folder).unwrap();
    gateway.take(&format!("{}branding: {{ templates: templates }}\n", gateway.yaml())).await;
    fs::write(folder.join("style.css"), "body { color: teal }").unwrap();
    let style = async || gateway.browser("wiki").open("/.mfa/style.css").await.body.clone();
    eventually("the style", async || style().await.contains("teal").then_some(())).await;
    // A template that cannot be used leaves the ones before in their place.
    fs::write(folder.join("home.html"), "{% if %}").unwrap();
    gateway.has_logged("home.html:1").await;
    assert!(!gateway.is_up_to_date().await);
    assert!(style().await.contains("teal"));
    fs::remove_file(folder.join("home.html")).unwrap();
    eventually("its mend", async || gateway.is_up_to_date().await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_come_and_go_and_a_third_goes_on_under_a_renewed_certificate() {
    let (wiki, shop, desk) =
        (portal::form().run().await, portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("shop", &shop).portal("wiki", &wiki).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut kept_open = alice.connect().await;
    let seen_by_shop = [("portal", "shop")];
    assert_eq!(gateway.browser("shop").open("/public/x").await.status, 200);

    let before = gateway.yaml();
    let start = before.find("  shop:").unwrap();
    let end = before.find("  wiki:").unwrap();
    let entry = desk.entry("desk.test").replace('\n', "\n    ");
    let after = format!("{}{}  desk:\n    {entry}\n", &before[..start], &before[end..]);
    let hosts = ["wiki.test", "desk.test"].map(str::to_owned);
    let trusted = client::certificate(gateway.folder(), &hosts);
    gateway.take(&after).await;

    // Who trusts the new certificate alone gets in; who trusts the old one alone does not.
    let mut bob = Browser::new(gateway.https(), Arc::clone(&trusted), "desk.test");
    assert_eq!(bob.open("/public/x").await.status, 200);
    let call = |host: &str| Call::get(host, "/public/x").page();
    // A session of TLS that is resumed is shown no certificate.
    let mut old = (*gateway.trusted()).clone();
    old.resumption = rustls::client::Resumption::disabled();
    let stream = tokio::net::TcpStream::connect(gateway.https()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("wiki.test").unwrap();
    let old = tokio_rustls::TlsConnector::from(Arc::new(old)).connect(name, stream).await;
    assert!(old.is_err(), "the old certificate is still served");
    let gone =
        client::send(gateway.https(), Arc::clone(&trusted), call("wiki.test").host("shop.test"));
    assert_eq!(gone.await.status, 421);

    let home = kept_open.send(alice.with_cookies(Call::get("wiki.test", "/home").page())).await;
    assert!(home.unwrap().body.contains("for alice alone"));
    let mut anew = Browser::new(gateway.https(), trusted, "wiki.test");
    anew.jar = alice.jar;
    assert!(anew.open("/home").await.body.contains("for alice alone"));
    let led = crate::dsl::steps::sign_in(&mut bob, BOB).await;
    assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
    let page = bob.follow(led).await;
    enrol_at(&gateway, bob, page).await;

    for (name, portal) in
        [("enrolled_users", "wiki"), ("enrolled_users", "desk"), ("sessions_active", "desk")]
    {
        let name = format!("portcullis_{name}");
        eventually(&format!("{name} of {portal}"), async || {
            (gateway.metric(&name, &[("portal", portal)]).await == 1.0).then_some(())
        })
        .await;
    }
    assert_eq!(gateway.metric("portcullis_requests_total", &seen_by_shop).await, 0.0);
    let metrics = client::plain(gateway.admin(), Call::get("localhost", "/metrics")).await.body;
    assert!(!metrics.contains("portal=\"shop\""), "the series of a portal that is gone stay");
    // What it was counted from is kept: it is there again when the portal is.
    gateway
        .take(&format!("{after}  shop:\n    {}\n", shop.entry("shop.test").replace('\n', "\n    ")))
        .await;
    assert_eq!(gateway.metric("portcullis_enrolled_users", &[("portal", "wiki")]).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_middle_of_something_goes_on() {
    let portal = portal::form().in_two_steps().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let configurations = [gateway.yaml().replace(PUBLIC, MORE_PUBLIC), gateway.yaml()];
    let give_password = async |browser: &mut Browser, password: &str| {
        let token = portal.token_of(&browser.jar["portalsession"]);
        browser.post("/password", &[("password", password), ("token", &token)]).await.status
    };
    // Between name and password.
    let mut browser = gateway.browser("wiki");
    name_first(&mut browser, ALICE.0).await;
    gateway.take(&configurations[0]).await;
    assert_eq!(give_password(&mut browser, ALICE.1).await, 303);
    // Between the secret and its first code.
    let led = browser.open("/home").await;
    let page = browser.follow(led).await;
    gateway.take(&configurations[1]).await;
    let alice = enrol_at(&gateway, browser, page).await;
    // Between the password and the code.
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    name_first(&mut browser, ALICE.0).await;
    assert_eq!(give_password(&mut browser, ALICE.1).await, 303);
    let led = browser.open("/home").await;
    let page = browser.follow(led).await;
    gateway.take(&configurations[0]).await;
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(told).await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_later_follows_the_new_parameters_and_what_was_made_goes_on() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut bobs = gateway.browser("wiki");
    let offered = sign_in_anew(&mut bobs, BOB).await;
    gateway.take(&format!("{}totp: {{ digits: 8 }}\n", gateway.yaml())).await;
    // What was offered with six digits is confirmed with six.
    let bob = enrol_at(&gateway, bobs, offered).await;
    gateway.next_code();
    for (enrolled, who) in [(alice, ALICE), (bob, BOB)] {
        assert_eq!(enrolled.phone.code(gateway.now()).len(), 6);
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, who).await;
        let told = give_code(&mut browser, &page, &enrolled.phone.code(gateway.now())).await;
        assert_eq!(browser.follow(told).await.status, 200);
    }
    let (user, password) = crate::dsl::member(1);
    let member = enrol(&gateway, "wiki", (&user, &password)).await;
    assert_eq!(member.phone.code(gateway.now()).len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_and_a_socket_run_on() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut socket = Socket::open(&gateway, &alice, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    let mut downloads = Vec::new();
    for http2 in [false, true] {
        let call = alice.clone().over(http2).with_cookies(Call::get("wiki.test", "/drip"));
        let begun = client::begin(gateway.https(), gateway.trusted(), &call, Empty::<Bytes>::new());
        let mut answer = begun.await.unwrap();
        let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "first");
        downloads.push(answer);
    }
    for yaml in [gateway.yaml().replace(PUBLIC, MORE_PUBLIC), gateway.yaml()] {
        gateway.take(&yaml).await;
        socket.say("still here").await;
        assert_eq!(socket.next().await.as_deref(), Some("still here"));
    }
    for answer in downloads {
        portal.release();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "last");
    }
}

/// Two configurations that differ in several things at once.
struct Side {
    yaml: String,
    /// What it alone opens to strangers, and where it alone has our own pages.
    open: &'static str,
    ours: &'static str,
    /// Where it leads strangers, and how its pages are headed.
    login: &'static str,
    brand: &'static str,
}

fn sides(yaml: &str, first: &str, second: &str) -> [Side; 2] {
    let side = |open, ours, login, brand, upstream: &str| Side {
        yaml: yaml
            .replace(PUBLIC, &format!("public: [/public/**, {open}/**]\n    prefix: {ours}"))
            .replace("login_url: /login", &format!("login_url: {login}"))
            .replace(first, upstream)
            + &format!("branding: {{ name: {brand} }}\n"),
        open,
        ours,
        login,
        brand,
    };
    [
        side("/echo/a", "/echo/ours-a", "/login?of=a", "House-A", first),
        side("/echo/b", "/echo/ours-b", "/login?of=b", "House-B", second),
    ]
}

/// The one of `sides` that answered a stranger at the path that `opened` alone opens.
fn side_of_stranger(sides: &[Side; 2], opened: usize, answer: &Answer) -> usize {
    match answer.status {
        200 => opened,
        303 => {
            let closed = 1 - opened;
            assert_eq!(answer.line("location"), Some(sides[closed].login), "{answer:?}");
            closed
        }
        _ => panic!("a request failed: {answer:?}"),
    }
}

/// The one of `sides` that answered who is in at the place where `owner` alone has our pages.
fn side_of_member(sides: &[Side; 2], owner: usize, answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "a request failed: {answer:?}");
    let is_portals = answer.body.starts_with("{\"body\"");
    match is_portals {
        true => 1 - owner,
        false => {
            assert!(answer.body.contains(sides[owner].brand), "{}", answer.body);
            owner
        }
    }
}

/// Asks over one connection until it is told to stop; gives which sides answered.
async fn client_at_work(
    browser: Browser,
    is_in: bool,
    sides: Arc<[Side; 2]>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
) -> BTreeSet<usize> {
    let mut connection = browser.connect().await;
    let mut answered = BTreeSet::new();
    while !stop.load(Ordering::SeqCst) {
        for (index, side) in sides.iter().enumerate() {
            let path = if is_in { side.ours.to_owned() } else { format!("{}/x", side.open) };
            let call = browser.with_cookies(Call::get(&browser.host, &path).page());
            let answer = connection.send(call).await.expect("a request failed");
            if answer.line("connection") == Some("close") {
                connection = browser.connect().await;
            }
            let which = if is_in { side_of_member } else { side_of_stranger };
            answered.insert(which(&sides, index, &answer));
            asked.fetch_add(1, Ordering::SeqCst);
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stderr)]
async fn no_request_fails_in_a_hundred_reloads_and_none_is_judged_by_two_configurations() {
    const RELOADS: usize = 100;
    let (first, second) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &first).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let [at_first, at_second] = [&first, &second].map(|portal| portal.address.to_string());
    let sides = Arc::new(sides(&gateway.yaml(), &at_first, &at_second));
    gateway.take(&sides[0].yaml).await;
    first.take_seen();

    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for http2 in [false, true] {
        for is_in in [false, true] {
            let browser = if is_in { alice.clone() } else { gateway.browser("wiki") }.over(http2);
            let (sides, stop, asked) = (Arc::clone(&sides), Arc::clone(&stop), Arc::clone(&asked));
            clients.spawn(client_at_work(browser, is_in, sides, stop, asked));
        }
    }
    for reload in 1..=RELOADS {
        gateway.take(&sides[reload % 2].yaml).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(answered) = clients.join_next().await {
        assert_eq!(answered.unwrap(), BTreeSet::from([0, 1]), "one side never answered a client");
    }
    // From the portals' side: each got what its own configuration lets through alone.
    for (portal, own, other) in [(&first, 0, 1), (&second, 1, 0)] {
        let seen = portal.take_seen();
        let allowed = [format!("{}/x", sides[own].open), sides[other].ours.to_owned()];
        assert!(!seen.is_empty());
        for request in seen {
            assert!(allowed.contains(&request.target), "{} at side {own}", request.target);
        }
    }
    assert!(gateway.is_up_to_date().await);
    eprintln!("{} requests during {RELOADS} reloads", asked.load(Ordering::SeqCst));
}
