//! Measures Levada beside its peers: how long, how much processor time, how much memory.
//!
//! `scripts/bench` builds what this needs and starts it. Publishers and viewers live in this process, servers in
//! others, so that a server's processor time is its own. Nothing is asserted: figures are printed.

mod blocked;
mod client;
mod delay;
mod edge;
mod encoder;
mod figure;
mod load;
mod process;
mod server;
mod vod;

use std::path::PathBuf;

use anyhow::bail;

use figure::Figure;

/// Where things are.
struct Setup {
    /// The `levada` to be measured.
    levada: PathBuf,
    /// The directory of the films that `scripts/bench` makes.
    media: PathBuf,
    /// How often servers take turns.
    rounds: u32,
    /// How many files this process, and each server, may open.
    descriptors: u64,
}

fn main() -> anyhow::Result<()> {
    let all: Vec<String> = std::env::args().collect();
    if let [_, "http3", url, certificate, seconds] = &*all.iter().map(String::as_str).collect::<Vec<_>>() {
        return edge::viewers_over_http3(url, certificate, seconds.parse()?);
    }
    let mut arguments = std::env::args_os().skip(1);
    let (Some(levada), Some(media)) = (arguments.next(), arguments.next()) else {
        bail!(
            "usage: levada-benches LEVADA MEDIA [delay|one|hundred|blocked|hits|http3|storm|followers|idle|vod]…"
        );
    };
    let rounds = std::env::var("LEVADA_BENCH_ROUNDS").ok().map_or(Ok(2), |it| it.parse())?;
    let descriptors = process::raise_descriptors();
    let setup = Setup { levada: levada.into(), media: media.into(), rounds, descriptors };
    let mut wanted: Vec<String> = arguments.map(|it| it.to_string_lossy().into_owned()).collect();
    if wanted.is_empty() {
        let all =
            ["delay", "one", "hundred", "blocked", "hits", "http3", "storm", "followers", "idle", "vod"];
        wanted = all.map(str::to_owned).into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut figures: Vec<Figure> = Vec::new();
    for name in &wanted {
        eprintln!("measuring: {name}");
        match runtime.block_on(measure(&setup, name)) {
            Ok(measured) => figures.extend(measured),
            Err(error) => {
                // What was measured before it took minutes.
                figure::print(&figures);
                return Err(error.context(name.clone()));
            }
        }
    }
    figure::print(&figures);
    Ok(())
}

async fn measure(setup: &Setup, name: &str) -> anyhow::Result<Vec<Figure>> {
    match name {
        "delay" => delay::measure(setup).await,
        "one" => load::one(setup).await,
        "hundred" => load::hundred(setup).await,
        "blocked" => blocked::measure(setup).await,
        "hits" => edge::hits(setup).await,
        "http3" => edge::http3(setup).await,
        "storm" => edge::storm(setup).await,
        "followers" => edge::followers(setup).await,
        "idle" => edge::idle(setup).await,
        "vod" => vod::measure(setup).await,
        _ => bail!("there is no figure called {name}"),
    }
}
