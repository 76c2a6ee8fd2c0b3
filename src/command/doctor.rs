//! `levada doctor`.

use std::process::ExitCode;

use packager::vod::Report;
use serde::Serialize;

use super::probe;

/// Say what is wrong with films and sets, and what to do about it: times at which renditions of a set are cut elsewhere,
/// lengths that differ, key frames that are missing, codecs that some players lack.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada doctor film.set.json\n  levada doctor films/*.mp4\n  \
                        levada doctor --json https://media.example.com/films/film.mp4\n\n\
                        Exit codes: 0 nothing is wrong with any of them, 1 something is.")]
pub(super) struct Arguments {
    /// Films, set files or directories of sets, or their URLs.
    #[arg(value_name = "PATH|URL", required = true)]
    what: Vec<String>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// What was found in one of them.
#[derive(Serialize)]
struct Finding<'a> {
    path: &'a str,
    /// A sentence each.
    problems: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let findings: Vec<Finding> =
        arguments.what.iter().map(|path| Finding { path, problems: examine(path) }).collect();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for it in &findings {
            if it.problems.is_empty() {
                println!("{}: nothing is wrong with it", it.path);
            }
            it.problems.iter().for_each(|problem| println!("{}: {problem}", it.path));
        }
    }
    let healthy = findings.iter().all(|it| it.problems.is_empty());
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One that cannot be read or played is a finding as the others are: the rest is to be looked at all the same.
fn examine(what: &str) -> Vec<String> {
    let inspected = probe::open(what).and_then(|(titles, path)| {
        super::block_on(async move { titles.inspect(&path).await.map_err(anyhow::Error::msg) })
    });
    match inspected {
        Ok((report, files)) => problems(&report, &files),
        Err(error) => vec![super::sentence(&error)],
    }
}

fn problems(report: &Report, files: &[String]) -> Vec<String> {
    let left_out = report.left_out.iter().map(|it| {
        let file = files.get(it.file).map_or("", String::as_str);
        format!("the track at byte {} of {file} is not played: {}", it.offset, it.reason)
    });
    let limited = report.tracks.iter().filter(|it| it.players != "all").map(|it| {
        let other = if it.picture.is_some() { "H.264" } else { "AAC" };
        format!(
            "{}: {} is played by {} alone; for all others list a file with {other} in its set",
            it.name, it.format, it.players
        )
    });
    // Where another track of its kind plays everywhere nobody is left without.
    let everywhere = |pictures: bool| {
        report.tracks.iter().any(|it| it.picture.is_some() == pictures && it.players == "all")
    };
    let both = everywhere(true) && everywhere(false);
    let limited = limited.filter(|_| !both);
    left_out.chain(report.remarks.iter().cloned()).chain(limited).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_played_is_a_finding_and_what_is_well_is_none() {
        let media = concat!(env!("CARGO_MANIFEST_DIR"), "/packager/tests/media/");
        assert_eq!(examine("/nowhere/film.mp4"), ["there is no /nowhere/film.mp4"]);
        assert_eq!(examine(&format!("{media}audio.m4a")), ["it has no pictures"]);
    }

    #[test]
    fn a_directory_of_a_set_is_looked_at_as_one_title() {
        let media = concat!(env!("CARGO_MANIFEST_DIR"), "/packager/tests/media/");
        let root = tempfile::tempdir().unwrap();
        let set = root.path().join("film.set");
        std::fs::create_dir(&set).unwrap();
        for (name, file) in [("360.mp4", "bframes.mp4"), ("540.mp4", "hybrid.mp4")] {
            std::fs::copy(format!("{media}{file}"), set.join(name)).unwrap();
        }
        let set = set.to_str().unwrap();
        assert_eq!(examine(set), Vec::<String>::new());
        std::fs::write(format!("{set}/720.mp4"), "no film").unwrap();
        let found = examine(set);
        assert!(
            matches!(found.as_slice(), [it] if it.starts_with("720.mp4 cannot be played: ")),
            "{found:?}"
        );
    }
}
