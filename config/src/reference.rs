//! The reference of options, written from the settings themselves.

use std::fmt::Write as _;

use crate::resolve::SETTINGS;
use crate::setting::{Default, Kind, Reload, Setting};
use crate::value::quoted;

const OPENING: &str = "\
# Options

This file is written by the program's own tables; `LEVADA_BLESS=1 cargo nextest run -p levada-config` writes it anew.

Options stand in `levada.toml`. Each can be overridden by the environment and, over that, by `--set`: a path of names
with dots between them, list elements by position or by name. In the environment the path is in capitals, after
`LEVADA_`, with two underscores for each dot.

    levada serve --set listen.http=0.0.0.0:80 --set app.live.publish=open
    LEVADA_LISTEN__HTTP=0.0.0.0:80 LEVADA_PACKAGING__PART=500ms levada serve

Times are a whole number and `ms`, `s`, `m`, `h` or `d`; sizes a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`.
Paths are relative to the directory of the file, in overrides to the current directory. A reload takes new values,
except of options marked **restart**: it names those that changed and keeps the old ones until the next start.

A file replaces the built-in `app` when it has one, and the built-in `origin` and `distribution` together when it has
either.
";

/// Every option with its kind, default, bounds and when to set it, as Markdown.
pub fn reference() -> String {
    let mut page = OPENING.to_owned();
    write_section(&mut page, "At the top", "", SETTINGS);
    page
}

fn write_section(page: &mut String, heading: &str, path: &str, settings: &[Setting]) {
    let mut line =
        |text: std::fmt::Arguments<'_>| writeln!(page, "{text}").expect("a String takes everything");
    line(format_args!("\n## {heading}\n"));
    line(format_args!("| Option | Value | Default | When to set it |\n|---|---|---|---|"));
    for setting in settings {
        let Setting { key, kind, default, when, .. } = setting;
        let restart = if setting.reload == Reload::NeedsRestart { " **restart**" } else { "" };
        let cells = [
            format!("`{key}`{restart}"),
            kind.describe(),
            describe_default(kind, default),
            (*when).to_owned(),
        ];
        line(format_args!("| {} |", cells.map(|it| it.replace('|', "\\|")).join(" | ")));
    }
    for setting in settings.iter().filter(|it| !it.inner().is_empty()) {
        let path = if path.is_empty() { setting.key.to_owned() } else { format!("{path}.{}", setting.key) };
        let heading = match setting.kind {
            Kind::Tables(..) => format!("`[[{path}]]`"),
            _ => format!("`[{path}]`"),
        };
        write_section(page, &heading, &path, setting.inner());
    }
}

fn describe_default(kind: &Kind, default: &Default) -> String {
    match default {
        Default::Required => "must be written".into(),
        Default::Value(raw, why) => format!("`{}`: {why}", quoted(kind, raw)),
        Default::Absent(meaning) => (*meaning).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_written_reference_is_that_of_the_code() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md");
        if std::env::var_os("LEVADA_BLESS").is_some() {
            std::fs::write(file, super::reference()).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(written == super::reference(), "docs/options.md is old; LEVADA_BLESS=1 writes it anew");
    }
}
