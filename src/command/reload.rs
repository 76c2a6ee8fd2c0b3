//! `levada reload`.

use anyhow::bail;
use serde_json::Value;

use super::{Source, operate};

/// Have a running server load its configuration and certificates again, and say what changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada reload\n  levada reload --config /etc/levada/levada.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (_, said) = operate::post(&arguments.source, "/api/reload", &Value::Null)?;
    let message = operate::message(&said);
    if said.get("reloaded") == Some(&true.into()) {
        println!("{message}");
        return Ok(());
    }
    bail!("nothing was reloaded: {message}")
}
