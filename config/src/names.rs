//! Names that point from one section to another.

use std::collections::BTreeSet;

use crate::nearest::nearest;
use crate::section::Section;

/// The names of one kind that were given.
pub(crate) struct Names<'a> {
    what: &'static str,
    header: &'static str,
    given: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// Names of `what`, which tables under `header` give.
    pub(crate) fn new(
        what: &'static str,
        header: &'static str,
        given: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self { what, header, given: given.filter(|it| !it.is_empty()).collect() }
    }

    /// Reports every one of `used` that was not given.
    pub(crate) fn check(&self, section: &Section<'_>, key: &str, used: &[impl AsRef<str>]) {
        for name in used.iter().map(AsRef::as_ref).filter(|it| !self.given.contains(it)) {
            let Self { what, header, given } = self;
            let remedy = match nearest(name, given.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None if given.is_empty() => format!("add it as {header}"),
                None => format!("add it as {header}, or write one of {}", given.join(", ")),
            };
            section.report(key, format!("there is no {what} {name:?}"), remedy);
        }
    }
}

/// Reports every table whose `key` an earlier one has too.
pub(crate) fn unique(sections: &[Section<'_>], key: &str) {
    let mut seen = BTreeSet::new();
    for section in sections.iter().filter(|it| it.has(key)) {
        // The text itself is checked where it is read.
        if let Some(text) = section.plain(key).filter(|text| !seen.insert(*text)) {
            section.report(key, format!("{text:?} is there twice"), "give each its own");
        }
    }
}

/// What is meant by the name or the id of a policy: CloudFront's own are called by either.
pub(crate) fn by_id(ids: &[(&'static str, &'static str)], written: String) -> String {
    ids.iter().find(|(id, _)| *id == written).map_or(written, |(_, name)| (*name).to_owned())
}

/// Reports a policy that has the name or the id of one that is built in.
pub(crate) fn report_built_in<'a>(
    section: &Section<'_>,
    ids: &[(&str, &str)],
    mut built_in: impl Iterator<Item = &'a str>,
) {
    let name = section.text("name");
    if ids.iter().any(|(id, _)| *id == name) || built_in.any(|it| it == name) {
        section.report("name", format!("{name:?} is built in"), "write another name");
    }
}
