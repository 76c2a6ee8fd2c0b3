//! The command line: a file per command.
//!
//! Exit codes: 0 it worked, 1 it did not, 2 it was asked wrongly, 3 the configuration has problems.

mod check;
mod demo;
mod doctor;
mod init;
mod invalidate;
pub mod keygen;
mod operate;
mod probe;
mod publish;
mod reload;
mod serve;
pub mod sign;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use config::Config;
use config::problem::Problems;

/// How long threads that read or write files may take to end with their command.
const LEAVE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  levada demo                              see it work, with nothing to configure
  levada init && levada serve              a server of your own in this directory
  levada check                             is levada.toml right?
  levada publish film.mp4 rtmp://localhost/live/KEY
  levada probe film.mp4                    what is in it, and what plays it?
  levada doctor film.set.json              what is wrong with it, and what to do?
  levada sign http://localhost:8080/vod/film.mp4/index.m3u8 --help

Exit codes: 0 it worked, 1 it did not, 2 it was asked wrongly, 3 the configuration has problems.";

/// Live streams and films, packaged and served through an edge cache that behaves like CloudFront.
#[derive(Debug, Parser)]
#[command(name = "levada", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Check(check::Arguments),
    Publish(publish::Arguments),
    Probe(probe::Arguments),
    Doctor(doctor::Arguments),
    Sign(sign::Sign),
    Keygen(keygen::Keygen),
    Invalidate(invalidate::Arguments),
    Reload(reload::Arguments),
    Completions(Completions),
    Man(Man),
}

/// Print completions for a shell, such as `levada completions bash > /etc/bash_completion.d/levada`.
#[derive(Debug, clap::Args)]
struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

/// Print the manual page, as in `levada man | man -l -`.
#[derive(Debug, clap::Args)]
struct Man {}

/// Where a configuration comes from.
#[derive(Clone, Debug, clap::Args)]
struct Source {
    /// The configuration; without it `levada.toml` of this directory, and without that the built-in default.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override an option, as in `--set listen.http=0.0.0.0:80`; may be repeated. The environment does the same:
    /// `LEVADA_LISTEN__HTTP=0.0.0.0:80`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl Source {
    /// The file it is read from, if any.
    fn file(&self) -> Option<PathBuf> {
        let own = || Some(PathBuf::from("levada.toml")).filter(|it| it.exists());
        self.config.clone().or_else(own)
    }

    /// Loads it.
    fn load(&self) -> Result<Config, Problems> {
        config::load(self.file().as_deref(), std::env::vars(), &self.sets)
    }
}

/// Does what was asked.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Init(it) => init::run(&it),
        Command::Serve(it) => return serve::run(it),
        Command::Demo(it) => demo::run(&it),
        Command::Check(it) => return check::run(&it),
        Command::Publish(it) => publish::run(&it),
        Command::Probe(it) => probe::run(&it),
        Command::Doctor(it) => match doctor::run(&it) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Sign(it) => sign::run(&it),
        Command::Keygen(it) => keygen::run(&it),
        Command::Invalidate(it) => invalidate::run(&it),
        Command::Reload(it) => reload::run(&it),
        Command::Completions(it) => {
            let mut command = Arguments::command();
            clap_complete::generate(it.shell, &mut command, "levada", &mut std::io::stdout());
            Ok(())
        }
        Command::Man(_) => clap_mangen::Man::new(Arguments::command())
            .render(&mut std::io::stdout())
            .map_err(anyhow::Error::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says what did not work; exit code 1.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("levada: {}", sentence(error));
    ExitCode::FAILURE
}

/// An error and its causes in a line, each told once: many errors name their cause themselves.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        if told.is_empty() {
            cause
        } else if told.contains(&cause) {
            told
        } else {
            format!("{told}: {cause}")
        }
    })
}

/// Says what is wrong with a configuration; exit code 3.
fn problems(problems: &Problems) -> ExitCode {
    eprintln!("{problems}");
    let count = problems.count();
    eprintln!("{count} problem{}", if count == 1 { "" } else { "s" });
    ExitCode::from(3)
}

/// Runs what talks to the network. What still hangs on a disk when it has ended is left behind.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_timeout(LEAVE);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_an_error_names_itself_is_told_once() {
        let taken = || std::io::Error::other("the port is taken");
        let started = anyhow::Error::from(crate::serve::CannotStart::System(taken()));
        assert_eq!(sentence(&started), "the port is taken");
        assert_eq!(sentence(&started.context("no server")), "no server: the port is taken");
        let lost = anyhow::Error::from(taken()).context("it was lost: the port is taken");
        assert_eq!(sentence(&lost), "it was lost: the port is taken");
    }

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }
}
