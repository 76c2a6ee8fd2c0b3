//! Who may publish and play over RTMP: stream keys of a file, everyone, or whom a webhook lets in.

mod keys;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use config::ingest::{App, OnConflict, Publish};
use config::problem::Problems;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ingest::admission::{Admission, Admitted, PlayAsk, PublishAsk, Reason, Refusal};
use packager::live;
use packager::media::{AppName, BroadcastName};

pub use keys::Keys;
use webhook::{Unnamed, Webhook};

use crate::access::StreamAsk;

/// Judges a signed stream name (cloudfront.md 1.13).
pub type SignedNames = dyn Fn(&StreamAsk<'_>) -> bool + Send + Sync;

/// Decides for RTMP connections by the configuration in force.
pub struct Gate {
    apps: ArcSwap<HashMap<String, Entry>>,
    signed: Arc<SignedNames>,
}

#[derive(Clone)]
struct Entry {
    app: AppName,
    publishers: Publishers,
    on_conflict: live::OnConflict,
    play_key_groups: Vec<String>,
}

#[derive(Clone)]
enum Publishers {
    Anyone,
    Keys(Arc<Keys>),
    Webhook(Arc<Webhook>),
}

impl Gate {
    /// Compiles the applications, reading their key files.
    ///
    /// # Errors
    /// [`Problems`] of the files of stream keys.
    pub fn new(apps: &[App], signed: Arc<SignedNames>) -> Result<Self, Problems> {
        Ok(Self { apps: ArcSwap::from_pointee(Compiled::read(apps)?.0), signed })
    }

    /// Swaps the applications in; who publishes already goes on.
    pub fn replace(&self, apps: Compiled) {
        self.apps.store(Arc::new(apps.0));
    }

    /// Keys and names of an application whose publishers hold keys of a file, for the control page.
    pub fn keys(&self, app: &str) -> Vec<(String, String)> {
        match self.apps.load().get(app).map(|it| it.publishers.clone()) {
            Some(Publishers::Keys(keys)) => keys.listed(),
            _ => Vec::new(),
        }
    }
}

/// Applications that can be put in force.
pub struct Compiled(HashMap<String, Entry>);

impl Compiled {
    /// Compiles applications, reading their key files.
    ///
    /// # Errors
    /// [`Problems`] of the files of stream keys.
    pub fn read(apps: &[App]) -> Result<Self, Problems> {
        apps.iter().map(|it| Ok((it.name.clone(), Entry::read(it)?))).collect::<Result<_, _>>().map(Self)
    }
}

impl Entry {
    fn read(it: &App) -> Result<Self, Problems> {
        let app = AppName::new(&it.name).expect("config admits only names of applications that are names");
        let publishers = match &it.publish {
            Publish::Open => Publishers::Anyone,
            Publish::KeysFile(file) => Publishers::Keys(Arc::new(Keys::load(file)?)),
            Publish::Webhook { url, timeout, key_is_name } => {
                let unnamed = if *key_is_name { Unnamed::ByKey } else { Unnamed::Refused };
                Publishers::Webhook(Arc::new(Webhook::new(url.clone(), *timeout, unnamed)))
            }
        };
        let on_conflict = match it.on_conflict {
            OnConflict::Replace => live::OnConflict::Replace,
            OnConflict::Refuse => live::OnConflict::Refuse,
        };
        Ok(Self { app, publishers, on_conflict, play_key_groups: it.play_key_groups.clone() })
    }

    async fn admit(self, ask: PublishAsk) -> Result<Admitted, Refusal> {
        let name = match self.publishers {
            Publishers::Anyone => ask.name,
            Publishers::Keys(keys) => keys
                .name(&ask.name, ask.query.value("key"))
                .ok_or_else(|| {
                    Refusal::new(
                        Reason::Denied,
                        "this stream key is not known here; check it in your encoder",
                    )
                })?
                .to_owned(),
            Publishers::Webhook(hook) => hook.ask(&ask).await?,
        };
        let name = BroadcastName::new(self.app, &name).map_err(|why| {
            Refusal::new(Reason::InvalidName, format!("the stream's name cannot be used: {why}"))
        })?;
        Ok(Admitted { name, on_conflict: self.on_conflict })
    }
}

impl Admission for Gate {
    fn has_app(&self, app: &str) -> bool {
        self.apps.load().contains_key(app)
    }

    fn admit_publish(&self, ask: PublishAsk) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        let entry = self.apps.load().get(&ask.app).cloned();
        async move {
            match entry {
                Some(entry) => entry.admit(ask).await,
                None => Err(unknown_app(&ask.app)),
            }
        }
        .boxed()
    }

    fn admit_play(&self, ask: PlayAsk) -> BoxFuture<'_, Result<BroadcastName, Refusal>> {
        std::future::ready(self.judge_play(&ask)).boxed()
    }
}

impl Gate {
    fn judge_play(&self, ask: &PlayAsk) -> Result<BroadcastName, Refusal> {
        let apps = self.apps.load();
        let entry = apps.get(&ask.app).ok_or_else(|| unknown_app(&ask.app))?;
        let name = BroadcastName::new(entry.app.clone(), &ask.name).map_err(|why| {
            Refusal::new(Reason::InvalidName, format!("the stream's name cannot be used: {why}"))
        })?;
        let groups = &entry.play_key_groups;
        let (scheme, host) = scheme_and_host(ask.tc_url.as_deref());
        let asked = StreamAsk {
            scheme,
            host: &host,
            app: &ask.app,
            name: &ask.name,
            query: Some(ask.query.as_str()).filter(|it| !it.is_empty()),
            client: ask.address.ip().to_canonical(),
            key_groups: groups,
        };
        if groups.is_empty() || (self.signed)(&asked) {
            return Ok(name);
        }
        Err(Refusal::new(Reason::Denied, "this stream plays with a signed name, and this one's is not valid"))
    }
}

/// `rtmp://Host:1935/live` → `rtmp`, `host`: what a signature may name as its resource.
fn scheme_and_host(tc_url: Option<&str>) -> (&'static str, String) {
    let (scheme, rest) = tc_url.and_then(|it| it.split_once("://")).unwrap_or(("rtmp", ""));
    let (scheme, default) =
        if scheme.eq_ignore_ascii_case("rtmps") { ("rtmps", ":443") } else { ("rtmp", ":1935") };
    let host = rest.split(['/', '?']).next().unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_suffix(default).unwrap_or(&host).to_owned();
    (scheme, host)
}

fn unknown_app(app: &str) -> Refusal {
    Refusal::new(Reason::Denied, format!("there is no application {app:?} here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_url_gives_what_a_signature_may_name() {
        let of = |url: &str| scheme_and_host(Some(url));
        assert_eq!(of("rtmp://Media.Example:1935/live"), ("rtmp", "media.example".into()));
        assert_eq!(of("rtmps://media.example:4443/live?x"), ("rtmps", "media.example:4443".into()));
        assert_eq!(scheme_and_host(None), ("rtmp", String::new()));
    }
}
