//! The file as written: a tree of values that know where they stand.
//!
//! A tree instead of structs filled by serde, since serde stops at the first value of a wrong type, and an operator
//! wants to hear of all of them at once. Which keys mean something is for [`setting`](crate::setting) to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problem};

/// A table, with the place of its header.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) place: Place,
    pub(crate) entries: BTreeMap<String, Node>,
}

/// A value and where it, or the key it belongs to, was written.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What TOML can say, as far as an option can mean it.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A date, a fraction, or a number beyond 64 bits: no option is one.
    Unusable,
    List(Vec<Node>),
    Table(Table),
}

impl Table {
    pub(crate) const fn empty(place: Place) -> Self {
        Self { place, entries: BTreeMap::new() }
    }

    /// Says of all of it that it was written elsewhere.
    pub(crate) fn set_place(&mut self, place: &Place) {
        self.place = place.clone();
        for node in self.entries.values_mut() {
            node.set_place(place);
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// Every place that is no TOML.
    pub(crate) fn parse(text: &str, file: &Arc<str>) -> Result<Self, Vec<Problem>> {
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let place = |at| Place::File { file: file.clone(), line: lines.number(at) };
            return Ok(read_table(table.get_ref(), Place::File { file: file.clone(), line: 0 }, &place));
        }
        Err(errors
            .iter()
            .map(|error| Problem {
                place: Place::File {
                    file: file.clone(),
                    line: error.span().map_or(0, |it| lines.number(it.start)),
                },
                key: String::new(),
                wrong: format!("this is not TOML: {}", error.message()),
                remedy: "a line is `key = value`, texts stand in double quotes, tables begin with `[name]`"
                    .into(),
            })
            .collect())
    }
}

impl Node {
    /// Reads one value, as it would stand behind a `=`.
    ///
    /// # Errors
    /// What TOML's parser says.
    pub(crate) fn parse(text: &str, place: &Place) -> Result<Self, String> {
        let value = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
        Ok(read_value(value.get_ref(), place.clone(), &|_| place.clone()))
    }

    fn set_place(&mut self, place: &Place) {
        self.place = place.clone();
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|it| it.set_place(place)),
            Value::Table(table) => table.set_place(place),
            _ => {}
        }
    }

    /// How the kind of its value is called in problems.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Unusable => "a date, a fraction, or too large a number",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

fn read_table(table: &DeTable<'_>, place: Place, at: &dyn Fn(usize) -> Place) -> Table {
    let entries = table.iter().map(|(key, value)| {
        (key.get_ref().to_string(), read_value(value.get_ref(), at(key.span().start), at))
    });
    Table { place, entries: entries.collect() }
}

fn read_value(value: &DeValue<'_>, place: Place, at: &dyn Fn(usize) -> Place) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Unusable,
        },
        DeValue::Boolean(it) => Value::Boolean(*it),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Unusable,
        DeValue::Array(list) => {
            Value::List(list.iter().map(|it| read_value(it.get_ref(), at(it.span().start), at)).collect())
        }
        DeValue::Table(table) => Value::Table(read_table(table, place.clone(), at)),
    };
    Node { place, value }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn number(&self, at: usize) -> u32 {
        let before = self.0.partition_point(|&begin| begin <= at);
        u32::try_from(before).map_or(u32::MAX, |it| it.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(node: &Node) -> u32 {
        match node.place {
            Place::File { line, .. } => line,
            _ => 0,
        }
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "a = 1\n\n[b]\nc = [\n  1,\n  2,\n]\nd.e = 'x'\n\n[[f]]\n\n[[f]]\ng = { h = true }\n";
        let Ok(table) = Table::parse(text, &"x.toml".into()) else { panic!("it is TOML") };
        let mut seen = Vec::new();
        collect(&table, "", &mut seen);
        let expected = [
            ("a", 1),
            ("b", 3),
            ("b.c", 4),
            ("b.c.0", 5),
            ("b.c.1", 6),
            ("b.d", 8),
            ("b.d.e", 8),
            ("f", 10),
            ("f.0", 10),
            ("f.1", 12),
            ("f.1.g", 13),
            ("f.1.g.h", 13),
        ];
        assert_eq!(seen, expected.map(|(key, line)| (key.to_owned(), line)));
    }

    fn collect(table: &Table, path: &str, seen: &mut Vec<(String, u32)>) {
        for (key, node) in &table.entries {
            collect_node(node, format!("{path}{key}"), seen);
        }
    }

    fn collect_node(node: &Node, path: String, seen: &mut Vec<(String, u32)>) {
        seen.push((path.clone(), line(node)));
        match &node.value {
            Value::List(nodes) => {
                for (at, node) in nodes.iter().enumerate() {
                    collect_node(node, format!("{path}.{at}"), seen);
                }
            }
            Value::Table(table) => collect(table, &format!("{path}."), seen),
            _ => {}
        }
    }

    #[test]
    fn every_line_that_is_no_toml_is_reported() {
        let Err(problems) = Table::parse("a = \nb = 1\nc = \"x\n[d\n", &"x.toml".into()) else { panic!() };
        let mut lines: Vec<_> = problems.iter().map(|it| it.place.to_string()).collect();
        lines.sort();
        assert_eq!(lines, ["x.toml:1", "x.toml:3", "x.toml:4"]);
    }
}
