//! Modules import from lower layers only, and never in a circle: this table is what the gate holds the code to. One public
//! name is one type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// From the top to the bottom. A module can import from every layer below its own, and from no other.
const LAYERS: &[&[&str]] = &[
    &["setup", "schema"],
    &["handler"],
    &["delivery", "record"],
    &["config", "aws"],
    &["token"],
    &["zoho"],
    &["watch", "http"],
    &["metrics"],
    &["arn", "error", "phase", "logging"],
    &["environment", "invalid", "json", "operation", "redact", "timestamp", "deadline"],
];

/// The text of each module of the library, `watch::report` and the like, without comments, attributes, and tests.
type Sources = BTreeMap<String, String>;

#[test]
fn imports_run_down_and_in_no_circle() {
    let sources = sources();
    let problems = problems(&sources, LAYERS);
    assert!(sources.len() > 50 && problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_breaks_the_order_is_reported() {
    let layers: &[&[&str]] = &[&["top"], &["a", "b"]];
    for (sources, expected) in [
        (vec![("top", "use crate::a::X;"), ("a", "fn f() { crate::top::g() }")], "a imports top"),
        (vec![("a", "use crate::{b::X, b};"), ("b", "")], "a imports b"),
        (vec![("new", "")], "new is in no layer"),
        (vec![("a", ""), ("a::x", "use crate::a::y::Y;"), ("a::y", "use super::x;")], "a circle: a::x, a::y"),
        // A type that the parent only passes on is imported from where it is.
        (vec![("a", "pub use x::X;"), ("a::x", ""), ("a::y", "use crate::a::X;")], ""),
        (
            vec![("a", "pub use x::{W, X};"), ("a::x", "use crate::a::y::Y;"), ("a::y", "use crate::a::X;")],
            "a circle: a::x, a::y",
        ),
    ] {
        let sources = sources.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        assert_eq!(problems(&sources, layers).join("\n"), expected, "{sources:?}");
    }
}

#[test]
fn no_two_public_types_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (module, text) in sources() {
        for line in text.lines() {
            let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            if let ["pub", "struct" | "enum" | "trait" | "type", name, ..] = words[..] {
                places.entry(name.to_owned()).or_default().push(module.clone());
            }
        }
    }
    let total = places.len();
    places.retain(|_, modules| modules.len() > 1);
    assert!(total > 60 && places.is_empty(), "of {total} names: {places:?}");
}

fn sources() -> Sources {
    let mut sources = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources
}

/// The crate's root and the programs are not modules; tests are free to import what they like.
fn read(folder: &Path, parent: &str, sources: &mut Sources) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = if parent.is_empty() { stem.to_owned() } else { format!("{parent}::{stem}") };
        if ["lib", "main", "bin"].contains(&name.as_str()) || stem == "tests" {
            continue;
        }
        if path.is_dir() {
            read(&path, &name, sources);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines();
        let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with(['/', '#'])).collect();
        sources.insert(if stem == "mod" { parent.to_owned() } else { name }, code.join("\n"));
    }
}

/// The paths in this text after each `start`, those in braces one by one.
fn paths<'a>(text: &'a str, start: &str) -> impl Iterator<Item = String> + use<'a> {
    let rests: Vec<&str> = text.split(start).skip(1).collect();
    rests.into_iter().flat_map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
        let (path, rest) = rest.split_at(end);
        let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        group.split(',').map(move |item| format!("{path}{}", item.trim()))
    })
}

/// What breaks the order.
fn problems(sources: &Sources, layers: &[&[&str]]) -> Vec<String> {
    // What a module passes on, and where it is.
    let passed_on: BTreeMap<String, String> = sources
        .iter()
        .flat_map(|(module, text)| paths(text, "pub use ").map(move |path| (module, path)))
        .filter_map(|(module, path)| {
            Some((format!("{module}::{}", path.rsplit("::").next()?), format!("{module}::{path}")))
        })
        .collect();
    let module_of = |path: String| {
        let path = passed_on.get(&path).unwrap_or(&path);
        let ends = path.match_indices("::").map(|(end, _)| end).chain([path.len()]);
        ends.map(|end| &path[..end]).filter(|name| sources.contains_key(*name)).last().map(str::to_owned)
    };
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&top(module).as_str()));
    let mut problems = Vec::new();
    let mut imports: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for (module, text) in sources {
        let parent = module.rsplit_once("::").map(|(parent, _)| format!("crate::{parent}::"));
        let text = text.replace("super::", parent.as_deref().unwrap_or("crate::"));
        let targets: BTreeSet<String> =
            paths(&text, "crate::").filter_map(module_of).filter(|target| target != module).collect();
        let is_below = |target: &String| top(module) == top(target) || layer(target) > layer(module);
        problems.extend(layer(module).is_none().then(|| format!("{module} is in no layer")));
        problems.extend(
            targets.iter().filter(|target| !is_below(target)).map(|target| format!("{module} imports {target}")),
        );
        // Between layers, the order excludes circles.
        imports.insert(module, targets.into_iter().filter(|target| top(module) == top(target)).collect());
    }
    // What imports nothing that is left is in no circle.
    while let Some(free) = imports.iter().find(|(_, targets)| targets.is_empty()).map(|(module, _)| *module) {
        imports.remove(free);
        imports.values_mut().for_each(|targets| targets.retain(|target| target != free));
    }
    let circle: Vec<&str> = imports.keys().map(|module| module.as_str()).collect();
    problems.extend((!circle.is_empty()).then(|| format!("a circle: {}", circle.join(", "))));
    problems
}
