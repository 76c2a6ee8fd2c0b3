//! The house itself: walls between modules, checked by parsing what they name.
//!
//! A module names another in a `use`, in a full path, or in a re-export; all three are read with `syn`. Test modules
//! are exempt: they may build what they need.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Modules of `src` that name sockets, files, tasks or clocks. Everything else there is a heart.
const SHELLS: &[&str] = &[
    "acme",
    "cache::clock",
    "cache::collapse",
    "cache::disk::files",
    "cache::fill",
    "child",
    "command",
    "control",
    "edge",
    "hook",
    "ledger",
    "main",
    "new_file",
    "observe",
    "origin",
    "serve",
    "service",
    "vault",
    "viewer",
];

/// Modules whose own file is a shell, with hearts below it.
const SHELLS_OVER_HEARTS: &[&str] = &["cache", "cache::disk"];

/// What a heart never names: runtimes, sockets, files, processes, and clocks it was not given.
const NOT_IN_HEARTS: &[&str] = &[
    "axum",
    "h3",
    "hyper",
    "hyper_util",
    "quinn",
    "rustix",
    "rustls",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "Instant::now",
    "SystemTime::now",
    "tokio",
    "tokio_rustls",
    "tokio_util",
];

/// Stations of a request's way: neighbors who do not visit.
const STATIONS: &[&str] = &["viewer", "behavior", "protect", "access", "cache", "origin", "respond"];

/// Who in `src` may name `ingest`: who builds it, who shows it, who implements its port, and the publishing command.
const NAMES_INGEST: &[&str] = &["serve", "control", "hook", "observe", "command"];

#[test]
fn no_heart_names_a_runtime_a_socket_a_file_or_a_clock() {
    assert_tidy(check_hearts);
}

#[test]
fn no_station_names_its_neighbor() {
    assert_tidy(check_stations);
}

#[test]
fn passage_names_nothing_of_a_station_but_its_witness() {
    assert_tidy(check_passage);
}

#[test]
fn the_edge_has_never_heard_of_rtmp() {
    assert_tidy(|module, names| {
        if NAMES_INGEST.iter().any(|it| is_within(module, it)) {
            return Vec::new();
        }
        names.iter().filter(|it| is_within(it, "ingest")).map(|it| format!("{module} names {it}")).collect()
    });
}

