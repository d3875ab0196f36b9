//! The API of the desk, `/api/v1`. Each request goes one way: whether a stranger's page sent
//! it, whose token it has, which endpoint it names, whether the token may do that there. What
//! is done then is in a file for each noun. No answer holds a secret.

mod asked;
mod caller;
mod devices;
mod endpoint;
mod invite;
mod keys;
mod origin;
mod portals;
mod problem;
mod reset;
mod reset_requests;
mod rollout;
mod sessions;
mod store;
mod users;
mod view;
mod wrong;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use axum::http::request;
use axum::response::{IntoResponse as _, Response};

use crate::account::AccountId;
use crate::audit::{Detail, Entry};
use crate::config::desk::Staff;
use crate::site::{Parts, Site};
use crate::user::{Opaque, UserName};

use asked::Asked;
use caller::Stranger;
use endpoint::{Deed, Found, Named};
pub(super) use problem::Problem;
use wrong::WrongTokens;

/// Gives the house as it stands now. Each request asks once, so that it is judged by one
/// configuration from its beginning to its end.
pub type House = Arc<dyn Fn() -> Arc<Parts> + Send + Sync>;

/// The API and what it remembers of strangers.
pub(super) struct Api {
    house: House,
    wrong: WrongTokens,
}

impl Api {
    pub(super) fn new(house: House) -> Self {
        Self { house, wrong: WrongTokens::default() }
    }

    /// Whether a path is the API's.
    pub(super) fn has(path: &str) -> bool {
        path == "/api" || path.starts_with("/api/")
    }

    /// Answers a request whose host was found to be safe.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let parts = (self.house)();
        match self.judged(&parts, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }

    async fn judged(&self, parts: &Parts, request: Request) -> Result<Response, Problem> {
        let (head, body) = request.into_parts();
        origin::check(&head.headers)?;
        let staff = self.known(parts, &head)?;
        let Found { deed, needs, named } = endpoint::find(head.method.as_str(), head.uri.path())?;
        if staff.role < needs {
            return Err(Problem::not_with_this_role(staff.role, needs));
        }
        let now = parts.trusted_now().ok_or_else(Problem::clock_in_doubt)?;
        let asked = Asked::read(parts, now, staff, &head, body).await?;
        carried_out(&asked, deed, &named).await
    }

    /// The token that a request carries. A right one is taken even from where many wrong ones
    /// came: it cannot be guessed, and nobody may shut the desk out by guessing.
    fn known<'a>(&self, parts: &'a Parts, head: &request::Parts) -> Result<&'a Staff, Problem> {
        match caller::caller(&head.headers, &parts.desk) {
            Ok(staff) => Ok(staff),
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

/// Each endpoint leads to what does it.
async fn carried_out(asked: &Asked<'_>, deed: Deed, named: &Named) -> Result<Response, Problem> {
    let site = || portals::named(asked, named.portal.as_deref());
    let person = || person(site()?, named.user.as_deref());
    match deed {
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
        Deed::EndDevice => devices::end(asked, &person()?, named.series.as_deref()).await,
        Deed::Requests => reset_requests::list(asked).await,
        Deed::Approve => reset_requests::approve(asked, named.id.as_deref()).await,
        Deed::Deny => reset_requests::deny(asked, named.id.as_deref()).await,
    }
}

fn client(head: &request::Parts) -> Option<IpAddr> {
    head.extensions.get().map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip())
}

/// A user of a portal, whether or not anybody of that name was ever seen there.
struct Person<'a> {
    site: &'a Site,
    user: UserName,
    sub: Opaque,
}

impl Person<'_> {
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
