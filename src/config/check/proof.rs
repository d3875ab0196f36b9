//! What counts as a proof and how long: sessions, authenticators, recovery codes.

use std::time::Duration;

use crate::config::fault::Findings;
use crate::config::file::{RecoveryCodesFile, SessionFile, TotpFile};
use crate::config::key_path::KeyPath;
use crate::config::units::{Span, show_duration};
use crate::config::{SessionLimits, TotpAlgorithm, TotpParameters};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The limits of a session.
pub(super) fn session(
    written: Option<SessionFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<SessionLimits> {
    let written = written.unwrap_or_default();
    let lifetime = written.lifetime.map_or(12 * HOUR, |Span(lifetime)| lifetime);
    let range = MINUTE..=24 * HOUR;
    let lifetime = findings.in_range(&at.key("lifetime"), lifetime, range, show_duration);
    let most = lifetime.unwrap_or(24 * HOUR);
    let Some(Span(idle)) = written.idle else {
        return Some(SessionLimits { lifetime: lifetime?, idle: most.min(HOUR) });
    };
    let place = at.key("idle");
    if idle > most && (MINUTE..=24 * HOUR).contains(&idle) {
        let mend = format!("choose 1m to {}", show_duration(most));
        findings.fault(&place, "is longer than the lifetime", mend);
        return None;
    }
    let idle = findings.in_range(&place, idle, MINUTE..=most, show_duration);
    if idle.is_some_and(|idle| idle > HOUR) {
        let what = "leaves a forgotten browser signed in for more than an hour";
        findings.warn(&place, what, "choose 1h or less (NIST SP 800-63B-4 section 2.2.3)");
    }
    Some(SessionLimits { lifetime: lifetime?, idle: idle? })
}

/// The parameters of new authenticators.
pub(super) fn totp(
    written: Option<TotpFile>,
    at: &KeyPath,
    branding: Option<&str>,
    findings: &mut Findings,
) -> Option<TotpParameters> {
    let written = written.unwrap_or_default();
    let issuer = issuer(written.issuer, &at.key("issuer"), branding, findings);
    let digits = digits(written.digits.unwrap_or(6), &at.key("digits"), findings);
    let step = written.period.map_or(MINUTE / 2, |Span(period)| period);
    let period = period(step, &at.key("period"), findings);
    let skew = written.skew.unwrap_or(1);
    let skew = findings.in_range(&at.key("skew"), skew, 0..=2, |steps| steps.to_string());
    let algorithm = written.algorithm.unwrap_or(TotpAlgorithm::Sha1);
    let parameters = TotpParameters {
        issuer: issuer?,
        digits: digits?,
        period: period?,
        algorithm,
        skew: u8::try_from(skew?).ok()?,
    };
    warn_of_apps(&parameters, at, findings);
    Some(parameters)
}

/// The label of an otpauth address is split at its colon, so neither part may hold one.
fn issuer(
    written: Option<String>,
    at: &KeyPath,
    branding: Option<&str>,
    findings: &mut Findings,
) -> Option<String> {
    let is_set = written.is_some();
    let issuer = written.or_else(|| branding.map(str::to_owned))?;
    let mend = "write a short name without ':'";
    if issuer.contains(':') {
        let what = if is_set { "has a colon" } else { "is branding.name, which has a colon" };
        findings.fault(at, what, mend);
        return None;
    }
    if !super::branding::is_short_text(&issuer) {
        findings.fault(at, "is empty, too long or not plain text", mend);
        return None;
    }
    Some(issuer)
}

fn digits(digits: u64, at: &KeyPath, findings: &mut Findings) -> Option<u8> {
    match digits {
        6 => Some(6),
        8 => Some(8),
        other => {
            findings.fault(at, format!("is {other}"), "choose 6 or 8");
            None
        }
    }
}

fn period(period: Duration, at: &KeyPath, findings: &mut Findings) -> Option<Duration> {
    if period.subsec_nanos() != 0 {
        findings.fault(at, "is not whole seconds", "choose 15s to 60s");
        return None;
    }
    findings.in_range(at, period, Duration::from_secs(15)..=MINUTE, |period| {
        format!("{}s", period.as_secs())
    })
}

/// Common apps take these settings from the QR code and do not heed them: every code is
/// wrong then, and the user does not learn why.
fn warn_of_apps(parameters: &TotpParameters, at: &KeyPath, findings: &mut Findings) {
    let unusual = [
        ("algorithm", parameters.algorithm != TotpAlgorithm::Sha1, "sha1"),
        ("digits", parameters.digits != 6, "6"),
        ("period", parameters.period != MINUTE / 2, "30s"),
    ];
    for (key, is_unusual, usual) in unusual {
        if is_unusual {
            let what = "is not heeded by several authenticator apps, whose codes are wrong then";
            findings.warn(&at.key(key), what, format!("choose {usual}, or name the app to use"));
        }
    }
}

/// How many recovery codes an enrolment gives.
pub(super) fn recovery_codes(
    written: Option<RecoveryCodesFile>,
    findings: &mut Findings,
) -> Option<usize> {
    let at = KeyPath::root().key("recovery_codes").key("count");
    let count = written.unwrap_or_default().count.unwrap_or(10);
    let count = findings.in_range(&at, count, 8..=20, |count| count.to_string())?;
    usize::try_from(count).ok()
}
