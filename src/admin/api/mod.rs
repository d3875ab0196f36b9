//! The API of the desk, `/api/v1`. Each request goes one way: whether a stranger's page sent
//! it, whose token it has, which endpoint it names, whether the token may do that there. What
//! is done then is in a file for each noun. No answer holds a secret.

mod asked;
mod audit;
mod caller;
mod described;
mod devices;
mod endpoint;
mod invite;
mod keys;
mod openapi;
pub(super) mod origin;
mod pace;
mod people;
mod portals;
mod problem;
mod reset;
mod reset_requests;
mod rollout;
mod sessions;
mod store;
mod tokens;
mod users;
mod view;
mod wrong;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, request};
use axum::response::{IntoResponse as _, Response};

use crate::account::AccountId;
use crate::admin::deeds::help::Whom;
use crate::audit::{By, Detail, Entry, Event};
use crate::site::{Parts, Site};
use crate::store::StoreError;
use crate::user::{Opaque, UserName};

use asked::Asked;
use caller::{Caller, Stranger};
use endpoint::{Deed, Found, Named};
use pace::Pace;
pub(super) use problem::Problem;
pub(super) use wrong::WrongTokens;

/// Gives the house as it stands now. Each request asks once, so that it is judged by one
/// configuration from its beginning to its end.
pub type House = Arc<dyn Fn() -> Arc<Parts> + Send + Sync>;

/// The API, and what it remembers of those who ask.
pub(super) struct Api {
    house: House,
    wrong: WrongTokens,
    pace: Pace,
}

impl Api {
    pub(super) fn new(house: House) -> Self {
        Self { house, wrong: WrongTokens::default(), pace: Pace::default() }
    }

    /// Whether a path is the API's.
    pub(super) fn has(path: &str) -> bool {
        path == "/api" || path.starts_with("/api/")
    }

    /// Answers a request whose host was found to be safe.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let parts = (self.house)();
        let (head, body) = request.into_parts();
        let caller = match carried(&parts, &head).await {
            Ok(caller) => caller,
            Err(error) => return Problem::from(error).into_response(),
        };
        match self.judged(&parts, &head, body, &caller).await {
            Ok(response) => response,
            Err(problem) => {
                tell(&parts, &head, &caller, &problem);
                problem.into_response()
            }
        }
    }

    async fn judged(
        &self,
        parts: &Parts,
        head: &request::Parts,
        body: Body,
        caller: &Result<Caller, Stranger>,
    ) -> Result<Response, Problem> {
        origin::check(&head.headers)?;
        let Caller { staff, issued } = self.known(parts, head, caller)?;
        let pace = self.pace.note(parts.now(), staff, parts.desk_pace);
        pace.map_err(Problem::too_many)?;
        let Found { deed, needs, named } = endpoint::find(head.method.as_str(), head.uri.path())?;
        if staff.role < needs {
            return Err(Problem::not_with_this_role(staff.role, needs));
        }
        let now = parts.trusted_now().ok_or_else(Problem::clock_in_doubt)?;
        // What only reads may be asked for while nothing can be written, where nobody is named.
        if head.method != Method::GET {
            parts.audit.ready()?;
        }
        let asked = Asked::read(parts, now, staff, head, body).await?;
        if let Some(issued) = issued {
            // Only for the list of tokens: what was asked for is done all the same.
            let noted = parts.tokens.used(now, issued).await;
            noted.unwrap_or_else(|error| tracing::warn!(%error, "the use of a token is not noted"));
        }
        carried_out(&asked, deed, &named).await
    }

    /// Whose token a request carries. A right one is taken even from where many wrong ones
    /// came: it cannot be guessed, and nobody may shut the desk out by guessing.
    fn known<'a>(
        &self,
        parts: &Parts,
        head: &request::Parts,
        caller: &'a Result<Caller, Stranger>,
    ) -> Result<&'a Caller, Problem> {
        match caller {
            Ok(caller) => Ok(caller),
            Err(Stranger::NoToken) => Err(Problem::no_token()),
            Err(Stranger::WrongToken) => {
                let client = client(head);
                self.wrong.note(parts.now(), client).map_err(Problem::wait)?;
                tracing::warn!(client = client.map(tracing::field::display), "a wrong token");
                Err(Problem::wrong_token())
            }
        }
    }
}

/// Whose token a request carries, by the store's own word where what is known here may be too
/// old: another gateway may have made it or ended it.
async fn carried(
    parts: &Parts,
    head: &request::Parts,
) -> Result<Result<Caller, Stranger>, StoreError> {
    let now = parts.now();
    parts.tokens.confirm(now, parts.sessions.freshness()).await?;
    let known = || caller::caller(&head.headers, &parts.desk, &parts.tokens.all(now));
    match known() {
        Err(Stranger::WrongToken) if parts.tokens.catch_up(now).await? => Ok(known()),
        caller => Ok(caller),
    }
}

