//! An XML document as a tree, of the events of `quick-xml`'s reader, which also checks that it is well-formed.

use quick_xml::events::{BytesStart, Event};

/// An element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Self>,
    pub(crate) text: String,
}

impl Element {
    /// The root of a document.
    pub(crate) fn parse(document: &str) -> Self {
        let mut reader = quick_xml::Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().expect("it is well-formed") {
                Event::Start(it) => open.push(Self::begin(&it)),
                Event::Empty(it) => open.last_mut().expect("the root").children.push(Self::begin(&it)),
                Event::End(_) => {
                    let closed = open.pop().expect("it was opened");
                    open.last_mut().expect("something is around it").children.push(closed);
                }
                Event::Text(it) => open.last_mut().expect("the root").text.push_str(&it),
                Event::Eof => break,
                _ => {}
            }
        }
        let [mut document] = <[Self; 1]>::try_from(open).expect("all is closed");
        assert_eq!(document.children.len(), 1, "one root");
        document.children.remove(0)
    }

    fn begin(it: &BytesStart<'_>) -> Self {
        let attributes = it.attributes().map(|it| {
            let it = it.expect("attributes are well-formed and no two are of one name");
            (it.key.as_ref().to_owned(), it.value.to_string())
        });
        Self { name: it.name().as_ref().to_owned(), attributes: attributes.collect(), ..Self::default() }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    pub(crate) fn said(&self, name: &str) -> &str {
        self.attribute(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|it| it.parse().expect("it is a number"))
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|it| it.name == name).collect()
    }

    pub(crate) fn one(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.name == name)
    }

    /// It and everything below it.
    pub(crate) fn everything(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.children.iter().flat_map(Self::everything)).collect()
    }
}
