//! Paths and what is below them, each with the moment it was invalidated.

/// Nodes of one trie: a path of the longest kind has 4,000, and most share their beginnings.
pub(super) const MOST_NODES: usize = 200_000;

/// Finds the newest invalidation of a text in as many steps as it has octets, however many there were before.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Next octets, sorted.
    children: Vec<(u8, u32)>,
    /// When the text that ends here was invalidated.
    here: u64,
    /// When all that begins so was.
    below: u64,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Trie {
    /// Invalidates a text, or all that begins so.
    pub(super) fn put(&mut self, text: &[u8], reach: Reach, moment: u64) {
        let mut at = 0;
        for &octet in text {
            at = self.child(at, octet);
        }
        let node = &mut self.nodes[at];
        let slot = if reach == Reach::Below { &mut node.below } else { &mut node.here };
        *slot = moment.max(*slot);
    }

    /// When a text was last invalidated; zero: never.
    pub(super) fn newest(&self, text: &[u8]) -> u64 {
        let mut node = &self.nodes[0];
        let mut newest = node.below;
        for &octet in text {
            let Ok(place) = node.children.binary_search_by_key(&octet, |it| it.0) else { return newest };
            node = &self.nodes[node.children[place].1 as usize];
            newest = newest.max(node.below);
        }
        newest.max(node.here)
    }

    /// Whether texts of so many octets may not fit any more.
    pub(super) const fn is_full(&self, octets: usize) -> bool {
        self.nodes.len() + octets > MOST_NODES
    }

    fn child(&mut self, at: usize, octet: u8) -> usize {
        match self.nodes[at].children.binary_search_by_key(&octet, |it| it.0) {
            Ok(place) => self.nodes[at].children[place].1 as usize,
            Err(place) => {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                let number = u32::try_from(new).expect("there are at most MOST_NODES");
                self.nodes[at].children.insert(place, (octet, number));
                new
            }
        }
    }
}

/// How far an invalidation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The text alone.
    Alone,
    /// All that begins so.
    Below,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_as_new_as_the_last_invalidation_that_covers_it() {
        let mut trie = Trie::default();
        trie.put(b"/live/a", Reach::Alone, 1);
        trie.put(b"/live/", Reach::Below, 2);
        trie.put(b"/live/b", Reach::Alone, 3);
        let check = |text: &str, expected| assert_eq!(trie.newest(text.as_bytes()), expected, "{text}");
        check("/live/a", 2);
        check("/live/b", 3);
        check("/live/bc", 2);
        check("/live", 0);
        check("/vod/a", 0);
        check("", 0);
    }

    proptest! {
        #[test]
        fn it_says_what_a_list_would(
            entries in prop::collection::vec(("[ab/]{0,6}", any::<bool>()), 0..60),
            texts in prop::collection::vec("[ab/]{0,8}", 1..20),
        ) {
            let mut trie = Trie::default();
            for (moment, (text, below)) in (1..).zip(&entries) {
                trie.put(text.as_bytes(), if *below { Reach::Below } else { Reach::Alone }, moment);
            }
            for text in texts {
                let covers = |(entry, below): &(String, bool)| if *below { text.starts_with(entry) } else { text == *entry };
                let expected = (1..).zip(&entries).filter(|it| covers(it.1)).map(|it| it.0).max().unwrap_or(0);
                prop_assert_eq!(trie.newest(text.as_bytes()), expected);
            }
        }
    }
}
