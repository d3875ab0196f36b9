//! Our own pages, below a portal's prefix. Each page is a file; [`respond`] is the table of
//! which is where. A page gets a request that was looked at and gives an answer to be
//! written; it knows no server.

pub mod headers;
pub mod qr;
pub mod render;

mod authenticators;
mod devices;
mod enrol;
mod fresh;
mod guard;
mod help;
mod home;
mod jwks;
mod logout;
mod new_phone;
mod notice;
mod recovery_codes;
mod remembered;
mod reset;
mod sessions;
pub mod spa;
pub mod times;
mod verify;
mod vouch;

use std::net::IpAddr;

use http::StatusCode;

use crate::account::{AccountError, EnrolFault, VerifyFault};
use crate::audit::{AuditError, By, Entry, Event};
use crate::clock::UnixMillis;
use crate::net::return_to::ReturnTo;
use crate::policy::Standing;
use crate::session::{SessionRecord, TokenError};
use crate::site::{KeptForm, Parts, Site};
use crate::store::StoreError;
use crate::telemetry::label::{ReasonLabel, VerdictLabel};
use crate::visit::{Visit, Who};
use render::{Frame, KeptNotice, Page, RenderError};

/// A request for one of our pages.
pub struct PageRequest<'a> {
    /// All rooms.
    pub parts: &'a Parts,
    /// The portal whose pages these are.
    pub site: &'a Site,
    /// The path below the prefix: empty or from a slash on.
    pub rest: &'a str,
    /// What the browser wants.
    pub action: Action,
    /// The query's fields.
    pub query: Vec<(String, String)>,
    /// Who asks.
    pub visit: &'a Visit,
    /// From where, and with what.
    pub caller: Caller,
    /// The moment that everything in this request happens at.
    pub now: UnixMillis,
    /// Names the request on error pages.
    pub request_id: &'a str,
}

/// Where a request comes from, and with what.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The address of the client.
    pub client: Option<IpAddr>,
    /// What the browser says it is.
    pub agent: Option<String>,
}

/// What a browser may want of a page.
pub enum Action {
    /// To see it.
    Show,
    /// To send its form.
    Send(Vec<(String, String)>),
    /// To send a form that is longer than this visitor's may be; it was not read.
    SendUnread,
}

/// A page's answer. No `Debug`: cookies are in it, and what somebody typed.
pub struct PageAnswer {
    /// The status code.
    pub status: StatusCode,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Where to go on, for a redirect.
    pub location: Option<String>,
    /// `Set-Cookie` lines.
    pub cookies: Vec<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// Whether the portal's own sign-out is to be carried out too.
    pub sign_out_of_portal: bool,
    /// A form that waited for the proof which was just given; it goes to the portal now, and
    /// what the portal says takes this answer's place.
    pub kept: Option<KeptForm>,
    /// What the access log says: verdict and reason.
    pub ending: (VerdictLabel, ReasonLabel),
}