#[test]
fn config_knows_nobody_and_packager_knows_no_protocol() {
    for (root, forbidden) in [
        ("config/src", &["packager", "levada", "tokio", "http", "hyper"][..]),
        (
            "packager/src",
            &["ingest", "levada", "http", "hyper", "rml_rtmp", "config", "std::fs", "std::net::TcpStream"],
        ),
        ("ingest/src", &["http", "hyper", "levada", "config", "std::fs"]),
    ] {
        let mut found = Vec::new();
        for (module, names) in modules(Path::new(root)) {
            for name in names.iter().filter(|name| forbidden.iter().any(|it| is_within(name, it))) {
                found.push(format!("{root}: {module} names {name}"));
            }
        }
        // The loader is config's one shell: it reads the operator's file.
        found.retain(|it| !it.starts_with("config/src: load "));
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn every_module_of_the_edge_stands_in_the_architecture() {
    let architecture = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md is there");
    let lib = syn::parse_file(&fs::read_to_string("src/lib.rs").unwrap()).unwrap();
    for item in &lib.items {
        if let syn::Item::Mod(it) = item {
            let name = format!("`{}`", it.ident);
            assert!(architecture.contains(&name), "ARCHITECTURE.md does not say what {name} is");
        }
    }
}

/// Files with unsafe code; the head of each says why.
const UNSAFE: &[&str] = &["src/vault.rs"];

#[test]
fn unsafe_code_stands_where_it_is_named() {
    for root in ["src", "config", "packager", "ingest", "benches"] {
        for file in rust_files(Path::new(root)) {
            let text = fs::read_to_string(&file).unwrap();
            let names_it = text.contains("unsafe {") || text.contains("unsafe_code");
            let is_named = UNSAFE.iter().any(|it| file.ends_with(it));
            assert_eq!(names_it, is_named, "{}", file.display());
        }
    }
}

/// What names of tests of rules begin with: a section of the rules of HTTP caching, Apple's rules, those of DASH, and what
/// any output of a stored title must keep.
const RULES: [&str; 4] = ["section_", "apple_", "dash_", "output_"];

#[test]
fn every_rule_that_is_documented_names_a_test_and_every_test_of_a_rule_is_named() {
    let documented = fs::read_to_string("docs/conformance.md").expect("the rules are documented");
    let files = ["src", "tests", "packager/tests"].into_iter().flat_map(|it| rust_files(Path::new(it)));
    let texts: Vec<String> = files.map(|it| fs::read_to_string(it).expect("it is there")).collect();
    for rules in RULES {
        let named: BTreeSet<_> = documented.split('`').filter_map(|it| it.strip_prefix(rules)).collect();
        let tests: BTreeSet<&str> = texts
            .iter()
            .flat_map(|it| it.split(&format!("fn {rules}")).skip(1).collect::<Vec<_>>())
            .filter_map(|it| it.split('(').next())
            .collect();
        let is_of = |name: &str, test: &str| {
            name.strip_suffix('…').map_or(name == test, |beginning| test.starts_with(beginning))
        };
        let missing: Vec<_> = named.iter().filter(|name| !tests.iter().any(|it| is_of(name, it))).collect();
        assert!(missing.is_empty(), "no test is named so: {rules} {missing:?}");
        let unnamed: Vec<_> = tests
            .iter()
            .filter(|it| is_of_a_rule(rules, it))
            .filter(|test| !named.iter().any(|it| is_of(it, test)))
            .collect();
        assert!(unnamed.is_empty(), "docs/conformance.md does not name {rules} {unnamed:?}");
    }
}

/// A section that is no section of the rules is a test of something else.
fn is_of_a_rule(rules: &str, test: &str) -> bool {
    let section = || test.split('_').next().and_then(|it| it.parse::<u32>().ok());
    rules != "section_" || section().is_some_and(|it| it <= 12)
}

#[test]
fn no_test_is_ignored() {
    for root in ["src", "tests", "config", "packager", "ingest"] {
        for file in rust_files(Path::new(root)) {
            if file.ends_with("tidy.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("#[ignore"), "{} ignores a test", file.display());
        }
    }
}

#[test]
fn the_walls_have_teeth() {
    let hearts = |module: &str, text: &str| check_hearts(module, &names_in(text));
    assert_eq!(
        hearts("access", "use tokio::sync::Mutex;"),
        ["access is a heart and names tokio::sync::Mutex"]
    );
    assert_eq!(
        hearts("respond::range", "fn f() { let now = std::time::Instant::now(); }"),
        ["respond::range is a heart and names std::time::Instant::now"]
    );
    assert_eq!(
        hearts("behavior", "use std::time::{Duration, SystemTime}; fn f() { SystemTime::now(); }"),
        ["behavior is a heart and names SystemTime::now"]
    );
    assert!(hearts("viewer::listener", "use tokio::net::TcpListener;").is_empty());
    assert!(hearts("access", "#[cfg(test)] mod tests { use tokio::time::sleep; }").is_empty());

    let stations = |module: &str, text: &str| check_stations(module, &names_in(text));
    assert_eq!(
        stations("cache::key", "use crate::{passage::Admitted, access::{Access, Refusal}};"),
        ["cache::key names its neighbor: access::Access", "cache::key names its neighbor: access::Refusal"]
    );
    assert_eq!(
        stations("respond", "pub use crate::cache::Cache;"),
        ["respond names its neighbor: cache::Cache"]
    );
    assert!(stations("edge", "use crate::cache::Cache; use crate::access::Access;").is_empty());

    let passage = |text: &str| check_passage("passage::routed", &names_in(text));
    assert!(passage("use crate::behavior; fn f(_: behavior::Witness) {}").is_empty());
    assert_eq!(
        passage("use crate::access::Access;"),
        ["passage::routed names more of a station than its witness: access::Access"]
    );
}

fn assert_tidy(check: impl Fn(&str, &BTreeSet<String>) -> Vec<String>) {
    let found: Vec<String> =
        modules(Path::new("src")).iter().flat_map(|(module, names)| check(module, names)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn check_hearts(module: &str, names: &BTreeSet<String>) -> Vec<String> {
    if module == "lib"
        || SHELLS_OVER_HEARTS.contains(&module)
        || SHELLS.iter().any(|it| is_within(module, it))
    {
        return Vec::new();
    }
    names
        .iter()
        .filter(|name| NOT_IN_HEARTS.iter().any(|it| is_within(name, it)))
        .map(|name| format!("{module} is a heart and names {name}"))
        .collect()
}

fn check_stations(module: &str, names: &BTreeSet<String>) -> Vec<String> {
    let Some(own) = STATIONS.iter().find(|it| is_within(module, it)) else { return Vec::new() };
    names
        .iter()
        .filter_map(|name| name.strip_prefix("crate::"))
        .filter(|name| STATIONS.iter().any(|it| it != own && is_within(name, it)))
        .map(|name| format!("{module} names its neighbor: {name}"))
        .collect()
}

fn check_passage(module: &str, names: &BTreeSet<String>) -> Vec<String> {
    if !is_within(module, "passage") {
        return Vec::new();
    }
    names
        .iter()
        .filter_map(|name| name.strip_prefix("crate::"))
        .filter(|name| STATIONS.iter().any(|it| is_within(name, it)))
        .filter(|name| !STATIONS.contains(name) && !name.ends_with("::Witness"))
        .map(|name| format!("{module} names more of a station than its witness: {name}"))
        .collect()
}

/// Whether `name` is `outer` or lies below it.
fn is_within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every module below `root` with what it names.
fn modules(root: &Path) -> Vec<(String, BTreeSet<String>)> {
    rust_files(root)
        .into_iter()
        .filter(|file| !file.iter().any(|it| it == "tests" || it == "tests.rs"))
        .map(|file| {
            let below = file.strip_prefix(root).expect("it was found there").with_extension("");
            let mut parts: Vec<_> = below.iter().map(|it| it.to_string_lossy().into_owned()).collect();
            parts.pop_if(|it| it == "mod");
            let text = fs::read_to_string(&file).expect("it was found there");
            (parts.join("::"), names_in(&text))
        })
        .collect()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the directory is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

fn names_in(text: &str) -> BTreeSet<String> {
    let mut reader = Names::default();
    reader.visit_file(&syn::parse_file(text).expect("the compiler takes it"));
    reader.names
}

#[derive(Default)]
struct Names {
    names: BTreeSet<String>,
}

impl Names {
    fn tree(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |ident: &syn::Ident| match prefix {
            "" => ident.to_string(),
            _ => format!("{prefix}::{ident}"),
        };
        match tree {
            syn::UseTree::Path(it) => self.tree(&join(&it.ident), &it.tree),
            syn::UseTree::Name(it) if it.ident == "self" => drop(self.names.insert(prefix.to_owned())),
            syn::UseTree::Name(it) => drop(self.names.insert(join(&it.ident))),
            syn::UseTree::Rename(it) => drop(self.names.insert(join(&it.ident))),
            syn::UseTree::Glob(_) => drop(self.names.insert(format!("{prefix}::*"))),
            syn::UseTree::Group(it) => it.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("cfg") && matches!(it.parse_args::<syn::Path>(), Ok(path) if path.is_ident("test"))
    })
}

impl<'a> Visit<'a> for Names {
    fn visit_item_mod(&mut self, it: &'a syn::ItemMod) {
        if !is_test(&it.attrs) {
            visit::visit_item_mod(self, it);
        }
    }

    fn visit_item_use(&mut self, it: &'a syn::ItemUse) {
        if !is_test(&it.attrs) {
            self.tree("", &it.tree);
        }
    }

    fn visit_path(&mut self, it: &'a syn::Path) {
        let segments: Vec<_> = it.segments.iter().map(|it| it.ident.to_string()).collect();
        if segments.len() > 1 {
            self.names.insert(segments.join("::"));
        }
        visit::visit_path(self, it);
    }
}
