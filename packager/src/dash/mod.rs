//! DASH manifests (ISO 23009-1): a plain model, and its rendering.

mod mpd;

pub use mpd::{
    AboutSet, AdaptationSet, ContentProtection, FrameRate, Live, Mpd, Period, Representation, Segment,
    Segments, TextSet, Type,
};
