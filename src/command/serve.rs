//! `levada serve`.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::Source;
use crate::observe::trace;
use crate::serve::{self, Extras, Running};

/// Take publishers and viewers until told to stop (SIGTERM or Ctrl-C); SIGHUP reloads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada serve\n  levada serve --config /etc/levada/levada.toml\n  \
                        levada serve --set app.live.publish=open")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(arguments: Arguments) -> ExitCode {
    let config = match arguments.source.load() {
        Ok(it) => it,
        Err(problems) => return super::problems(&problems),
    };
    let served = trace::start(&config.observe.log).map_err(anyhow::Error::from).and_then(|()| {
        super::block_on(async {
            let source = arguments.source.clone();
            let load = Box::new(move || source.load().map_err(|it| it.to_string()));
            let running = serve::start(config, Extras { load, signer: None }).await?;
            announce(&running);
            until_told(running, || {}).await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(&error),
    }
}

fn announce(running: &Running) {
    let listeners = [
        ("rtmp", running.rtmp),
        ("http", running.http),
        ("https", running.https),
        ("control http", running.control),
    ];
    let addresses: Vec<_> =
        listeners.iter().filter_map(|(scheme, it)| Some(format!("{scheme}://{}", (*it)?))).collect();
    tracing::info!("levada {} listens on {}", env!("CARGO_PKG_VERSION"), addresses.join(", "));
}

/// Serves until a signal says to stop, does what comes `before` that, and stops; a second signal stops at once.
pub(super) async fn until_told(running: Running, before: impl FnOnce()) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match running.reload() {
                Ok(message) => tracing::info!("{message}"),
                Err(problems) => tracing::error!("nothing was reloaded:\n{problems}"),
            },
        }
    }
    before();
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopped");
    Ok(())
}
