//! Another configuration in the place of the one in force, while requests run: on SIGHUP, and
//! when a file of it has changed. It is read, checked and made ready whole before anything of
//! it counts; one with a fault changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};

use super::counting::Uncounted;
use super::files::Files;
use super::lasting::{Lasting, Prepared};
use super::mails::Mailing;
use super::{ServerError, upkeep, wait_for};
use crate::audit::{By, Detail, Entry, Event};
use crate::config::{self, Fault, Faults, Fixed, Running, Telemetry};
use crate::notify::News;
use crate::proxy::in_force::InForce;
use crate::telemetry::log::Log;
use crate::telemetry::metrics::ReloadOutcome;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where a configuration comes from, and what follows it.
pub struct Source {
    file: PathBuf,
    files: Mutex<Files>,
    log: Log,
}

impl Source {
    /// The YAML at `file`, which has just been read and is made of these `files`; `log` says as
    /// much as it wants.
    pub fn new(file: &Path, files: Vec<PathBuf>, log: Log) -> Self {
        Self { file: file.to_owned(), files: Mutex::new(Files::look(files)), log }
    }
}

/// Why a configuration is not put in force.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Faults(#[from] Faults),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the reading was broken off")]
    BrokenOff,
}

/// What asked for another configuration.
#[derive(Clone, Copy)]
enum Occasion {
    Signal,
    Change,
}

impl Occasion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::Change => "a changed file",
        }
    }
}

/// Puts configurations in force.
pub(super) struct Reload {
    source: Arc<Source>,
    fixed: Fixed,
    lasting: Arc<Lasting>,
    in_force: InForce,
    mails: mpsc::UnboundedSender<Mailing>,
    counting: mpsc::UnboundedSender<Vec<Uncounted>>,
}

/// What was read, ready to be put in force.
struct Offered {
    prepared: Prepared,
    warnings: Vec<Fault>,
    telemetry: Telemetry,
}

impl Reload {
    /// For the configuration of `source`, which has just been read.
    pub(super) fn of(
        source: Source,
        fixed: Fixed,
        lasting: Arc<Lasting>,
        in_force: InForce,
        (mails, counting): (mpsc::UnboundedSender<Mailing>, mpsc::UnboundedSender<Vec<Uncounted>>),
    ) -> Self {
        Self { source: Arc::new(source), fixed, lasting, in_force, mails, counting }
    }

