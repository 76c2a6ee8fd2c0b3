//! Any file, with any override behind a NUL, is read or refused.

#![no_main]

use std::path::Path;

use config::stream_keys::StreamKeys;
use config::{Found, Sources, resolve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0').map(str::to_owned);
    let file = parts.next().unwrap_or_default();
    let sets: Vec<_> = parts.collect();
    let sources = Sources {
        file: Some(("levada.toml", &file)),
        base: Path::new("/etc/levada"),
        here: Path::new("/"),
        environment: Vec::new(),
        sets: &sets,
        look: &|path| if path.extension().is_some() { Found::File } else { Found::Directory },
    };
    match resolve(&sources) {
        Ok(config) => assert!(config.needs_restart(&config).is_empty()),
        Err(problems) => assert!(problems.count() > 0 && !problems.to_string().is_empty()),
    }
    let _ = StreamKeys::parse("keys.toml", &file);
});
