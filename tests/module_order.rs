//! Modules import from lower layers only, and never in a circle. `src/lib.rs` draws the layers for readers; this table
//! is what the gate holds the code to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::Visit;

/// From the top to the bottom. A module can import from every layer below its own, and from no other.
const LAYERS: &[&[&str]] = &[
    &["setup", "schema", "runtime"],
    &["handler"],
    &["record"],
    &["checker", "delivery"],
    &["config", "aws"],
    &["token"],
    &["zoho"],
    &["watch", "http"],
    &["metrics"],
    &["error", "phase", "logging"],
    &["arn", "environment", "invalid", "json", "operation", "redact", "timestamp", "deadline"],
];

/// Each module of the library with the modules that it imports from, `watch::report` and the like.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn imports_run_down_and_in_no_circle() {
    let mut sources = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    let imports = imports(&sources);
    let problems = problems(&imports, LAYERS);
    let edges: usize = imports.values().map(BTreeSet::len).sum();
    println!("{} modules, {edges} imports between them", imports.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_breaks_the_order_is_reported() {
    let layers: &[&[&str]] = &[&["top"], &["a", "b"]];
    for (sources, expected) in [
        (vec![("top", "use crate::a::X;"), ("a", ""), ("b", "")], ""),
        (
            vec![("top", ""), ("a", "fn f() { crate::top::g() }")],
            "a imports crate::top, which is not in a layer below",
        ),
        (
            vec![("a", "use crate::{b::X, b};"), ("b", "")],
            "a imports crate::b, which is not in a layer below",
        ),
        (vec![("a", "#[cfg(test)] mod tests { use crate::top::X; }"), ("top", "")], ""),
        (vec![("new", "")], "new is in no layer"),
        (
            vec![("a", ""), ("a::x", "use crate::a::y::Y;"), ("a::y", "use super::x;")],
            "a circle: a::x -> a::y -> a::x",
        ),
        // A type that the parent only passes on is imported from where it is.
        (vec![("a", "pub use x::X;"), ("a::x", ""), ("a::y", "use crate::a::X;")], ""),
        (
            vec![("a", "pub use x::X;"), ("a::x", "use crate::a::y::Y;"), ("a::y", "use crate::a::X;")],
            "a circle",
        ),
    ] {
        let sources = sources.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let found = problems(&imports(&sources), layers).join("\n");
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{sources:?}: {found:?}"
        );
    }
}

/// Reads the sources below a folder by their module names. The crate's root and the programs are not modules; tests are
/// free to import what they like.
fn read(folder: &Path, parent: &str, sources: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let name = if parent.is_empty() { stem.clone() } else { format!("{parent}::{stem}") };
        if path.is_dir() {
            if name != "bin" {
                read(&path, &name, sources);
            }
        } else if stem == "mod" {
            sources.insert(parent.to_owned(), std::fs::read_to_string(&path).unwrap());
        } else if !matches!(name.as_str(), "lib" | "main") && stem != "tests" {
            sources.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn imports(sources: &BTreeMap<String, String>) -> Imports {
    let files: BTreeMap<&String, syn::File> =
        sources.iter().map(|(name, text)| (name, syn::parse_file(text).unwrap())).collect();
    let passed_on: BTreeMap<String, String> = files
        .iter()
        .flat_map(|(name, file)| {
            let mut paths = Paths::new(name);
            for item in &file.items {
                if let syn::Item::Use(item) = item
                    && !matches!(item.vis, syn::Visibility::Inherited)
                {
                    paths.visit_item_use(item);
                }
            }
            let resolve = |path: Vec<String>| {
                let last = path.last()?.clone();
                Some((format!("{name}::{last}"), format!("{name}::{}", path.join("::"))))
            };
            paths.relative.into_iter().filter_map(resolve).collect::<Vec<_>>()
        })
        .collect();
    files
        .iter()
        .map(|(name, file)| {
            let mut paths = Paths::new(name);
            paths.visit_file(file);
            let targets = paths
                .absolute
                .into_iter()
                .map(|path| path.join("::"))
                .map(|path| passed_on.get(&path).cloned().unwrap_or(path))
                .filter_map(|path| module_of(&path, sources))
                .filter(|target| target != *name)
                .collect();
            ((*name).clone(), targets)
        })
        .collect()
}

/// The longest prefix of a path that is a module.
fn module_of(path: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    (1..=parts.len()).rev().map(|length| parts[..length].join("::")).find(|name| sources.contains_key(name))
}

/// Collects the paths of a file, but for what is compiled into tests only.
struct Paths {
    module: Vec<String>,
    /// Below `crate::` or `super::`.
    absolute: Vec<Vec<String>>,
    /// All others, below the module itself.
    relative: Vec<Vec<String>>,
}

impl Paths {
    fn new(module: &str) -> Self {
        let module = module.split("::").map(str::to_owned).collect();
        Self { module, absolute: Vec::new(), relative: Vec::new() }
    }

    fn add(&mut self, path: Vec<String>) {
        match path.first().map(String::as_str) {
            Some("crate") => self.absolute.push(path[1..].to_vec()),
            Some("super") => {
                let (_, parent) = self.module.split_last().unwrap();
                self.absolute.push(parent.iter().cloned().chain(path[1..].to_vec()).collect());
            }
            _ => self.relative.push(path),
        }
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: String| prefix.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) => self.add(with(name.ident.to_string())),
            syn::UseTree::Rename(rename) => self.add(with(rename.ident.to_string())),
            syn::UseTree::Glob(_) => self.add(prefix.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        });
        if !is_test {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

fn problems(imports: &Imports, layers: &[&[&str]]) -> Vec<String> {
    let layer = |module: &str| {
        let top = module.split("::").next().unwrap().to_owned();
        layers.iter().position(|layer| layer.contains(&top.as_str()))
    };
    let mut problems = Vec::new();
    for (module, targets) in imports {
        let Some(own) = layer(module) else {
            problems.push(format!("{module} is in no layer"));
            continue;
        };
        for target in targets {
            let same_module = module.split("::").next() == target.split("::").next();
            if !same_module && layer(target).is_none_or(|theirs| theirs <= own) {
                problems.push(format!("{module} imports crate::{target}, which is not in a layer below"));
            }
        }
    }
    problems.extend(circle(imports));
    problems
}

/// One circle of imports, if there is any.
fn circle(imports: &Imports) -> Option<String> {
    fn walk<'a>(
        module: &'a str,
        imports: &'a Imports,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        if let Some(start) = way.iter().position(|earlier| *earlier == module) {
            way.drain(..start);
            way.push(module);
            return true;
        }
        if !done.insert(module) {
            return false;
        }
        way.push(module);
        if imports
            .get(module)
            .is_some_and(|targets| targets.iter().any(|target| walk(target, imports, way, done)))
        {
            return true;
        }
        way.pop();
        false
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| {
        let mut way = Vec::new();
        walk(module, imports, &mut way, &mut done).then(|| format!("a circle: {}", way.join(" -> ")))
    })
}