    /// Waits for an occasion and takes it, until `stopped`.
    pub(super) async fn keep(self, mut hangup: Signal, stopped: watch::Receiver<bool>) {
        let stop = wait_for(stopped);
        tokio::pin!(stop);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let occasion = tokio::select! {
                Some(()) = hangup.recv() => Some(Occasion::Signal),
                _ = look.tick() => self.have_changed().await.then_some(Occasion::Change),
                () = &mut stop => return,
            };
            if let Some(occasion) = occasion {
                self.take(occasion).await;
            }
        }
    }

    async fn have_changed(&self) -> bool {
        let source = Arc::clone(&self.source);
        let look = move || source.files.lock().have_changed();
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }

    async fn take(&self, occasion: Occasion) {
        let on = occasion.as_str();
        // Each sets the gauge first: whoever reads the log's line finds it as the line says.
        match self.replace().await {
            Ok(()) => {
                self.lasting.metrics.config_reloaded(ReloadOutcome::InUse);
                let now = self.in_force.now();
                let names = now.parts.sites.iter().map(|site| site.portal.name.as_str());
                let portals = named(names);
                self.notes(Event::ConfigurationLoaded, on, None);
                tracing::info!(on, portals, "a configuration was read again and is in force");
            }
            Err(refusal) => {
                self.lasting.metrics.config_reloaded(ReloadOutcome::Refused);
                self.complain(on, &refusal);
                self.tell().await;
            }
        }
    }

    /// Each fault is a line of the log; the audit log has the first.
    fn complain(&self, on: &str, refusal: &Refusal) {
        let faults: Vec<String> = match refusal {
            Refusal::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        };
        self.notes(Event::ConfigurationRefused, on, faults.first().cloned());
        for fault in &faults {
            tracing::error!(on, %fault, "a configuration was refused, the one before it stays");
        }
    }

    /// Tells another system that a configuration was refused, by what the one before it says.
    async fn tell(&self) {
        let now = self.lasting.clock.now();
        let parts = Arc::clone(&self.in_force.now().parts);
        let Some(post) = &parts.post else { return };
        let told = post.tell(&*self.lasting.store, now, News::ConfigurationRefused, None).await;
        if let Err(error) = told {
            tracing::error!(%error, "nobody is told that a configuration was refused");
        }
    }

    /// A configuration counts whether or not there is room for a line of it: it may be the one
    /// that makes room.
    fn notes(&self, event: Event, on: &str, refusal: Option<String>) {
        let entry = Entry::new(event, By::Gateway).with(Detail::Reason, on);
        let entry = match refusal {
            Some(refusal) => entry.with(Detail::Refusal, refusal),
            None => entry,
        };
        self.lasting.audit.mention(self.lasting.clock.now(), entry);
    }

    /// All that can fail comes first.
    async fn replace(&self) -> Result<(), Refusal> {
        let Offered { prepared, warnings, telemetry } = self.read().await?;
        let before = self.in_force.now();
        let ready = self.lasting.parts(prepared, Some(&before.parts)).await?;
        drop(before);
        self.in_force.replace(ready.parts, ready.certificates);
        // Nobody takes orders any more when the gateway stops.
        let _stopping = (self.mails.send(ready.mailing), self.counting.send(ready.uncounted));
        upkeep::refresh_gauges(&self.in_force.now().parts);
        self.source.log.follow(&telemetry);
        for warning in &warnings {
            tracing::warn!(%warning, "the configuration is weaker than it could be");
        }
        Ok(())
    }

    /// Reads the configuration where waiting for the disk holds up no request.
    async fn read(&self) -> Result<Offered, Refusal> {
        let (source, lasting) = (Arc::clone(&self.source), Arc::clone(&self.lasting));
        let fixed = self.fixed.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let holds = |key: &config::MasterKey| lasting.keyring.is_of(key);
            let running = Running { fixed: &fixed, holds: &holds };
            read(&source.file, &running, &mut source.files.lock())
        });
        reading.await.map_err(|_| Refusal::BrokenOff)?
    }
}

/// The first names, and how many more there are: a line of the log holds no thousands.
fn named<'a>(mut names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST_NAMED: usize = 20;
    let first: Vec<_> = names.by_ref().take(MOST_NAMED).collect();
    match names.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Reads what `files` are now. They are looked at before they are read, so that what changes
/// meanwhile is seen as a change; and read once more when they name another one.
fn read(file: &Path, running: &Running<'_>, files: &mut Files) -> Result<Offered, Refusal> {
    // A file that names others each time it is read has no end; it will be read again.
    const MOST_LOOKS: usize = 3;
    *files = Files::look(files.named().clone());
    let mut outcome = config::load_again(file, running);
    for _ in 1..MOST_LOOKS {
        let named = match &outcome {
            Ok(loaded) => &loaded.files[..],
            Err(faults) => faults.files(),
        };
        if named.iter().all(|file| files.named().contains(file)) {
            break;
        }
        *files = Files::look(files.named().iter().chain(named).cloned());
        outcome = config::load_again(file, running);
    }
    let loaded = outcome?;
    let telemetry = loaded.config.telemetry.clone();
    let prepared = Prepared::read(loaded.config)?;
    files.keep_only(&loaded.files);
    Ok(Offered { prepared, warnings: loaded.warnings, telemetry })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_names_some_of_many_portals() {
        assert_eq!(named(["wiki", "shop"].into_iter()), "wiki, shop");
        let names: Vec<String> = (0..1000).map(|number| format!("p{number}")).collect();
        let line = named(names.iter().map(String::as_str));
        assert!(line.starts_with("p0, p1, ") && line.ends_with("p19 and 980 more"), "{line}");
    }
}
