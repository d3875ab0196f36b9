//! CFG-2: a configuration with a fault, given to a gateway that runs, changes nothing of it.

use std::fs;

use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, Gateway, gateway, portal};

/// What a stranger gets at this path.
async fn stranger(gateway: &Gateway, path: &str) -> u16 {
    gateway.browser("wiki").open(path).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_2_a_configuration_with_a_fault_leaves_the_one_before_in_force() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let good = gateway.yaml();
    let open = good.replace("public: [/public/**]", "public: [/public/**, /echo/**]");
    assert_ne!(good, open);
    let half = &open[..open.find("session_cookies").unwrap() + 7];
    let faults = [
        // Each would open a path if any of it were taken.
        (open.replace("rotation: reverify", "rotation: sometimes"), "rotation: "),
        (
            open.replace("  wiki:", "  wiki: &wiki\n    hosts: [wiki.test]\n  wiki:"),
            ": portals.wiki",
        ),
        (half.to_owned(), "portcullis.yaml:"),
        (String::new(), "portals: is missing"),
        (open.replace("tls.key", "nobody.key"), "nobody.key cannot be read"),
        (format!("{open}branding: {{ templates: nowhere }}\n"), "branding.templates: "),
    ];
    for (faulty, told) in faults {
        gateway.refuse(&faulty, told).await;
        assert!(!gateway.is_up_to_date().await);
        assert_eq!(stranger(&gateway, "/echo/x").await, 303, "half of it counts: {faulty}");
        assert_eq!(stranger(&gateway, "/public/x").await, 200, "half of it counts: {faulty}");
        assert_eq!(alice.open("/home").await.status, 200);
        let place = format!("{}:", gateway.folder().join("portcullis.yaml").display());
        let log = gateway.log();
        let line = log.lines().rfind(|line| line.contains("was refused")).unwrap();
        assert!(line.contains(&place), "no file and line: {line}");
        gateway.take(&good).await;
        assert!(gateway.is_up_to_date().await);
    }
    // Mended, it is taken at last.
    gateway.take(&open).await;
    assert_eq!(stranger(&gateway, "/echo/x").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_2_what_only_a_restart_changes_is_refused_with_all_that_comes_with_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let good = gateway.yaml();
    let open = good.replace("public: [/public/**]", "public: [/public/**, /echo/**]");
    let other_key = gateway.folder().join("secrets/other.key");
    fs::write(&other_key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&other_key, private).unwrap();
    let https = format!("address: {}", gateway.https());
    let plain = format!("- {{ address: {}, proxy_protocol: false }}", gateway.http());
    let pair = "{ certificate: tls.crt, key: tls.key }";
    let secured = plain.replace(" }", &format!(", tls: {{ certificates: [{pair}] }} }}"));
    let admin = format!("admin: {{ address: {},", gateway.admin());
    let changes = [
        (open.replace(&https, "address: 127.0.0.1:1"), "listeners[0].address: was 127."),
        (open.replace(&format!("  {plain}\n"), ""), "listeners: has 1 listeners in place of 2"),
        (open.replace(&plain, &secured), "listeners[1].tls: spoke plain HTTP"),
        (open.replace(&admin, "admin: { address: 127.0.0.1:1,"), "admin.address: was 127."),
        (open.replace("data/store", "data/other"), "store.path: was "),
        (open.replace("master.key", "other.key"), "keys.master: is not there or not the key"),
        (open.replace("master.key", "absent.key"), "keys.master: is not there or not the key"),
        (format!("{open}telemetry: {{ log: text }}\n"), "telemetry.log: was json"),
    ];
    for (changed, told) in changes {
        assert_ne!(changed, open, "{told}");
        gateway.refuse(&changed, told).await;
        let log = gateway.log();
        let line = log.lines().rfind(|line| line.contains(told)).unwrap();
        assert!(line.contains("restart to change it"), "no mend: {line}");
        assert!(!gateway.is_up_to_date().await);
        assert_eq!(stranger(&gateway, "/echo/x").await, 303, "half of it counts: {told}");
    }
    assert!(!gateway.folder().join("secrets/absent.key").exists(), "a key was made");
    gateway.take(&open).await;
    assert!(gateway.is_up_to_date().await);
    assert_eq!(gateway.stop(), 0);
}
