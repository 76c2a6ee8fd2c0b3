//! From a node of the document to a value of the kind that its setting wants, or what is wrong with it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::cache::Selection;
use crate::document::{Node, Value};
use crate::nearest::nearest;
use crate::section::Found;
use crate::setting::{Bounds, Kind, Stands};
use crate::units::{ByteSize, IpNetwork, PathPattern, Secret, duration, network};

/// What is wrong with a value, and what to write instead.
pub(crate) struct Wrong {
    pub(crate) wrong: String,
    pub(crate) remedy: String,
}

fn wrong(wrong: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    Wrong { wrong: wrong.into(), remedy: remedy.into() }
}

/// A text, checked further where the kind is a name.
pub(crate) fn text(node: &Node, kind: &Kind) -> Result<String, Wrong> {
    let text = text_of(node)?;
    if matches!(kind, Kind::Name) { name(text) } else { Ok(text.to_owned()) }
}

pub(crate) fn secret(node: &Node, _: &Kind) -> Result<Secret, Wrong> {
    Ok(Secret::new(text_of(node)?))
}

pub(crate) fn flag(node: &Node, _: &Kind) -> Result<bool, Wrong> {
    match node.value {
        Value::Boolean(it) => Ok(it),
        _ => Err(wrong(format!("this is {}", node.kind()), "write true or false, without quotes")),
    }
}

pub(crate) fn word(node: &Node, kind: &Kind) -> Result<&'static str, Wrong> {
    let (Kind::Word(words) | Kind::WordOrTable(words, _)) = kind else {
        unreachable!("a word is read as a word")
    };
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        Value::Boolean(true) => "true",
        Value::Boolean(false) => "false",
        _ => return Err(wrong(format!("this is {}", node.kind()), format!("write {}", choice(words, kind)))),
    };
    words.iter().copied().find(|it| *it == text).ok_or_else(|| {
        let remedy = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {}", choice(words, kind)),
        };
        wrong(format!("{text:?} is not known"), remedy)
    })
}

