//! The shell of this crate: reads the file and looks at paths.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::Config;
use crate::ingest::Publish;
use crate::problem::{Place, Problem, Problems};
use crate::resolve::{Sources, resolve};
use crate::section::Found;
use crate::stream_keys::StreamKeys;
use crate::units::ByteSize;

/// Longer than any configuration a person wrote; a device or a film named by mistake is not read to its end.
const LONGEST_FILE: u64 = 4 << 20;

/// A million keys of common length.
const LONGEST_KEYS: u64 = 64 << 20;

/// Loads a configuration: the file over the embedded default, the environment over the file, `sets` over both.
/// Without a file, relative paths are relative to the current directory.
///
/// The environment is the caller's to read: `std::env::vars` panics at a variable of anybody's that is not UTF-8, so
/// it should come from `std::env::vars_os`.
///
/// # Errors
/// Every problem there is, those of files of stream keys included.
pub fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    sets: &[String],
) -> Result<Config, Problems> {
    let here = std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("/"));
    let text = path.map(|it| read(it, LONGEST_FILE)).transpose()?;
    let name = path.map(|it| it.display().to_string());
    let base =
        path.and_then(|it| here.join(it).parent().map(Path::to_path_buf)).unwrap_or_else(|| here.clone());
    let config = resolve(&Sources {
        file: name.as_deref().zip(text.as_deref()),
        base: &base,
        here: &here,
        environment: environment.collect(),
        sets,
        look: &look,
    })?;
    let problems: Vec<_> = config.apps.iter().filter_map(|it| keys_problems(&it.publish)).flatten().collect();
    if problems.is_empty() { Ok(config) } else { Err(Problems::new(problems)) }
}

/// Reads a file of stream keys.
///
/// # Errors
/// Every problem of it.
pub fn load_stream_keys(path: &Path) -> Result<StreamKeys, Problems> {
    StreamKeys::parse(&path.display().to_string(), &read(path, LONGEST_KEYS)?)
}

fn keys_problems(publish: &Publish) -> Option<Vec<Problem>> {
    let Publish::KeysFile(path) = publish else { return None };
    let problems = load_stream_keys(path).err()?;
    Some(problems.iter().cloned().collect())
}

fn read(path: &Path, longest: u64) -> Result<String, Problems> {
    let problem = |wrong: String| {
        let place = Place::File { file: path.display().to_string().into(), line: 0 };
        let remedy = "make it a readable text file, or name another".into();
        Problems::new(vec![Problem { place, key: String::new(), wrong, remedy }])
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(longest + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > longest => {
            Err(problem(format!("the file is longer than {}", ByteSize(longest))))
        }
        Ok(_) => Ok(text),
        Err(why) => Err(problem(format!("the file cannot be read: {why}"))),
    }
}

fn look(path: &Path) -> Found {
    match std::fs::metadata(path) {
        Ok(it) if it.is_dir() => Found::Directory,
        Ok(_) => Found::File,
        Err(_) => Found::Nothing,
    }
}
