//! `levada keygen`: a key pair for signing URLs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use aws_lc_rs::rand;

use crate::access::sign::{Algorithm, NewKeys};
use crate::new_file::{self, Readers};

/// Make a key pair for signing URLs and cookies.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  levada keygen                      an RSA key, which every CloudFront library can sign with
  levada keygen --ecdsa              an ECDSA key, whose signatures are much shorter
  levada keygen --id KVIEWERS --out /etc/levada/keys")]
pub struct Keygen {
    /// Make an ECDSA key on P-256 instead of an RSA key of 2048 bits
    #[arg(long)]
    ecdsa: bool,
    /// Where the two files go
    #[arg(long, value_name = "DIR", default_value = "keys")]
    out: PathBuf,
    /// The key's id, which URLs carry as Key-Pair-Id [default: a random one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Writes the key pair and prints what to configure.
///
/// # Errors
/// One sentence when a file cannot be written or is there already.
pub fn run(keygen: &Keygen) -> anyhow::Result<()> {
    let id = match &keygen.id {
        Some(it) => it.clone(),
        None => random_id(),
    };
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    ensure!(
        !id.is_empty() && id.len() <= 64 && id.bytes().all(is_plain),
        "a key's id has 1 to 64 letters, digits, - or _"
    );
    let keys = NewKeys::generate(if keygen.ecdsa { Algorithm::Ecdsa } else { Algorithm::Rsa })?;
    fs::create_dir_all(&keygen.out).with_context(|| format!("cannot make {}", keygen.out.display()))?;
    let private = keygen.out.join(format!("{id}.private.pem"));
    let public = keygen.out.join(format!("{id}.pub.pem"));
    new_file::write(&private, &keys.private, Readers::Owner)?;
    new_file::write(&public, &keys.public, Readers::Everyone)?;
    print!("{}", explanation(&id, &private, &public));
    Ok(())
}

fn explanation(id: &str, private: &Path, public: &Path) -> String {
    let (private, public) = (private.display(), public.display());
    format!(
        "\
# {private} signs; keep it secret. {public} checks; it belongs into levada.toml:

[[public_key]]
id = \"{id}\"
file = \"{public}\"

[[key_group]]
name = \"viewers\"
keys = [\"{id}\"]

# A behavior with trusted_key_groups = [\"viewers\"] then wants signatures. To sign:
# levada sign https://… --private-key {private}
"
    )
}

/// Looks like CloudFront's: `K` and 13 letters or digits.
pub(super) fn random_id() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = [0; 13];
    rand::fill(&mut random).expect("the system gives random bytes");
    let letter = |it: u8| char::from(LETTERS[usize::from(it % 32)]);
    std::iter::once('K').chain(random.into_iter().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::access::sign::Signer;

    #[test]
    fn a_key_pair_is_written_once_and_the_private_key_is_its_owners_alone() {
        let directory = std::env::temp_dir().join(format!("levada-keygen-{}", random_id()));
        for (id, ecdsa) in [("KRSA", false), ("KEC", true)] {
            let keygen = Keygen { ecdsa, out: directory.clone(), id: Some(id.to_owned()) };
            run(&keygen).unwrap();
            let private = directory.join(format!("{id}.private.pem"));
            assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
            Signer::from_pem(id, &fs::read(&private).unwrap()).unwrap();
            assert!(run(&keygen).is_err());
        }
        let traversing = Keygen { ecdsa: true, out: directory.clone(), id: Some("../K".to_owned()) };
        assert!(run(&traversing).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_random_id_looks_like_cloudfronts() {
        let id = random_id();
        assert_eq!((id.len(), id.as_bytes()[0]), (14, b'K'));
    }
}
