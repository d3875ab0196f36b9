//! Every endpoint with the role that it needs, and which of them a request names.

use percent_encoding::percent_decode_str;

use super::problem::Problem;
use crate::config::desk::Role;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Portals,
    Rollout,
    Users,
    User,
    Reset,
    Unlock,
    Invite,
    Sessions,
    EndSessions,
    Devices,
    EndDevices,
    EndDevice,
    Requests,
    Approve,
    Deny,
    RotateKeys,
    Store,
    ExportStore,
}

struct Endpoint {
    method: &'static str,
    /// `{portal}`, `{user}`, `{series}` and `{id}` stand for one segment each.
    path: &'static str,
    /// The least role that may do it.
    needs: Role,
    deed: Deed,
}

const fn endpoint(method: &'static str, path: &'static str, needs: Role, deed: Deed) -> Endpoint {
    Endpoint { method, path, needs, deed }
}

/// The whole API, and what each role may do.
#[rustfmt::skip]
const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET",    "/api/v1/portals",                                Role::Viewer, Deed::Portals),
    endpoint("GET",    "/api/v1/portals/{portal}/rollout",               Role::Viewer, Deed::Rollout),
    endpoint("GET",    "/api/v1/portals/{portal}/users",                 Role::Viewer, Deed::Users),
    endpoint("GET",    "/api/v1/portals/{portal}/users/{user}",          Role::Viewer, Deed::User),
    endpoint("POST",   "/api/v1/portals/{portal}/users/{user}/reset",    Role::Desk,   Deed::Reset),
    endpoint("POST",   "/api/v1/portals/{portal}/users/{user}/unlock",   Role::Desk,   Deed::Unlock),
    endpoint("POST",   "/api/v1/portals/{portal}/users/{user}/invite",   Role::Desk,   Deed::Invite),
    endpoint("GET",    "/api/v1/portals/{portal}/users/{user}/sessions", Role::Viewer, Deed::Sessions),
    endpoint("DELETE", "/api/v1/portals/{portal}/users/{user}/sessions", Role::Desk,   Deed::EndSessions),
    endpoint("GET",    "/api/v1/portals/{portal}/users/{user}/devices",  Role::Viewer, Deed::Devices),
    endpoint("DELETE", "/api/v1/portals/{portal}/users/{user}/devices",  Role::Desk,   Deed::EndDevices),
    endpoint("DELETE", "/api/v1/portals/{portal}/users/{user}/devices/{series}", Role::Desk, Deed::EndDevice),
    endpoint("GET",    "/api/v1/reset-requests",                         Role::Viewer, Deed::Requests),
    endpoint("POST",   "/api/v1/reset-requests/{id}/approve",            Role::Desk,   Deed::Approve),
    endpoint("POST",   "/api/v1/reset-requests/{id}/deny",               Role::Desk,   Deed::Deny),
    endpoint("POST",   "/api/v1/keys/rotate",                            Role::Admin,  Deed::RotateKeys),
    endpoint("GET",    "/api/v1/store",                                  Role::Admin,  Deed::Store),
    endpoint("POST",   "/api/v1/store/export",                           Role::Admin,  Deed::ExportStore),
];

/// The endpoint that a request names.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) deed: Deed,
    pub(super) needs: Role,
    /// Whom and what it is about.
    pub(super) named: Named,
}

/// What a path names, each as it was asked for.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The portal's name.
    pub(super) portal: Option<String>,
    /// The user's name.
    pub(super) user: Option<String>,
    /// A remembered device of the user's.
    pub(super) series: Option<String>,
    /// A request for a reset.
    pub(super) id: Option<String>,
}

/// Finds the endpoint. A path is compared as it was sent, segment by segment: nothing is
/// joined, folded or decoded before it has been cut.
pub(super) fn find(method: &str, path: &str) -> Result<Found, Problem> {
    let mut allowed: Vec<&'static str> = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(named) = fits(endpoint.path, path) else { continue };
        if endpoint.method == method {
            let Endpoint { deed, needs, .. } = *endpoint;
            return Ok(Found { deed, needs, named });
        }
        allowed.push(endpoint.method);
    }
    match allowed.as_slice() {
        [] => Err(Problem::not_found("there is no such endpoint")),
        some => Err(Problem::method(&some.join(", "))),
    }
}

