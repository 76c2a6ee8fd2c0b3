//! Broken films, each made of a sound one by a change: what is said of them, and that nothing worse happens.
//!
//! What is refused is refused in a sentence that names the box and where it stands; what can be played is played without
//! what is broken, and whatever is served of it is whole. Work and memory are bounded by the file, not by what it says.

mod boxes;
mod files;
mod fragments;
mod opened;
mod surgery;
mod tables;
mod tracks;
mod words;
