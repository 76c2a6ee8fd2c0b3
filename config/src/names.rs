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
