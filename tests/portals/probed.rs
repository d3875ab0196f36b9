//! Portals that the gateway knows from what `portcullis probe` writes, unchanged: the whole
//! story holds there as it does with a profile.

use crate::habits::{DJANGO, DOKUWIKI, WORDPRESS};
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
