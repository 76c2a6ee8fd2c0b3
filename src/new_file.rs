//! Files that are made once and never written over: keys, tokens, configurations.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: it holds a secret.
    Owner,
    /// Everybody.
    Everyone,
}

/// Makes `file` with `text` in it.
///
/// # Errors
/// When it is there already or cannot be written, with its name.
pub fn write(file: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    let mut made = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(named)?;
    made.write_all(text.as_bytes()).map_err(named)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_its_owners_alone_and_nothing_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        write(&file, "first", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = write(&file, "second", Readers::Everyone).unwrap_err();
        assert!(refused.to_string().contains("key.pem"), "{refused}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    }
}
