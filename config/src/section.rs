//! Reads a table by its settings: every value comes out checked, every problem goes into one list.
//!
//! A value with a problem comes out as its default, so that reading goes on and finds the others; the list is not
//! empty then, and no [`Config`](crate::Config) is made.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::Selection;
use crate::document::{Node, Table, Value};
use crate::nearest::nearest;
use crate::problem::{Place, Problem};
use crate::setting::Default::Required;
use crate::setting::{Kind, Setting, Stands};
use crate::units::{ByteSize, IpNetwork, PathPattern, Secret};
use crate::value::{self, Wrong, quoted};

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or nothing we may see.
    Nothing,
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// What reading needs beside the document, and the problems it finds.
pub(crate) struct Reading<'a> {
    /// Paths in the file are relative to this.
    pub(crate) base: &'a Path,
    /// Paths in overrides are relative to this, as in any command.
    pub(crate) here: &'a Path,
    /// What stands at a path.
    pub(crate) look: &'a dyn Fn(&Path) -> Found,
    pub(crate) problems: RefCell<Vec<Problem>>,
}

impl Reading<'_> {
    pub(crate) fn report(&self, place: &Place, key: String, wrong: String, remedy: String) {
        self.problems.borrow_mut().push(Problem { place: place.clone(), key, wrong, remedy });
    }
}

