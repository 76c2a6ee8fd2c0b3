//! Other Levadas between this one and where answers are made (cloudfront.md 9, http-edge.md 14).
//!
//! Rendezvous hashing gives each path its order of parents: all edges ask the same one first, so that it collapses what
//! they ask, and one that goes away moves its own share alone. Who asks was admitted here; a parent judges no signature.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use config::origin::{HttpOrigin, ParentOrigin};
use xxhash_rust::xxh3::xxh3_64;

use super::LASTING;
use super::web::{Question, Web};
use crate::passage::{Admitted, Ask, Failure, Fetched, LEVADA_LIFETIME, Lifetime};

/// The parents of one tier.
pub(super) struct Parents {
    all: Vec<Arc<Web>>,
    pub(super) fallback: Option<String>,
}

impl Parents {
    /// `previous` are those of that origin from before a reload; who stays keeps its connections.
    pub(super) fn new(meant: &ParentOrigin, previous: Option<&Self>) -> Self {
        let parent = |settings: &HttpOrigin| {
            let mut known = previous.into_iter().flat_map(|it| &it.all);
            match known.find(|it| it.settings() == settings) {
                Some(it) => Arc::clone(it),
                None => Arc::new(Web::new(settings.clone())),
            }
        };
        Self { all: meant.parents.iter().map(parent).collect(), fallback: meant.fallback.clone() }
    }

    /// The number of the origin of that id, in every run. Other parents have the same contents.
    pub(super) fn number(id: &str) -> u64 {
        LASTING | xxh3_64(format!("parent {id}").as_bytes())
    }

    pub(super) fn all(&self) -> &[Arc<Web>] {
        &self.all
    }

    /// What goes to them of a viewer's request.
    pub(super) fn question(asked: &Admitted, node: &str) -> Question {
        Question::of(asked, node).for_parent(asked.routed().distribution().host.as_deref())
    }

    /// By when one of them answers, or all have failed to.
    pub(super) fn deadline(&self, question: &Question) -> Duration {
        self.all.iter().map(|it| it.patience(question)).sum()
    }

    /// How long any of them may be silent while a body comes.
    pub(super) fn silence(&self) -> Duration {
        self.all.iter().map(|it| it.settings().read_timeout).max().unwrap_or_default()
    }

    /// Asks one after the other, until one answers.
    pub(super) async fn fetch(&self, question: &Question, ask: &Ask) -> Result<Fetched, Failure> {
        let mut failure = Failure::Unreachable("it has no parents".into());
        for parent in self.in_order(&question.name()) {
            match parent.fetch(question, ask).await {
                Ok(fetched) => return Ok(as_told(fetched)),
                Err(it) if it.is_silence() && question.is_repeatable() => failure = it,
                Err(it) => return Err(it),
            }
        }
        Err(failure)
    }

    /// By who is asked first for what has this name.
    fn in_order(&self, name: &str) -> Vec<&Web> {
        let mut order: Vec<_> = self.all.iter().map(|it| (score(it.settings(), name), &**it)).collect();
        order.sort_by_key(|(score, _)| Reverse(*score));
        order.into_iter().map(|(_, it)| it).collect()
    }
}

fn score(parent: &HttpOrigin, name: &str) -> u64 {
    let HttpOrigin { domain_name, http_port, .. } = parent;
    xxh3_64(format!("{domain_name} {http_port} {name}").as_bytes())
}

/// Takes the lifetime that its origin has told a parent.
fn as_told(mut fetched: Fetched) -> Fetched {
    let told = fetched.headers.remove(LEVADA_LIFETIME);
    Fetched { lifetime: told.as_ref().and_then(Lifetime::read), ..fetched }
}

#[cfg(test)]
mod tests {
    use config::origin::OriginProtocolPolicy;

    use super::*;

    fn parents(count: u16) -> Parents {
        let parent = |at: u16| HttpOrigin {
            domain_name: format!("10.0.0.{at}"),
            path: String::new(),
            protocol_policy: OriginProtocolPolicy::HttpOnly,
            http_port: 8080,
            https_port: 8080,
            ca_file: None,
            custom_headers: Vec::new(),
            connection_attempts: 1,
            connection_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            completion_timeout: None,
            keepalive_timeout: Duration::from_secs(1),
        };
        Parents::new(&ParentOrigin { parents: (0..count).map(parent).collect(), fallback: None }, None)
    }

    fn first<'a>(parents: &'a Parents, name: &str) -> &'a str {
        &parents.in_order(name)[0].settings().domain_name
    }

    #[test]
    fn a_path_has_its_parent_and_each_parent_its_share() {
        let parents = parents(4);
        let names: Vec<_> = (0..1_000).map(|it| format!("tv.example/live/{it}.m4s")).collect();
        for parent in &parents.all {
            let share =
                names.iter().filter(|it| first(&parents, it) == parent.settings().domain_name).count();
            assert!((200..300).contains(&share), "{share} of 1000");
        }
    }

    #[test]
    fn one_parent_more_or_less_moves_its_own_share_alone() {
        let (four, three) = (parents(4), parents(3));
        for name in (0..1_000).map(|it| it.to_string()) {
            let before = first(&four, &name);
            assert!(before == first(&three, &name) || before == "10.0.0.3", "{name}");
        }
    }
}
