//! Portals: their names, hosts and upstreams, and what of them is public.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::{
    all, desk, device, enforcement, enrolment, host, identity, optional, path, placed, rules, some,
    upstream_headers,
};
use crate::config::desk::{Organisation, ResetTerms};
use crate::config::fault::Findings;
use crate::config::file::{List, PortalFile};
use crate::config::key_path::KeyPath;
use crate::config::named::Named;
use crate::config::surroundings::Surroundings;
use crate::config::{Enrolment, Identity, Portal, RememberDevice, Upstream};
use crate::net::path::PathPattern;
use crate::policy::Enforcement;
use crate::policy::rules::{Rule, Rules};

/// Where our own pages are unless set.
const PREFIX: &str = "/.mfa";

/// Which portal has a host already.
type Owners = HashMap<String, String>;

/// What stands around every portal.
pub(super) struct House<'a> {
    /// The addresses that Portcullis itself listens on.
    pub(super) taken: Vec<SocketAddr>,
    /// Where files and secrets are.
    pub(super) around: &'a Surroundings<'a>,
    /// Whether there is a server for mails.
    pub(super) mails: bool,
}

/// All portals.
pub(super) fn portals(
    written: Option<Named<PortalFile>>,
    at: &KeyPath,
    house: &House<'_>,
    findings: &mut Findings,
) -> Option<Vec<Portal>> {
    let Named(written) = findings.required(at, written, "add the first portal")?;
    if written.is_empty() {
        findings.fault(at, "has no portal", "add the first portal");
        return None;
    }
    let mut owners = Owners::new();
    let checked = written.into_iter().map(|(name, written)| {
        let at = at.key(name.as_str());
        let name = portal_name(name, &at, findings);
        portal(name, written?, &at, house, &mut owners, findings)
    });
    all(checked.collect())
}

fn portal_name(name: String, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        return Some(name);
    }
    findings.fault(at, "is no name for a portal", "use 1 to 32 of a-z, 0-9 and '-'");
    None
}

fn portal(
    name: Option<String>,
    mut written: PortalFile,
    at: &KeyPath,
    house: &House<'_>,
    owners: &mut Owners,
    findings: &mut Findings,
) -> Option<Portal> {
    let ground = ground(&mut written, at, house, owners, findings);
    let terms = terms(&mut written, at, house, &ground, findings);
    let place = at.key("upstream_headers");
    let identity = ground.identity.as_ref();
    let headers = written.upstream_headers;
    let headers = upstream_headers::upstream_headers(headers, &place, identity, findings);
    Some(Portal {
        name: name?,
        hosts: ground.hosts?,
        upstream: ground.upstream?,
        identity: ground.identity?,
        enforcement: terms.enforcement?,
        rules: Rules::new(terms.public.as_deref()?, terms.rules?),
        public: terms.public?,
        prefix: ground.prefix?,
        spa: written.spa.unwrap_or_default(),
        organisation: terms.organisation?,
        reset: terms.reset?,
        remember_device: terms.remember_device?,
        upstream_headers: headers?,
        enrolment: terms.enrolment?,
    })
}

/// Where a portal is and how its users are known. Nothing stands for what has a fault.
struct Ground {
    hosts: Option<Vec<String>>,
    upstream: Option<Upstream>,
    prefix: Option<String>,
    identity: Option<Identity>,
}

fn ground(
    written: &mut PortalFile,
    at: &KeyPath,
    house: &House<'_>,
    owners: &mut Owners,
    findings: &mut Findings,
) -> Ground {
    let hosts = hosts(written.hosts.take(), at, owners, findings);
    let place = at.key("upstreams");
    let upstream = upstream(written.upstreams.take(), &place, &house.taken, findings);
    warn_of_own_host(hosts.as_deref(), upstream.as_ref(), &place, findings);
    let prefix = prefix(written.prefix.take(), &at.key("prefix"), findings);
    let place = at.key("identity");
    let mend = "say how its users are known: logins, session_cookies and login_url";
    let identity = findings.required(&place, written.identity.take(), mend);
    let identity = identity.and_then(|written| {
        identity::identity(written, &place, prefix.as_deref(), house.around, findings)
    });
    Ground { hosts, upstream, prefix, identity }
}

/// What a portal asks of its users, and who may help them. Nothing stands for what has a fault.
struct Terms {
    enforcement: Option<Enforcement>,
    public: Option<Vec<PathPattern>>,
    rules: Option<Vec<Rule>>,
    organisation: Option<Option<Organisation>>,
    reset: Option<ResetTerms>,
    remember_device: Option<Option<RememberDevice>>,
    enrolment: Option<Enrolment>,
}

fn terms(
    written: &mut PortalFile,
    at: &KeyPath,
    house: &House<'_>,
    ground: &Ground,
    findings: &mut Findings,
) -> Terms {
    let names = ground.identity.as_ref().map(|identity| &identity.username);
    let place = at.key("enforcement");
    let enforcement = enforcement::enforcement(written.enforcement.take(), &place, names, findings);
    let public = public(written.public.take(), &at.key("public"), findings);
    let (hosts, prefix) = (ground.hosts.as_deref(), ground.prefix.as_deref());
    let known = rules::Portal { hosts, prefix };
    let rules = rules::rules(written.rules.take(), &at.key("rules"), &known, findings);
    let place = at.key("organisation");
    let organisation = written.organisation.take();
    let organisation =
        optional(organisation, |written| desk::organisation(written, &place, findings));
    let reset = desk::reset(written.reset.take(), &at.key("reset"), findings);
    let place = at.key("remember_device");
    let remember_device = written.remember_device.take();
    let remember_device =
        optional(remember_device, |written| device::remember_device(written, &place, findings));
    let place = at.key("enrolment");
    let enrolment = enrolment::enrolment(written.enrolment.take(), &place, house.mails, findings);
    Terms { enforcement, public, rules, organisation, reset, remember_device, enrolment }
}

