//! Remembered devices, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::units::Span;

/// Users may have a device remembered, which then asks for no code for a while.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RememberDeviceFile {
    /// From the code to the end, whatever happens: 1h to 90d, 30d unless set.
    pub(super) lifetime: Option<Span>,
    /// The networks of clients in which a device is remembered and counts, such as
    /// 10.1.0.0/16; all unless set.
    pub(super) networks: Option<List<String>>,
}
