//! The look at the server of mails that `check` takes: whether it greets us and takes the
//! login. Nothing is sent.

use crate::config::Config;
use crate::notify::Courier;

/// One line, where there is a server that takes no mails now.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let Some(smtp) = &config.notify.smtp else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let trouble = match Courier::new(smtp.clone()) {
        Ok(courier) => runtime.block_on(courier.look()).err().map(|trouble| trouble.to_string()),
        Err(error) => Some(format!("cannot be asked: {error}")),
    };
    let warning = trouble.map(|trouble| {
        format!(
            "warning: notify.smtp.url: the server of mails {trouble}; mails wait until it takes \
             them"
        )
    });
    warning.into_iter().collect()
}
