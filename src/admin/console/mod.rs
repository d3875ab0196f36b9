//! The desk's console, `/desk/`: a few pages for support people, who sign in with a password
//! and a code. It does nothing that the API does not, and never takes a token; the API takes
//! no cookie. Each request goes one way: from where it comes, who sends it, which page it names.

mod answer;
mod cookie;
mod deeds;
mod history;
mod render;
mod requests;
mod rollout;
mod second_step;
mod sign_in;
mod start;
mod user;
mod users;
mod visit;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use super::api::{House, WrongTokens, origin};
use crate::site::Parts;
use answer::{Answer, Fault};
use visit::Visit;

/// Passwords that are looked at at one time; the others wait.
const HASHERS: usize = 2;

/// The console and what it remembers of strangers.
pub(super) struct Console {
    house: House,
    wrong: WrongTokens,
    hashers: Arc<Semaphore>,
}

impl Console {
    pub(super) fn new(house: House) -> Self {
        let hashers = Arc::new(Semaphore::new(HASHERS));
        Self { house, wrong: WrongTokens::default(), hashers }
    }

    /// Whether a path is the console's, while there is one.
    pub(super) fn has(&self, path: &str) -> bool {
        let is_ours = path == "/" || path == "/desk" || path.starts_with("/desk/");
        is_ours && !(self.house)().desk_people.people().is_empty()
    }

    /// Answers a request whose host was found to be safe.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let parts = (self.house)();
        let answer = self.judged(&parts, request).await.unwrap_or_else(|fault| failed(&fault));
        answer.into_response()
    }

    async fn judged(&self, parts: &Arc<Parts>, request: Request) -> Result<Answer, Fault> {
        let (head, body) = request.into_parts();
        let is_send = head.method == Method::POST;
        if !is_send && head.method != Method::GET && head.method != Method::HEAD {
            let text = "This address takes only what a browser sends.";
            return Ok(render::failure(StatusCode::METHOD_NOT_ALLOWED, "Not possible", text));
        }
        if is_send && !origin::is_own_page(&head.headers) {
            let text = "The form came from another website, or your browser did not say from \
                        where. Nothing was changed.";
            return Ok(render::failure(StatusCode::FORBIDDEN, "Not accepted", text));
        }
        let Some(now) = parts.trusted_now() else {
            tracing::error!("the clock has gone back; the console's request is refused");
            let text = "The clock of the gateway has gone back. Nothing was changed.";
            return Ok(render::failure(StatusCode::SERVICE_UNAVAILABLE, "Not now", text));
        };
        let path = head.uri.path().to_owned();
        let Some(visit) = Visit::read(parts, now, &head, body).await? else {
            let text = "What was sent is too long, or took too long. Nothing was changed.";
            return Ok(render::failure(StatusCode::PAYLOAD_TOO_LARGE, "Not accepted", text));
        };
        let answer = self.led(&visit, &path, is_send).await?;
        Ok(answer.or_cookie(visit.cookie()))
    }

    /// The table of which page is where.
    async fn led(&self, visit: &Visit<'_>, path: &str, is_send: bool) -> Result<Answer, Fault> {
        match (path, is_send) {
            ("/" | "/desk", false) => Ok(Answer::go("/desk/")),
            ("/desk/style.css", false) => Ok(Answer::style(render::STYLE)),
            ("/desk/sign-in", false) => sign_in::show(visit),
            ("/desk/sign-in", true) => sign_in::send(self, visit).await,
            ("/desk/code", false) => second_step::show(visit).await,
            ("/desk/code", true) => second_step::send(visit).await,
            ("/desk/enrol", false) => second_step::show_enrolment(visit).await,
            ("/desk/enrol", true) => second_step::send_enrolment(visit).await,
            ("/desk/recovery-codes", false) => second_step::recovery_codes(visit).await,
            ("/desk/sign-out", true) => second_step::sign_out(visit).await,
            // Whoever has not signed in whole learns of no page behind these.
            _ if visit.staff().is_none() => Ok(visit.elsewhere()),
            ("/desk/", false) => start::show(visit).await,
            ("/desk/users", false) => users::show(visit).await,
            ("/desk/user", false) => user::show(visit).await,
            ("/desk/user", true) => deeds::send(visit).await,
            ("/desk/requests", false) => requests::show(visit).await,
            ("/desk/requests", true) => requests::send(visit).await,
            ("/desk/rollout", false) => rollout::show(visit).await,
            _ => visit.refuse(
                StatusCode::NOT_FOUND,
                "There is no such page",
                "Check the address, or go to the start page.",
            ),
        }
    }
}

/// What somebody sees when something of ours went wrong.
fn failed(fault: &Fault) -> Answer {
    tracing::error!(%fault, "a request to the console could not be carried out");
    let text = "The gateway could not do all of it, and its log says why. Look whether it was \
                done before you try again.";
    render::failure(StatusCode::SERVICE_UNAVAILABLE, "That did not work", text)
}