/// What a path names, when it is of this form.
fn fits(form: &str, path: &str) -> Option<Named> {
    let mut named = Named::default();
    let mut given = path.split('/');
    for wanted in form.split('/') {
        let segment = given.next()?;
        match wanted {
            "{portal}" => named.portal = Some(decoded(segment)?),
            "{user}" => named.user = Some(decoded(segment)?),
            "{series}" => named.series = Some(decoded(segment)?),
            "{id}" => named.id = Some(decoded(segment)?),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(named)
}

/// A segment as text. It is not empty, and each of its percent signs belongs to an escape.
fn decoded(segment: &str) -> Option<String> {
    let mut pieces = segment.split('%');
    let starts = pieces.next().is_some_and(|first| !first.is_empty()) || segment.starts_with('%');
    let is_escape = |piece: &str| {
        piece.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let decodes = starts && pieces.all(is_escape);
    decodes.then(|| percent_decode_str(segment).decode_utf8().ok())?.map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::requester::Channel;

    #[test]
    fn an_endpoint_is_named_exactly() {
        let found = find("GET", "/api/v1/portals/wiki/users/al%69ce%2Fx%40example.com").unwrap();
        assert_eq!((found.deed, found.needs), (Deed::User, Role::Viewer));
        assert_eq!(found.named.portal.as_deref(), Some("wiki"));
        assert_eq!(found.named.user.as_deref(), Some("alice/x@example.com"));
        let found = find("DELETE", "/api/v1/portals/w/users/u/devices/A-_1").unwrap();
        assert_eq!((found.deed, found.needs), (Deed::EndDevice, Role::Desk));
        assert_eq!(found.named.series.as_deref(), Some("A-_1"));
        assert_eq!(find("DELETE", "/api/v1/portals/w/users/u/sessions").unwrap().needs, Role::Desk);
    }

    #[test]
    fn tricks_with_paths_name_nothing() {
        for path in [
            "/api",
            "/api/",
            "/api/v1",
            "/api/v1/",
            "/api/v1/portals/",
            "/api/v2/portals",
            "/API/v1/portals",
            "//api/v1/portals",
            "/api//v1/portals",
            "/api/v1/portals/wiki/users/",
            "/api/v1/portals//users",
            "/api/v1/portals/wiki/users/a/b",
            "/api/v1/portals/wiki/../shop/users",
            "/api/v1/portals;x/wiki/users",
            "/api/v1/%70ortals",
            "/api/v1/portals/wiki/users/%",
            "/api/v1/portals/wiki/users/%4",
            "/api/v1/portals/wiki/users/%zz",
            "/api/v1/portals/wiki/users/%ff",
            "/api/v1/portals/wiki/users/alice/reset/",
            "/api/v1/portals/wiki/users/alice/devices/",
            "/api/v1/portals/wiki/users/alice%2Freset%2F/x",
        ] {
            assert_eq!(find("GET", path).unwrap_err().status().as_u16(), 404, "{path}");
        }
    }

    #[test]
    fn another_method_is_told_which_there_are() {
        for (method, path) in [
            ("POST", "/api/v1/portals"),
            ("GET", "/api/v1/portals/wiki/users/alice/reset"),
            ("HEAD", "/api/v1/portals/wiki/users/alice/sessions"),
            ("GET", "/api/v1/portals/wiki/users/alice/devices/A"),
        ] {
            assert_eq!(find(method, path).unwrap_err().status().as_u16(), 405, "{method} {path}");
        }
    }

    #[test]
    fn whoever_only_looks_changes_nothing() {
        for endpoint in ENDPOINTS {
            // The one thing to look at that is not for everybody is the store.
            let looks = endpoint.method == "GET" && endpoint.deed != Deed::Store;
            assert_eq!(endpoint.needs == Role::Viewer, looks, "{}", endpoint.path);
        }
        assert!(Channel::Colleague.needs() < Channel::AccountManager.needs());
    }
}
