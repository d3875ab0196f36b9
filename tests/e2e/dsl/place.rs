//! Where a gateway stands: what it shares with its neighbours, and what it is reached through.
//! Alone, it shares nothing and is reached itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// The place of one gateway.
#[derive(Clone)]
pub struct Place {
    /// Where it listens.
    pub address: Ipv4Addr,
    /// What follows `store:` in its configuration.
    pub store: String,
    /// The file of its master key, as its configuration names it.
    pub master: String,
    /// The file of a clock that others go by too.
    pub clock: Option<PathBuf>,
    /// The balancer that browsers are sent to.
    pub front: Option<Front>,
    /// The network namespace that it runs in.
    pub network: Option<String>,
    /// Goes by the machine's own clock, which no test can move.
    pub real_time: bool,
}

/// A balancer in front of gateways.
#[derive(Clone)]
pub struct Front {
    pub address: SocketAddr,
    /// Whom its clients trust.
    pub trusted: Arc<rustls::ClientConfig>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            store: "{ engine: sled, path: data/store }".to_owned(),
            master: "secrets/master.key".to_owned(),
            clock: None,
            front: None,
            network: None,
            real_time: false,
        }
    }
}

impl Place {
    /// How a program is run here.
    pub fn command(&self, program: &str) -> Command {
        let Some(network) = &self.network else { return Command::new(program) };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", network, program]);
        command
    }
}
