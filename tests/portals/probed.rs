//! Portals that the gateway knows from what `portcullis probe` writes, unchanged: the whole
//! story holds there as it does with a profile.

use crate::habits::{DJANGO, DOKUWIKI, JUPYTER, REDMINE, WORDPRESS};
use crate::lines;
use crate::node_red::NODE_RED;
use crate::prometheus::PROMETHEUS;
use crate::radicale::RADICALE;
use crate::visits::{Place, whole_story_at};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_djangos_admin_runs_as_it_is() {
    whole_story_at(Place::probed(&DJANGO).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_dokuwiki_runs_as_it_is() {
    whole_story_at(Place::probed(&DOKUWIKI).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_wordpress_runs_as_it_is() {
    whole_story_at(Place::probed(&WORDPRESS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_jupyter_runs_as_it_is() {
    whole_story_at(Place::probed(&JUPYTER).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_radicale_runs_as_it_is() {
    lines::whole_story_at(lines::Place::probed(&RADICALE).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_prometheus_runs_as_it_is() {
    lines::whole_story_at(lines::Place::probed(&PROMETHEUS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_node_red_runs_as_it_is() {
    lines::whole_story_at(lines::Place::probed(&NODE_RED).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_of_redmine_runs_as_it_is() {
    whole_story_at(Place::probed(&REDMINE).await).await;
}
