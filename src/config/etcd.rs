//! Where a store on etcd is, as its url says. It is taken apart here, so that a url with a fault is
//! told before anything starts; its password is shown nowhere.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What our keys begin with unless the url says otherwise.
const PREFIX: &str = "/portcullis";
/// The port of etcd's clients.
const PORT: u16 = 2379;

/// A store on etcd.
#[derive(Clone)]
pub struct EtcdConfig {
    /// Each member's own address, without user or password.
    pub endpoints: Vec<String>,
    /// Who signs in, where etcd asks for that.
    pub user: Option<EtcdUser>,
    /// What our keys begin with; it ends with a slash.
    pub prefix: Vec<u8>,
    /// The authorities that members' certificates come from, in PEM; the system's unless set.
    pub authorities: Option<PathBuf>,
    /// All of it in words, without user and password.
    pub place: String,
}

/// A name with its password.
#[derive(Clone)]
pub struct EtcdUser {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for EtcdConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("EtcdConfig")
            .field("place", &self.place)
            .field("authorities", &self.authorities)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a url.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EtcdUrlError {
    /// It begins otherwise.
    #[error("begins neither with https:// nor, for this machine alone, with http://")]
    Scheme,
    /// No member is named, or one has an impossible name.
    #[error("names no member, or one that cannot be")]
    Member,
    /// A name without a password.
    #[error("names a user without a password")]
    User,
    /// What nobody can read stays readable on the way.
    #[error(
        "is http:// and names {member}, which is another machine: whoever stands in between could say that nobody has enrolled, so only tls=off says that it is meant"
    )]
    Plain {
        /// Which.
        member: String,
    },
    /// A setting behind the question mark.
    #[error("has the setting {0:?}, which is not taken")]
    Setting(String),
}

impl EtcdConfig {
    /// Takes a url apart:
    /// `https://user:password@one:2379,two:2379,three:2379/portcullis?ca=/etc/ssl/etcd.pem`.
    ///
    /// # Errors
    /// When it is none of ours. No text of them repeats the url.
    pub fn parse(address: &str) -> Result<Self, EtcdUrlError> {
        let (scheme, rest) = address.split_once("://").ok_or(EtcdUrlError::Scheme)?;
        let is_plain = match scheme {
            "https" => false,
            "http" => true,
            _ => return Err(EtcdUrlError::Scheme),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (members, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, PREFIX),
        };
        let (user, members) = match members.rsplit_once('@') {
            Some((user, members)) => (Some(EtcdUser::parse(user)?), members),
            None => (None, members),
        };
        let Settings { authorities, is_plain_meant } = Settings::parse(query)?;
        let mut endpoints = Vec::new();
        for member in members.split(',') {
            endpoints.push(endpoint(scheme, is_plain && !is_plain_meant, member)?);
        }
        let prefix = prefix(path);
        let place = in_words(&endpoints, &prefix);
        Ok(Self { endpoints, user, prefix, authorities, place })
    }
}

impl EtcdUser {
    fn parse(text: &str) -> Result<Self, EtcdUrlError> {
        let (name, password) = text.split_once(':').ok_or(EtcdUrlError::User)?;
        let decoded = |part: &str| {
            percent_decode_str(part).decode_utf8().map(String::from).map_err(|_| EtcdUrlError::User)
        };
        let (name, password) = (decoded(name)?, Zeroizing::new(decoded(password)?));
        if name.is_empty() || password.is_empty() {
            return Err(EtcdUrlError::User);
        }
        Ok(Self { name, password })
    }
}

/// A member's address without its scheme.
pub fn without_scheme(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, member)| member)
}

fn in_words(endpoints: &[String], prefix: &[u8]) -> String {
    let members: Vec<_> = endpoints.iter().map(|it| without_scheme(it)).collect();
    let prefix = String::from_utf8_lossy(prefix);
    format!("etcd at {}, keys that begin with {prefix}", members.join(", "))
}

