//! Mail providers at which anybody gets an address within a minute. Their domains say nothing
//! about whom somebody works for.

/// In lower case, in the order of the alphabet.
const DOMAINS: &[&str] = &[
    "126.com",
    "163.com",
    "aim.com",
    "aol.com",
    "arcor.de",
    "bk.ru",
    "bluewin.ch",
    "btinternet.com",
    "comcast.net",
    "cox.net",
    "duck.com",
    "email.com",
    "fastmail.com",
    "fastmail.fm",
    "foxmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "guerrillamail.com",
    "hey.com",
    "home.nl",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "hotmail.nl",
    "hushmail.com",
    "icloud.com",
    "inbox.ru",
    "kpnmail.nl",
    "laposte.net",
    "libero.it",
    "list.ru",
    "live.com",
    "live.nl",
    "mac.com",
    "mail.com",
    "mail.ru",
    "mailbox.org",
    "mailinator.com",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "onet.pl",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "planet.nl",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "runbox.com",
    "sbcglobal.net",
    "seznam.cz",
    "sfr.fr",
    "sina.com",
    "t-online.de",
    "telenet.be",
    "tuta.com",
    "tuta.io",
    "tutanota.com",
    "tutanota.de",
    "verizon.net",
    "virgilio.it",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.es",
    "yahoo.fr",
    "yahoo.it",
    "yandex.com",
    "yandex.ru",
    "yeah.net",
    "ymail.com",
    "yopmail.com",
    "ziggo.nl",
    "zoho.com",
    "zohomail.com",
];

/// Whether a domain in lower case is a public provider's, or below one of its.
pub fn is_public(domain: &str) -> bool {
    let is_of = |provider: &&str| {
        let rest = domain.strip_suffix(*provider);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    DOMAINS.iter().any(is_of)
}

#[cfg(test)]
mod tests {
    use super::{DOMAINS, is_public};

    #[test]
    fn the_list_is_in_order_and_its_domains_are_public() {
        assert!(DOMAINS.is_sorted_by(|one, next| one < next));
        assert!(is_public("gmail.com"));
        assert!(is_public("mail.gmx.net"));
        for domain in ["example.com", "notgmail.com", "gmail.com.example.com", "com"] {
            assert!(!is_public(domain), "{domain}");
        }
    }
}
