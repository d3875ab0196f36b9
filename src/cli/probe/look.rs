//! The look at the portals that `check` takes: whether one asks for a password in more places
//! than its configuration names. A portal that does not answer is passed over.

use std::time::Duration;

use url::Url;

use super::page::Html;
use crate::cli::http::Client;
use crate::cli::jar::Jar;
use crate::config::{Config, Portal};

const PATIENCE: Duration = Duration::from_secs(2);

/// One line for each portal whose login page takes more passwords than were named.
pub(in crate::cli) fn warnings(config: &Config) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    runtime.block_on(async {
        let mut warnings = Vec::new();
        for portal in &config.portals {
            warnings.extend(warning(portal).await);
        }
        warnings
    })
}

async fn warning(portal: &Portal) -> Option<String> {
    let upstream = &portal.upstream;
    let scheme = if upstream.tls { "https" } else { "http" };
    let host = match upstream.host.contains(':') {
        true => format!("[{}]", upstream.host.trim_matches(['[', ']'])),
        false => upstream.host.clone(),
    };
    let origin = Url::parse(&format!("{scheme}://{host}:{}", upstream.port)).ok()?;
    let page = origin.join(portal.identity.login_url.as_deref()?).ok()?;
    let client =
        Client::new(&origin, portal.hosts.first().map(String::as_str)).patient_for(PATIENCE);
    let looked = tokio::time::timeout(PATIENCE, client.visit(&mut Jar::default(), &page)).await;
    let pages = looked.ok()?.ok()?;
    let shown = pages.last().filter(|page| page.status.is_success())?;
    let takes = forms(&Html::read(&shown.text()), &shown.url);
    let named = portal.identity.logins.len();
    (takes > named).then(|| {
        format!(
            "warning: portals.{}.identity.logins: more password fields in the portal than logins \
             named: its login page has {takes} forms that take a password, and {named} named \
             here; name every address that takes one",
            portal.name
        )
    })
}

/// How many addresses of a page take a password; fields outside of forms count as one.
fn forms(page: &Html, at: &Url) -> usize {
    let mut targets: Vec<String> = page
        .forms
        .iter()
        .filter(|form| form.passwords().next().is_some())
        .map(|form| {
            let action = form.action.as_deref().unwrap_or_default();
            at.join(action).map_or_else(|_| action.to_owned(), |url| url.path().to_owned())
        })
        .collect();
    targets.sort();
    targets.dedup();
    let loose = page.loose.iter().any(|field| field.kind == super::page::Kind::Password);
    targets.len() + usize::from(loose)
}

#[cfg(test)]
mod tests;
