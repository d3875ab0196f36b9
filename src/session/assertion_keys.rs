//! The keys that sign assertions: Ed25519 (RFC 8032). The private half is kept in the store
//! under its seal and leaves this file as signatures alone; the public half is for everybody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::keys::{KeyRingError, kept_or_made};
use crate::clock::UnixMillis;
use crate::random;
use crate::store::Store;

/// What kind of token an assertion is, so that none of another kind is taken for one
/// (RFC 8725 section 3.11).
const TYPE: &str = "portcullis-assertion+jwt";

/// The key that signs, and what portals verify with. It has no `Debug`.
pub struct AssertionKeys {
    pair: Ed25519KeyPair,
    /// The head of every assertion, encoded.
    head: String,
    jwks: String,
}

impl AssertionKeys {
    /// Reads the ring, making the first key when there is none.
    ///
    /// # Errors
    /// When the store or the record is in doubt.
    pub async fn load_or_make(store: &dyn Store, now: UnixMillis) -> Result<Self, KeyRingError> {
        let first = || serde_json::to_vec(&Written::first()?).map_err(|_| KeyRingError::Malformed);
        Self::read(&kept_or_made(store, now, b"assertion-signing-keys", first).await?)
    }

    /// The JSON Web Key Set (RFC 7517, RFC 8037): the present key, and the one before it while
    /// assertions of it may still be under way.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// A token that says `claims`.
    pub(super) fn sign(&self, claims: &serde_json::Value) -> String {
        let mut token = format!("{}.{}", self.head, encoded(claims.to_string()));
        let signature = self.pair.sign(token.as_bytes());
        token.push('.');
        token.push_str(&encoded(signature));
        token
    }

    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let malformed = KeyRingError::Malformed;
        let Ok(written) = serde_json::from_slice::<Written>(bytes) else { return Err(malformed) };
        let seed = Zeroizing::new(decoded(&written.seed)?);
        // Refused unless the two halves belong together.
        let pair = Ed25519KeyPair::from_seed_and_public_key(&*seed, &decoded(&written.public)?);
        let pair = pair.map_err(|_| malformed)?;
        let head = json!({ "alg": "EdDSA", "typ": TYPE, "kid": name_of(&written.public) });
        let mut keys = vec![public_key(&written.public)];
        if let Some(previous) = &written.previous {
            decoded(previous)?;
            keys.push(public_key(previous));
        }
        let jwks = json!({ "keys": keys }).to_string();
        Ok(Self { pair, head: encoded(head.to_string()), jwks })
    }
}

/// The ring as it stands in the store. Of a key that signs no more, nothing private is kept.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Written {
    seed: String,
    public: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl Written {
    fn first() -> Result<Self, KeyRingError> {
        let seed = Zeroizing::new(random::bytes::<32>()?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed);
        let pair = pair.map_err(|_| KeyRingError::Malformed)?;
        let (seed, public) = (encoded(*seed), encoded(pair.public_key()));
        Ok(Self { seed, public, previous: None })
    }
}

fn public_key(public: &str) -> serde_json::Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": public,
        "use": "sig",
        "alg": "EdDSA",
        "kid": name_of(public),
    })
}

/// A key is named by its thumbprint (RFC 7638, RFC 8037 section 2), which it cannot share.
fn name_of(public: &str) -> String {
    encoded(Sha256::digest(format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{public}\"}}")))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Result<[u8; 32], KeyRingError> {
    let mut bytes = [0; 32];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
    match length {
        Ok(32) => Ok(bytes),
        Ok(_) | Err(_) => Err(KeyRingError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{AssertionKeys, Written, name_of};

    /// RFC 8037, appendix A: a pair, its thumbprint, and a signature over a text.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ring(seed: &str, public: &str, previous: Option<&str>) -> Option<AssertionKeys> {
        let written = Written {
            seed: seed.to_owned(),
            public: public.to_owned(),
            previous: previous.map(str::to_owned),
        };
        AssertionKeys::read(&serde_json::to_vec(&written).unwrap()).ok()
    }

    #[test]
    fn a_signature_and_a_name_are_those_of_the_standard() {
        let keys = ring(SEED, PUBLIC, None).unwrap();
        assert_eq!(name_of(PUBLIC), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = super::encoded(keys.pair.sign(text));
        assert_eq!(
            signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn the_key_before_is_published_too_and_nothing_private_is() {
        let before = super::encoded([7; 32]);
        let keys = ring(SEED, PUBLIC, Some(&before)).unwrap();
        let set: serde_json::Value = serde_json::from_str(keys.jwks()).unwrap();
        let named = |at: usize, name: &str| set["keys"][at][name].as_str().unwrap().to_owned();
        assert_eq!([named(0, "x"), named(1, "x")], [PUBLIC.to_owned(), before.clone()]);
        assert_eq!([named(0, "kid"), named(1, "kid")], [name_of(PUBLIC), name_of(&before)]);
        assert!(!keys.jwks().contains(SEED) && !keys.jwks().contains("\"d\""));
        let head = serde_json::json!({
            "alg": "EdDSA", "typ": "portcullis-assertion+jwt", "kid": name_of(PUBLIC)
        });
        assert_eq!(keys.head, super::encoded(head.to_string()));
    }

    #[test]
    fn halves_of_two_pairs_are_no_ring() {
        assert!(ring(SEED, &super::encoded([7; 32]), None).is_none());
        assert!(ring("", PUBLIC, None).is_none());
        assert!(ring(SEED, PUBLIC, Some("short")).is_none());
        assert!(AssertionKeys::read(b"{}").is_err());
        let first = serde_json::to_vec(&Written::first().unwrap()).unwrap();
        assert!(AssertionKeys::read(&first).is_ok());
    }
}
