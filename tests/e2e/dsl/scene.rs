//! What most attacks need: a portal behind a gateway, and alice proven at it.

use super::steps::{Enrolled, enrol};
use super::wire::Wire;
use super::{ALICE, Gateway, Portal, gateway, portal};

/// A portal behind a gateway at `wiki.test`, with alice inside.
pub struct Scene {
    pub portal: Portal,
    pub gateway: Gateway,
    pub alice: Enrolled,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    Unknown,
    Alice,
}

/// Both visitors.
pub const ANYBODY: [Visitor; 2] = [Visitor::Unknown, Visitor::Alice];

impl Scene {
    pub async fn set() -> Self {
        let portal = portal::form().run().await;
        let gateway = gateway::new().portal("wiki", &portal).run().await;
        let alice = enrol(&gateway, "wiki", ALICE).await;
        portal.take_seen();
        Self { portal, gateway, alice }
    }

    /// The request as this visitor sends it.
    pub fn by(&self, visitor: Visitor, wire: Wire) -> Wire {
        match visitor {
            Visitor::Unknown => wire,
            Visitor::Alice => wire.cookies_of(&self.alice.browser),
        }
    }

    /// Alice's own page still opens: whatever was tried has not cost her the session.
    pub async fn alice_is_still_in(&self) {
        let page = self.alice.browser.clone().open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
        self.portal.take_seen();
    }
}
