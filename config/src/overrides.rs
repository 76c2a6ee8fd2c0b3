//! Options from the environment and from `--set`, put into the document before it is read.
//!
//! Both name an option by its path: `listen.http`, and in lists by position or by name: `app.live.publish`,
//! `distribution.0.aliases`. In the environment a dot is two underscores: `LEVADA_LISTEN__HTTP`.

use crate::document::{Node, Table, Value};
use crate::nearest::nearest;
use crate::problem::{Place, Problem};
use crate::setting::{Kind, Setting};

/// What was given beside the file.
pub(crate) struct Overrides<'a> {
    pub(crate) environment: &'a [(String, String)],
    pub(crate) sets: &'a [String],
}

impl Overrides<'_> {
    /// Puts all of them into the document, the later over the earlier; returns what is wrong with them.
    pub(crate) fn apply(&self, document: &mut Table, settings: &'static [Setting]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut variables: Vec<_> =
            self.environment.iter().filter_map(|(name, value)| variable(name, value)).collect();
        // So that the first element of a list comes before the second.
        variables.sort_by_cached_key(|it| {
            it.path.iter().map(|it| (it.parse::<u32>().ok(), it.clone())).collect::<Vec<_>>()
        });
        let sets = self.sets.iter().filter_map(|it| match it.split_once('=') {
            Some((path, raw)) => {
                Some(Override { place: Place::Set(path.trim().into()), path: split(path.trim()), raw })
            }
            None => {
                problems.push(Problem {
                    place: Place::Set(it.as_str().into()),
                    key: String::new(),
                    wrong: "there is no value".into(),
                    remedy: "write --set key=value, such as --set listen.http=0.0.0.0:80".into(),
                });
                None
            }
        });
        let all: Vec<_> = variables.into_iter().chain(sets).collect();
        for it in all {
            if let Err((wrong, remedy)) = it.put(document, settings, &it.path) {
                problems.push(Problem { place: it.place.clone(), key: it.path.join("."), wrong, remedy });
            }
        }
        problems
    }
}

struct Override<'a> {
    place: Place,
    path: Vec<String>,
    raw: &'a str,
}

/// An environment variable as an override. Kubernetes sets variables such as `LEVADA_PORT` for a service of our name,
/// so one without two underscores counts only when it is an option.
fn variable<'a>(name: &str, raw: &'a str) -> Option<Override<'a>> {
    let path = name.strip_prefix("LEVADA_")?;
    let path: Vec<_> = path.split("__").map(str::to_ascii_lowercase).collect();
    let known = path.len() > 1 || crate::resolve::SETTINGS.iter().any(|it| it.key == path[0]);
    known.then(|| Override { place: Place::Environment(name.into()), path, raw })
}

/// Splits at dots outside double quotes: `response_headers_policy.Player.custom_headers."X-A.B"`.
fn split(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in path.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other => parts.last_mut().expect("it begins with one").push(other),
        }
    }
    parts
}

impl Override<'_> {
    /// Puts the value at `path` below a table; else what is wrong, and the remedy.
    fn put(
        &self,
        table: &mut Table,
        settings: &'static [Setting],
        path: &[String],
    ) -> Result<(), (String, String)> {
        let (key, rest) = path.split_first().expect("a path has at least one part");
        let Some(setting) = settings.iter().find(|it| it.key == key) else {
            return Err((
                "there is no such option".into(),
                did_you_mean(key, settings.iter().map(|it| it.key)),
            ));
        };
        if rest.is_empty() {
            table.entries.insert(key.clone(), self.value(setting)?);
            return Ok(());
        }
        match setting.kind {
            Kind::Table(inner) | Kind::WordOrTable(_, inner) => {
                self.put(self.table_in(table, key), inner, rest)
            }
            Kind::Tables(inner, called) => {
                let (selector, rest) = (&rest[0], &rest[1..]);
                let element = self.element_in(table, key, called, selector)?;
                if rest.is_empty() {
                    let known: Vec<_> = inner.iter().map(|it| it.key).collect();
                    return Err((
                        format!("this is a whole {key}"),
                        format!("name an option of it: {}", known.join(", ")),
                    ));
                }
                self.put(element, inner, rest)
            }
            Kind::Headers => {
                let value =
                    Node { place: self.place.clone(), value: Value::Text(self.raw.trim().to_owned()) };
                self.table_in(table, key).entries.insert(rest.join("."), value);
                Ok(())
            }
            _ => Err((format!("{key} has no options below it"), format!("leave out .{}", rest.join(".")))),
        }
    }

    fn value(&self, setting: &Setting) -> Result<Node, (String, String)> {
        setting.kind.read_raw(self.raw, &self.place).map_err(|why| {
            let example = crate::value::quoted(&setting.kind, setting.example);
            let remedy = if example.is_empty() {
                "write it as in the file".into()
            } else {
                format!("write {example}")
            };
            (format!("the value is not TOML: {why}"), remedy)
        })
    }

    /// The table under a key, made if there is none or something else.
    fn table_in<'a>(&self, table: &'a mut Table, key: &str) -> &'a mut Table {
        let empty =
            || Node { place: self.place.clone(), value: Value::Table(Table::empty(self.place.clone())) };
        let node = table.entries.entry(key.to_owned()).or_insert_with(empty);
        if !matches!(node.value, Value::Table(_)) {
            *node = empty();
        }
        let Value::Table(table) = &mut node.value else { unreachable!("it was just made one") };
        table
    }

    /// An element of a list by position or name; the position behind the last makes a new one.
    fn element_in<'a>(
        &self,
        table: &'a mut Table,
        key: &str,
        called: &[&str],
        selector: &str,
    ) -> Result<&'a mut Table, (String, String)> {
        let empty_list = || Node { place: self.place.clone(), value: Value::List(Vec::new()) };
        let list = table.entries.entry(key.to_owned()).or_insert_with(empty_list);
        let Value::List(nodes) = &mut list.value else {
            return Err((format!("{key} is no list of tables"), "mend it where it was written".into()));
        };
        let at =
            nodes.iter().position(|it| is_called(it, called, selector)).or_else(|| selector.parse().ok());
        if at == Some(nodes.len()) {
            nodes.push(Node {
                place: self.place.clone(),
                value: Value::Table(Table::empty(self.place.clone())),
            });
            list.place = self.place.clone();
        }
        let count = nodes.len();
        let element = at.and_then(|at| nodes.get_mut(at));
        match element.map(|it| &mut it.value) {
            Some(Value::Table(element)) => Ok(element),
            _ => Err((
                format!("there is no {key} {selector:?}"),
                format!("{key}.{count} would make a new one"),
            )),
        }
    }
}

/// Whether an element has this name. The environment has only capitals and no dash.
fn is_called(node: &Node, called: &[&str], name: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let Value::Table(table) = &node.value else { return false };
    called.iter().filter_map(|key| table.entries.get(*key)).any(|it| match &it.value {
        Value::Text(text) => plain(text) == plain(name),
        Value::List(texts) => {
            texts.iter().any(|it| matches!(&it.value, Value::Text(text) if plain(text) == plain(name)))
        }
        _ => false,
    })
}

fn did_you_mean<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(key, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
