//! `levada init`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keygen::random_id;
use crate::access::sign::{Algorithm, NewKeys};
use crate::new_file::{self, Readers};

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

    let (id, stream_key) = (random_id(), random_text());
    let keys = NewKeys::generate(Algorithm::Rsa)?;
    new_file::write(&private, &keys.private, Readers::Owner)?;
    new_file::write(&public, &keys.public, Readers::Everyone)?;
    new_file::write(
        &stream_keys,
        &format!("# \"secret stream key\" = \"public-name\"\n\"{stream_key}\" = \"main\"\n"),
        Readers::Owner,
    )?;
    let sample = SAMPLE.replace(SAMPLE_KEY_ID, &id).replace(" samples/levada.toml", "");
    new_file::write(&config, &sample, Readers::Everyone)?;

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

fn random_text() -> String {
    let mut octets = [0; 18];
    aws_lc_rs::rand::fill(&mut octets).expect("the system gives random bytes");
    URL_SAFE_NO_PAD.encode(octets)
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
