//! `portcullis service-token`: makes a token for a job or probe that can give no code, and
//! what the configuration needs to know it. The token is kept nowhere.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::policy::rules::tokens;
use crate::random;

/// Prints a new token and its line for the YAML, and gives the exit code.
pub(super) fn run(name: &str) -> u8 {
    let bytes = match random::bytes::<32>() {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "no token can be made: {error}");
            return 1;
        }
    };
    match write(&bytes, name, &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "the token cannot be written: {error}");
            1
        }
    }
}

fn write(bytes: &[u8; 32], name: &str, out: &mut dyn Write) -> io::Result<()> {
    let random = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
    let token = Zeroizing::new(format!("{}{}", tokens::PREFIX, *random));
    let hash = STANDARD.encode(tokens::hash(&token));
    writeln!(
        out,
        "# For the service, shown this once: Authorization: Bearer TOKEN, or, where the"
    )?;
    writeln!(out, "# portal needs that line, Portcullis-Service-Token: TOKEN")?;
    writeln!(out, "{}", *token)?;
    writeln!(out, "# For the tokens of a rule with require: service")?;
    writeln!(out, "- {{ name: {name}, hash: \"sha256:{hash}\" }}")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use crate::policy::rules::tokens::{Sent, ServiceToken, ServiceTokens};

    #[test]
    fn the_printed_token_has_the_printed_hash() {
        let mut out = Vec::new();
        super::write(&[7; 32], "scraper", &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with('#')).collect();
        let [token, yaml] = lines.as_slice() else {
            panic!("{out}");
        };
        let yaml: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(yaml[0]["name"], "scraper");
        let hash = yaml[0]["hash"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let hash = STANDARD.decode(hash).unwrap().try_into().unwrap();
        let known = ServiceTokens::new(vec![ServiceToken::new("scraper", hash)]);
        let sent = Sent { own: Some(token), ..Sent::default() };
        assert_eq!(known.names(sent).map(ServiceToken::name), Some("scraper"));
        assert!(token.len() >= 43, "{token}");
    }
}
