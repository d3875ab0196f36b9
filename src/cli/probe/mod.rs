//! `portcullis probe`: reads a portal's login page and, given an account, its login exchange,
//! and prints the YAML for it, each choice with its reason. It is the only part that reads
//! HTML; the gateway never does.

mod choose;
mod compare;
mod cookies;
mod exchange;
mod facts;
mod inside;
mod learn;
mod look;
mod names;
mod page;
mod verify;
mod whoami;
mod write;
mod written;

use std::io::{self, BufRead as _, Write as _};

use clap::{Args, ValueEnum};
use url::Url;
use zeroize::Zeroizing;

use super::http;
use crate::random::NoRandomness;

pub(super) use look::warnings;

/// What to probe, and with what.
#[derive(Args)]
pub(super) struct Options {
    /// The portal's login page, or any page that leads to it.
    url: Url,
    /// An account of the portal to try: a wrong password once, the right one, and other
    /// spellings of the name.
    #[arg(long, requires = "password_stdin")]
    user: Option<String>,
    /// Read the account's password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// How to print what was learned.
    #[arg(long, value_enum, default_value_t = Output::Yaml)]
    output: Output,
    /// Print a whole configuration instead of the portal's part.
    #[arg(long)]
    complete: bool,
    /// The host name under which the gateway will serve the portal: it is asked by this name,
    /// and as if over TLS. Unless given, by the URL's.
    #[arg(long)]
    host: Option<String>,
    /// For a login that a script sends: the path it goes to.
    #[arg(long, value_name = "PATH", requires = "script_password")]
    login_path: Option<String>,
    /// The field for the name, where that login is sent as a form.
    #[arg(long, value_name = "FIELD", requires = "form_password")]
    form_user: Option<String>,
    /// The field for the password, where that login is sent as a form.
    #[arg(long, value_name = "FIELD", requires = "login_path", group = "script_password")]
    form_password: Option<String>,
    /// JSON pointer to the name, where that login is sent as JSON.
    #[arg(long, value_name = "POINTER", requires = "json_password")]
    json_user: Option<String>,
    /// JSON pointer to the password, where that login is sent as JSON.
    #[arg(long, value_name = "POINTER", requires = "login_path", group = "script_password")]
    json_password: Option<String>,
    /// Another field of the login, the same for everybody.
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Yaml,
    Json,
}

/// An account of the portal.
struct Account {
    user: String,
    password: Zeroizing<String>,
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Http(#[from] http::HttpError),
    #[error("{0} is no address of a portal: write http:// or https:// and a host")]
    NoPortal(Url),
    #[error("standard input cannot be read: {0}")]
    Input(io::Error),
    #[error("standard input holds no password")]
    NoPassword,
    #[error("the login form goes to another host, where a gateway would not see it")]
    ElsewhereForm,
    #[error("the login form was there once, and then no more")]
    FormGone,
    #[error(
        "the page has no form with a password, asks for no HTTP Basic, and has no script; \
         name the page on which people sign in"
    )]
    NoLogin,
    #[error(
        "the page is made by scripts and has no form to read. Sign in with a browser whose \
         network view is open, and name what it sends: --login-path, --json-user and \
         --json-password or --form-user and --form-password, and --field for the rest"
    )]
    SinglePage,
    #[error("a form asks for the name first; give an account, so that its second page can be read")]
    TwoSteps,
    #[error(
        "the right password gets the same answer as a wrong one (status {0}); is the account \
         right, and may it sign in without a second page?"
    )]
    NoDifference(u16),
    #[error(
        "the portal answers a right password like a wrong one, and tells only on the next page, \
         {0}. No rule for its login can see that: let whoami or announce name its users"
    )]
    NextPage(String),
    #[error("'{0}' is no field: write NAME=VALUE")]
    BadField(String),
    #[error("'{0}' is no JSON pointer: it begins with a slash")]
    BadPointer(String),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    #[error("what was learned cannot be printed: {0}")]
    Output(String),
}

/// Probes the portal and gives the exit code: 0 printed, 1 nothing was learned.
pub(super) fn run(options: &Options) -> u8 {
    let printed = probe(options).and_then(|text| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).map_err(|error| ProbeError::Output(error.to_string()))
    });
    match printed {
        Ok(()) => 0,
        Err(error) => super::serve::failed(&error),
    }
}

fn probe(options: &Options) -> Result<String, ProbeError> {
    let is_web = matches!(options.url.scheme(), "http" | "https");
    if !is_web || options.url.host_str().is_none() {
        return Err(ProbeError::NoPortal(options.url.clone()));
    }
    let account = options.account()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ProbeError::Runtime)?;
    let (mut learned, answers) = runtime.block_on(learn::learn(options, account.as_ref()))?;
    // What is printed was read back by the gateway's own reader, and judged by its own judge.
    verify::verify(&mut learned, answers.as_ref());
    match options.output {
        Output::Yaml if options.complete => Ok(write::complete(&learned)),
        Output::Yaml => Ok(write::portal(&learned)),
        Output::Json => write::json(&learned),
    }
}

impl Options {
    fn account(&self) -> Result<Option<Account>, ProbeError> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut line = Zeroizing::new(String::with_capacity(1024));
        io::stdin().lock().read_line(&mut line).map_err(ProbeError::Input)?;
        let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
        if password.is_empty() {
            return Err(ProbeError::NoPassword);
        }
        // A portal with one password for all has an account without a name.
        Ok(Some(Account { user: self.user.clone().unwrap_or_default(), password }))
    }
}
