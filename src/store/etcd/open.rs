//! Opening the store on etcd, and refusing to. An emptied, foreign or half-filled place is told
//! from the right one here, before anyone is taken for not enrolled; and codes of before are
//! burned where etcd was set back.

use etcd_client::{Compare, CompareOp, GetOptions, ResponseHeader, Txn, TxnOp, TxnOpResponse};

use super::layout::{DRAFT, FLOOR, Layout, MARK};
use super::mark;
use super::members::{Members, Trouble, reader};
use super::refusal::OpenError;
use super::transact::Floor;
use super::vault::Vault;
use crate::clock::UnixMillis;
use crate::config::EtcdConfig;
use crate::store::StoreError;
use crate::store::keyring::Keyring;
use crate::store::records::{Codec, FORMAT};
use crate::store::stamp::{BadStamp, Stamp, StampKeys};

/// What lies at a place.
pub(super) struct Ground {
    /// The identity of the store that lies there.
    identity: Option<Vec<u8>>,
    /// Whether an import was begun there.
    pub(super) is_draft: bool,
    /// Whether nothing lies there at all.
    pub(super) is_empty: bool,
    pub(super) header: ResponseHeader,
}

/// Opens the store of `config`, and makes it where nothing lies.
pub(super) async fn open(
    config: &EtcdConfig,
    keyring: &Keyring,
    now: UnixMillis,
) -> Result<Vault, OpenError> {
    let words = config.place.clone();
    let members = Members::of(config)?;
    let layout = Layout::new(config.prefix.clone());
    let unreachable = |source| OpenError::Unreachable { place: words.clone(), source };
    let ground = loop {
        let ground = survey(&members, &layout).await.map_err(unreachable)?;
        match (&ground.identity, ground.is_draft, ground.is_empty) {
            (Some(_), ..) => break ground,
            (None, true, _) => return Err(OpenError::HalfFilled { place: words }),
            (None, false, false) => return Err(OpenError::Nameless { place: words }),
            // Whoever makes it first decides; the others look again.
            (None, false, true) => make(&members, &layout, keyring, &words).await?,
        }
    };
    let stamp = ground.identity.unwrap_or_default();
    let store = recognise(&stamp, keyring, &words)?;
    let codec = Codec::new(keyring, &store);
    let vault = Vault::new(members, layout, codec, stamp, &ground.header);
    begin(&vault, now).await.map_err(unreachable)?;
    Ok(vault)
}

/// Looks at what lies at a place.
pub(super) async fn survey(members: &Members, layout: &Layout) -> Result<Ground, StoreError> {
    let (from, to) = layout.all();
    let any = GetOptions::new().with_range(to).with_limit(1).with_keys_only();
    let question = Txn::new().and_then([
        TxnOp::get(layout.identity(), None),
        TxnOp::get(layout.key(DRAFT), None),
        TxnOp::get(from, Some(any)),
    ]);
    let asking = members.ask(|client| {
        let question = question.clone();
        async move { reader(&client).txn(question).await }
    });
    let mut answer = asking.await?;
    let strange = || StoreError::Unavailable("etcd answers what it was not asked".to_owned());
    let header = answer.take_header().ok_or_else(strange)?;
    let mut found = answer.op_responses().into_iter().map(|answer| match answer {
        TxnOpResponse::Get(mut got) => got.take_kvs().into_iter().next(),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    });
    let (Some(identity), Some(draft), Some(any)) = (found.next(), found.next(), found.next())
    else {
        return Err(strange());
    };
    let identity = identity.map(|kv| kv.into_key_value().1);
    Ok(Ground { identity, is_draft: draft.is_some(), is_empty: any.is_none(), header })
}

/// What a new store begins with.
pub(super) struct Beginning {
    /// Its identity.
    pub(super) stamp: Vec<u8>,
    /// What seals its records.
    pub(super) codec: Codec,
}

impl Beginning {
    /// That of a store that there never was.
    pub(super) fn new(keyring: &Keyring) -> Result<Self, OpenError> {
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|_| OpenError::Randomness)?;
        let stamp = Stamp { store, sequence: 0 }.to_bytes(&StampKeys::new(keyring));
        Ok(Self { stamp, codec: Codec::new(keyring, &store) })
    }

    /// What puts it there.
    pub(super) fn ops(&self, layout: &Layout, floor: Floor) -> Result<[TxnOp; 2], StoreError> {
        let floor = self.codec.encode(FLOOR, &floor.to_entry(1))?;
        Ok([
            TxnOp::put(layout.identity(), self.stamp.clone(), None),
            TxnOp::put(layout.key(FLOOR), floor, None),
        ])
    }
}

/// Holds where nothing lies behind the prefix.
pub(super) fn nothing_lies_there(layout: &Layout) -> Compare {
    let (from, to) = layout.all();
    Compare::create_revision(from, CompareOp::Equal, 0).with_range(to)
}

// All of it in one step: who opens the store a moment later finds it whole, mark included.
async fn make(
    members: &Members,
    layout: &Layout,
    keyring: &Keyring,
    words: &str,
) -> Result<(), OpenError> {
    let unreachable = |source| OpenError::Unreachable { place: words.to_owned(), source };
    let mark = mark::first(members).await.map_err(unreachable)?;
    let beginning = Beginning::new(keyring)?.ops(layout, Floor::default()).map_err(unreachable)?;
    let mark = TxnOp::put(layout.key(MARK), mark, None);
    let ops: Vec<_> = beginning.into_iter().chain([mark]).collect();
    let tx = Txn::new().when([nothing_lies_there(layout)]).and_then(ops);
    let made = members.write(tx).await;
    if made.map_err(Trouble::of_writing).map_err(unreachable)?.succeeded() {
        tracing::info!(place = words, "nothing lay there, so a new store was made");
    }
    Ok(())
}

fn recognise(stamp: &[u8], keyring: &Keyring, words: &str) -> Result<[u8; 16], OpenError> {
    let place = words.to_owned();
    match Stamp::read(stamp, &StampKeys::new(keyring)) {
        Ok(stamp) => Ok(stamp.store),
        Err(BadStamp::OtherKey) => Err(OpenError::OtherKey { place }),
        Err(BadStamp::Newer(found)) => Err(OpenError::Newer { place, found, known: FORMAT.into() }),
        Err(BadStamp::Damaged) => {
            Err(OpenError::Damaged { place, what: "its identity does not open" })
        }
    }
}

async fn begin(vault: &Vault, now: UnixMillis) -> Result<(), StoreError> {
    if mark::was_set_back(vault).await? {
        vault.raise_floor(now).await?;
    }
    mark::put(vault).await?;
    let look = vault.look(&[FLOOR.to_vec()]).await?;
    let floor = vault.open(FLOOR, look.found.first().and_then(Option::as_ref))?;
    vault.is_new_epoch(Floor::of(floor.as_ref())?.epoch);
    vault.told.send_replace(look.revision);
    Ok(())
}
