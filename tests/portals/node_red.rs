//! Node-RED: a page for everybody that keeps a token, and a WebSocket that takes it again.

use crate::lines::{Keyed, Way, whole_story};

pub const NODE_RED: Keyed = Keyed {
    name: "node-red",
    way: Way::Token {
        address: "/auth/token",
        fields: &[("client_id", "node-red-editor"), ("grant_type", "password"), ("scope", "")],
    },
    page: "/flows",
    inside: "secret-flow",
};

#[tokio::test(flavor = "multi_thread")]
async fn node_red_gets_a_second_factor() {
    whole_story(&NODE_RED).await;
}
