//! Remembered devices: what they cost, what is wrong with them, and what they are taken for.

use std::time::Duration;

use crate::cases::{Folder, check, edited};

const WEAKER: &str = "gateway.yaml:19:5: warning: portals.wiki.remember_device: lets the password \
                      alone in on a device that is remembered, which is weaker than a code each \
                      time; leave it out where that counts (NIST SP 800-63B-4 section 5.1)";

fn with(value: &str) -> String {
    edited(&[("    prefix:", &format!("    remember_device: {value}\n    prefix:"))])
}

#[test]
fn no_device_is_remembered_unless_that_is_written() {
    let folder = Folder::new();
    assert!(folder.config(&edited(&[])).portals[0].remember_device.is_none());
    let unset = folder.config(&with("{}")).portals[0].remember_device.clone().unwrap();
    assert_eq!(unset.lifetime, Duration::from_secs(30 * 86_400));
    assert!(unset.networks.is_empty());
    let set = folder.config(&with("{ lifetime: 12h, networks: [10.1.0.0/16, 192.0.2.7] }"));
    let set = set.portals[0].remember_device.clone().unwrap();
    assert_eq!(set.lifetime, Duration::from_secs(12 * 3_600));
    assert_eq!(set.networks[1].to_string(), "192.0.2.7/32");
}

#[test]
fn it_is_told_what_a_remembered_device_costs() {
    assert_eq!(Folder::new().warnings(&with("{}")), [WEAKER]);
    assert_eq!(
        Folder::new().warnings(&with("{ lifetime: 1h, networks: [10.1.0.0/16] }")),
        [WEAKER]
    );
}

#[test]
fn lifetimes_and_networks_are_checked() {
    for (value, fault) in [
        (
            "{ lifetime: 59m }",
            "24: portals.wiki.remember_device.lifetime: is out of range; choose 1h to 90d",
        ),
        (
            "{ lifetime: 91d }",
            "24: portals.wiki.remember_device.lifetime: is out of range; choose 1h to 90d",
        ),
        (
            "{ networks: [office] }",
            "35: portals.wiki.remember_device.networks[0]: 'office' is no network; write one, such as 10.0.0.0/8",
        ),
        (
            "{ networks: [\"::/0\"] }",
            "35: portals.wiki.remember_device.networks[0]: is every network; leave the list empty: []",
        ),
    ] {
        let line = format!("    remember_device: {value}\n    prefix:");
        check(&[("    prefix:", &line)], &[&format!("gateway.yaml:19:{fault}")]);
    }
}

#[test]
fn the_networks_are_lost_with_the_whole_alone() {
    let block = "\n      lifetime: 30d\n      networks: [10.1.0.0/16]";
    let fault = "gateway.yaml:21:7: portals.wiki.remember_device.networks: is on a line of its own, and \
                 all would count if it were lost; write it on one line: remember_device: { lifetime: \
                 30d, networks: [10.1.0.0/16] }";
    assert_eq!(Folder::new().faults(&with(block)), [fault]);
    let all = "\n      lifetime: 30d\n      networks: []";
    assert_eq!(Folder::new().faults(&with(all)), [""; 0]);
}
