//! Signed notes (c2sp.org/signed-note): text signed by one or more keys, and those keys.
//!
//! Only Ed25519. What a note says is not here; [`crate::checkpoint`] and [`crate::manifest`] know.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// The type byte of plain Ed25519 signatures.
const ED25519_TYPE: u8 = 1;
const DASH: &str = "\u{2014} ";
const PRIVATE: &str = "PRIVATE+KEY+";
/// The most signature lines a note may carry.
const SIGNATURES_MOST: usize = 64;
/// The longest note that is read, in bytes.
pub const NOTE_MOST: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("this is no signed note")]
    Malformed,
    #[error("this is no key")]
    NoKey,
    #[error("the signature of {0} is wrong")]
    WrongSignature(String),
    #[error("no known key signed it")]
    NotSigned,
    #[error("the key cannot sign")]
    CannotSign,
}

/// The name and the id of a key, as signature lines give them: `name+c74f20a3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId {
    pub name: String,
    pub id: [u8; 4],
}

impl KeyId {
    fn of(name: &str, public: &[u8; 32]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(name);
        hasher.update([b'\n', ED25519_TYPE]);
        hasher.update(public);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        Self {
            name: name.to_owned(),
            id: [a, b, c, d],
        }
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d] = self.id;
        write!(f, "{}+{a:02x}{b:02x}{c:02x}{d:02x}", self.name)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

/// A public key, written `name+id+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    key: KeyId,
    public: [u8; 32],
}

impl VerifierKey {
    /// # Errors
    /// `NoKey`, also if the id is not the key's own.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::NoKey)?;
        let (id, encoded) = rest.split_once('+').ok_or(NoteError::NoKey)?;
        let public = of_type(encoded)?;
        let key = KeyId::of(name, &public);
        if !is_name(name) || format!("{name}+{id}") != key.to_string() {
            return Err(NoteError::NoKey);
        }
        Ok(Self { key, public })
    }

    #[must_use]
    pub const fn key(&self) -> &KeyId {
        &self.key
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.key, encoded(&self.public))
    }
}

fn encoded(bytes: &[u8; 32]) -> String {
    STANDARD.encode([&[ED25519_TYPE], bytes.as_slice()].concat())
}

fn of_type(text: &str) -> Result<[u8; 32], NoteError> {
    let bytes = STANDARD.decode(text).map_err(|_| NoteError::NoKey)?;
    match bytes.split_first() {
        Some((&ED25519_TYPE, key)) => key.try_into().map_err(|_| NoteError::NoKey),
        _ => Err(NoteError::NoKey),
    }
}

/// Keys as a file lists them: one a line; empty lines and lines after `#` are left out.
///
/// # Errors
/// `NoKey` if a line is none.
pub fn verifier_keys(text: &str) -> Result<Vec<VerifierKey>, NoteError> {
    key_lines(text).map(VerifierKey::parse).collect()
}

fn key_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A private key, written `PRIVATE+KEY+name+id+base64`. It is never printed but by
/// [`SigningKey::reveal`].
pub struct SigningKey {
    public: VerifierKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// The key that 32 random bytes make.
    ///
    /// # Errors
    /// `NoKey` for a name with spaces or `+`.
    pub fn of_seed(name: &str, seed: [u8; 32]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoteError::NoKey)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| NoteError::NoKey)?;
        if !is_name(name) {
            return Err(NoteError::NoKey);
        }
        let key = KeyId::of(name, &public);
        Ok(Self {
            public: VerifierKey { key, public },
            seed,
            pair,
        })
    }

    /// # Errors
    /// `NoKey`, also if the id is not the key's own.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let rest = text.strip_prefix(PRIVATE).ok_or(NoteError::NoKey)?;
        let (name, rest) = rest.split_once('+').ok_or(NoteError::NoKey)?;
        let (id, encoded) = rest.split_once('+').ok_or(NoteError::NoKey)?;
        let key = Self::of_seed(name, of_type(encoded)?)?;
        if format!("{name}+{id}") != key.public.key.to_string() {
            return Err(NoteError::NoKey);
        }
        Ok(key)
    }

    /// Keys as a file lists them.
    ///
    /// # Errors
    /// `NoKey` if a line is none.
    pub fn all(text: &str) -> Result<Vec<Self>, NoteError> {
        key_lines(text).map(Self::parse).collect()
    }

    #[must_use]
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// The key itself, for the file it is kept in.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PRIVATE}{}+{}", self.public.key, encoded(&self.seed))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public.key)
    }
}

/// A note as it was read: nothing in it is true before [`Note::signers`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<(KeyId, Vec<u8>)>,
}

impl Note {
    /// Signs `text`, which ends in a newline, with every key.
    ///
    /// # Errors
    /// `CannotSign` without a key, `Malformed` for a text that no note can carry.
    pub fn sign(text: &str, keys: &[SigningKey]) -> Result<String, NoteError> {
        if keys.is_empty() {
            return Err(NoteError::CannotSign);
        }
        let mut note = format!("{text}\n");
        for key in keys {
            let signature = key.pair.sign(text.as_bytes());
            let bytes = [key.public.key.id.as_slice(), signature.as_ref()].concat();
            let line = format!("{DASH}{} {}\n", key.public.key.name, STANDARD.encode(bytes));
            note.push_str(&line);
        }
        Self::parse(&note).map(|_| note)
    }

