//! HLS playlists (RFC 8216bis): media playlists, multivariant playlists, delivery directives.

pub mod media;
pub mod multivariant;
