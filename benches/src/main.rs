//! Measures Levada beside its peers: how long, how much processor time, how much memory.
//!
//! `scripts/bench` builds what this needs and starts it. Publishers and viewers live in this process, servers in
//! others, so that a server's processor time is its own. Nothing is asserted: figures are printed.

mod blocked;
mod client;
mod delay;
mod encoder;
mod figure;
mod load;
mod process;
mod server;

use std::path::PathBuf;

use anyhow::{Context, bail};

use figure::Figure;

/// Where things are.
struct Setup {
    /// The `levada` to be measured.
    levada: PathBuf,
    /// The directory of `sample.mp4`, `1mbit.mp4` and `6mbit.mp4`.
    media: PathBuf,
    /// How often servers take turns.
    rounds: u32,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(levada), Some(media)) = (arguments.next(), arguments.next()) else {
        bail!("usage: levada-benches LEVADA MEDIA [delay|one|hundred|blocked]…");
    };
    let rounds = std::env::var("LEVADA_BENCH_ROUNDS").ok().map_or(Ok(2), |it| it.parse())?;
    let setup = Setup { levada: levada.into(), media: media.into(), rounds };
    let mut wanted: Vec<String> = arguments.map(|it| it.to_string_lossy().into_owned()).collect();
    if wanted.is_empty() {
        wanted = ["delay", "one", "hundred", "blocked"].map(str::to_owned).into();
    }
    process::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut figures: Vec<Figure> = Vec::new();
    for name in &wanted {
        eprintln!("measuring: {name}");
        let measured = match name.as_str() {
            "delay" => runtime.block_on(delay::measure(&setup)),
            "one" => runtime.block_on(load::one(&setup)),
            "hundred" => runtime.block_on(load::hundred(&setup)),
            "blocked" => runtime.block_on(blocked::measure(&setup)),
            _ => bail!("there is no figure called {name}"),
        };
        figures.extend(measured.with_context(|| name.clone())?);
    }
    figure::print(&figures);
    Ok(())
}
