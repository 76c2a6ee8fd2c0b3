//! `levada check`.

use std::process::ExitCode;

use config::Config;

use super::Source;
use crate::protect::Rules;

/// Say whether a configuration is right: all its problems, each with its line and what to write instead, and whether the
/// lists of addresses and the database of countries that it names can be used.
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
        Ok(config) => {
            let Config { distributions, geo_database, .. } = &config;
            let rules =
                Rules::build(distributions, geo_database.as_deref(), &[], |it| std::fs::read(it), None);
            match rules {
                Ok(rules) => rules.warnings().iter().for_each(|it| eprintln!("warning: {it}")),
                Err(unusable) => {
                    eprintln!("{unusable}\n1 problem");
                    return ExitCode::from(3);
                }
            }
            let name =
                arguments.source.file().map_or("the built-in default".into(), |it| it.display().to_string());
            println!("{name}: no problems");
            ExitCode::SUCCESS
        }
        Err(problems) => super::problems(&problems),
    }
}
