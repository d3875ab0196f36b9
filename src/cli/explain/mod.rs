//! `portcullis explain`: what the gateway would do with a request, or with a session that a
//! browser recorded, and why. It asks the gateway's own rules; it opens no port, no store and
//! no key, and sends nothing.

mod asked;
mod har;
mod hints;
mod journey;
mod line;
mod login;
mod marks;
mod reasons;
mod recorded;
mod replay;
mod request;
mod settled;
mod visitors;
mod words;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::asked::Asked;
use crate::clock::{Clock as _, SystemClock, UnixMillis};
use crate::config::{self, Config, MasterKey, Secret};
use crate::random;
use crate::site::Sites;
use crate::store::keyring::Keyring;
use crate::telemetry::metrics::{Metrics, MetricsError};

/// What is to be explained.
#[derive(Args)]
pub(super) struct ExplainArguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The request's method, such as GET.
    #[arg(required_unless_present = "har", requires = "url")]
    method: Option<String>,
    /// The address it asks for, such as `https://wiki.example.com/start`.
    url: Option<String>,
    /// A session that a browser recorded (HAR), in place of one request.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "url", "user", "level"])]
    har: Option<PathBuf>,
    /// Whose request it is: the name as the portal's login takes it.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How well the visitor is known; every level unless given.
    #[arg(long, value_enum)]
    level: Option<GivenLevel>,
    /// Whether a user who gave the password alone has a second factor; both unless given.
    #[arg(long, value_enum, conflicts_with = "har")]
    enrolled: Option<Enrolled>,
    /// The address it comes from; not known unless given, so rules by network are in doubt.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// When it comes, with the zone, such as `2026-12-01T08:00:00+01:00`; now unless given, and
    /// of a recording when it was recorded.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<UnixMillis>,
    /// How the explanation is written.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How well a visitor is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GivenLevel {
    /// Nobody signed in.
    Unknown,
    /// The portal took the password.
    Named,
    /// The second factor was given too.
    Proven,
}

/// Whether a user has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Enrolled {
    /// One that was set up.
    Yes,
    /// None.
    No,
}

fn moment(text: &str) -> Result<UnixMillis, &'static str> {
    let moment = UnixMillis::from_rfc3339(text);
    moment.ok_or("write date, time and zone, such as 2026-12-01T08:00:00+01:00")
}

/// How an explanation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines to read.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    /// What was asked makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The recording is none.
    #[error(transparent)]
    Har(#[from] har::HarFault),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::Faults),
    /// There is no key for this run.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
    /// Nor can one be made of random bytes.
    #[error(transparent)]
    Key(#[from] crate::store::keyring::KeyringError),
    /// Nothing can be counted.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The explanation cannot be written.
    #[error("the explanation cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl ExplainError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Har(_) => 2,
            Self::Config(_) => 3,
            Self::Random(_) | Self::Key(_) | Self::Metrics(_) | Self::Write(_) => 1,
        }
    }
}

/// Explains what was asked for and gives the exit code.
pub(super) fn run(arguments: &ExplainArguments) -> u8 {
    match explain(arguments, &mut io::stdout().lock()) {
        Ok(()) => 0,
        // Whoever reads has seen enough.
        Err(ExplainError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            let _nobody_listens = match &error {
                ExplainError::Config(faults) => writeln!(io::stderr().lock(), "{faults}"),
                other => writeln!(io::stderr().lock(), "portcullis: {other}"),
            };
            error.exit_code()
        }
    }
}

fn explain(arguments: &ExplainArguments, out: &mut dyn Write) -> Result<(), ExplainError> {
    if let Some(file) = &arguments.har {
        return explain_recording(arguments, file, out);
    }
    let (Some(method), Some(url)) = (&arguments.method, &arguments.url) else {
        return Err(ExplainError::Usage("name a method and an address, or a recording".to_owned()));
    };
    let asked =
        Asked::parse(method, url).map_err(|fault| ExplainError::Usage(fault.to_string()))?;
    let ground = Ground::load(&arguments.config)?;
    let given = request::Circumstances {
        user: arguments.user.as_deref(),
        level: arguments.level,
        enrolled: arguments.enrolled,
        client: arguments.client,
        now: arguments.at.unwrap_or_else(|| SystemClock.now()),
        at_given: arguments.at.is_some(),
    };
    let explanation = request::explain(&ground, &asked, &given);
    match arguments.output {
        Output::Text => request::write(out, &explanation)?,
        Output::Json => write_json(out, &explanation)?,
    }
    Ok(())
}

fn explain_recording(
    arguments: &ExplainArguments,
    file: &Path,
    out: &mut dyn Write,
) -> Result<(), ExplainError> {
    let ground = Ground::load(&arguments.config)?;
    let (all, odd) = recorded::in_order(har::read(file)?);
    let given = journey::Given { client: arguments.client, at: arguments.at };
    Ok(replay::replay(out, arguments.output, &ground, (&all, odd), given)?)
}

fn write_json(out: &mut dyn Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}

/// What an explanation stands on: the configuration as the gateway would use it.
struct Ground {
    config: Config,
    sites: Sites,
}

impl Ground {
    /// The portals get keys of this run alone: an explanation needs to tell sessions apart,
    /// not to open any.
    fn load(file: &Path) -> Result<Self, ExplainError> {
        let mut config = config::load(file)?.config;
        let key = Secret::new(random::bytes::<32>()?.to_vec());
        let keyring = Keyring::load(&MasterKey::Given(key))?;
        let portals = std::mem::take(&mut config.portals);
        // Nobody reads them; a portal counts all the same.
        let metrics = Metrics::new()?;
        let sites = Sites::new(portals, config.session, &keyring, &metrics, (None, None))?;
        Ok(Self { config, sites })
    }
}

#[cfg(test)]
mod tests;
