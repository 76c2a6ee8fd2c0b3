//! `levada check`.

use std::process::ExitCode;

use super::Source;

/// Say whether a configuration is right: all its problems, each with its line and what to write instead.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  levada check\n  levada check --config /etc/levada/levada.toml --set listen.http=0.0.0.0:80"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.source.load() {
        Ok(_) => {
            let name =
                arguments.source.file().map_or("the built-in default".into(), |it| it.display().to_string());
            println!("{name}: no problems");
            ExitCode::SUCCESS
        }
        Err(problems) => super::problems(&problems),
    }
}
