//! Measures the function and its peers, all in one run, against stand-ins of everything that they speak to.
//!
//! `speed` prints the tables, `speed --write docs/speed.md` also puts them into that file, between its two marks;
//! `speed --check` measures nothing, but fails unless requests and connections are as promised; `speed --compare FILE...`
//! takes builds of this function, the floor among them, to choose settings by.

mod http;
mod machine;
mod measure;
mod money;
mod process;
mod proxy;
mod runtime_api;
mod stats;
mod subject;
mod tables;
mod world;

use anyhow::{Context, Result, bail};
use measure::Distances;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use subject::{BYTECODE, FLOOR, OURS, Subject, subjects};
use tables::Row;
use world::World;

/// Enough for medians that two runs share.
const ROUNDS: u32 = 20;
const ROUNDS_OF_DISTANCES: u32 = 5;

const BEGINNING: &str = "<!-- measured: make bench -->\n";
const END: &str = "<!-- end of what was measured -->\n";

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let world = World::start(&root.join("target/bench"), &everybodys_roots(&root)?)?;
    let (subjects, unbuilt): (Vec<_>, Vec<_>) =
        subjects(&root, &world, &world.near).into_iter().partition(Subject::is_built);
    let ours = named(&subjects, OURS)?;
    let unbuilt = unbuilt.iter().map(|subject| subject.name).collect::<Vec<_>>().join("; ");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--check"] => {
            measure::check(&subjects, ours, &world)?;
            println!("{} programs make the promised requests and connections", subjects.len());
            if !unbuilt.is_empty() {
                println!("not built, so not checked (`make bench` does both): {unbuilt}");
            }
            Ok(())
        }
        _ if !unbuilt.is_empty() => bail!("not built: {unbuilt}. Run `make bench`"),
        [] => {
            println!("{}", measured(&root, &world, subjects)?);
            Ok(())
        }
        ["--write", path] => {
            let tables = measured(&root, &world, subjects)?;
            println!("{tables}");
            write_between_marks(&root.join(path), &tables)
        }
        ["--compare", binaries @ ..] => compare(&subjects, binaries),
        _ => bail!("arguments: none, --check, --write FILE, or --compare FILE..."),
    }
}

fn measured(root: &Path, world: &World, subjects: Vec<Subject>) -> Result<String> {
    let machine = machine::described()?;
    let stand_in = measure::stand_in(world, 2_000)?;
    let steps = measure::steps(&named(&subjects, OURS)?.start, world)?;
    let distances = distances(root, world);
    let all_lives = measure::lives(&subjects, ROUNDS)?;
    let mut rows = Vec::new();
    for (subject, lives) in subjects.into_iter().zip(all_lives) {
        let long_life = measure::long_life(&subject)?;
        let binary = subject.binary.as_ref().map(fs::metadata).transpose()?.map(|file| file.len());
        let zip = subject.binary.as_deref().map(|binary| zipped(root, binary)).transpose()?;
        rows.push(Row { name: subject.name, lives, long_life, binary, zip });
    }
    let fared = measure::distances(&distances, ROUNDS_OF_DISTANCES)?;
    Ok(format!(
        "{machine}\n\n{}\n{}\n### Requests and connections of this function\n\n{}\n### With 20 ms to everybody and back\n\n{}\n\
         ### Money\n\n{}",
        tables::comparison(&rows, &stand_in),
        tables::long_lives(&rows),
        tables::traffic(&steps),
        tables::distances(&distances, &fared),
        tables::money(),
    ))
}

fn compare(subjects: &[Subject], binaries: &[&str]) -> Result<()> {
    let ours = named(subjects, OURS)?;
    let mut candidates = vec![named(subjects, FLOOR)?.clone()];
    candidates.extend(binaries.iter().map(|binary| {
        let mut candidate = ours.clone();
        candidate.start.command = vec![PathBuf::from(binary)];
        candidate
    }));
    let names = ["floor"].iter().chain(binaries);
    for (name, lives) in names.zip(measure::lives(&candidates, ROUNDS)?) {
        let resident = stats::mebibytes(lives.resident[1]);
        println!(
            "{name}: cold {} ms, processor {} ms, warm {} ms, {resident}",
            stats::spread(&lives.cold),
            stats::spread(&lives.cold_processor),
            stats::spread(&lives.warm),
        );
    }
    Ok(())
}

/// Everyone with a network, near and far; this function also without `ZOHO_API_DOMAIN`, so that only the secret says
/// where Zoho is.
fn distances(root: &Path, world: &World) -> Vec<Distances> {
    let mut distances = Vec::new();
    for (near, far) in subjects(root, world, &world.near).into_iter().zip(subjects(root, world, &world.far)) {
        if near.name == FLOOR || near.name.ends_with(BYTECODE) {
            continue;
        }
        let (name, mut near, mut far) = (near.name, near.start, far.start);
        distances.push(Distances { name, near: near.clone(), far: far.clone() });
        if name == OURS {
            for start in [&mut near, &mut far] {
                start.variables.remove("ZOHO_API_DOMAIN");
            }
            distances.push(Distances { name: "this function, the host in the secret", near, far });
        }
    }
    distances
}

fn named<'a>(subjects: &'a [Subject], name: &str) -> Result<&'a Subject> {
    subjects.iter().find(|subject| subject.name == name).with_context(|| format!("no {name}"))
}

/// Mozilla's, as the Python peers' pinned packages bring them.
fn everybodys_roots(root: &Path) -> Result<PathBuf> {
    let python = root.join(".venv/bin/python");
    let output = Command::new(&python)
        .args(["-B", "-m", "certifi"])
        .output()
        .with_context(|| format!("running {}: make .venv/ready", python.display()))?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// The size of a deployment package with this binary in it.
fn zipped(root: &Path, binary: &Path) -> Result<u64> {
    let package = root.join("target/bench/bootstrap.zip");
    let made = Command::new(root.join(".venv/bin/python"))
        .args(["-B", "-m", "zipfile", "-c"])
        .args([&package, binary])
        .status()?;
    if !made.success() {
        bail!("no package of {}", binary.display());
    }
    Ok(fs::metadata(package)?.len())
}

fn write_between_marks(path: &Path, tables: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let (before, rest) = text.split_once(BEGINNING).context("the beginning is not marked")?;
    let (_, after) = rest.split_once(END).context("the end is not marked")?;
    fs::write(path, format!("{before}{BEGINNING}\n{tables}\n{END}{after}"))?;
    Ok(())
}
