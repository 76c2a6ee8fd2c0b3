//! How the pictures of a track look, whatever codes them.

/// Code points of ITU-T H.273, as `colr` carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colour_primaries`; 1 is BT.709.
    pub primaries: u8,
    /// `transfer_characteristics`; 16 is PQ, 18 is HLG.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// Whether sample values use the whole range.
    pub full_range: bool,
}

impl Colour {
    /// Says nothing: players guess from the picture's size.
    pub const UNSPECIFIED: Self = Self { primaries: 2, transfer: 2, matrix: 2, full_range: false };

    /// Which light the sample values mean.
    pub const fn range(self) -> Range {
        match self.transfer {
            16 => Range::Pq,
            18 => Range::Hlg,
            _ => Range::Standard,
        }
    }
}

/// The dynamic range of pictures, as HLS tells it (RFC 8216bis 4.4.6.2, `VIDEO-RANGE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// Standard dynamic range.
    #[default]
    Standard,
    /// Hybrid log-gamma.
    Hlg,
    /// Perceptual quantizer: HDR10 and Dolby Vision.
    Pq,
}

impl Range {
    /// `SDR`, `HLG` or `PQ`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "SDR",
            Self::Hlg => "HLG",
            Self::Pq => "PQ",
        }
    }
}

/// `aspect_ratio_idc` (ITU-T H.273 table 8); 0 is unspecified, and zeros change nothing.
pub(super) const ASPECTS: [(u16, u16); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// Size, shape and colour of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Coded width in pixels after cropping.
    pub width: u16,
    /// Coded height in pixels after cropping.
    pub height: u16,
    /// Sample aspect ratio, when it is known to be other than square.
    pub sample_aspect: Option<(u16, u16)>,
    /// How sample values mean light, when that is known.
    pub colour: Option<Colour>,
    /// What they were graded on.
    pub mastering: Mastering,
}

/// What pictures of high dynamic range were graded on, as boxes of the sample entry carry it (ISO 14496-12 12.1.6, 12.1.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mastering {
    /// The body of `mdcv`: primaries, white and luminance of the display.
    pub display: Option<[u8; 24]>,
    /// The body of `clli`: the most light of a sample, and of a picture on average.
    pub light: Option<[u8; 4]>,
}

impl Picture {
    /// Square samples of unknown colour.
    pub const fn new(width: u16, height: u16) -> Self {
        let mastering = Mastering { display: None, light: None };
        Self { width, height, sample_aspect: None, colour: None, mastering }
    }

    /// Takes another sample aspect ratio than the stream gave: what a container says is what its author saw. Ratios with a
    /// zero say nothing and change nothing.
    pub const fn set_sample_aspect(&mut self, across: u16, down: u16) {
        if across != 0 && down != 0 {
            self.sample_aspect = if across == down { None } else { Some((across, down)) };
        }
    }

    /// Width and height in square pixels: what a viewer sees.
    pub fn display(&self) -> (u32, u32) {
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let Some((across, down)) = self.sample_aspect else { return (width, height) };
        let (across, down) = (u32::from(across), u32::from(down));
        // Both factors have 16 bits, so the product has 32; half of a divisor rounds to the nearest.
        let scaled = width.saturating_mul(across).saturating_add(down / 2);
        (scaled.checked_div(down).unwrap_or(width), height)
    }

    /// The dynamic range; standard where nothing is known.
    pub fn range(&self) -> Range {
        self.colour.map(Colour::range).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_sample_widens_the_display_only() {
        let mut picture = Picture::new(1280, 720);
        picture.set_sample_aspect(4, 3);
        assert_eq!((picture.width, picture.display()), (1280, (1707, 720)));
        picture.set_sample_aspect(0, 3);
        assert_eq!(picture.sample_aspect, Some((4, 3)));
        picture.set_sample_aspect(8, 8);
        assert_eq!((picture.sample_aspect, picture.display()), (None, (1280, 720)));
    }

    #[test]
    fn the_range_is_that_of_the_transfer() {
        let range = |transfer| Colour { transfer, ..Colour::UNSPECIFIED }.range().word();
        assert_eq!([1, 2, 16, 18].map(range), ["SDR", "SDR", "PQ", "HLG"]);
    }
}
