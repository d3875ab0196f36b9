//! The metrics as Prometheus reads them.

use std::time::Duration;

use super::*;

const TAKEN: Duration = Duration::from_millis(3);

/// Metrics of a gateway with two portals, which count as long as somebody holds them.
struct Counted {
    metrics: Metrics,
    wiki: Arc<PortalMetrics>,
    shop: Arc<PortalMetrics>,
}

impl std::ops::Deref for Counted {
    type Target = Metrics;

    fn deref(&self) -> &Metrics {
        &self.metrics
    }
}

fn metrics() -> Counted {
    let metrics = Metrics::new().unwrap();
    let (wiki, shop) = (metrics.portal("wiki").unwrap(), metrics.portal("shop").unwrap());
    Counted { metrics, wiki, shop }
}

fn value(metrics: &Metrics, series: &str) -> Option<String> {
    let text = metrics.render().unwrap();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

#[test]
fn a_proven_request_is_counted_once_for_its_portal() {
    let metrics = metrics();
    metrics.shop.request(VerdictLabel::Forward, ReasonLabel::Proven, TAKEN);
    let series = |portal: &str| {
        format!(
            "portcullis_requests_total{{portal=\"{portal}\",reason=\"proven\",verdict=\"forward\"}}"
        )
    };
    assert_eq!(value(&metrics, &series("shop")).as_deref(), Some("1"));
    assert_eq!(value(&metrics, &series("wiki")).as_deref(), Some("0"));
    let duration = "portcullis_request_seconds_count{portal=\"shop\"}";
    assert_eq!(value(&metrics, duration).as_deref(), Some("1"));
}

#[test]
fn a_rare_verdict_is_counted_under_its_own_labels() {
    let metrics = metrics();
    metrics.wiki.request(VerdictLabel::Refuse, ReasonLabel::BadRequest, TAKEN);
    let series =
        "portcullis_requests_total{portal=\"wiki\",reason=\"bad_request\",verdict=\"refuse\"}";
    assert_eq!(value(&metrics, series).as_deref(), Some("1"));
}

#[test]
fn a_request_for_no_portal_counts_as_none() {
    let metrics = metrics();
    metrics.nowhere().request(VerdictLabel::Error, ReasonLabel::Internal, TAKEN);
    let series =
        "portcullis_requests_total{portal=\"_none\",reason=\"internal\",verdict=\"error\"}";
    assert_eq!(value(&metrics, series).as_deref(), Some("1"));
}

#[test]
fn every_outcome_has_its_zero_before_the_first_event() {
    let metrics = metrics();
    for series in [
        "portcullis_logins_observed_total{outcome=\"no_session\",portal=\"wiki\"}",
        "portcullis_verifications_total{factor=\"recovery_code\",outcome=\"replayed\",portal=\"wiki\"}",
        "portcullis_enrolments_total{factor=\"totp\",portal=\"wiki\"}",
        "portcullis_throttled_total{portal=\"wiki\",scope=\"client\"}",
        "portcullis_upstream_errors_total{kind=\"tls\",portal=\"wiki\"}",
        "portcullis_gate_alarms_total",
        "portcullis_connections_refused_total",
    ] {
        assert_eq!(value(&metrics, series).as_deref(), Some("0"), "{series}");
    }
}

#[test]
fn each_outcome_moves_only_its_own_counter() {
    let metrics = metrics();
    let wiki = &metrics.wiki;
    for (factor, outcome) in every_verification() {
        wiki.verification(factor, outcome);
    }
    for (factor, outcome) in every_verification() {
        let series = format!(
            "portcullis_verifications_total{{factor=\"{}\",outcome=\"{}\",portal=\"wiki\"}}",
            factor.as_str(),
            outcome.as_str()
        );
        assert_eq!(value(&metrics, &series).as_deref(), Some("1"), "{series}");
    }
}

#[test]
fn gauges_store_calls_and_reloads_are_told() {
    let metrics = metrics();
    metrics.wiki.enrolled_counted(&[Opaque([1; 16]), Opaque([2; 16])]);
    metrics.wiki.sessions_active(9);
    metrics.store_call("sled", StoreOp::Commit, TAKEN);
    metrics.store_error("sled", "full");
    metrics.gate_alarm();
    metrics.connection_refused();
    assert_eq!(value(&metrics, "portcullis_config_reload_success").as_deref(), Some("1"));
    metrics.config_reloaded(ReloadOutcome::Refused);
    for (series, expected) in [
        ("portcullis_enrolled_users{portal=\"wiki\"}", "2"),
        ("portcullis_sessions_active{portal=\"wiki\"}", "9"),
        ("portcullis_store_seconds_count{engine=\"sled\",op=\"commit\"}", "1"),
        ("portcullis_store_errors_total{engine=\"sled\",kind=\"full\"}", "1"),
        ("portcullis_gate_alarms_total", "1"),
        ("portcullis_connections_refused_total", "1"),
        ("portcullis_config_reload_success", "0"),
    ] {
        assert_eq!(value(&metrics, series).as_deref(), Some(expected), "{series}");
    }
    let build = format!("portcullis_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&metrics, &build).as_deref(), Some("1"));
}

#[test]
fn every_family_has_help_and_our_prefix() {
    let metrics = metrics();
    metrics.store_call("sled", StoreOp::Get, TAKEN);
    metrics.store_error("sled", "full");
    for family in metrics.registry.gather() {
        assert!(family.name().starts_with("portcullis_"), "{}", family.name());
        assert!(family.help().ends_with('.'), "{}", family.name());
    }
}

#[test]
fn a_portal_that_stays_goes_on_counting_and_one_that_is_gone_leaves_no_series() {
    let Counted { metrics, wiki, shop } = metrics();
    wiki.request(VerdictLabel::Forward, ReasonLabel::Proven, TAKEN);
    shop.request(VerdictLabel::Refuse, ReasonLabel::BadRequest, TAKEN);
    let again = metrics.portal("wiki").unwrap();
    drop(wiki);
    again.request(VerdictLabel::Forward, ReasonLabel::Proven, TAKEN);
    let proven = "portcullis_requests_total{portal=\"wiki\",reason=\"proven\",verdict=\"forward\"}";
    assert_eq!(value(&metrics, proven).as_deref(), Some("2"));
    let under_way = Arc::clone(&shop);
    drop(shop);
    under_way.request(VerdictLabel::Refuse, ReasonLabel::BadRequest, TAKEN);
    assert!(metrics.render().unwrap().contains("portal=\"shop\""), "a request was under way");
    drop(under_way);
    let left = metrics.render().unwrap();
    assert!(!left.contains("portal=\"shop\""), "{left}");
    let back = metrics.portal("shop").unwrap();
    back.request(VerdictLabel::Refuse, ReasonLabel::BadRequest, TAKEN);
    let refused =
        "portcullis_requests_total{portal=\"shop\",reason=\"bad_request\",verdict=\"refuse\"}";
    assert_eq!(value(&metrics, refused).as_deref(), Some("1"), "it began anew");
}
