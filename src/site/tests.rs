//! Hosts lead to their portal, and form tokens belong to one session of one portal.

use super::house::{House, NOW, house, sites};
use super::*;

#[test]
fn every_host_of_a_portal_leads_to_it_and_no_other_does() {
    let sites = sites();
    assert_eq!(sites.named("PAGES.test:8443").portal.name, "wiki");
    assert_eq!(sites.named("shop.test").portal.name, "shop");
    assert!(sites.at(&Host::parse("other.test").unwrap()).is_none());
    let places: Vec<usize> = sites.iter().map(|site| site.index).collect();
    assert_eq!(places, [0, 1]);
}

#[test]
fn a_form_token_is_of_one_session_at_one_portal() {
    let sites = sites();
    let (wiki, shop) = (sites.named("wiki.test"), sites.named("shop.test"));
    let (sid, other) = (Opaque([1; 16]), Opaque([2; 16]));
    let token = wiki.form_token(sid);
    assert!(wiki.is_form_token(sid, &token));
    assert!(!wiki.is_form_token(other, &token), "it counted in another session");
    assert!(!shop.is_form_token(sid, &token), "it counted at another portal");
    assert_ne!(token, sid.encode(), "it tells the name of the session");
}

#[test]
fn what_is_close_to_a_form_token_is_none() {
    let sites = sites();
    let (wiki, sid) = (sites.named("wiki.test"), Opaque([1; 16]));
    let token = wiki.form_token(sid);
    let padded = format!("{token}=");
    let longer = format!("{token}AA");
    let shorter = token.get(..token.len() - 2).unwrap();
    let swapped: String = token.chars().rev().collect();
    for given in ["", "AAAA", "%%%", &padded, &longer, shorter, &swapped] {
        assert!(!wiki.is_form_token(sid, given), "{given:?}");
    }
}

/// OTP-5: what has expired must not stand again because the clock went back.
#[tokio::test]
async fn a_clock_that_goes_back_is_trusted_for_a_minute_at_most() {
    let House { parts, .. } = house().await;
    assert_eq!(parts.trusted_now(), Some(NOW));
    parts.latest.store(NOW.plus(CLOCK_TOLERANCE).0, Ordering::SeqCst);
    assert_eq!(parts.trusted_now(), Some(NOW));
    parts.latest.store(NOW.plus(CLOCK_TOLERANCE).0 + 1, Ordering::SeqCst);
    assert_eq!(parts.trusted_now(), None);
    assert_eq!(parts.trusted_now(), None, "asking again made it right");
}
