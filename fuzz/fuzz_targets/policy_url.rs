//! Any target, cookies and policy before the signature check: admitted or refused, and never with a signature left.
//!
//! The input is three lines: the request target, the cookies, and the resource of a policy that a trusted key signs and
//! whose query is put behind the target. Without a third line nothing is signed.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use levada::access::sign::{Algorithm, NewKeys, Signer, Terms, is_signed};
use levada::access::{Access, Keys, Rules};
use levada::behavior::Table;
use levada::passage::{RequestId, Scheme, canonical};
use levada::protect::{self, Protect};
use levada::viewer::{Peer, read_request};
use levada_config::access::{KeyGroup, PublicKey};
use levada_config::cache::{CachePolicy, Selection};
use levada_config::distribution::{
    AllowedMethods, Behavior, Distribution, RangeFill, ResponseHeadersPolicy, RewriteManifests,
    ViewerProtocolPolicy,
};
use levada_config::protect::Protection;
use levada_config::units::{ByteSize, PathPattern};
use libfuzzer_sys::fuzz_target;

/// The first second of 2026.
static NOW: LazyLock<SystemTime> = LazyLock::new(|| UNIX_EPOCH + Duration::from_secs(1_767_225_600));

struct House {
    protect: Protect,
    signer: Signer,
    access: Access,
    table: Table,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let keys = NewKeys::generate(Algorithm::Ecdsa).expect("there is randomness");
    let config = levada_config::access::Access {
        public_keys: vec![PublicKey { id: "KFUZZ".to_owned(), file: "fuzz.pem".into() }],
        key_groups: vec![KeyGroup { name: "viewers".to_owned(), keys: vec!["KFUZZ".to_owned()] }],
    };
    let public = Keys::load(&config, |_| Ok(keys.public.clone().into_bytes())).expect("it was just made");
    House {
        protect: Protect::new(protect::Rules::default()),
        signer: Signer::from_pem("KFUZZ", keys.private.as_bytes()).expect("it was just made"),
        access: Access::new(Rules { keys: public, ..Rules::default() }),
        table: table(),
    }
});

/// Everything is signed but `/public/*`.
fn table() -> Table {
    let behavior = |pattern: &str, groups: &[&str]| Behavior {
        path_pattern: PathPattern::new(pattern).expect("it is one"),
        target_origin: "films".to_owned(),
        trusted_key_groups: groups.iter().map(|&it| it.to_owned()).collect(),
        cache_policy: "fuzz".to_owned(),
        origin_request_policy: None,
        response_headers_policy: "fuzz".to_owned(),
        rewrite_manifests: RewriteManifests::Append,
        viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
        compress: false,
        range_fill: RangeFill::Auto,
        allowed_methods: AllowedMethods::Read,
        caches_options: false,
        max_request_body: ByteSize(0),
    };
    let distribution = Distribution {
        id: "fuzz".to_owned(),
        aliases: Vec::new(),
        default: true,
        enabled: true,
        protection: Protection::default(),
        custom_error_responses: Vec::new(),
        default_root_object: String::new(),
        behaviors: vec![behavior("/public/*", &[]), behavior("*", &["viewers"])],
    };
    let cache_policy = CachePolicy {
        name: "fuzz".to_owned(),
        min_ttl: Duration::ZERO,
        default_ttl: Duration::ZERO,
        max_ttl: Duration::ZERO,
        error_ttl: Duration::ZERO,
        error_ttls: Vec::new(),
        query: Selection::All,
        headers: Vec::new(),
        cookies: Selection::None,
        deny_type_mismatch: true,
        gzip: false,
        request_directives: levada_config::cache::RequestDirectives::Ignore,
        brotli: false,
    };
    let response_headers_policy =
        ResponseHeadersPolicy { name: "fuzz".to_owned(), ..ResponseHeadersPolicy::default() };
    Table::new(&[distribution], &[cache_policy], &[], &[response_headers_policy])
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |it| *it == b'\n');
    let Some(target) = lines.next().and_then(|it| std::str::from_utf8(it).ok()) else { return };
    let cookies = lines.next().unwrap_or_default();
    let resource = lines.next().and_then(|it| std::str::from_utf8(it).ok());
    let target = match resource {
        Some(it) => sign(it).append_to(target),
        None => target.to_owned(),
    };
    let head = http::Request::builder().uri(target).header("host", "h.example").header("cookie", cookies);
    let Ok(head) = head.body(()) else { return };
    let peer = Peer { address: ([192, 0, 2, 1], 4711).into(), scheme: Scheme::Https };
    let Ok(request) = read_request(head.into_parts().0.into(), false, peer, &[], RequestId::new(1), *NOW)
    else {
        return;
    };
    let Ok(routed) = HOUSE.table.route(request) else { return };
    assert_eq!(canonical(routed.path()).as_deref(), Ok(routed.path()), "a canonical path is canonical");
    let is_public = routed.behavior().trusted_key_groups.is_empty();
    assert_eq!(is_public, routed.path().starts_with("/public/"), "the path that goes on chose the behavior");
    let guarded = HOUSE.protect.judge(routed, *NOW).expect("nobody is refused for who he is");
    match HOUSE.access.admit(guarded, *NOW) {
        Ok(admitted) if is_public => assert!(admitted.credentials().is_none(), "nothing was signed"),
        Ok(admitted) => {
            assert!(resource.is_some(), "nobody else has the key");
            assert!(!admitted.query().is_some_and(is_signed), "a signature went on");
            let behavior = admitted.routed().behavior();
            let trusted = |it: &str| HOUSE.access.trusts(behavior, it);
            assert!(
                admitted.credentials().is_none_or(|it| trusted(&it.key_pair_id)),
                "a key nobody trusts goes on"
            );
        }
        Err(refusal) => assert!(!is_public, "nothing to refuse: {:?}", refusal.reason()),
    }
});

fn sign(resource: &str) -> levada::access::sign::Signed {
    let terms = Terms {
        resource: Some(resource.to_owned()),
        expires: *NOW + Duration::from_secs(60),
        not_before: None,
        network: None,
    };
    HOUSE.signer.sign_custom(&terms).expect("any text can be a resource")
}
