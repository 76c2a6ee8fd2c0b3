//! `levada init`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::sign::{Algorithm, NewKeys};

/// The sample that is written, and the key id in it that is replaced.
const SAMPLE: &str = include_str!("../../samples/levada.toml");
const SAMPLE_KEY_ID: &str = "K2JCJMDEHXQW5F";

/// Write a commented levada.toml, a key pair for signed URLs and a stream key; nothing is overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada init\n  levada init /etc/levada")]
pub(super) struct Arguments {
    /// Where to; made when it is not there.
    #[arg(default_value = ".")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let directory = &arguments.directory;
    let file = |name: &str| directory.join(name);
    let (config, stream_keys) = (file("levada.toml"), file("stream-keys.toml"));
    let (private, public) = (file("keys/viewer.pem"), file("keys/viewer.pub.pem"));
    if let Some(there) = [&config, &stream_keys, &private, &public].into_iter().find(|it| it.exists()) {
        bail!("{} is there already; nothing was written", there.display());
    }
    fs::create_dir_all(file("keys")).with_context(|| file("keys").display().to_string())?;
    fs::create_dir_all(file("media")).with_context(|| file("media").display().to_string())?;

    let (id, stream_key) = (key_id(), random_text(18));
    let keys = NewKeys::generate(Algorithm::Rsa)?;
    write(&private, &keys.private, 0o600)?;
    write(&public, &keys.public, 0o644)?;
    write(
        &stream_keys,
        &format!("# \"secret stream key\" = \"public-name\"\n\"{stream_key}\" = \"main\"\n"),
        0o600,
    )?;
    write(&config, &SAMPLE.replace(SAMPLE_KEY_ID, &id).replace(" samples/levada.toml", ""), 0o644)?;

    println!("Wrote {}, a key pair below {} and a stream key.", config.display(), file("keys").display());
    println!();
    println!("  In OBS    server rtmp://localhost/live");
    println!("            key    {stream_key}");
    println!("  Films     put MP4 files into {}", file("media").display());
    println!("  Start     levada serve --config {}", config.display());
    println!(
        "  Watch     levada sign 'http://localhost:8080/watch/live/main' \
         --resource 'http://localhost:8080/live/main/*' --key-pair-id {id} --private-key {}",
        private.display()
    );
    Ok(())
}

/// `K` and 13 letters and digits, as CloudFront's are.
fn key_id() -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let pick = |octet: u8| char::from(letters[usize::from(octet) % letters.len()]);
    std::iter::once('K').chain(random::<13>().into_iter().map(pick)).collect()
}

fn random_text(octets: usize) -> String {
    URL_SAFE_NO_PAD.encode(&random::<32>()[..octets])
}

fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).expect("the system gives random bytes");
    octets
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(named)?;
    file.write_all(text.as_bytes()).with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_right_and_written_once() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = Arguments { directory: directory.path().join("new") };
        run(&arguments).unwrap();
        let file = directory.path().join("new/levada.toml");
        let config = config::load(Some(&file), std::iter::empty(), &[]).unwrap();
        assert_eq!(config.access.public_keys.len(), 1);
        assert_ne!(config.access.public_keys[0].id, SAMPLE_KEY_ID);
        // The README's table names both prefixes.
        let behaves = |path: &str| {
            config.distributions[0].behaviors.iter().any(|it| it.path_pattern.literal_prefix() == path)
        };
        assert!(behaves("/live/") && behaves("/vod/"));
        assert!(run(&arguments).unwrap_err().to_string().contains("is there already"));
    }
}
