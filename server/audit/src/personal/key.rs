//! The key of one person, and the boxes that are made and opened with it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use sha2::{Digest as _, Sha256};

use super::{Binding, Personal, PersonalError};

const HEAD: &[u8] = b"quorate person key\n";

/// The key of one person. It is never printed but by [`People::text`].
#[derive(Clone)]
pub struct PersonKey {
    id: String,
    bytes: [u8; 32],
    key: LessSafeKey,
}

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonKey({})", self.id)
    }
}

impl PersonKey {
    /// # Errors
    /// `NoRandom`.
    pub fn fresh() -> Result<Self, PersonalError> {
        let mut bytes = [0; 32];
        let random = SystemRandom::new();
        random
            .fill(&mut bytes)
            .map_err(|_| PersonalError::NoRandom)?;
        Self::of_bytes(&bytes)
    }

    /// # Errors
    /// `NoKey` if these are not 32 bytes.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, PersonalError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| PersonalError::NoKey)?;
        let mut hasher = Sha256::new();
        hasher.update(HEAD);
        hasher.update(bytes);
        let digest: [u8; 32] = hasher.finalize().into();
        let id = URL_SAFE_NO_PAD.encode(digest.get(..24).unwrap_or_default());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| PersonalError::NoKey)?;
        Ok(Self {
            id,
            bytes,
            key: LessSafeKey::new(key),
        })
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself, for the place it is kept in.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The part as entries carry it.
    ///
    /// # Errors
    /// `NoRandom`, `CannotSeal`.
    pub fn seal(&self, personal: &Personal, to: &Binding) -> Result<String, PersonalError> {
        let mut nonce = [0; NONCE_LEN];
        let random = SystemRandom::new();
        random
            .fill(&mut nonce)
            .map_err(|_| PersonalError::NoRandom)?;
        let mut text = serde_json::to_vec(personal).map_err(|_| PersonalError::CannotSeal)?;
        let nonce_given = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_given, Aad::from(to.data(&self.id)), &mut text)
            .map_err(|_| PersonalError::CannotSeal)?;
        let mut part = self.id.clone();
        part.push('.');
        STANDARD.encode_string([nonce.as_slice(), &text].concat(), &mut part);
        Ok(part)
    }

    /// What a box of this key holds; `None` if it is none, or another entry's.
    #[must_use]
    pub fn open(&self, sealed: &str, of: &Binding) -> Option<Personal> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let further = Aad::from(of.data(&self.id));
        let text = self.key.open_in_place(nonce, further, text).ok()?;
        serde_json::from_slice(text).ok()
    }
}

/// Key and box of a part.
#[must_use]
pub fn split(part: &str) -> Option<(&str, &str)> {
    part.split_once('.').filter(|(id, _)| id.len() == 32)
}
