//! Every file in `samples/` says what it should.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::Selection;
use crate::distribution::{RewriteManifests, ViewerProtocolPolicy};
use crate::ingest::Publish;
use crate::observe::AccessLogFormat;
use crate::origin::{Files, OriginKind};
use crate::stream_keys::StreamKeys;
use crate::{Config, Found, Sources, resolve};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

/// Paths of the sample are really there; those of the machine it is for cannot be.
fn sample(name: &str) -> Config {
    let text = fs::read_to_string(samples().join(name)).unwrap();
    let look = |path: &Path| match path.strip_prefix(samples()) {
        Err(_) => super::as_named(path),
        Ok(_) if path.is_dir() => Found::Directory,
        Ok(_) if path.is_file() => Found::File,
        Ok(_) => Found::Nothing,
    };
    let sources = Sources {
        file: Some((name, &text)),
        base: &samples(),
        here: Path::new("/"),
        environment: Vec::new(),
        sets: &[],
        look: &look,
    };
    resolve(&sources).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_sample_is_right() {
    let mut seen = Vec::new();
    for entry in fs::read_dir(samples()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".toml") && name != "stream-keys.toml" {
            sample(&name);
            seen.push(name);
        }
    }
    seen.sort();
    assert_eq!(seen, ["edge.toml", "levada.toml", "library.toml", "production.toml", "signed.toml"]);
}

#[test]
fn the_sample_of_the_readme_signs_live_and_leaves_films_public() {
    let config = sample("levada.toml");
    let [distribution] = config.distributions.as_slice() else { panic!("there is one") };
    let [live, films, rest] = distribution.behaviors.as_slice() else { panic!("there are three") };
    assert_eq!((distribution.id.as_str(), distribution.default), ("localhost", true));
    assert_eq!((live.path_pattern.as_str(), live.cache_policy.as_str()), ("/live/*", "Levada-Live"));
    assert_eq!(
        (live.trusted_key_groups.as_slice(), live.rewrite_manifests),
        (&["viewers".to_owned()][..], RewriteManifests::Append)
    );
    assert_eq!((films.path_pattern.as_str(), films.cache_policy.as_str()), ("/vod/*", "Levada-Media"));
    assert_eq!((rest.path_pattern.as_str(), rest.target_origin.as_str()), ("*", "films"));
    assert_eq!((films.trusted_key_groups.len(), films.rewrite_manifests), (0, RewriteManifests::No));
    assert_eq!(config.apps[0].publish, Publish::KeysFile(samples().join("stream-keys.toml")));
    assert_eq!(
        config.origins[1].kind,
        OriginKind::Vod {
            files: Files::Directory(samples().join("media")),
            strip_prefix: None,
            encryption: None
        }
    );
}

#[test]
fn the_other_samples_show_what_they_are_for() {
    let signed = sample("signed.toml");
    assert_eq!(signed.distributions[0].behaviors[1].rewrite_manifests, RewriteManifests::No);
    assert!(
        signed
            .response_headers_policies
            .iter()
            .any(|it| it.cors.as_ref().is_some_and(|it| it.allow_credentials))
    );

    let library = sample("library.toml");
    assert_eq!(library.listen.rtmp, None);
    assert_eq!(library.cache_policies.last().unwrap().query, Selection::None);

    let edge = sample("edge.toml");
    let OriginKind::Parent(shield) = &edge.origins[0].kind else { panic!("it has parents") };
    assert_eq!((shield.parents.len(), shield.fallback.as_deref()), (2, Some("films")));

    let production = sample("production.toml");
    assert_eq!(production.observe.access_log.unwrap().format, AccessLogFormat::W3c);
    assert_eq!(production.listen.https.unwrap().address.port(), 443);
    assert_eq!(
        production.distributions[0].behaviors[0].viewer_protocol_policy,
        ViewerProtocolPolicy::RedirectToHttps
    );
}

#[test]
fn the_sample_of_stream_keys_gives_names() {
    let text = fs::read_to_string(samples().join("stream-keys.toml")).unwrap();
    let keys = StreamKeys::parse("stream-keys.toml", &text).unwrap();
    let mut names: Vec<_> = keys.iter().map(|(key, name)| (key.reveal(), name)).collect();
    names.sort();
    let expected = [
        ("sample-7fTqws92kd03", "main-stage"),
        ("sample-Qm4vX81zLr56", "main-stage"),
        ("sample-b9HcNe70Uy28", "press-room"),
    ];
    assert_eq!(names, expected);
}
