//! A network of its own for one gateway, with one cable to whoever visits it and another to the
//! store. The second can be pulled. It needs root, and the Debian package iproute2.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

/// A network namespace with two cables.
pub struct Fence {
    pub name: String,
    /// Tells the networks of several fences apart.
    number: u8,
}

impl Fence {
    /// Puts one up; nothing where nobody may.
    pub fn put_up() -> Option<Self> {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        if !may() {
            return None;
        }
        remove_ruins();
        let process = std::process::id();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let number = u8::try_from(process % 83).unwrap() * 3 + count % 3;
        let fence = Self { name: format!("portcullis-{process}-{count}"), number };
        ip(&["netns", "add", &fence.name]);
        ip(&["-n", &fence.name, "link", "set", "lo", "up"]);
        fence.lay("v", fence.outside(), fence.inside());
        fence.lay("s", fence.store_side(), fence.own_store_side());
        Some(fence)
    }

    /// The host's end of the visitors' cable.
    pub fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 1)
    }

    /// The gateway's end of it.
    pub fn inside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 2)
    }

    /// The host's end of the store's cable.
    pub fn store_side(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 214, self.number, 1)
    }

    fn own_store_side(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 214, self.number, 2)
    }

    /// Pulls the store's cable: what is sent is lost, and nobody is told.
    pub fn pull(&self) {
        ip(&["link", "set", &self.cable("s"), "down"]);
    }

    /// Puts it back.
    pub fn mend(&self) {
        ip(&["link", "set", &self.cable("s"), "up"]);
    }

    fn cable(&self, kind: &str) -> String {
        // A name of an interface has 15 signs at most.
        format!("pc{kind}{}-{}", self.number, std::process::id() % 100_000)
    }

    fn lay(&self, kind: &str, outer: Ipv4Addr, inner: Ipv4Addr) {
        let cable = self.cable(kind);
        let far = format!("pc{kind}in");
        ip(&["link", "add", &cable, "type", "veth", "peer", "name", &far, "netns", &self.name]);
        ip(&["addr", "add", &format!("{outer}/30"), "dev", &cable]);
        ip(&["-n", &self.name, "addr", "add", &format!("{inner}/30"), "dev", &far]);
        ip(&["link", "set", &cable, "up"]);
        ip(&["-n", &self.name, "link", "set", &far, "up"]);
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // The cables go with it.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// Whether this process may make networks.
fn may() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let capabilities = u64::from_str_radix(capabilities.trim(), 16).unwrap();
    let (net_admin, sys_admin) = (1 << 12, 1 << 21);
    capabilities & net_admin != 0 && capabilities & sys_admin != 0
}

/// Fences of processes that were killed.
fn remove_ruins() {
    let Ok(entries) = fs::read_dir("/var/run/netns") else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name.strip_prefix("portcullis-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !fs::exists(format!("/proc/{process}")).unwrap()) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).output();
        }
    }
}

fn ip(words: &[&str]) {
    let done = Command::new("ip").args(words).output();
    let done = done.expect("ip is missing: apt-get install iproute2");
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {words:?}: {complaint}");
}

/// Whether somebody inside reaches a port of the host in two seconds.
#[cfg(test)]
fn reaches(fence: &Fence, to: std::net::SocketAddr) -> bool {
    let knock = format!("exec 3<>/dev/tcp/{}/{}", to.ip(), to.port());
    let inside = ["netns", "exec", &fence.name, "timeout", "2", "bash", "-c", &knock];
    Command::new("ip").args(inside).output().unwrap().status.success()
}

#[test]
fn a_pulled_cable_carries_nothing_and_the_other_goes_on() {
    let Some(fence) = Fence::put_up() else { return };
    let listen = |address| std::net::TcpListener::bind((address, 0)).unwrap();
    let (store, visitors) = (listen(fence.store_side()), listen(fence.outside()));
    let [store, visitors] = [&store, &visitors].map(|listener| listener.local_addr().unwrap());
    assert!(reaches(&fence, store) && reaches(&fence, visitors));
    fence.pull();
    assert!(!reaches(&fence, store) && reaches(&fence, visitors));
    fence.mend();
    // It is looked for again only after a while.
    let begun = std::time::Instant::now();
    while !reaches(&fence, store) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "the cable is still broken");
    }
    assert!(reaches(&fence, visitors));
}
