//! Host and path to behavior, compiled from the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use config::cache::CachePolicy;
use config::distribution::{CustomErrorResponse, OriginRequestPolicy, ResponseHeadersPolicy};
use http::StatusCode;

use super::Witness;
use crate::passage::{
    Behavior, Distribution, ErrorPage, Request, ResponseHeaders, RouteFault, Routed, Unrouted, canonical,
};

/// Every distribution with its behaviors. Immutable: a reload builds another and swaps it whole.
#[derive(Debug)]
pub struct Table {
    exact: HashMap<String, Arc<Distribution>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Arc<Distribution>>,
    default: Arc<Distribution>,
}

impl Table {
    /// Compiles distributions with the policies they name.
    ///
    /// # Panics
    /// When a policy is not there or no distribution is the default, which `config` has made sure of.
    pub fn new(
        distributions: &[config::distribution::Distribution],
        cache_policies: &[CachePolicy],
        origin_request_policies: &[OriginRequestPolicy],
        response_headers_policies: &[ResponseHeadersPolicy],
    ) -> Self {
        let policies = Policies {
            cache: cache_policies.iter().map(|it| (it.name.clone(), Arc::new(it.clone()))).collect(),
            origin_request: origin_request_policies
                .iter()
                .map(|it| (it.name.clone(), Arc::new(it.clone())))
                .collect(),
            response_headers: response_headers_policies
                .iter()
                .map(|it| (it.name.clone(), Arc::new(ResponseHeaders::new(it))))
                .collect(),
        };
        let (mut exact, mut wildcard, mut default) = (HashMap::new(), HashMap::new(), None);
        for meant in distributions {
            let distribution = Arc::new(Distribution {
                id: meant.id.as_str().into(),
                enabled: meant.enabled,
                host: meant.aliases.iter().find(|it| !it.starts_with("*.")).cloned(),
                root: Some(&meant.default_root_object).filter(|it| !it.is_empty()).map(|it| format!("/{it}")),
                error_pages: meant.custom_error_responses.iter().filter_map(error_page).collect(),
                behaviors: meant
                    .behaviors
                    .iter()
                    .map(|it| policies.behavior(it, &meant.custom_error_responses))
                    .collect(),
            });
            for alias in &meant.aliases {
                match alias.strip_prefix("*.") {
                    Some(parent) => wildcard.insert(parent.to_owned(), Arc::clone(&distribution)),
                    None => exact.insert(alias.clone(), Arc::clone(&distribution)),
                };
            }
            if meant.default {
                default = Some(distribution);
            }
        }
        Self { exact, wildcard, default: default.expect("the configuration names one default distribution") }
    }

    /// Finds the distribution by host and the behavior by canonical path.
    ///
    /// # Errors
    /// [`Unrouted`] when the path has no canonical form, or the viewer meant to speak to another distribution.
    pub fn route(&self, request: Request) -> Result<Routed, Unrouted> {
        let distribution = Arc::clone(self.distribution(request.host_name()));
        let connected_to = request.other_name().map(|it| self.distribution(it));
        let mut path = match canonical(request.path()) {
            Ok(it) => it,
            Err(fault) => return Err(Unrouted::new(Witness(()), request, distribution, fault)),
        };
        if connected_to.is_some_and(|it| !Arc::ptr_eq(it, &distribution)) {
            return Err(Unrouted::new(Witness(()), request, distribution, RouteFault::Misdirected));
        }
        if !distribution.enabled {
            return Err(Unrouted::new(Witness(()), request, distribution, RouteFault::Disabled));
        }
        if let Some(root) = distribution.root.as_ref().filter(|_| path == "/") {
            // Whatever the method, and nowhere but at the root (cloudfront.md 2.2).
            path.clone_from(root);
        }
        let behavior = Arc::clone(distribution.behavior(&path));
        Ok(Routed::new(Witness(()), request, path, distribution, behavior))
    }

    /// What is sent in place of an error that answers `routed`, if there is such a page: what to ask for, and the status it
    /// is sent with. A page has no page.
    pub fn error_page(&self, routed: &Routed, error: StatusCode) -> Option<(Routed, StatusCode)> {
        let distribution = routed.distribution();
        let ErrorPage { path, status, .. } = distribution.error_pages.iter().find(|it| it.error == error)?;
        let behavior = Arc::clone(distribution.behavior(path));
        let request = routed.request().for_page(Witness(()), path, &behavior);
        let distribution = Arc::clone(distribution);
        Some((Routed::new(Witness(()), request, path.clone(), distribution, behavior), *status))
    }

