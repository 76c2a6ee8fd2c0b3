//! `levada invalidate`.

use anyhow::bail;
use http::StatusCode;
use serde_json::json;

use super::{Source, operate};

/// Have a running server forget what it keeps of some paths or tags.
///
/// What viewers ask for from then on is fetched anew. A path may end with a star and then means all that begins so; a
/// query that is in the cache key is part of the path. With `--soft` what is kept counts as stale instead: it is validated,
/// and given meanwhile, or while the origin fails, where stale answers are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  levada invalidate '/films/trailer.mp4*'
  levada invalidate / '/images/*' '/list.json?page=1'
  levada invalidate --soft '/*'                         ask the origin whether what is kept still holds
  levada invalidate --distribution tv '#series-7'       all answers with that tag in Cache-Tag, Surrogate-Key or xkey")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The distribution's id; it can be left out where there is only one.
    #[arg(short, long, value_name = "ID")]
    distribution: Option<String>,
    /// Have it validated before it is given again, rather than fetched anew.
    #[arg(long)]
    soft: bool,
    /// `/path`, `/path*` or `#tag`.
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let batch =
        json!({ "distribution": arguments.distribution, "items": arguments.items, "soft": arguments.soft });
    let (status, said) = operate::post(&arguments.source, "/api/invalidations", &batch)?;
    if status.is_server_error() {
        // What holds may not be called nothing.
        bail!("{}", operate::message(&said));
    }
    if status != StatusCode::CREATED {
        bail!("nothing was invalidated: {}", operate::message(&said));
    }
    let word = |key: &str| said.get(key).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    let count = arguments.items.len();
    let items = if count == 1 { "item" } else { "items" };
    println!("{} {}: {count} {items} of {}", word("id"), word("status"), word("distribution"));
    Ok(())
}
