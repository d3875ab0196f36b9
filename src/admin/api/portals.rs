//! The portals that a token is for.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::problem::Problem;
use super::view;
use crate::site::Site;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PortalList")]
pub(super) struct Portals<'a> {
    portals: Vec<Portal<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Portal<'a> {
    name: &'a str,
    hosts: &'a [String],
    /// How many of its users have enrolled; nothing while they are counted after a start.
    enrolled: Option<u64>,
    /// Whether anybody's word counts for a reset.
    names_an_organisation: bool,
}

/// `GET /portals`
pub(super) fn list(asked: &Asked<'_>) -> Result<Response, Problem> {
    asked.nothing_more()?;
    let portals = asked.parts.sites.iter();
    let portals = portals.filter(|site| asked.staff.is_for(&site.portal.name)).map(|site| {
        let enrolled = site.metrics.enrolled_now();
        let names_an_organisation = site.portal.organisation.is_some();
        let portal = &site.portal;
        Portal { name: &portal.name, hosts: &portal.hosts, enrolled, names_an_organisation }
    });
    view::json(&Portals { portals: portals.collect() })
}

/// The portal of that name. To a token that is not for it there is none.
pub(super) fn named<'a>(asked: &Asked<'a>, name: Option<&str>) -> Result<&'a Site, Problem> {
    let mut sites = asked.parts.sites.iter();
    let site = sites.find(|site| Some(site.portal.name.as_str()) == name);
    let site = site.ok_or_else(Problem::no_portal)?;
    if asked.staff.is_for(&site.portal.name) {
        Ok(site)
    } else {
        Err(Problem::not_at_this_portal())
    }
}
