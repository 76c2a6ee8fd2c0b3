//! What an option is: its kind, its default, its bounds, each with a reason, and when to set it.
//!
//! A section's file holds a table of its settings. The reader, the overrides, the reference and the tests all go by
//! these tables, so an option exists in one place.

use crate::document::{Node, Value};
use crate::problem::Place;

/// One option of a section.
pub(crate) struct Setting {
    /// Its name in the section's table.
    pub(crate) key: &'static str,
    /// What may be written.
    pub(crate) kind: Kind,
    /// What holds when nothing is written.
    pub(crate) default: Default,
    /// When an operator should set it, in one sentence.
    pub(crate) when: &'static str,
    /// A value other than the default, as `--set` takes it; empty for tables.
    pub(crate) example: &'static str,
    /// What a reload does with a new value.
    pub(crate) reload: Reload,
}

/// What may be written.
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that is not shown.
    Secret,
    /// A name that may stand in a path or a label.
    Name,
    /// A host name, `*.` in front allowed.
    Hosts,
    /// `true` or `false`.
    Flag,
    /// One of some words; `true` and `false` may be among them.
    Word(&'static [&'static str]),
    /// A whole number.
    Count(Bounds),
    /// A length of time.
    Duration(Bounds),
    /// A size in bytes.
    Size(Bounds),
    /// An address and a port, or `off`.
    Address,
    /// A path, relative to the configuration file.
    Path(Stands),
    /// A path pattern.
    Pattern,
    /// A list of some of these HTTP statuses.
    Statuses(&'static [u16]),
    /// A list of texts.
    Texts,
    /// A list of networks.
    Networks,
    /// Which of a set of names: `none`, `all`, a list, or `{ except = list }`.
    Selection,
    /// Header fields by name.
    Headers,
    /// A table of settings.
    Table(&'static [Setting]),
    /// One of some words, or a table of settings.
    WordOrTable(&'static [&'static str], &'static [Setting]),
    /// A list of tables, each called by the first of these settings that it has.
    Tables(&'static [Setting], &'static [&'static str]),
}

/// The least and the most that make sense, written as the operator would, and why.
pub(crate) struct Bounds {
    pub(crate) least: &'static str,
    pub(crate) most: &'static str,
    pub(crate) because: &'static str,
}

/// What must stand at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Whatever; it may be made later.
    Anything,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Whatever, and `-` is standard output.
    Output,
}

/// What holds when nothing is written.
pub(crate) enum Default {
    /// Nothing: it must be written.
    Required,
    /// This, as `--set` takes it, and why.
    Value(&'static str, &'static str),
    /// No value, which means this.
    Absent(&'static str),
}

/// What a reload does with a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// Takes it.
    Takes,
    /// Cannot: it says so, and keeps the old one until the next start.
    NeedsRestart,
}

pub(crate) const fn between(least: &'static str, most: &'static str, because: &'static str) -> Bounds {
    Bounds { least, most, because }
}

impl Setting {
    pub(crate) const fn new(key: &'static str, kind: Kind, default: Default, when: &'static str) -> Self {
        Self { key, kind, default, when, example: "", reload: Reload::Takes }
    }

    /// With a value other than the default.
    pub(crate) const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Fixed while the server runs.
    pub(crate) const fn needs_restart(mut self) -> Self {
        self.reload = Reload::NeedsRestart;
        self
    }

    /// The settings below it, if it is a table or a list of tables.
    pub(crate) const fn inner(&self) -> &'static [Self] {
        match self.kind {
            Kind::Table(inner) | Kind::WordOrTable(_, inner) | Kind::Tables(inner, _) => inner,
            _ => &[],
        }
    }

    /// The default as a node, if there is a value.
    pub(crate) fn default_node(&self) -> Option<Node> {
        let Default::Value(text, _) = self.default else { return None };
        Some(self.kind.read_raw(text, &Place::BuiltIn).expect("defaults are legal, as a test proves"))
    }
}

impl Kind {
    /// Makes a value of what a shell or an environment variable brings: a bare text where a text is wanted, a list
    /// with commas where a list is wanted, TOML for the rest.
    ///
    /// # Errors
    /// What TOML's parser says.
    pub(crate) fn read_raw(&self, raw: &str, place: &Place) -> Result<Node, String> {
        let raw = raw.trim();
        let begins = |with: &[char]| raw.starts_with(with);
        let bare = match self {
            Self::Flag | Self::Count(_) => Node::parse(raw, place).is_err(),
            Self::Headers | Self::Table(_) | Self::Tables(..) => false,
            Self::WordOrTable(..) => !begins(&['{']),
            Self::Texts | Self::Hosts | Self::Networks | Self::Selection => !begins(&['[', '{']),
            Self::Statuses(_) => {
                return Node::parse(&if begins(&['[']) { raw.to_owned() } else { format!("[{raw}]") }, place);
            }
            _ => true,
        };
        if !bare || (raw.len() > 1 && begins(&['"', '\'']) && raw.ends_with(['"', '\''])) {
            return Node::parse(raw, place);
        }
        let text = |text: &str| Node { place: place.clone(), value: Value::Text(text.to_owned()) };
        Ok(match self {
            Self::Selection if matches!(raw, "none" | "all") => text(raw),
            Self::Texts | Self::Hosts | Self::Networks | Self::Selection => {
                let items = raw.split(',').map(str::trim).filter(|it| !it.is_empty());
                Node { place: place.clone(), value: Value::List(items.map(text).collect()) }
            }
            _ => text(raw),
        })
    }

    /// How the reference calls it.
    pub(crate) fn describe(&self) -> String {
        let words = |words: &[&str]| words.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        let bounded =
            |what: &str, it: &Bounds| format!("{what}, {} to {} ({})", it.least, it.most, it.because);
        match self {
            Self::Text => "text".into(),
            Self::Secret => "text, never shown".into(),
            Self::Name => "name".into(),
            Self::Hosts => "list of host names".into(),
            Self::Flag => "`true` or `false`".into(),
            Self::Word(all) => words(all),
            Self::Count(bounds) => bounded("number", bounds),
            Self::Duration(bounds) => bounded("time", bounds),
            Self::Size(bounds) => bounded("size", bounds),
            Self::Address => "address and port, or `off`".into(),
            Self::Path(Stands::Anything) => "path".into(),
            Self::Path(Stands::Output) => "path, or `-` for standard output".into(),
            Self::Path(Stands::File) => "path of a file".into(),
            Self::Path(Stands::Directory) => "path of a directory".into(),
            Self::Pattern => "path pattern".into(),
            Self::Statuses(all) => {
                let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!("list of statuses among {all}")
            }
            Self::Texts => "list of texts".into(),
            Self::Networks => "list of networks".into(),
            Self::Selection => "`none`, `all`, a list of names, or `{ except = [names] }`".into(),
            Self::Headers => "table of header fields".into(),
            Self::Table(_) => "table".into(),
            Self::WordOrTable(all, _) => format!("{}, or a table", words(all)),
            Self::Tables(..) => "list of tables".into(),
        }
    }
}
