//! What a store on PostgreSQL knows of itself, sealed like any record: up to where all codes
//! count as spent, and which history its server wrote when that was last looked at.

use tokio_postgres::Client;
use zeroize::Zeroizing;

use super::server::History;
use super::sql::columns;
use crate::clock::UnixMillis;
use crate::store::StoreError;
use crate::store::records::{Codec, Entry, Kind, STATE};

/// One time step ahead of the clock, the furthest a code can have been spent.
const AHEAD: u64 = 30;

/// What the store knows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Registers do not go to this number or below.
    pub(super) floor: u64,
    /// The history that its server writes.
    pub(super) history: History,
}

impl Facts {
    /// The facts once every code up to `now` counts as spent.
    pub(super) fn burned(self, now: UnixMillis) -> Self {
        Self { floor: self.floor.max(now.seconds().saturating_add(AHEAD)), ..self }
    }

    /// What of them lies in the store.
    pub(super) fn decode(codec: &Codec, stored: &[u8]) -> Result<Self, StoreError> {
        let entry = codec.decode(STATE, stored)?;
        Self::from_bytes(&entry.payload)
            .ok_or_else(|| StoreError::Corrupt("what it says of itself".to_owned()))
    }

    /// As they lie in the store.
    pub(super) fn encode(self, codec: &Codec, version: u64) -> Result<Vec<u8>, StoreError> {
        let payload = Zeroizing::new(self.to_bytes());
        codec.encode(STATE, &Entry { kind: Kind::State, version, expires_at: None, payload })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20);
        bytes.extend(self.floor.to_be_bytes());
        bytes.extend(self.history.system.to_be_bytes());
        bytes.extend(self.history.timeline.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (floor, rest) = bytes.split_first_chunk::<8>()?;
        let (system, rest) = rest.split_first_chunk::<8>()?;
        let timeline: [u8; 4] = rest.try_into().ok()?;
        let history =
            History { system: u64::from_be_bytes(*system), timeline: u32::from_be_bytes(timeline) };
        Some(Self { floor: u64::from_be_bytes(*floor), history })
    }
}

/// Reads what stands at `address`, which is no user's record's.
pub(super) async fn stored(
    client: &Client,
    address: &[u8],
) -> Result<Option<Vec<u8>>, tokio_postgres::Error> {
    const READ: &str = "SELECT stored FROM portcullis.record WHERE space = $1 AND id = $2";
    let (space, id) = columns(address);
    client.query_opt(READ, &[&space, &id]).await?.map(|row| row.try_get(0)).transpose()
}

/// Writes what stands there.
pub(super) async fn keep(
    client: &Client,
    address: &[u8],
    stored: &[u8],
) -> Result<(), tokio_postgres::Error> {
    const WRITE: &str = "
        INSERT INTO portcullis.record (space, id, stored) VALUES ($1, $2, $3)
        ON CONFLICT (space, id) DO UPDATE SET stored = excluded.stored";
    let (space, id) = columns(address);
    client.execute(WRITE, &[&space, &id, &stored]).await.map(|_| ())
}

/// The next number of a write.
pub(super) async fn next_version(client: &Client) -> Result<u64, tokio_postgres::Error> {
    let row = client.query_one("SELECT nextval('portcullis.rev')", &[]).await?;
    let number: i64 = row.try_get(0)?;
    Ok(number.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_outlive_their_bytes() {
        let facts = Facts { floor: 1, history: History { system: u64::MAX, timeline: 3 } };
        assert_eq!(Facts::from_bytes(&facts.to_bytes()), Some(facts));
        assert_eq!(Facts::from_bytes(&[0; 19]), None);
        assert_eq!(Facts::from_bytes(&[0; 21]), None);
    }

    #[test]
    fn a_floor_only_rises() {
        let now = UnixMillis::from_seconds(1000);
        assert_eq!(Facts::default().burned(now).floor, 1030);
        assert_eq!(Facts { floor: 2000, ..Facts::default() }.burned(now).floor, 2000);
    }
}