/// A table being read.
pub(crate) struct Section<'a> {
    reading: &'a Reading<'a>,
    table: Option<&'a Table>,
    place: Place,
    settings: &'static [Setting],
    path: String,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(crate) fn root(reading: &'a Reading<'a>, table: &'a Table, settings: &'static [Setting]) -> Self {
        Self::open(reading, Some(table), table.place.clone(), settings, String::new())
    }

    fn open(
        reading: &'a Reading<'a>,
        table: Option<&'a Table>,
        place: Place,
        settings: &'static [Setting],
        path: String,
    ) -> Self {
        let section = Self { reading, table, place, settings, path };
        section.report_unknown();
        section
    }

    fn report_unknown(&self) {
        let known = || self.settings.iter().map(|it| it.key);
        for (key, node) in self.table.iter().flat_map(|it| &it.entries) {
            if known().all(|it| it != key) {
                let remedy = match nearest(key, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here are {}", known().collect::<Vec<_>>().join(", ")),
                };
                self.reading.report(&node.place, self.path_of(key), "there is no such option".into(), remedy);
            }
        }
    }

    /// The full name of one of its options.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where an option was written; the table's place when it was not.
    pub(crate) fn place_of(&self, key: &str) -> &Place {
        self.written(key).map_or(&self.place, |it| &it.place)
    }

    /// Whether an option was written.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.written(key).is_some()
    }

    /// Reports a problem of an option with its value.
    pub(crate) fn report(&self, key: &str, wrong: impl Into<String>, remedy: impl Into<String>) {
        self.reading.report(self.place_of(key), self.path_of(key), wrong.into(), remedy.into());
    }

    fn written(&self, key: &str) -> Option<&'a Node> {
        self.table.and_then(|it| it.entries.get(key))
    }

    fn setting(&self, key: &str) -> &'static Setting {
        self.settings.iter().find(|it| it.key == key).expect("a reader asks for settings of its own table")
    }

    /// The value of an option as written, else its default; None when it is absent or has a problem.
    fn read<T>(&self, key: &str, convert: impl Fn(&Node, &Kind) -> Result<T, Wrong>) -> Option<T> {
        let setting = self.setting(key);
        let default = || {
            let node = setting.default_node()?;
            Some(convert(&node, &setting.kind).ok().expect("defaults are legal, as a test proves"))
        };
        match self.written(key) {
            Some(node) => match convert(node, &setting.kind) {
                Ok(value) => Some(value),
                Err(Wrong { wrong, remedy }) => {
                    self.reading.report(&node.place, self.path_of(key), wrong, remedy);
                    default()
                }
            },
            None if matches!(setting.default, Required) => {
                self.require(key);
                None
            }
            None => default(),
        }
    }

    /// Whether an option that must be written was; reports it when not.
    pub(crate) fn require(&self, key: &str) -> bool {
        if !self.has(key) {
            let setting = self.setting(key);
            let example = quoted(&setting.kind, setting.example);
            self.report(key, "this is missing", format!("write `{key} = {example}`"));
        }
        self.has(key)
    }

    /// An option as written, if it is a text; whether it is a good one is judged where it is read.
    pub(crate) fn plain(&self, key: &str) -> Option<&'a str> {
        self.written(key).and_then(|it| value::text_of(it).ok())
    }

    /// A text; empty when it is absent.
    pub(crate) fn text(&self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        self.read(key, value::text)
    }

    pub(crate) fn secret(&self, key: &str) -> Option<Secret> {
        self.read(key, value::secret)
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.optional_flag(key).unwrap_or_default()
    }

    pub(crate) fn optional_flag(&self, key: &str) -> Option<bool> {
        self.read(key, value::flag)
    }

    /// One of the words of the setting; None when it is absent.
    pub(crate) fn word(&self, key: &str) -> Option<&'static str> {
        // Words live as long as the setting, which is as long as the program.
        let kind: &'static Kind = &self.setting(key).kind;
        self.read(key, |node, _| value::word(node, kind))
    }

    pub(crate) fn count(&self, key: &str) -> u32 {
        self.read(key, value::count).unwrap_or_default()
    }

    pub(crate) fn duration(&self, key: &str) -> Duration {
        self.optional_duration(key).unwrap_or_default()
    }

    pub(crate) fn optional_duration(&self, key: &str) -> Option<Duration> {
        self.read(key, value::duration)
    }

    pub(crate) fn size(&self, key: &str) -> ByteSize {
        self.read(key, value::size).unwrap_or(ByteSize(0))
    }

    /// An address; None when it is `off`, absent, or has a problem.
    pub(crate) fn address(&self, key: &str) -> Option<SocketAddr> {
        self.read(key, value::address).flatten()
    }

    /// A path made absolute; empty when it has a problem.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.optional_path(key).unwrap_or_default()
    }

    pub(crate) fn optional_path(&self, key: &str) -> Option<PathBuf> {
        self.read(key, |node, kind| {
            let Kind::Path(stands) = *kind else { unreachable!("a path is read as a path") };
            let written = value::path(node)?;
            if stands == Stands::Output && written == Path::new("-") {
                return Ok(written.to_owned());
            }
            let relative_to = match node.place {
                Place::Environment(_) | Place::Set(_) => self.reading.here,
                Place::File { .. } | Place::BuiltIn => self.reading.base,
            };
            let path = relative_to.join(written);
            // Nobody asked for what is built in, so it may be missing until somebody makes it.
            if node.place != Place::BuiltIn && matches!(stands, Stands::File | Stands::Directory) {
                value::stands(stands, &path, (self.reading.look)(&path))?;
            }
            Ok(path)
        })
    }

    pub(crate) fn pattern(&self, key: &str) -> Option<PathPattern> {
        self.read(key, value::pattern)
    }

    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        self.optional_texts(key).unwrap_or_default()
    }

    pub(crate) fn optional_texts(&self, key: &str) -> Option<Vec<String>> {
        self.read(key, value::texts)
    }

    pub(crate) fn statuses(&self, key: &str) -> Vec<u16> {
        self.read(key, value::statuses).unwrap_or_default()
    }

    pub(crate) fn networks(&self, key: &str) -> Vec<IpNetwork> {
        self.read(key, value::networks).unwrap_or_default()
    }

    pub(crate) fn selection(&self, key: &str) -> Selection {
        self.read(key, value::selection).unwrap_or(Selection::None)
    }

    /// Names and texts of a table with free keys.
    pub(crate) fn pairs(&self, key: &str) -> Vec<(String, String)> {
        self.read(key, value::pairs).unwrap_or_default()
    }

    /// Whether a table was written.
    pub(crate) fn is_table(&self, key: &str) -> bool {
        matches!(self.written(key), Some(Node { value: Value::Table(_), .. }))
    }

    /// A table of settings; one without entries when it was not written.
    pub(crate) fn table(&self, key: &str) -> Self {
        let inner = self.setting(key).inner();
        let (table, place) = match self.written(key) {
            Some(Node { value: Value::Table(table), place }) => (Some(table), place),
            Some(node) => {
                let names: Vec<_> = inner.iter().map(|it| it.key).collect();
                self.report(
                    key,
                    format!("this is {}", node.kind()),
                    format!("write a table of {}", names.join(", ")),
                );
                (None, &node.place)
            }
            None => (None, &self.place),
        };
        Self::open(self.reading, table, place.clone(), inner, self.path_of(key))
    }

    /// Where an option of each table of a list was written; the table's place where it was not.
    pub(crate) fn places(&self, key: &str, inner: &str) -> Vec<&'a Place> {
        let Some(Node { value: Value::List(nodes), .. }) = self.written(key) else { return Vec::new() };
        let place = |node: &'a Node| match &node.value {
            Value::Table(table) => table.entries.get(inner).map_or(&node.place, |it| &it.place),
            _ => &node.place,
        };
        nodes.iter().map(place).collect()
    }

    /// The tables of a list, each under its name where it has one.
    pub(crate) fn tables(&self, key: &str) -> Vec<Self> {
        let setting = self.setting(key);
        let Kind::Tables(inner, called) = setting.kind else { unreachable!("tables are read as tables") };
        let nodes = match self.written(key) {
            Some(Node { value: Value::List(nodes), .. }) => nodes.as_slice(),
            Some(node) => {
                self.report(
                    key,
                    format!("this is {}", node.kind()),
                    format!("begin each with a line `[[{}]]`", self.path_of(key)),
                );
                &[]
            }
            None => &[],
        };
        let tables = nodes.iter().enumerate().filter_map(|(at, node)| {
            let path =
                format!("{}.{}", self.path_of(key), label(node, called).unwrap_or_else(|| at.to_string()));
            let Value::Table(table) = &node.value else {
                self.reading.report(
                    &node.place,
                    path,
                    format!("this is {}", node.kind()),
                    "write a table".into(),
                );
                return None;
            };
            Some(Self::open(self.reading, Some(table), node.place.clone(), inner, path))
        });
        tables.collect()
    }
}

/// What the elements of a list are called by: the first of these keys that is a plain word.
fn label(node: &Node, called: &[&str]) -> Option<String> {
    let Value::Table(table) = &node.value else { return None };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
    };
    called.iter().find_map(|key| match &table.entries.get(*key)?.value {
        Value::Text(text) if plain(text) => Some(text.clone()),
        _ => None,
    })
}
