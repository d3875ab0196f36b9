//! The audit log: its lines as they stand there, and whether it is whole.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::audit::{AuditError, Broken, Page, Wanted, Whole};

/// The largest number that every reader of JSON takes for what it is (RFC 8259 section 6).
const LARGEST: u64 = (1 << 53) - 1;
/// Lines in one answer.
const PAGE: usize = 500;

/// Whether the log is whole.
#[derive(Serialize, JsonSchema)]
pub(super) struct Verified {
    whole: bool,
    /// How many lines there are; of a log that is not whole nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
    /// The number of the first of them, and of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// The first line that is not as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<First>,
}

#[derive(Serialize, JsonSchema)]
struct First {
    file: String,
    line: u64,
    what: &'static str,
    says: String,
}

/// Lines of the log, as they stand in its files.
#[derive(JsonSchema)]
pub(super) struct Lines {
    /// Each as its file has it; `docs/audit.md` says what may be in one.
    #[expect(dead_code, reason = "only describes what is passed on byte by byte")]
    lines: Vec<serde_json::Map<String, serde_json::Value>>,
    /// The number of the last line of the log.
    #[expect(dead_code, reason = "only describes what is passed on byte by byte")]
    last: u64,
    /// What to ask `after` for more; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(dead_code, reason = "only describes what is passed on byte by byte")]
    next: Option<u64>,
}

/// `GET /audit?after=&last=`: up to 500 lines after that one, or the last of all.
pub(super) async fn lines(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.no_body()?;
    let [after, last] = asked.query(["after", "last"])?;
    let audit = asked.parts.audit.clone();
    let (after, limit) = match (after, last) {
        (Some(_), Some(_)) => {
            let detail = "either after or last, not both";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        (after, None) => (after.map_or(Ok(0), |text| number("after", text))?, PAGE),
        (None, Some(last)) => {
            let last = number("last", last)?.min(u64::try_from(PAGE).unwrap_or(u64::MAX));
            (audit.last()?.saturating_sub(last), PAGE)
        }
    };
    let portals = asked.staff.portals.clone();
    let page = waiting(move || {
        audit.page(&Wanted { after, limit, portals: portals.as_deref(), user: None })
    });
    let last = asked.parts.audit.last()?;
    Ok(shown(&page.await?, last))
}

/// The lines are passed on byte by byte: whoever has them can check their hashes.
fn shown(page: &Page, last: u64) -> Response {
    let lines = page.lines.join(",");
    let next = page.next.map(|next| format!(",\"next\":{next}")).unwrap_or_default();
    let body = format!("{{\"lines\":[{lines}],\"last\":{last}{next}}}");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `GET /audit/verify?after=`
pub(super) async fn verify(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.no_body()?;
    let [after] = asked.query(["after"])?;
    let after = after.map_or(Ok(0), |text| number("after", text))?;
    let audit = asked.parts.audit.clone();
    let found = waiting(move || audit.verify(after)).await?;
    view::json(&match found {
        Ok(Whole { lines, from, to }) => {
            let (lines, from, to) = (Some(lines), Some(from), Some(to));
            Verified { whole: true, lines, from, to, broken: None }
        }
        Err(Broken { file, line, what }) => {
            let file = file.display().to_string();
            let broken = First { file, line, what: what.as_str(), says: what.to_string() };
            Verified { whole: false, lines: None, from: None, to: None, broken: Some(broken) }
        }
    })
}

/// What waits for the disk holds up nobody else.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| Problem::broken_off())??)
}

fn number(name: &str, text: &str) -> Result<u64, Problem> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|number| is_number && *number <= LARGEST);
    read.ok_or_else(|| Problem::bad(format!("{name} has to be a number of a line")))
}