fn endpoint(scheme: &str, is_for_us_alone: bool, member: &str) -> Result<String, EtcdUrlError> {
    let url = url::Url::parse(&format!("{scheme}://{member}")).map_err(|_| EtcdUrlError::Member)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(EtcdUrlError::Member)?;
    let bare = url.path() == "/" && url.username().is_empty() && url.fragment().is_none();
    if !bare || member.is_empty() {
        return Err(EtcdUrlError::Member);
    }
    if is_for_us_alone && !is_this_machine(host) {
        return Err(EtcdUrlError::Plain { member: host.to_owned() });
    }
    // Url leaves out the port that its scheme has anyway, which is not etcd's.
    let has_port = member.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if has_port { url.port_or_known_default().unwrap_or(PORT) } else { PORT };
    Ok(format!("{scheme}://{host}:{port}"))
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What stands behind the question mark.
#[derive(Default)]
struct Settings {
    authorities: Option<PathBuf>,
    is_plain_meant: bool,
}

impl Settings {
    fn parse(query: &str) -> Result<Self, EtcdUrlError> {
        let mut settings = Self::default();
        for (word, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*word, &*value) {
                ("ca", file) if !file.is_empty() => settings.authorities = Some(file.into()),
                ("tls", "off") => settings.is_plain_meant = true,
                _ => return Err(EtcdUrlError::Setting(word.into_owned())),
            }
        }
        Ok(settings)
    }
}

fn prefix(path: &str) -> Vec<u8> {
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { PREFIX } else { path };
    format!("{path}/").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> EtcdConfig {
        EtcdConfig::parse(address).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refusal(address: &str) -> EtcdUrlError {
        match EtcdConfig::parse(address) {
            Ok(_) => panic!("{address} was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn an_address_says_members_user_prefix_and_authorities() {
        let place =
            parse("https://ann:p%40ss@one:2379,two,[2001:db8::3]:4001/cellar/?ca=/etc/ca.pem");
        let members = ["https://one:2379", "https://two:2379", "https://[2001:db8::3]:4001"];
        assert_eq!(place.endpoints, members);
        let user = place.user.as_ref().unwrap();
        assert_eq!((user.name.as_str(), user.password.as_str()), ("ann", "p@ss"));
        assert_eq!(place.prefix, b"/cellar/");
        assert_eq!(place.authorities, Some(PathBuf::from("/etc/ca.pem")));
        let words = format!("{} {place:?}", place.place);
        assert!(words.contains("one:2379, two:2379"), "{words}");
        assert!(!words.contains("p@ss") && !words.contains("ann"), "{words}");
    }

    #[test]
    fn what_an_address_leaves_out_has_a_default() {
        for address in ["https://one", "https://one/", "https://one:2379"] {
            let place = parse(address);
            assert_eq!(place.endpoints, ["https://one:2379"]);
            assert_eq!(place.prefix, b"/portcullis/");
            assert!(place.user.is_none() && place.authorities.is_none());
        }
        assert_eq!(parse("https://one:443").endpoints, ["https://one:443"]);
    }

    #[test]
    fn without_tls_only_this_machine_is_asked() {
        for member in ["127.0.0.1:2379", "localhost", "[::1]:2379"] {
            parse(&format!("http://{member}"));
        }
        let plain = EtcdUrlError::Plain { member: "etcd.example".to_owned() };
        assert_eq!(refusal("http://127.0.0.1,etcd.example:2379"), plain);
        assert_eq!(parse("http://etcd.example?tls=off").endpoints, ["http://etcd.example:2379"]);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let cases = [
            ("etcd://one", EtcdUrlError::Scheme),
            ("one:2379", EtcdUrlError::Scheme),
            ("https://", EtcdUrlError::Member),
            ("https://one,,two", EtcdUrlError::Member),
            ("https://one:port", EtcdUrlError::Member),
            ("https://ann@one", EtcdUrlError::User),
            ("https://ann:@one", EtcdUrlError::User),
            ("https://one?cert=x", EtcdUrlError::Setting("cert".to_owned())),
            ("https://one?tls=maybe", EtcdUrlError::Setting("tls".to_owned())),
            ("https://one?ca=", EtcdUrlError::Setting("ca".to_owned())),
        ];
        for (address, expected) in cases {
            assert_eq!(refusal(address), expected, "{address}");
        }
        assert!(!refusal("etcd://ann:secret@one").to_string().contains("secret"));
    }
}
