//! Why a store on PostgreSQL does not open, or a connection to it is not used. Each text says
//! what is wrong and what to do; none has a password in it.

use crate::store::StoreError;

/// Why a store on PostgreSQL is refused.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No server of the url takes a connection.
    #[error(
        "the store {place} cannot be reached: {why}; start the database, or correct `store.url`"
    )]
    Unreachable {
        /// Where it is.
        place: String,
        /// What each server said.
        why: String,
    },
    /// Nothing can be verified.
    #[error("the store's servers cannot be verified: {0}")]
    Tls(String),
    /// The server may lose what it has answered.
    #[error("the server {server} of the store is not safe to use: {why}")]
    Unsafe {
        /// Which.
        server: String,
        /// What is set wrong, and how to set it.
        why: String,
    },
    /// No write comes back.
    #[error(
        "the server {0} of the store does not confirm a write: the standby that `synchronous_standby_names` asks for does not answer; start it, and look at pg_stat_replication"
    )]
    Unconfirmed(String),
    /// The role lacks rights.
    #[error(
        "the role of `store.url` lacks rights in {place} ({why}); let an administrator of the database run what `portcullis store schema` prints"
    )]
    NoRights {
        /// Where.
        place: String,
        /// What the server said.
        why: String,
    },
    /// The tables are there, what stood in them is not.
    #[error(
        "the store {place} has lost what it was: its tables are there, but not the record that says which store they hold; put a backup of the database back. Should everyone enrol anew, drop the schema `portcullis`"
    )]
    Missing {
        /// Where.
        place: String,
    },
    /// It was made under another master key.
    #[error(
        "the store {place} was made under another master key; put that key where `keys.master` points, all gateways share one"
    )]
    OtherKey {
        /// Where.
        place: String,
    },
    /// It is not the store that this process has opened.
    #[error(
        "the server {server} holds another store than this gateway has opened; see where `store.url` leads"
    )]
    Foreign {
        /// Which server.
        server: String,
    },
    /// A later version made it.
    #[error(
        "the store {place} has format {found}, but this version of Portcullis knows format {known}; run the version that wrote it, or a later one"
    )]
    Newer {
        /// Where.
        place: String,
        /// What it has.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// What it says of itself does not open.
    #[error("the store {place} is damaged: {why}; put a backup of the database back")]
    Damaged {
        /// Where.
        place: String,
        /// What.
        why: String,
    },
    /// A copy was to be taken in where a store is.
    #[error(
        "there is a store in {place} already, and a copy is taken in where none is; name another database, or drop its schema `portcullis` with all that it holds, and import again"
    )]
    NotEmpty {
        /// Where.
        place: String,
    },
    /// Something else makes or fills the store now.
    #[error(
        "somebody else makes the store {place} just now, or takes an import in; try again when that has ended"
    )]
    Busy {
        /// Where.
        place: String,
    },
    /// The system gave no random bytes for a new store.
    #[error("the system gives no random bytes for a new store; try again when it has started up")]
    Randomness,
    /// The store refused a request.
    #[error("the store is in doubt: {0}")]
    Store(#[from] StoreError),
}

impl From<OpenError> for StoreError {
    // Whatever a new connection is refused for, nothing was sent on it.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error,
            other => Self::Unavailable(other.to_string()),
        }
    }
}
