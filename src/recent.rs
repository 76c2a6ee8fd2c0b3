//! A map that forgets what was not asked for lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Keeps two generations. Entries are used and made in the young one; when that is full it becomes the old one, and
/// what was old is forgotten. So each operation is short, and the weight of all entries never exceeds a bound.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_weight: usize,
    /// Of one generation.
    limit: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Holds entries of at most `weight` together.
    pub(crate) fn new(weight: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_weight: 0, limit: weight / 2 }
    }

    /// The value under `key`, which becomes young by being asked for.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if let Some((key, (value, weight))) = self.old.remove_entry(key) {
            self.insert(key, value, weight);
        }
        self.young.get_mut(key).map(|(value, _)| value)
    }

    /// Keeps a value of `weight`, unless it alone weighs more than a generation may.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        self.old.remove(&key);
        if weight > self.limit {
            return;
        }
        if self.young_weight + weight > self.limit {
            self.old = mem::take(&mut self.young);
            self.young_weight = 0;
        }
        self.young_weight += weight;
        if let Some((_, replaced)) = self.young.insert(key, (value, weight)) {
            self.young_weight -= replaced;
        }
    }

    /// Forgets all values but those that `keep` likes.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.old.retain(|_, (value, _)| keep(value));
        self.young.retain(|_, (value, _)| keep(value));
        self.young_weight = self.young.values().map(|(_, weight)| weight).sum();
    }

    #[cfg(test)]
    fn weight(&self) -> usize {
        self.young.values().chain(self.old.values()).map(|(_, weight)| weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut recent = Recent::new(8);
        for key in 0..100 {
            recent.insert(key, key, 1);
            assert_eq!(recent.get_mut(&0), Some(&mut 0), "after {key}");
        }
        assert_eq!(recent.get_mut(&1), None);
        assert_eq!(recent.get_mut(&99), Some(&mut 99));
    }

    #[test]
    fn what_is_too_heavy_is_not_kept() {
        let mut recent = Recent::new(8);
        recent.insert("heavy", (), 5);
        assert_eq!(recent.get_mut(&"heavy"), None);
    }

    proptest! {
        #[test]
        fn the_weight_is_bounded_whatever_is_done(
            steps in proptest::collection::vec((0_u8..3, 0_u8..20, 0_usize..12), 0..200)
        ) {
            let mut recent = Recent::new(20);
            for (step, key, weight) in steps {
                match step {
                    0 => recent.insert(key, key, weight),
                    1 => prop_assert!(recent.get_mut(&key).is_none_or(|it| *it == key)),
                    _ => recent.retain(|it| *it != key),
                }
                prop_assert!(recent.weight() <= 20);
            }
        }
    }
}
