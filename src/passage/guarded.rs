//! A request whose viewer is not refused for who or where he is.

use super::Routed;
use crate::protect;

/// A country, by its two letters in ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Of two upper-case letters.
    pub fn new(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("it is of letters")
    }
}

/// A request whose viewer is not refused for who or where he is, nor for how much he asks.
#[derive(Clone, Debug)]
pub struct Guarded(Routed);

impl Guarded {
    /// Made by `protect` alone, which knows where the viewer is, or not.
    pub fn new(_: protect::Witness, routed: Routed, country: Option<Country>) -> Self {
        Self(routed.with_country(country))
    }

    /// What was asked and under which rules.
    pub const fn routed(&self) -> &Routed {
        &self.0
    }

    /// The same, for the station behind.
    pub fn into_routed(self) -> Routed {
        self.0
    }
}
