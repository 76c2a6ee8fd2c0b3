//! What a set says of its files beside their names: which sound is for whom, and which captions ride in the pictures.

use std::fmt;

use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use crate::text::Language;

/// For whom the sound of a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoundRole {
    /// What was made with the pictures.
    #[default]
    Main,
    /// Another mix or arrangement of it.
    Alternate,
    /// Spoken in another language than the original.
    Dub,
    /// Someone talks about what is seen.
    Commentary,
    /// What is seen is told, for who does not see it.
    Description,
}

impl SoundRole {
    /// The word of `urn:mpeg:dash:role:2011`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Alternate => "alternate",
            Self::Dub => "dub",
            Self::Commentary => "commentary",
            Self::Description => "description",
        }
    }
}

/// Which tracks of a file a title takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// Its pictures, and its sound where that is the best or all there is in the file.
    #[default]
    All,
    /// Its pictures alone.
    Video,
    /// Its sound, whatever else is in it.
    Audio,
}

/// What is known of the sound of a file beside what the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AboutSound {
    /// What is spoken, where the file is not to be asked.
    pub language: Option<Language>,
    /// What menus call it.
    pub label: Option<String>,
    /// Whether players take it unasked.
    pub default: bool,
    /// For whom it is.
    pub role: SoundRole,
}

/// Captions that ride in the pictures (CEA-608 and CEA-708).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captions {
    /// Where in the pictures.
    pub channel: Channel,
    /// What they are written in.
    pub language: Language,
    /// What menus call them.
    pub label: String,
    /// Whether players show them unasked.
    pub default: bool,
}

/// Where captions ride; as HLS names it (`INSTREAM-ID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// CEA-608: `CC1` to `CC4`.
    Cc(u8),
    /// CEA-708: `SERVICE1` to `SERVICE63`.
    Service(u8),
}

impl Channel {
    /// Reads a channel as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str, most| {
            let number: u8 = digits.parse().ok().filter(|it| (1..=most).contains(it))?;
            // There is one way to write it.
            (number.to_string() == digits).then_some(number)
        };
        match text.strip_prefix("CC") {
            Some(digits) => number(digits, 4).map(Self::Cc),
            None => number(text.strip_prefix("SERVICE")?, 63).map(Self::Service),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cc(number) => write!(f, "CC{number}"),
            Self::Service(number) => write!(f, "SERVICE{number}"),
        }
    }
}

/// All that a set says of its files; of a single file nobody says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// By file, in the title's order.
    pub sounds: Vec<AboutSound>,
    /// Of all pictures.
    pub captions: Vec<Captions>,
}

impl Labels {
    /// What is said of the sound of a file.
    pub(super) fn sound(&self, file: usize) -> Option<&AboutSound> {
        self.sounds.get(file)
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.captions.is_empty() && self.sounds.iter().all(|it| *it == AboutSound::default())
    }

    /// All of it changes manifests.
    pub(super) fn hash(&self, hash: &mut Xxh3) {
        let mut put = |text: &str, more: [u8; 2]| {
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
            hash.update(&more);
        };
        for it in &self.sounds {
            put(it.language.as_ref().map_or("", Language::tag), [it.role as u8, it.default.into()]);
            put(it.label.as_deref().unwrap_or_default(), [it.label.is_some().into(), 0]);
        }
        for it in &self.captions {
            put(&it.channel.to_string(), [it.default.into(), 1]);
            put(it.language.tag(), [0, 1]);
            put(&it.label, [0, 1]);
        }
    }

    /// What players of DASH read of the captions: scheme and value of each kind there is.
    pub(super) fn accessibility(&self) -> Vec<(&'static str, String)> {
        let list = |written: fn(&Captions) -> Option<String>| {
            let all: Vec<String> = self.captions.iter().filter_map(written).collect();
            all.join(";")
        };
        let older = list(|it| match it.channel {
            Channel::Cc(_) => Some(format!("{}={}", it.channel, it.language.three_letters())),
            Channel::Service(_) => None,
        });
        let newer = list(|it| match it.channel {
            Channel::Service(number) => Some(format!("{number}=lang:{}", it.language.three_letters())),
            Channel::Cc(_) => None,
        });
        [("urn:scte:dash:cc:cea-608:2015", older), ("urn:scte:dash:cc:cea-708:2015", newer)]
            .into_iter()
            .filter(|it| !it.1.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_those_of_both_standards_written_in_one_way() {
        for text in ["CC1", "CC4", "SERVICE1", "SERVICE63"] {
            assert_eq!(Channel::parse(text).map(|it| it.to_string()).as_deref(), Some(text));
        }
        for text in ["", "CC", "CC0", "CC5", "CC01", "cc1", "SERVICE0", "SERVICE64", "SERVICE+1", "CC1\""] {
            assert_eq!(Channel::parse(text), None, "{text}");
        }
    }

    #[test]
    fn players_of_dash_are_told_captions_of_each_kind_in_one_list() {
        let captions = |channel: &str, language: &str| Captions {
            channel: Channel::parse(channel).unwrap(),
            language: Language::parse(language).unwrap(),
            label: language.into(),
            default: false,
        };
        let labels = Labels {
            captions: vec![captions("CC1", "en"), captions("SERVICE2", "pt-BR"), captions("CC3", "es")],
            ..Labels::default()
        };
        assert_eq!(
            labels.accessibility(),
            [
                ("urn:scte:dash:cc:cea-608:2015", "CC1=eng;CC3=spa".to_owned()),
                ("urn:scte:dash:cc:cea-708:2015", "2=lang:por".to_owned())
            ]
        );
        assert!(Labels::default().accessibility().is_empty());
    }
}
