//! `levada publish`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use ingest::publish::{OnLoss, Options, Passes, publish};
use ingest::rtmp::client::Target;
use packager::isobmff::demux::{Demuxed, demux};
use tokio_util::sync::CancellationToken;

use crate::observe::trace;

/// A file is read into memory whole; a longer one wants a real encoder.
const MAX_FILE: u64 = 2 << 30;

/// Publish an MP4 file over RTMP as an encoder would, in real time, again and again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada publish film.mp4 rtmp://localhost/live/KEY\n  \
                        levada publish --once film.mp4 rtmp://localhost/live/KEY")]
pub(super) struct Arguments {
    /// An MP4 file with H.264, AAC, or both.
    file: PathBuf,
    /// Where to: server, application and stream key.
    url: String,
    /// Play the file once instead of in a loop.
    #[arg(long)]
    once: bool,
    /// Connect again when the connection is lost.
    #[arg(long)]
    reconnect: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    trace::start("info")?;
    let named = || arguments.file.display().to_string();
    let length = std::fs::metadata(&arguments.file).with_context(named)?.len();
    if length > MAX_FILE {
        bail!("{} has {length} bytes; a file to publish may have 2 GiB", named());
    }
    let file = media(std::fs::read(&arguments.file).with_context(named)?.into()).with_context(named)?;
    let target = Target::parse(&arguments.url)?;
    let options = Options {
        passes: if arguments.once { Passes::One } else { Passes::Endless },
        on_loss: if arguments.reconnect { OnLoss::Reconnect } else { OnLoss::Fail },
    };
    super::block_on(async {
        let stop = CancellationToken::new();
        let told = stop.clone();
        tokio::spawn(async move {
            // Without a signal handler Ctrl-C ends the process, which is a fine end too.
            let _ = tokio::signal::ctrl_c().await;
            told.cancel();
        });
        Ok(publish(&file, &target, options, &stop).await?)
    })
}

/// Reads a file's samples.
pub(super) fn media(bytes: Bytes) -> anyhow::Result<Demuxed> {
    Ok(demux(bytes)?)
}

/// Publishes for as long as the future lives, whatever the server does.
pub(super) async fn run_until_dropped(file: Demuxed, url: String) {
    let options = Options { passes: Passes::Endless, on_loss: OnLoss::Reconnect };
    let published = match Target::parse(&url) {
        Ok(target) => {
            publish(&file, &target, options, &CancellationToken::new()).await.map_err(|it| it.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = published {
        tracing::error!("the sample is not published: {error}");
    }
}