    /// # Errors
    /// `Malformed`.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let is_control = |c: char| c < ' ' && c != '\n';
        if note.len() > NOTE_MOST || note.contains(is_control) || !note.ends_with('\n') {
            return Err(NoteError::Malformed);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let signatures: Option<Vec<_>> = lines.lines().map(signature).collect();
        let signatures = signatures.ok_or(NoteError::Malformed)?;
        if signatures.is_empty() || signatures.len() > SIGNATURES_MOST {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// What it says, if it can be believed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys it names as its signers, believed or not.
    pub fn named(&self) -> impl Iterator<Item = &KeyId> {
        self.signatures.iter().map(|(key, _)| key)
    }

    /// Which of `keys` signed it. Signatures of other keys are left out, as the format wants it.
    ///
    /// # Errors
    /// `WrongSignature` if one of `keys` is said to have signed and did not; `NotSigned`.
    pub fn signers<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for (named, signature) in &self.signatures {
            for key in keys.iter().filter(|key| key.key() == named) {
                if !key.verifies(&self.text, signature) {
                    return Err(NoteError::WrongSignature(named.to_string()));
                }
                if !signers.contains(&key) {
                    signers.push(key);
                }
            }
        }
        match signers.is_empty() {
            true => Err(NoteError::NotSigned),
            false => Ok(signers),
        }
    }
}

fn signature(line: &str) -> Option<(KeyId, Vec<u8>)> {
    let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let key = KeyId {
        name: name.to_owned(),
        id: *id,
    };
    (is_name(name) && !signature.is_empty()).then(|| (key, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    const PRIVATE_KEY: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn\
                             NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    /// The example of c2sp.org/signed-note.
    const OTHER_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const OTHER_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn key() -> SigningKey {
        SigningKey::parse(PRIVATE_KEY).unwrap()
    }

    #[test]
    fn keys_and_signatures_are_the_published_ones() {
        assert_eq!(key().public().to_string(), PUBLIC_KEY);
        assert_eq!(key().reveal(), PRIVATE_KEY);
        let signed = Note::sign(TEXT, &[key()]).unwrap();
        assert_eq!(signed, format!("{TEXT}\n{SIGNATURE}"));
        for (note, key) in [(signed.as_str(), PUBLIC_KEY), (OTHER_NOTE, OTHER_KEY)] {
            let keys = [VerifierKey::parse(key).unwrap()];
            let note = Note::parse(note).unwrap();
            assert_eq!(note.signers(&keys).unwrap(), [&keys[0]]);
        }
    }

    #[test]
    fn a_mangled_key_is_none() {
        for at in 0..PUBLIC_KEY.len() {
            let mut bytes = PUBLIC_KEY.as_bytes().to_vec();
            bytes[at] ^= 1;
            let mangled = String::from_utf8(bytes).unwrap();
            assert!(VerifierKey::parse(&mangled).is_err(), "{mangled}");
            assert!(VerifierKey::parse(&PUBLIC_KEY[..at]).is_err());
            assert!(SigningKey::parse(&PRIVATE_KEY[..at]).is_err());
        }
        // Another type of key with the id that would be its own.
        let other_type = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert!(VerifierKey::parse(other_type).is_err());
    }

    #[test]
    fn a_changed_text_is_not_signed() {
        let signed = Note::sign(TEXT, &[key()]).unwrap();
        let keys = [key().public().clone()];
        let changed = Note::parse(&signed.replacen("answer", "ansver", 1)).unwrap();
        assert!(matches!(
            changed.signers(&keys),
            Err(NoteError::WrongSignature(_))
        ));
    }

    #[test]
    fn unknown_signatures_are_left_out_and_a_wrong_one_of_a_known_key_is_not() {
        let mine = key();
        let second = SigningKey::of_seed("PeterNeumann", [7; 32]).unwrap();
        let signed = Note::sign(
            TEXT,
            &[key(), SigningKey::of_seed("PeterNeumann", [7; 32]).unwrap()],
        );
        let note = Note::parse(&signed.unwrap()).unwrap();
        let (first, both) = (
            [mine.public().clone()],
            [mine.public().clone(), second.public().clone()],
        );
        assert_eq!(note.signers(&first).unwrap().len(), 1);
        assert_eq!(note.signers(&both).unwrap().len(), 2);
        assert_eq!(note.named().count(), 2);
        let stranger = [SigningKey::of_seed("PeterNeumann", [8; 32])
            .unwrap()
            .public()
            .clone()];
        assert_eq!(note.signers(&stranger), Err(NoteError::NotSigned));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let good = Note::sign(TEXT, &[key()]).unwrap();
        for wrong in [
            "",
            "text\n",
            "text\n\n",
            "text\n\nmore\n",
            &good.replace("\n\n", "\n"),
            good.trim_end(),
            &good.replace("If", "\u{1}f"),
            &good.replace("\u{2014} ", "- "),
            &format!("{good}\n"),
            &format!("{good}trailing\n"),
            &good.replace("x08g", "x08"),
        ] {
            assert!(Note::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Note::sign("no newline", &[key()]).is_err());
        assert!(Note::sign(TEXT, &[]).is_err());
        assert!(SigningKey::of_seed("two words", [1; 32]).is_err());
    }

    #[test]
    fn a_private_key_is_not_printed() {
        assert_eq!(format!("{:?}", key()), "SigningKey(PeterNeumann+c74f20a3)");
    }
}