/// Tells the audit log of who asked for what is not theirs to do. It counts what it has no room
/// for, so that strangers cannot flood it.
fn tell(
    parts: &Parts,
    head: &request::Parts,
    caller: &Result<Caller, Stranger>,
    problem: &Problem,
) {
    let Some(breach) = problem.breach() else { return };
    let by = match caller {
        Ok(caller) => By::Token(&caller.staff.name),
        Err(Stranger::WrongToken | Stranger::NoToken) => By::Nobody,
    };
    let entry = Entry::new(Event::DeskRefused, by).from(client(head), None);
    let entry = entry.with(Detail::Refusal, breach).with(Detail::Target, target(head));
    parts.audit.mention(parts.now(), entry);
}

/// Each endpoint leads to what does it.
async fn carried_out(asked: &Asked<'_>, deed: Deed, named: &Named) -> Result<Response, Problem> {
    let site = || portals::named(asked, named.portal.as_deref());
    let person = || person(site()?, named.user.as_deref());
    match deed {
        Deed::Document => openapi::show(asked),
        Deed::Portals => portals::list(asked),
        Deed::Rollout => rollout::show(asked, site()?).await,
        Deed::Users => users::list(asked, site()?).await,
        Deed::User => users::show(asked, &person()?).await,
        Deed::Reset => reset::reset(asked, &person()?).await,
        Deed::Unlock => reset::unlock(asked, &person()?).await,
        Deed::Invite => invite::invite(asked, &person()?).await,
        Deed::Sessions => sessions::list(asked, &person()?).await,
        Deed::EndSessions => sessions::end(asked, &person()?).await,
        Deed::Devices => devices::list(asked, &person()?).await,
        Deed::EndDevices => devices::end_all(asked, &person()?).await,
        Deed::RotateKeys => keys::rotate(asked).await,
        Deed::Store => store::show(asked).await,
        Deed::ExportStore => store::export(asked).await,
        Deed::Audit => audit::lines(asked).await,
        Deed::VerifyAudit => audit::verify(asked).await,
        Deed::EndDevice => devices::end(asked, &person()?, named.series.as_deref()).await,
        Deed::People => people::list(asked).await,
        Deed::InvitePerson => people::invite(asked, named.name.as_deref()).await,
        Deed::UnlockPerson => people::unlock(asked, named.name.as_deref()).await,
        Deed::ResetPerson => people::reset(asked, named.name.as_deref()).await,
        Deed::Requests => reset_requests::list(asked).await,
        Deed::Approve => reset_requests::approve(asked, named.id.as_deref()).await,
        Deed::Deny => reset_requests::deny(asked, named.id.as_deref()).await,
        Deed::Tokens => tokens::list(asked),
        Deed::MakeToken => tokens::make(asked).await,
        Deed::EndToken => tokens::end(asked, named.name.as_deref()).await,
    }
}

/// What a request is for, without its query.
fn target(head: &request::Parts) -> String {
    format!("{} {}", head.method, head.uri.path())
}

/// The address of whoever asks.
pub(super) fn client(head: &request::Parts) -> Option<IpAddr> {
    head.extensions.get().map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip())
}

/// A user of a portal, whether or not anybody of that name was ever seen there.
struct Person<'a> {
    site: &'a Site,
    user: UserName,
    sub: Opaque,
}

impl Person<'_> {
    /// The same, as somebody who is helped.
    fn whom(&self) -> Whom<'_> {
        Whom { site: self.site, user: &self.user, account: self.account() }
    }

    /// The account that is meant.
    fn account(&self) -> AccountId {
        AccountId { portal: self.site.tag, sub: self.sub }
    }
}

/// The user of that name, by the portal's own rule for names.
fn person<'a>(site: &'a Site, name: Option<&str>) -> Result<Person<'a>, Problem> {
    let rule = &site.portal.identity.username;
    let user = name.and_then(|name| crate::identity::normalise(rule, name));
    let user =
        user.ok_or_else(|| Problem::not_found("no user of this portal can have that name"))?;
    let sub = site.binder.subject(&user);
    Ok(Person { site, user, sub })
}

/// Tells of a thing that the desk did or tried, for and to whom it was: in the log, that one
/// opaque, and for good in the audit log.
async fn told(asked: &Asked<'_>, person: &Person<'_>, entry: Entry<'_>) -> Result<(), Problem> {
    let refused = entry.with.iter().find(|(detail, _)| *detail == Detail::Refusal);
    tracing::info!(
        by = asked.staff.name,
        event = entry.event.as_str(),
        portal = person.site.portal.name,
        user = person.sub.encode(),
        refused = refused.map(|(_, word)| word.as_str()),
        "the desk acted"
    );
    asked.note(entry.at(&person.site.portal.name).to(person.user.as_str())).await
}
