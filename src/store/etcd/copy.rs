//! A copy of the store as it is at one revision, which etcd keeps for a while: whatever is written
//! meanwhile comes later, so nothing is read twice.

use etcd_client::GetOptions;
use tokio::sync::mpsc;

use super::layout::{after, behind};
use super::vault::Vault;
use crate::store::judge::leaf;
use crate::store::records::{key_of, within};
use crate::store::{Copied, Space, StoreError};

/// Records that are read at once.
const PAGE: i64 = 256;

/// Gives all records of `spaces` to `out`.
pub(super) async fn copy(
    vault: &Vault,
    spaces: &[Space],
    out: &mpsc::Sender<Copied>,
) -> Result<(), StoreError> {
    let revision = vault.look(&[]).await?.revision;
    for space in spaces {
        copy_space(vault, *space, revision, out).await?;
    }
    Ok(())
}

async fn copy_space(
    vault: &Vault,
    space: Space,
    revision: i64,
    out: &mpsc::Sender<Copied>,
) -> Result<(), StoreError> {
    let mut from = vault.layout.key(&within(space, &[]));
    let to = behind(from.clone());
    loop {
        let options = GetOptions::new().with_limit(PAGE).with_revision(revision);
        let page = vault.range(from.clone(), to.clone(), options).await?.found;
        let Some(last) = page.last() else { return Ok(()) };
        from = after(last.key().to_vec());
        for kv in &page {
            let address = vault.layout.address(kv.key()).unwrap_or_default();
            let entry = vault.codec.decode(address, kv.value())?;
            let nobody = |_| StoreError::Unavailable("nobody takes the copy any more".to_owned());
            out.send(Copied::New(key_of(address)?, leaf(entry)?)).await.map_err(nobody)?;
        }
    }
}
