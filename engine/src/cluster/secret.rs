//! What the processes of a cluster know and nobody else does: by it they recognise each other.

use std::fmt;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// A shared secret. It is never sent; messages are sealed with it.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// The least number of bytes in a secret: anything shorter can be guessed.
const BYTES_MIN: usize = 16;

impl Secret {
    /// Makes a secret of a text of at least 16 bytes. White space around it does not count.
    ///
    /// ```
    /// use dualgauge_engine::cluster::Secret;
    ///
    /// assert!(Secret::new("tr0ub4dor&3 tr0ub4dor&3").is_ok());
    /// let short = Secret::new("hunter2").unwrap_err();
    /// assert!(short.to_string().contains("at least 16"));
    /// ```
    ///
    /// # Errors
    /// When it is too short.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Secret> {
        let text = text.as_ref().trim_ascii();
        if text.len() < BYTES_MIN {
            let count = text.len();
            return Err(Error::usage(format!(
                "a cluster secret has at least {BYTES_MIN} bytes, and this one has {count}"
            )));
        }
        Ok(Secret(blake3::derive_key("dualgauge 2026 cluster secret", text)))
    }

    /// The secret in a file.
    ///
    /// # Errors
    /// When the file cannot be read, is too short, or can be read by others than its owner.
    pub fn from_file(path: &Path) -> Result<Secret> {
        let place = path.display();
        let unread = |cause| Error::usage(format!("cannot read the cluster secret {place}")).caused_by(cause);
        let mut file = std::fs::File::open(path).map_err(unread)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(unread)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(Error::usage(format!(
                    "the cluster secret {place} can be read by others (its mode is {:03o}); chmod 600 it",
                    mode & 0o777
                )));
            }
        }
        let mut text = Vec::new();
        file.by_ref().take(4096).read_to_end(&mut text).map_err(unread)?;
        Secret::new(&text).map_err(|error| error.at(place))
    }

    /// A new text that nobody can guess, to make a secret of: 64 hexadecimal digits from the system's random generator.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate() -> Result<String> {
        Ok(random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The seal of some bytes: only someone who knows the secret can make it.
    pub(super) fn seal(&self, bytes: &[u8]) -> Seal {
        Seal(blake3::keyed_hash(&self.0, bytes))
    }

    /// A separate key for one use of this secret.
    pub(super) fn key(&self, of: &[u8]) -> [u8; 32] {
        *self.seal(of).bytes()
    }

    /// A separate secret for what two handshakes have agreed on.
    pub(super) fn session(&self, of: &str, seals: [&Seal; 2]) -> Secret {
        let mut bytes = of.as_bytes().to_vec();
        seals.iter().for_each(|seal| bytes.extend(seal.bytes()));
        Secret(self.key(&bytes))
    }
}

impl fmt::Debug for Secret {
    /// Reveals nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The seal of a message: 32 bytes, compared in constant time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal(blake3::Hash);

impl Seal {
    pub(super) const BYTES: usize = blake3::OUT_LEN;

    pub(super) fn bytes(&self) -> &[u8; Seal::BYTES] {
        self.0.as_bytes()
    }

    /// Whether `bytes` are this seal; the time this takes does not reveal where they differ.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        bytes.try_into().is_ok_and(|bytes: [u8; Seal::BYTES]| self.0 == blake3::Hash::from_bytes(bytes))
    }
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|cause| Error::io("the system gives no random bytes (/dev/urandom)", cause))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_is_long_and_another_each_time() {
        let (a, b) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_eq!((a.len(), a == b), (64, false));
        assert!(Secret::new(&a).is_ok());
    }

    #[test]
    fn a_seal_is_its_own_and_no_other() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        let other = Secret::new("0123456789abcdeF").unwrap();
        let seal = secret.seal(b"message");
        assert!(secret.seal(b"message").is(seal.bytes()));
        assert!(!other.seal(b"message").is(seal.bytes()));
        assert!(!secret.seal(b"messagE").is(seal.bytes()));
        assert!(!seal.is(&seal.bytes()[..31]));
        assert!(!format!("{secret:?}").contains("0123"), "it is not printed");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("dualgauge-secret-{}", std::process::id()));
        std::fs::write(&dir, "0123456789abcdef\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let refused = Secret::from_file(&dir).unwrap_err().to_string();
        mode(0o600);
        let taken = Secret::from_file(&dir);
        std::fs::remove_file(&dir).unwrap();
        assert!(refused.contains("chmod 600"), "{refused}");
        let same = Secret::new("0123456789abcdef").unwrap();
        assert!(same.seal(b"x").is(taken.unwrap().seal(b"x").bytes()), "white space around it does not count");
    }
}
