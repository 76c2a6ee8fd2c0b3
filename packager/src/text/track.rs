//! Subtitles as a title offers them: what they are called and for whom they are.

use std::collections::HashSet;
use std::iter;

use super::{Language, Subtitles};

/// What is known of subtitles beside their words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct About {
    /// What they are written in.
    pub language: Language,
    /// What menus call them, where someone said so.
    pub label: Option<String>,
    /// Whether players show them unasked.
    pub default: bool,
    /// For whom they are.
    pub purpose: Purpose,
}

impl Default for About {
    fn default() -> Self {
        Self { language: Language::unknown(), label: None, default: false, purpose: Purpose::Dialogue }
    }
}

/// For whom subtitles are, from the general to the particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Who does not understand what is spoken.
    #[default]
    Dialogue,
    /// Who does not hear it: with speakers, sounds and music.
    HardOfHearing,
    /// All: only what nobody understands, such as signs and foreign words.
    Forced,
}

/// Subtitles of a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What is known of them.
    pub about: About,
    /// Their words.
    pub subtitles: Subtitles,
}

impl Track {
    /// What menus call each of `tracks`: no two alike.
    pub fn names(tracks: &[Self]) -> Vec<String> {
        unique(tracks.iter().map(|it| it.about.name()))
    }

    /// Which of `tracks` players show unasked: one at most, and not what is forced, which they show anyway.
    pub fn default(tracks: &[Self]) -> Option<usize> {
        tracks.iter().position(|it| it.about.default && it.about.purpose != Purpose::Forced)
    }
}

impl About {
    fn name(&self) -> String {
        match (&self.label, self.purpose) {
            (Some(label), _) => label.clone(),
            (None, Purpose::Dialogue) => self.language.name(),
            (None, Purpose::HardOfHearing) => format!("{} (SDH)", self.language.name()),
            (None, Purpose::Forced) => format!("{} (forced)", self.language.name()),
        }
    }
}

/// The names, but of those that were there already with a number behind them.
pub(crate) fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |name: String| {
        let numbered = (2_u32..).map(|n| format!("{name} {n}"));
        let free = iter::once(name.clone()).chain(numbered).find(|it| !taken.contains(it));
        let free = free.unwrap_or(name);
        taken.insert(free.clone());
        free
    };
    names.map(unique).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_languages_and_no_two_alike() {
        let track = |language: &str, purpose, label: Option<&str>| Track {
            about: About {
                language: Language::parse(language).unwrap(),
                purpose,
                label: label.map(str::to_owned),
                default: true,
            },
            subtitles: Subtitles::default(),
        };
        let tracks = [
            track("en", Purpose::Forced, None),
            track("en", Purpose::Dialogue, None),
            track("eng", Purpose::Dialogue, None),
            track("en", Purpose::HardOfHearing, None),
            track("de", Purpose::Dialogue, Some("English 2")),
        ];
        assert_eq!(
            Track::names(&tracks),
            ["English (forced)", "English", "English 2", "English (SDH)", "English 2 2"]
        );
        assert_eq!(Track::default(&tracks), Some(1));
        assert_eq!(Track::default(&[]), None);
    }
}