/// Why a page could not be made. Each kind refuses.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The store or an account is in doubt.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// What happens could not be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A template failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A QR code could not be drawn.
    #[error(transparent)]
    Qr(#[from] qr::QrError),
    /// A session cookie could not be signed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// Answers a request for one of our pages.
///
/// # Errors
/// When nothing can be said; the caller shows the error page.
pub async fn respond(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    match (request.rest, &request.action) {
        ("/style.css", Action::Show) => Ok(stylesheet(request)),
        ("" | "/", Action::Show) => home::show(request).await,
        ("/help", Action::Show) => help::show(request),
        ("/enrol", Action::Show) => enrol::show(request).await,
        ("/enrol", Action::Send(form)) => enrol::send(request, form).await,
        ("/recovery-codes", Action::Show) => recovery_codes::show(request).await,
        ("/recovery-codes", Action::Send(form)) => recovery_codes::send(request, form).await,
        ("/authenticators", Action::Show) => authenticators::show(request).await,
        ("/authenticators", Action::Send(form)) => authenticators::send(request, form).await,
        ("/authenticators/add", Action::Show) => new_phone::show_add(request).await,
        ("/authenticators/add", Action::Send(form)) => new_phone::send_add(request, form).await,
        ("/authenticators/move", Action::Show) => new_phone::show_move(request).await,
        ("/authenticators/move", Action::Send(form)) => new_phone::send_move(request, form).await,
        ("/sessions", Action::Show) => sessions::show(request).await,
        ("/sessions", Action::Send(form)) => sessions::send(request, form).await,
        ("/verify", Action::Show) => verify::show(request).await,
        ("/verify", Action::Send(form)) => verify::send(request, form).await,
        ("/verify", Action::SendUnread) => verify::unread(request),
        ("/devices", Action::Show) if devices::is_here(request) => devices::show(request).await,
        ("/devices", Action::Send(form)) if devices::is_here(request) => {
            devices::send(request, form).await
        }
        ("/vouch", Action::Show) if vouch::is_here(request) => vouch::show(request),
        ("/vouch", Action::Send(form)) if vouch::is_here(request) => {
            vouch::send(request, form).await
        }
        ("/reset", Action::Show) => reset::show(request).await,
        ("/reset", Action::Send(form)) => reset::send(request, form).await,
        ("/notice", Action::Show) => notice::show(request).await,
        ("/notice", Action::Send(form)) => notice::send(request, form),
        ("/logout", Action::Show) => logout::show(request),
        ("/logout", Action::Send(form)) => logout::send(request, form).await,
        ("/jwks.json", Action::Show) if jwks::is_here(request) => Ok(jwks::show(request)),
        ("/jwks.json", Action::Send(_)) if jwks::is_here(request) => no_form(request),
        ("/spa.js", Action::Show) if spa::is_here(request) => Ok(spa::show()),
        ("/spa.js", Action::Send(_)) if spa::is_here(request) => no_form(request),
        ("" | "/" | "/help" | "/style.css", Action::Send(_)) => no_form(request),
        _ => nothing_here(request),
    }
}

/// The page that asks for a code, in answer to a form of the portal that waits for it.
///
/// # Errors
/// See [`respond`].
pub async fn ask_for_code(
    request: &PageRequest<'_>,
    kept: KeptNotice<'_>,
) -> Result<PageAnswer, PageError> {
    verify::hold(request, kept).await
}

impl PageRequest<'_> {
    /// A page with the frame that all pages share.
    fn page(&self, status: StatusCode, page: &Page<'_>) -> Result<PageAnswer, PageError> {
        let session = self.visit.session();
        let csrf = session.map(|session| self.site.form_token(session.sid));
        let frame = Frame {
            portal: &self.site.portal.name,
            prefix: &self.site.portal.prefix,
            user: session.map(|session| session.user.as_str()),
            csrf: csrf.as_deref(),
            request_id: self.request_id,
        };
        let body = self.parts.renderer.render(&frame, page)?;
        Ok(PageAnswer { body, ..PageAnswer::empty(status) })
    }

    /// A page that says what is wrong.
    fn error(&self, status: StatusCode, title: &str, text: &str) -> Result<PageAnswer, PageError> {
        let page = Page::Error { status: status.as_u16(), title, text };
        Ok(PageAnswer {
            ending: (VerdictLabel::Refuse, ReasonLabel::BadRequest),
            ..self.page(status, &page)?
        })
    }

    /// The way on to another of our pages, with where to go afterwards.
    fn go(&self, page: &str, return_to: &ReturnTo) -> PageAnswer {
        let prefix = &self.site.portal.prefix;
        PageAnswer::to(format!("{prefix}{page}?return_to={}", return_to.as_query_value()))
    }

    /// The way to the portal's login; where it has no page, the portal asks at its start.
    fn go_to_login(&self) -> PageAnswer {
        let ending = (VerdictLabel::Login, ReasonLabel::Unknown);
        let login_url = self.site.portal.identity.login_url.clone();
        PageAnswer { ending, ..PageAnswer::to(login_url.unwrap_or_else(|| "/".to_owned())) }
    }

    /// What this request did to the user of this session, for the audit log.
    fn entry<'s>(&'s self, event: Event, session: &'s SessionRecord) -> Entry<'s> {
        let (client, request) = (self.caller.client, Some(self.request_id));
        let entry = Entry::new(event, By::User).at(&self.site.portal.name);
        entry.to(session.user.as_str()).from(client, request)
    }

    /// Writes it down: on disk when this returns.
    async fn note(&self, entry: Entry<'_>) -> Result<(), PageError> {
        Ok(self.parts.audit.note(self.now, entry).await?)
    }

    /// Where the user wanted to go, from the form or the query.
    fn return_to(&self, form: &[(String, String)]) -> ReturnTo {
        let wanted = field(form, "return_to").or_else(|| field(&self.query, "return_to"));
        ReturnTo::parse_ours(wanted.unwrap_or("/"), &self.site.portal.prefix)
    }

    /// Whether the form was made by us for this very session. Without a session no form of
    /// ours does anything.
    fn is_our_form(&self, session: &SessionRecord, form: &[(String, String)]) -> bool {
        let given = field(form, "csrf").unwrap_or_default();
        self.site.is_form_token(session.sid, given)
    }

    /// The answer to a form that was not.
    fn not_our_form(&self) -> Result<PageAnswer, PageError> {
        self.error(
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "Nothing was changed. Go back, reload the page and try again.",
        )
    }
}

impl PageAnswer {
    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: "text/html; charset=utf-8",
            body: String::new(),
            location: None,
            cookies: Vec::new(),
            retry_after: None,
            sign_out_of_portal: false,
            kept: None,
            ending: (VerdictLabel::Notice, ReasonLabel::OwnPage),
        }
    }

    fn to(location: String) -> Self {
        Self { location: Some(location), ..Self::empty(StatusCode::SEE_OTHER) }
    }

    fn with_cookie(mut self, line: String) -> Self {
        self.cookies.push(line);
        self
    }
}

/// The one value of a form field; a field that came twice has none.
fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let value = values.next();
    if values.next().is_some() { None } else { value }
}

fn stylesheet(request: &PageRequest<'_>) -> PageAnswer {
    PageAnswer {
        content_type: "text/css; charset=utf-8",
        body: request.parts.renderer.stylesheet().to_owned(),
        ..PageAnswer::empty(StatusCode::OK)
    }
}

fn no_form(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    request.error(
        StatusCode::METHOD_NOT_ALLOWED,
        "This cannot be done here",
        "Go back and try again from the start page.",
    )
}

fn nothing_here(request: &PageRequest<'_>) -> Result<PageAnswer, PageError> {
    request.error(
        StatusCode::NOT_FOUND,
        "There is no such page",
        "Check the address for typing mistakes, or go to the start page.",
    )
}