fn choice(words: &[&str], kind: &Kind) -> String {
    let words: Vec<_> = words.iter().map(|it| quoted(kind, it)).collect();
    let table = match kind {
        Kind::WordOrTable(_, inner) => {
            format!(" or a table of {}", inner.iter().map(|it| it.key).collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    };
    format!("{}{table}", words.join(" or "))
}

pub(crate) fn count(node: &Node, kind: &Kind) -> Result<u32, Wrong> {
    let Kind::Count(bounds) = kind else { unreachable!("a count is read as a count") };
    let Value::Integer(number) = node.value else {
        return Err(wrong(format!("this is {}", node.kind()), "write a whole number, without quotes"));
    };
    let parse = |text: &str| text.parse::<i64>().expect("bounds are numbers, as a test proves");
    within(number, bounds, parse, i64::to_string)?;
    u32::try_from(number).map_err(|_| wrong(format!("{number} is no count"), "write a number below 2^32"))
}

pub(crate) fn duration(node: &Node, kind: &Kind) -> Result<Duration, Wrong> {
    let Kind::Duration(bounds) = kind else { unreachable!("a time is read as a time") };
    if let Value::Integer(number) = node.value {
        return Err(wrong(format!("{number} has no unit"), format!("write \"{number}s\" or \"{number}ms\"")));
    }
    let text = text_of(node)?;
    let length = duration::parse(text).map_err(|why| {
        wrong(format!("{text:?} {why}"), "write a time such as \"333ms\", \"2s\" or \"1h\"")
    })?;
    let parse = |text: &str| duration::parse(text).expect("bounds are times, as a test proves");
    within(length, bounds, parse, |it| duration::show(*it))
}

pub(crate) fn size(node: &Node, kind: &Kind) -> Result<ByteSize, Wrong> {
    let Kind::Size(bounds) = kind else { unreachable!("a size is read as a size") };
    if let Value::Integer(number) = node.value {
        return Err(wrong(
            format!("{number} has no unit"),
            format!("write \"{number} MiB\" or \"{number} B\""),
        ));
    }
    let text = text_of(node)?;
    let size = text
        .parse()
        .map_err(|why| wrong(format!("{text:?} {why}"), "write a size such as \"64 KiB\" or \"512 MiB\""))?;
    let parse = |text: &str| text.parse().expect("bounds are sizes, as a test proves");
    within(size, bounds, parse, ByteSize::to_string)
}

fn within<T: PartialOrd>(
    value: T,
    bounds: &Bounds,
    parse: impl Fn(&str) -> T,
    show: impl Fn(&T) -> String,
) -> Result<T, Wrong> {
    let Bounds { least, most, because } = bounds;
    if value < parse(least) {
        return Err(wrong(
            format!("{} is less than {least}", show(&value)),
            format!("write at least {least}: {because}"),
        ));
    }
    if value > parse(most) {
        return Err(wrong(
            format!("{} is more than {most}", show(&value)),
            format!("write at most {most}: {because}"),
        ));
    }
    Ok(value)
}

/// None is `off`.
pub(crate) fn address(node: &Node, _: &Kind) -> Result<Option<SocketAddr>, Wrong> {
    if let Value::Integer(port) = node.value {
        return Err(wrong(format!("{port} has no address"), format!("write \"0.0.0.0:{port}\", or \"off\"")));
    }
    let text = text_of(node)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| wrong(format!("{text:?} is no address with a port"), likely_address(text)))
}

fn likely_address(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = if port.parse::<u16>().is_ok() { port } else { "8080" };
    let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { "0.0.0.0" };
    format!("write \"{host}:{port}\", or \"off\"")
}

/// A path as written.
pub(crate) fn path(node: &Node) -> Result<&Path, Wrong> {
    match text_of(node)? {
        "" => Err(wrong("this is empty", "write a path")),
        text => Ok(Path::new(text)),
    }
}

/// Whether the right thing stands at a path.
pub(crate) fn stands(stands: Stands, path: &Path, found: Found) -> Result<(), Wrong> {
    let path = path.display();
    match (stands, found) {
        (Stands::File, Found::Nothing) => {
            Err(wrong(format!("there is no file {path}"), "make it, or correct the path"))
        }
        (Stands::File, Found::Directory) => Err(wrong(format!("{path} is a directory"), "name a file in it")),
        (Stands::Directory, Found::Nothing) => {
            Err(wrong(format!("there is no directory {path}"), "make it, or correct the path"))
        }
        (Stands::Directory, Found::File) => {
            Err(wrong(format!("{path} is a file"), "name the directory it is in"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn pattern(node: &Node, _: &Kind) -> Result<PathPattern, Wrong> {
    let text = text_of(node)?;
    PathPattern::new(text)
        .map_err(|why| wrong(format!("{text:?} {why}"), "write a pattern such as \"/live/*\""))
}

/// A list of texts, checked further where the kind is host names.
pub(crate) fn texts(node: &Node, kind: &Kind) -> Result<Vec<String>, Wrong> {
    list_of(node, |node| {
        let text = text_of(node)?;
        if matches!(kind, Kind::Hosts) { host(text) } else { Ok(text.to_owned()) }
    })
}

/// A list of statuses, each among those of the kind.
pub(crate) fn statuses(node: &Node, kind: &Kind) -> Result<Vec<u16>, Wrong> {
    let Kind::Statuses(all) = kind else { unreachable!("statuses are read as statuses") };
    list_of(node, |node| {
        let known = match node.value {
            Value::Integer(number) => all.iter().copied().find(|it| i64::from(*it) == number),
            _ => None,
        };
        known.ok_or_else(|| {
            let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            wrong("this is no status that may stand here", format!("write numbers among {all}"))
        })
    })
}

pub(crate) fn networks(node: &Node, _: &Kind) -> Result<Vec<IpNetwork>, Wrong> {
    list_of(node, |node| {
        let text = text_of(node)?;
        text.parse().map_err(|why: network::Invalid| {
            wrong(format!("{text:?} {why}"), "write a network such as \"10.0.0.0/8\", or an address")
        })
    })
}

pub(crate) fn selection(node: &Node, _: &Kind) -> Result<Selection, Wrong> {
    let names = |node: &Node| list_of(node, |it| text_of(it).map(str::to_owned));
    match &node.value {
        Value::Text(text) if text == "none" => return Ok(Selection::None),
        Value::Text(text) if text == "all" => return Ok(Selection::All),
        Value::List(_) => return names(node).map(Selection::Only),
        Value::Table(table) if table.entries.len() == 1 => {
            if let Some(node) = table.entries.get("except") {
                return names(node).map(Selection::AllExcept);
            }
        }
        _ => {}
    }
    Err(wrong(
        "this selects nothing known",
        "write \"none\", \"all\", a list of names, or { except = [names] }",
    ))
}

/// Names and texts of a table with free keys.
pub(crate) fn pairs(node: &Node, _: &Kind) -> Result<Vec<(String, String)>, Wrong> {
    let Value::Table(table) = &node.value else {
        return Err(wrong(format!("this is {}", node.kind()), "write { \"X-Name\" = \"value\" }"));
    };
    table.entries.iter().map(|(name, value)| Ok((name.clone(), text_of(value)?.to_owned()))).collect()
}

pub(crate) fn text_of(node: &Node) -> Result<&str, Wrong> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong(format!("this is {}", node.kind()), "write a text in double quotes")),
    }
}

fn list_of<T>(node: &Node, one: impl Fn(&Node) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(one).collect(),
        _ => Err(wrong(
            format!("this is {}", node.kind()),
            "write a list in brackets, such as [\"one\", \"two\"]",
        )),
    }
}

/// Names become path segments, labels and file names: the letters that need no escape anywhere.
pub(crate) fn name(text: &str) -> Result<String, Wrong> {
    let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b'~');
    if !text.is_empty() && text.len() <= 128 && text.bytes().all(legal) && !text.starts_with('.') {
        return Ok(text.to_owned());
    }
    Err(wrong(
        format!("{text:?} cannot be a name"),
        "write 1 to 128 of A-Z a-z 0-9 - _ . ~, not beginning with a dot",
    ))
}

fn host(text: &str) -> Result<String, Wrong> {
    let host = text.to_ascii_lowercase();
    let bare = host.strip_prefix("*.").unwrap_or(&host);
    let label = |it: &str| {
        (1..=63).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
    };
    if bare.len() <= 253 && bare.split('.').all(label) {
        return Ok(host);
    }
    Err(wrong(
        format!("{text:?} is no host name"),
        "write a name such as \"tv.example.com\" or \"*.example.com\", without scheme, port or path",
    ))
}

/// A value as the file writes it, from how `--set` takes it.
pub(crate) fn quoted(kind: &Kind, raw: &str) -> String {
    match kind {
        Kind::Flag | Kind::Count(_) | Kind::Headers | Kind::Table(_) | Kind::Tables(..) => raw.to_owned(),
        Kind::Statuses(_) => format!("[{raw}]"),
        Kind::Word(_) if matches!(raw, "true" | "false") => raw.to_owned(),
        Kind::Selection if matches!(raw, "none" | "all") => format!("{raw:?}"),
        Kind::Texts | Kind::Hosts | Kind::Networks | Kind::Selection => {
            let items = raw.split(',').filter(|it| !it.is_empty());
            format!("[{}]", items.map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", "))
        }
        _ => format!("{raw:?}"),
    }
}
