//! Encryption at rest: seals and opens bytes with one key, and keeps the id of that key with the database, so that another
//! key is refused instead of mixed in. Where the key comes from is the server's business; it is never stored here.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use base64::{Engine, alphabet, engine};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, Result, Tx, sql};

const NONCE: usize = 24;
const KEY_ID: &str = "encryption_key_id";

/// The key of this server. Cheap to clone; prints nothing but its id.
#[derive(Clone)]
pub struct Secrets {
    cipher: Arc<XChaCha20Poly1305>,
    key_id: Arc<str>,
}

/// What the database says about the key that its secrets were sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedKey {
    pub key_id: String,
    /// How many block documents and webhooks need it.
    pub secrets: i64,
}

impl Secrets {
    /// Reads a key: 32 bytes in base64, of either alphabet, padded or not.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let lenient =
            engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent);
        let engine = engine::GeneralPurpose::new(&alphabet::STANDARD, lenient);
        let standard = text.trim().replace('-', "+").replace('_', "/");
        let bytes = engine.decode(standard).map_err(|_| "it is not base64".to_owned())?;
        let length = bytes.len();
        let key: [u8; 32] = bytes.try_into().map_err(|_| format!("it holds {length} bytes instead of 32"))?;
        Ok(Self::from_key(&key))
    }

    pub fn from_key(key: &[u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"tidegate encryption key").chain_update(key).finalize();
        let key_id: String = hex(&digest[..8]);
        Self { cipher: Arc::new(XChaCha20Poly1305::new(key.into())), key_id: key_id.into() }
    }

    /// A new random key, as the text of its file.
    pub fn generate() -> Result<String> {
        let mut key = [0u8; 32];
        fill(&mut key)?;
        Ok(engine::general_purpose::STANDARD.encode(key))
    }

    /// Names the key without telling anything of it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts `plain` for the row `id`; the result opens for that row only.
    pub fn seal(&self, id: Uuid, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0u8; NONCE];
        fill(&mut nonce)?;
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: id.as_bytes() })
            .map_err(|_| Error::Secret("a value is too large to be encrypted".into()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts what `seal` made for the row `id` with the key named `key_id`.
    pub fn open(&self, id: Uuid, key_id: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        if key_id != self.key_id() {
            return Err(Error::Secret(format!(
                "the secret of {id} is encrypted with the key {key_id}, but this server has the key {}; start the \
                 server with the key that it was written with",
                self.key_id
            )));
        }
        let damaged = || {
            Error::Secret(format!(
                "the secret of {id} cannot be decrypted: its stored data was changed or damaged; restore it from a \
                 backup, or delete it and save it again"
            ))
        };
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: id.as_bytes() }).map_err(|_| damaged())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SysRng.try_fill_bytes(bytes).map_err(|error| Error::Secret(format!("the system gives no random bytes: {error}")))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.key_id).finish()
    }
}

impl Tx {
    /// The key that this database's secrets are sealed with; `None` before the first start.
    pub async fn read_recorded_key(&mut self) -> Result<Option<RecordedKey>> {
        let recorded: Option<String> =
            self.optional(&sql!("SELECT value FROM configuration WHERE key = $1", KEY_ID), |row| row.parse()).await?;
        let count =
            "SELECT (SELECT count(*) FROM block_document) + (SELECT count(*) FROM webhook WHERE key_id IS NOT NULL)";
        let secrets = self.one(&sql!(count), |row| row.next()).await?;
        Ok(recorded.map(|key_id| RecordedKey { key_id, secrets }))
    }

    /// Records the server's key. A database that holds secrets of another key keeps that key's id.
    pub async fn record_key(&mut self, secrets: &Secrets) -> Result<RecordedKey> {
        self.execute(&sql!(
            "INSERT INTO configuration (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE \
             SET value = excluded.value WHERE NOT EXISTS (SELECT 1 FROM block_document) \
             AND NOT EXISTS (SELECT 1 FROM webhook WHERE key_id IS NOT NULL)",
            KEY_ID,
            crate::value::json(secrets.key_id()),
        ))
        .await?;
        let recorded = self.read_recorded_key().await?;
        recorded.ok_or_else(|| Error::Conflict("the recorded key vanished while it was written".into()))
    }

    /// Refuses to seal with a key other than the recorded one: another server may have been started with its own.
    pub(crate) async fn require_key(&mut self, secrets: &Secrets) -> Result<()> {
        let recorded: Option<String> =
            self.optional(&sql!("SELECT value FROM configuration WHERE key = $1", KEY_ID), |row| row.parse()).await?;
        match recorded {
            Some(recorded) if recorded == secrets.key_id() => Ok(()),
            recorded => Err(Error::Secret(format!(
                "secrets of this database are encrypted with the key {}, but this server has the key {}; start every \
                 server of one database with the same encryption key",
                recorded.as_deref().unwrap_or("of another server"),
                secrets.key_id()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::from_key(&[7; 32])
    }

    #[test]
    fn what_is_sealed_opens_for_its_row_only() {
        let id = Uuid::from_u128(1);
        let sealed = secrets().seal(id, b"hush").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"hush"));
        assert_eq!(secrets().open(id, secrets().key_id(), &sealed).unwrap(), b"hush");
        assert!(secrets().open(Uuid::from_u128(2), secrets().key_id(), &sealed).is_err());
    }

    #[test]
    fn no_two_seals_are_alike() {
        let id = Uuid::from_u128(1);
        assert_ne!(secrets().seal(id, b"hush").unwrap(), secrets().seal(id, b"hush").unwrap());
    }

    #[test]
    fn damage_and_another_key_are_told_apart() {
        let id = Uuid::from_u128(1);
        let mut sealed = secrets().seal(id, b"hush").unwrap();
        let other = Secrets::from_key(&[8; 32]);
        let error = other.open(id, secrets().key_id(), &sealed).unwrap_err().to_string();
        assert!(error.contains(secrets().key_id()) && error.contains(other.key_id()), "{error}");
        *sealed.last_mut().unwrap() ^= 1;
        let error = secrets().open(id, secrets().key_id(), &sealed).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
        assert!(secrets().open(id, secrets().key_id(), b"short").is_err());
    }

    #[test]
    fn keys_are_read_in_every_spelling_of_base64() {
        let key = [0xfb; 32];
        let id = Secrets::from_key(&key).key_id().to_owned();
        let padded = engine::general_purpose::STANDARD.encode(key);
        let url_safe = engine::general_purpose::URL_SAFE.encode(key);
        for text in [&padded, &url_safe, &padded.replace('=', ""), &format!("{padded}\n")] {
            assert_eq!(Secrets::from_text(text).unwrap().key_id(), id, "{text}");
        }
        assert!(Secrets::from_text("c2hvcnQ=").unwrap_err().contains("5 bytes"));
        assert!(Secrets::from_text("not base64!").is_err());
        assert!(Secrets::from_text(&Secrets::generate().unwrap()).is_ok());
    }
}
