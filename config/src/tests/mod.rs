//! What the sections do together. Values of one kind are tested beside their parsers.

use std::path::Path;

use crate::problem::Problems;
use crate::{Config, Found, Sources, resolve};

mod hostile;
mod mistakes;
mod overrides;
mod rules;
mod samples;
mod settings;

/// Resolves a file in a world where every path is what it should be.
fn resolve_text(text: &str, sets: &[&str]) -> Result<Config, Problems> {
    resolve_with(Some(text), &[], sets)
}

fn resolve_with(text: Option<&str>, environment: &[(&str, &str)], sets: &[&str]) -> Result<Config, Problems> {
    let sets: Vec<_> = sets.iter().map(|&it| it.to_owned()).collect();
    resolve(&Sources {
        file: text.map(|it| ("levada.toml", it)),
        base: Path::new("/etc/levada"),
        here: Path::new("/home/me"),
        environment: environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        sets: &sets,
        look: &as_named,
    })
}

/// What is called `missing` is missing; what has an extension is a file, the rest are directories.
fn as_named(path: &Path) -> Found {
    match path.extension() {
        _ if path.to_string_lossy().contains("missing") => Found::Nothing,
        Some(_) => Found::File,
        None => Found::Directory,
    }
}