    /// The distribution of a host name in lower case: the one that names it, else the one with the longest matching
    /// `*.` alias, else the default. A `*` stands for any number of labels, as in CloudFront.
    pub fn distribution(&self, host_name: &str) -> &Arc<Distribution> {
        let parents = host_name.match_indices('.').filter_map(|(dot, _)| host_name.get(dot + 1..));
        self.exact
            .get(host_name)
            .or_else(|| parents.into_iter().find_map(|it| self.wildcard.get(it)))
            .unwrap_or(&self.default)
    }
}

/// None where nothing is sent in place of it, or its path names nothing.
fn error_page(meant: &CustomErrorResponse) -> Option<ErrorPage> {
    let page = meant.page.as_ref()?;
    let status = |code| StatusCode::from_u16(code).ok();
    let path = canonical(&page.path).ok()?;
    Some(ErrorPage { error: status(meant.error_code)?, path, status: status(page.response_code)? })
}

/// The policies that behaviors name, each made once.
struct Policies {
    cache: HashMap<String, Arc<CachePolicy>>,
    origin_request: HashMap<String, Arc<OriginRequestPolicy>>,
    response_headers: HashMap<String, Arc<ResponseHeaders>>,
}

impl Policies {
    /// A behavior of a distribution that treats these errors in a way of its own.
    fn behavior(
        &self,
        meant: &config::distribution::Behavior,
        errors: &[CustomErrorResponse],
    ) -> Arc<Behavior> {
        let known = "the configuration resolved the names of policies";
        let mut cache_policy = Arc::clone(self.cache.get(&meant.cache_policy).expect(known));
        let ttls = errors.iter().filter_map(|it| Some((it.error_code, it.error_caching_min_ttl?)));
        let ttls: Vec<_> = ttls.collect();
        if !ttls.is_empty() {
            Arc::make_mut(&mut cache_policy).error_ttls = ttls;
        }
        Arc::new(Behavior {
            path_pattern: meant.path_pattern.clone(),
            target_origin: meant.target_origin.clone(),
            trusted_key_groups: meant.trusted_key_groups.clone(),
            cache_policy,
            origin_request: meant
                .origin_request_policy
                .as_ref()
                .map(|it| Arc::clone(self.origin_request.get(it).expect(known))),
            response_headers: Arc::clone(
                self.response_headers.get(&meant.response_headers_policy).expect(known),
            ),
            rewrite_manifests: meant.rewrite_manifests,
            viewer_protocol_policy: meant.viewer_protocol_policy,
            compress: meant.compress,
            range_fill: meant.range_fill,
            allowed_methods: meant.allowed_methods,
            caches_options: meant.caches_options,
            max_request_body: meant.max_request_body.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::PathFault;
    use crate::passage::example::Example;

    /// Each distribution has two behaviors, `/live/*` and `*`, whose origins are named after it.
    fn table(aliases: &[&[&str]]) -> Table {
        let example = Example::get("/");
        let (like, headers) = (example.behavior, example.response_headers);
        let behavior = |pattern: &str, origin: String| config::distribution::Behavior {
            path_pattern: pattern.parse().unwrap(),
            target_origin: origin,
            trusted_key_groups: Vec::new(),
            cache_policy: like.cache_policy.name.clone(),
            origin_request_policy: None,
            response_headers_policy: headers.name.clone(),
            rewrite_manifests: like.rewrite_manifests,
            viewer_protocol_policy: like.viewer_protocol_policy,
            compress: like.compress,
            range_fill: like.range_fill,
            allowed_methods: like.allowed_methods,
            caches_options: like.caches_options,
            max_request_body: config::units::ByteSize(like.max_request_body),
        };
        let distribution = |(at, aliases): (usize, &&[&str])| config::distribution::Distribution {
            id: aliases[0].to_owned(),
            aliases: aliases.iter().map(|&it| it.to_owned()).collect(),
            default: at == 0,
            enabled: aliases[0] != "off.example",
            default_root_object: "live/index.html".into(),
            protection: config::protect::Protection::default(),
            custom_error_responses: vec![CustomErrorResponse {
                error_code: 404,
                page: Some(config::distribution::ErrorPage {
                    path: "/live/%65rror".into(),
                    response_code: 200,
                }),
                error_caching_min_ttl: Some(std::time::Duration::from_secs(1)),
            }],
            behaviors: vec![
                behavior("/live/*", format!("{} live", aliases[0])),
                behavior("*", format!("{} rest", aliases[0])),
            ],
        };
        Table::new(
            &aliases.iter().enumerate().map(distribution).collect::<Vec<_>>(),
            &[CachePolicy::clone(&like.cache_policy)],
            &[],
            &[headers],
        )
    }

    fn check(url: &str, expected: &str) {
        let table = table(&[
            &["first.example"],
            &["a.example.com", "b.example.com"],
            &["*.example.com"],
            &["*.b.example.com"],
        ]);
        let routed = table.route(Example::get_url(url).request()).unwrap();
        assert_eq!(routed.behavior().target_origin, expected, "{url}");
    }

    #[test]
    fn who_asks_for_the_root_asks_for_the_default_root_object() {
        let table = table(&[&["tv.example"]]);
        let check = |target: &str, expected: &str| {
            let routed = table.route(Example::get(target).request()).unwrap();
            assert_eq!(
                format!("{} {}", routed.behavior().target_origin, routed.path()),
                expected,
                "{target}"
            );
        };
        check("/", "tv.example live /live/index.html");
        check("/?a=1", "tv.example live /live/index.html");
        check("/below/", "tv.example rest /below/");
        check("/./", "tv.example live /live/index.html");
    }

    #[test]
    fn an_exact_alias_wins_over_a_wildcard_and_a_longer_wildcard_over_a_shorter() {
        check("http://a.example.com/x", "a.example.com rest");
        check("http://b.example.com:8080/x", "a.example.com rest");
        check("http://c.example.com/x", "*.example.com rest");
        check("http://c.d.example.com/x", "*.example.com rest");
        check("http://c.b.example.com/x", "*.b.example.com rest");
    }

    #[test]
    fn unknown_hosts_and_bare_addresses_go_to_the_default_distribution() {
        check("http://example.com/x", "first.example rest");
        check("http://badexample.com/x", "first.example rest");
        check("http://192.0.2.1:8080/x", "first.example rest");
        check("http://[::1]:8080/x", "first.example rest");
        check("http:///x", "first.example rest");
    }

    #[test]
    fn the_first_behavior_whose_pattern_matches_the_canonical_path_is_chosen() {
        check("http://first.example/live/a", "first.example live");
        check("http://first.example/%6Cive/a", "first.example live");
        check("http://first.example/x/%2e%2e/live/a", "first.example live");
        check("http://first.example/live/../a", "first.example rest");
        check("http://first.example//live/a", "first.example rest");
    }

    #[test]
    fn a_page_is_asked_for_whole_under_the_behavior_of_its_path() {
        let table = table(&[&["tv.example"]]);
        let asked = Example::get("/missing?a=1").header("range", "bytes=0-").method(http::Method::POST);
        let routed = table.route(asked.request()).unwrap();
        assert_eq!(routed.behavior().cache_policy.error_ttl_of(404), std::time::Duration::from_secs(1));
        assert!(table.error_page(&routed, StatusCode::FORBIDDEN).is_none());
        let (page, status) = table.error_page(&routed, StatusCode::NOT_FOUND).unwrap();
        assert_eq!(
            (status.as_u16(), page.path(), &*page.behavior().target_origin),
            (200, "/live/error", "tv.example live")
        );
        let request = page.request();
        assert_eq!((request.method(), request.query()), (&http::Method::GET, None));
        assert!(request.headers().is_empty());
    }

    #[test]
    fn a_distribution_that_is_not_enabled_keeps_its_hosts_and_answers_nobody() {
        let table = table(&[&["first.example"], &["off.example"]]);
        let unrouted = table.route(Example::get_url("http://off.example/a").request()).unwrap_err();
        assert_eq!(unrouted.fault(), RouteFault::Disabled);
        assert!(table.route(Example::get_url("http://first.example/a").request()).is_ok());
    }

    #[test]
    fn a_path_without_canonical_form_is_routed_nowhere() {
        let unrouted = table(&[&["first.example"]])
            .route(Example::get_url("http://first.example/live%2Fa").request())
            .unwrap_err();
        assert_eq!(unrouted.fault(), RouteFault::Path(PathFault::Separator));
        assert_eq!(unrouted.request().path(), "/live%2Fa");
    }
}
