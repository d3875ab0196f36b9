//! A user asks for a colleague's reset. Whoever vouches hears the same whether or not there is
//! such a colleague, and whether or not somebody else has asked before.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PATIENCE, RequestFault, ResetRequest, Way, Wish, begun, busy};
use crate::account::record::{read, write};
use crate::account::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::notify::News;
use crate::store::{Expect, Key, Space, StoreError, Write};

/// How often somebody may vouch within a day.
pub const MOST_VOUCHES: usize = 5;
const WINDOW: Duration = Duration::from_secs(24 * 3600);
const VOUCHER: u8 = b'v';

/// What came of a vouch.
pub enum Vouched {
    /// The desk has it.
    Asked(ResetRequest),
    /// The desk has one of that colleague already.
    Joined(ResetRequest),
    /// Somebody vouches too often.
    TooOften,
}

/// When somebody vouched of late.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vouches {
    at: Vec<UnixMillis>,
}

impl Accounts {
    /// Writes down that `voucher`, a user of the same portal, vouched for a colleague. It counts
    /// against what a voucher may do in a day, whatever comes of it.
    ///
    /// # Errors
    /// [`RequestFault::TooLong`], or when it is not on disk.
    pub async fn vouch(
        &self,
        now: UnixMillis,
        voucher: AccountId,
        wish: Wish<'_>,
    ) -> Result<Vouched, RequestFault> {
        for _ in 0..PATIENCE {
            let Some(counted) = self.one_vouch_more(now, voucher).await? else {
                return Ok(Vouched::TooOften);
            };
            let (vouched, writes) = match self.undecided(now, wish.account).await? {
                Some(held) => (Vouched::Joined(held.request), vec![counted]),
                None => {
                    let request = self.new_request(now, wish, Way::Vouched).await?;
                    let mut writes = begun(now, wish.account, &request)?;
                    writes.push(counted);
                    writes.extend(self.news(now, News::ResetRequested, request.about())?);
                    (Vouched::Asked(request), writes)
                }
            };
            match self.store.commit(now, writes).await {
                Ok(_) => return Ok(vouched),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy().into())
    }

    /// The write that counts one more, unless there were enough.
    async fn one_vouch_more(
        &self,
        now: UnixMillis,
        voucher: AccountId,
    ) -> Result<Option<Write>, AccountError> {
        let key = voucher_key(voucher);
        let found = self.store.get(now, &key).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Is(found.version));
        let mut vouches: Vouches = match &found {
            Some(found) => read(&found.value)?,
            None => Vouches::default(),
        };
        vouches.at.retain(|at| now < at.plus(WINDOW));
        if vouches.at.len() >= MOST_VOUCHES {
            return Ok(None);
        }
        vouches.at.push(now);
        let write = Write::put(key, write(&vouches)?, Some(now.plus(WINDOW)));
        Ok(Some(write.expecting(expect)))
    }
}

fn voucher_key(voucher: AccountId) -> Key {
    Key::new(Space::Request, [&[VOUCHER], &voucher.portal.0[..], &voucher.sub.0[..]].concat())
}
