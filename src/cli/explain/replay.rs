//! A recorded session, request by request, and what it comes to.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use http::header;
use serde::Serialize;

use super::hints::password_field;
use super::journey::{Given, Journey};
use super::line::Line;
use super::recorded::Recorded;
use super::words::plain;
use super::{Ground, Output, write_json};
use crate::site::Site;

/// Replays a recording and writes a line or an object for each request, and the sum.
///
/// # Errors
/// When nobody takes it.
pub(super) fn replay(
    out: &mut dyn Write,
    output: Output,
    ground: &Ground,
    (all, odd): (&[Recorded], usize),
    given: Given,
) -> io::Result<()> {
    let mut journeys: BTreeMap<usize, Journey<'_>> = BTreeMap::new();
    let mut sum = Sum { requests: all.len(), not_http: odd, ..Sum::default() };
    for (index, recorded) in all.iter().enumerate() {
        let Some((site, by_upstream)) = portal_of(ground, recorded) else {
            *sum.elsewhere.entry(recorded.asked.host.as_str().to_owned()).or_default() += 1;
            continue;
        };
        let new = || Journey::new(site, all, given);
        let journey = journeys.entry(site.index).or_insert_with(new);
        let mut line = Line::new(index + 1, &recorded.asked);
        if by_upstream {
            line.because("the recording was made at the portal itself, not at one of its hosts");
        }
        journey.step(recorded, &ground.config.limits, &mut line);
        sum.add(recorded, &mut line);
        match output {
            Output::Text => line.write(out)?,
            Output::Json => write_json(out, &line)?,
        }
    }
    sum.conclude(all);
    match output {
        Output::Text => sum.write(out),
        Output::Json => write_json(out, &serde_json::json!({ "summary": sum })),
    }
}

/// The portal of a request: by its host, or where the recording was made without the gateway,
/// by where the portal is.
fn portal_of<'a>(ground: &'a Ground, recorded: &Recorded) -> Option<(&'a Arc<Site>, bool)> {
    if let Some(site) = ground.sites.at(&recorded.asked.host) {
        return Some((site, false));
    }
    let asked = &recorded.asked;
    let port = asked.port.unwrap_or(if asked.tls { 443 } else { 80 });
    let host = asked.host.as_str().trim_start_matches('[').trim_end_matches(']');
    let is_there = |site: &&Arc<Site>| {
        let upstream = &site.portal.upstream;
        upstream.port == port && upstream.host.eq_ignore_ascii_case(host)
    };
    let mut there = ground.sites.iter().filter(is_there);
    let site = there.next()?;
    // Two portals behind one address cannot be told apart.
    there.next().is_none().then_some((site, true))
}

/// What a recording comes to.
#[derive(Debug, Default, Serialize)]
struct Sum {
    /// All requests.
    requests: usize,
    /// Entries that are no requests of HTTP.
    not_http: usize,
    /// Requests to hosts that no portal has.
    elsewhere: BTreeMap<String, usize>,
    /// Requests by what becomes of them.
    verdicts: BTreeMap<&'static str, usize>,
    /// Requests that a rule takes for a login.
    logins: usize,
    /// Whom they made known.
    learned: Vec<String>,
    /// What ops should look at.
    hints: Vec<String>,
}

impl Sum {
    fn add(&mut self, recorded: &Recorded, line: &mut Line) {
        *self.verdicts.entry(line.verdict).or_default() += 1;
        if let Some(login) = &line.login {
            self.logins += 1;
            let learned = line.learned.clone().filter(|user| !self.learned.contains(user));
            self.learned.extend(learned);
            if login.marks.iter().any(|mark| mark.holds.is_none()) {
                self.hint(format!(
                    "the answer of {} has a mark that cannot be read: was its body recorded?",
                    line.request()
                ));
            }
        } else if let Some(field) = password_field(recorded) {
            let hint = format!(
                "{} looks like a login: it has a field '{field}', and no rule takes it",
                line.request()
            );
            line.warn(hint.clone());
            self.hint(hint);
        }
        for warning in &line.warnings {
            if warning.contains("without a login") {
                self.hint(format!("{}: {warning}", line.request()));
            }
        }
    }

    fn hint(&mut self, hint: String) {
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    fn conclude(&mut self, all: &[Recorded]) {
        let carries = |recorded: &Recorded| {
            let answer = recorded.answer.as_ref();
            recorded.headers.contains_key(header::COOKIE)
                || recorded.headers.contains_key(header::AUTHORIZATION)
                || answer.is_some_and(|answer| answer.headers.contains_key(header::SET_COOKIE))
        };
        if !all.iter().any(carries) {
            self.hint(
                "the recording holds no cookie: export it with sensitive data, or no session can \
                 be followed"
                    .to_owned(),
            );
        }
        if self.verdicts.is_empty() {
            self.hint("no request is for a host of a portal: see `hosts`".to_owned());
        } else if self.learned.is_empty() && self.logins > 0 {
            self.hint("no login was learned: see the marks that do not hold".to_owned());
        } else if self.logins == 0 {
            self.hint("no login was seen: record from before the sign-in".to_owned());
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{} requests", self.requests)?;
        if self.not_http > 0 {
            writeln!(out, "  {} entries are no requests of HTTP", self.not_http)?;
        }
        for (host, count) in &self.elsewhere {
            writeln!(out, "  {count} to {}, which no portal has: passed over", plain(host))?;
        }
        for (verdict, count) in &self.verdicts {
            writeln!(out, "  {count} {verdict}")?;
        }
        let learned = match self.learned.is_empty() {
            true => "nobody learned".to_owned(),
            false => format!("learned: {}", self.learned.join(", ")),
        };
        writeln!(out, "  {} logins, {learned}", self.logins)?;
        for hint in &self.hints {
            writeln!(out, "  ! {hint}")?;
        }
        Ok(())
    }
}
