//! What was measured, as a table.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A row: what, ours, the peer's, and what we aim at.
pub(crate) struct Figure {
    pub(crate) what: Cow<'static, str>,
    pub(crate) ours: String,
    pub(crate) peer: String,
    pub(crate) goal: Cow<'static, str>,
}

impl Figure {
    /// A row without a peer.
    pub(crate) fn alone(
        what: impl Into<Cow<'static, str>>,
        ours: impl fmt::Display,
        goal: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::beside(what, ours, "–", goal)
    }

    /// A row with a peer.
    pub(crate) fn beside(
        what: impl Into<Cow<'static, str>>,
        ours: impl fmt::Display,
        peer: impl fmt::Display,
        goal: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { what: what.into(), ours: ours.to_string(), peer: peer.to_string(), goal: goal.into() }
    }
}

/// Prints rows as Markdown.
pub(crate) fn print(figures: &[Figure]) {
    println!("| What | Levada | Peers | Goal |\n|---|---|---|---|");
    for Figure { what, ours, peer, goal } in figures {
        println!("| {what} | {ours} | {peer} | {goal} |");
    }
}

/// How long something took, many times.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, it: Duration) {
        self.0.push(it);
    }

    /// The time that `share` of all did not exceed.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
        sorted.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, nearly, all] = [0.5, 0.95, 0.99, 1.0].map(|it| self.quantile(it));
        write!(f, "{half:.1} ms ({most:.1}, {nearly:.1}, {all:.1})")
    }
}
