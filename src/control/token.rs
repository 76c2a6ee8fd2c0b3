//! The bearer token of the control address: made at first start, kept in the state directory with mode 0600.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::new_file::{self, Readers};

/// Its name in the state directory.
const FILE: &str = "control-token";
/// Random octets of a token.
const OCTETS: usize = 24;
/// A token file longer than this was not written by us.
const MAX_FILE: usize = 256;

/// A token; prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads `{state_dir}/control-token`, making it when it is not there.
    ///
    /// # Errors
    /// When it can neither be read nor made, with its name.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        match Self::of_server(state_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::make();
                new_file::write(&state_dir.join(FILE), &format!("{}\n", token.0), Readers::Owner)?;
                Ok(token)
            }
            read => read,
        }
    }

    /// Reads the token of the server that keeps its state in `state_dir`.
    ///
    /// # Errors
    /// When it cannot be read, with its name.
    pub fn of_server(state_dir: &Path) -> io::Result<Self> {
        let file = state_dir.join(FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
        let text = fs::read_to_string(&file).map_err(named)?;
        Self::read(&text)
            .ok_or_else(|| named(io::Error::other("it holds no token; delete it to get a new one")))
    }

    fn make() -> Self {
        let mut octets = [0; OCTETS];
        aws_lc_rs::rand::fill(&mut octets).expect("the system gives random bytes");
        Self(URL_SAFE_NO_PAD.encode(octets))
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        let fits = (16..=MAX_FILE).contains(&text.len()) && text.bytes().all(legal);
        fits.then(|| Self(text.to_owned()))
    }

    /// Whether an `Authorization` field carries it; takes equally long whatever is wrong with it.
    pub fn allows(&self, authorization: Option<&str>) -> bool {
        let given = authorization.and_then(|it| it.strip_prefix("Bearer ")).unwrap_or_default();
        aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), self.0.as_bytes()).is_ok()
    }

    /// The text, for the link that is printed at start.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let token = Token::open(directory.path()).unwrap();
        assert_eq!(Token::open(directory.path()).unwrap(), token);
        let mode = fs::metadata(directory.path().join("control-token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn who_asks_for_a_servers_token_makes_none() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Token::of_server(directory.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert!(refused.to_string().contains("control-token"), "{refused}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_token_is_asked_for_as_a_bearer() {
        let token = Token("abcdefghijklmnop".into());
        assert!(token.allows(Some("Bearer abcdefghijklmnop")));
        for wrong in [None, Some("abcdefghijklmnop"), Some("Bearer "), Some("Bearer abcdefghijklmnoq")] {
            assert!(!token.allows(wrong), "{wrong:?}");
        }
    }
}