fn hosts(
    written: Option<List<String>>,
    portal: &KeyPath,
    owners: &mut Owners,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let at = portal.key("hosts");
    let mend = "name the hosts of the portal, such as [wiki.example.com]";
    let written = some(written, &at, mend, findings)?;
    let checked = written.into_iter().map(|(at, text)| {
        if let Err(sentence) = host::parse_host(&text) {
            findings.note(&at, sentence);
            return None;
        }
        if let Some(owner) = owners.insert(text.clone(), portal.to_string()) {
            findings.fault(&at, format!("'{text}' is a host of {owner} already"), "remove one");
            return None;
        }
        Some(text)
    });
    all(checked.collect())
}

fn upstream(
    written: Option<List<String>>,
    at: &KeyPath,
    taken: &[SocketAddr],
    findings: &mut Findings,
) -> Option<Upstream> {
    let mend = "say where the portal is, such as [http://127.0.0.1:8080]";
    let mut written = some(written, at, mend, findings)?.into_iter();
    let (place, text) = written.next()?;
    if written.next().is_some() {
        findings.fault(at, "several upstreams are not known yet in this version", "keep one");
        return None;
    }
    let upstream = match parse_upstream(&text) {
        Ok(upstream) => upstream,
        Err(sentence) => {
            findings.note(&place, sentence);
            return None;
        }
    };
    if taken.iter().any(|address| leads_to(&upstream, *address)) {
        let what = "is an address of Portcullis itself, so requests would go round in circles";
        findings.fault(&place, what, "name the address of the portal");
        return None;
    }
    Some(upstream)
}

/// The text is not repeated: it may hold a password.
fn parse_upstream(text: &str) -> Result<Upstream, String> {
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        (None, None) => {
            return Err("is neither http:// nor https://; write http://HOST:PORT".to_owned());
        }
    };
    if rest.contains('@') {
        return Err("has a user name; leave it out, the portal's own login asks for it".to_owned());
    }
    if rest.contains(['/', '?', '#']) {
        let mend = "end it after host and port: requests keep their own path";
        return Err(format!("has more than host and port; {mend}"));
    }
    let ends_in_bracket = rest.ends_with(']');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !ends_in_bracket => (host, Some(port)),
        Some(_) | None => (rest, None),
    };
    let port = match port {
        None => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(port) => parse_port(port)?,
    };
    Ok(Upstream { host: host::parse_target(host)?.to_owned(), port, tls })
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| "has no valid port; choose 1 to 65535".to_owned())
}

fn leads_to(upstream: &Upstream, address: SocketAddr) -> bool {
    let target: Option<IpAddr> = match upstream.host.as_str() {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        other => other.parse().ok(),
    };
    let ip = address.ip();
    upstream.port == address.port()
        && target
            .is_some_and(|target| target == ip || (ip.is_unspecified() && target.is_loopback()))
}

/// The name that users reach us by mostly leads to us.
fn warn_of_own_host(
    hosts: Option<&[String]>,
    upstream: Option<&Upstream>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let (Some(hosts), Some(upstream)) = (hosts, upstream) else {
        return;
    };
    if hosts.contains(&upstream.host) {
        let what = "is one of the portal's hosts, so requests may come back here";
        findings.warn(at, what, "name the portal's own address");
    }
}

fn prefix(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let text = written.unwrap_or_else(|| PREFIX.to_owned());
    if text == "/" {
        let what = "is the whole portal";
        findings.fault(at, what, format!("choose a path below it, such as {PREFIX}"));
        return None;
    }
    if let Some(without) = text.strip_suffix('/') {
        findings.fault(at, format!("'{text}' ends with a slash"), format!("write '{without}'"));
        return None;
    }
    if text.len() > 64 {
        findings.fault(at, "is longer than 64 characters", "choose a short path");
        return None;
    }
    path::exact_path(&text, at, findings)
}

fn public(
    written: Option<List<String>>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<PathPattern>> {
    let written = placed(written.unwrap_or_default(), at);
    let checked = written.into_iter().map(|(at, text)| public_pattern(&text, &at, findings));
    all(checked.collect())
}

fn public_pattern(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<PathPattern> {
    if text.contains('?') {
        findings.fault(at, format!("'{text}' has a query"), "write the path alone");
        return None;
    }
    let pattern = match PathPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(sentence) => {
            findings.note(at, sentence);
            return None;
        }
    };
    let names_nothing = text.bytes().all(|byte| matches!(byte, b'/' | b'*'));
    if names_nothing && text.ends_with("**") {
        let what = format!("'{text}' opens the whole portal");
        findings.warn(at, what, "name only what needs no sign-in, such as /assets/**");
    }
    Some(pattern)
}
