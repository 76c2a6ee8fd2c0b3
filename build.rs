//! Finds the player that the watch page embeds. Never touches the network: `npm ci` has put it there, or the page
//! says what is missing.

use std::path::Path;
use std::{env, fs};

const PLAYER: &str = "node_modules/hls.js/dist/hls.min.js";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PLAYER}");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts");
    let player = fs::read(Path::new(&root).join(PLAYER)).unwrap_or_default();
    if player.is_empty() {
        println!(
            "cargo::warning={PLAYER} is missing: the watch page will not play until `npm ci` and a new build"
        );
    }
    fs::write(Path::new(&out).join("hls.js"), player).expect("OUT_DIR is writable");
}
