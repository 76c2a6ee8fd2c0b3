//! Samples in; parts, segments and manifests out.
//!
//! The crate has never heard of RTMP or HTTP, and opens no file and no socket. A publisher pushes samples in
//! through [`live::Publisher`]; whoever serves viewers pulls windows and fragments out. Everything is a heart but
//! the three modules of [`live`] that own tasks, and those stand behind the default feature `net`.
//!
//! ```text
//! Sample ─▶ live::broadcast ─▶ segmenter ─▶ isobmff ─▶ hls, dash ─▶ live::window ─▶ viewers
//! asset::Source ─▶ isobmff ─▶ vod::index ─▶ vod::plan ─▶ (protect) ─▶ isobmff, mpegts ─▶ hls, dash ─▶ viewers
//! asset::Source ─▶ text ─▶ vod ─▶ hls, dash ─▶ viewers
//! ```

pub mod asset;
pub mod codec;
pub mod dash;
pub mod flv;
pub mod hls;
pub mod isobmff;
pub mod live;
pub mod media;
pub mod mpegts;
pub mod protect;
pub mod segmenter;
pub mod text;
pub mod vod;
