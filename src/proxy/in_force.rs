//! The configuration in force. Another may take its place at any moment, in one step; whoever
//! holds on to what was in force when a request began is not touched by that.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pingora_core::connectors::http::Connector;

use super::admit::Admission;
use super::gateway::Gateway;
use super::tls::Certificates;
use super::upstream::Door;
use crate::site::Parts;

/// The gateway of the moment. A clone is the same place.
#[derive(Clone)]
pub struct InForce(Arc<ArcSwap<Gateway>>);

impl InForce {
    /// The first configuration, with the certificates of each of its listeners.
    pub fn new(parts: Parts, certificates: Vec<Option<Certificates>>) -> Self {
        let connector = Arc::new(Connector::new(None));
        let gateway = gateway(parts, certificates, connector, Arc::default());
        Self(Arc::new(ArcSwap::from_pointee(gateway)))
    }

    /// What is in force now. No lock is waited for.
    pub fn now(&self) -> Arc<Gateway> {
        self.0.load_full()
    }

    /// Puts another configuration in force, for whatever begins from now on. Connections to
    /// portals, and how much each client has asked, go on.
    pub fn replace(&self, parts: Parts, certificates: Vec<Option<Certificates>>) {
        let before = self.now();
        let (connector, admission) = (&before.connector, &before.admission);
        let next = gateway(parts, certificates, Arc::clone(connector), Arc::clone(admission));
        self.0.store(Arc::new(next));
        // A portal may be asked in another way now. What requests that are under way still
        // hear counts for seconds, as it would have.
        for site in self.now().parts.sites.iter() {
            site.answers.forget_all();
        }
    }
}

fn gateway(
    parts: Parts,
    certificates: Vec<Option<Certificates>>,
    connector: Arc<Connector>,
    admission: Arc<Admission>,
) -> Gateway {
    let doors = parts.sites.iter().map(|site| Door::new(&site.portal.upstream)).collect();
    let certificates = certificates.into();
    Gateway { doors, parts: Arc::new(parts), connector, admission, certificates }
}
