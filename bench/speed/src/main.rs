//! Measures the function and its peers, all in one run, against stand-ins of everything that they speak to.
//!
//! `speed` prints the tables, `speed --write docs/speed.md` also puts them into that file, between its two marks;
//! `speed --check` measures nothing, but fails unless requests, connections, and round trips are as promised;
//! `speed --compare FILE...` takes builds of this function, the floor among them, to choose settings by. `SPEED_ROUNDS`
//! is the number of rounds, 20 by default.

mod http;
mod machine;
mod measure;
mod money;
mod process;
mod proxy;
mod quota;
mod runtime_api;
mod stats;
mod subject;
mod tables;
mod watch;
mod world;

use anyhow::{Context, Result, bail};
use measure::Distances;
use process::Start;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use subject::{BYTECODE, DEFAULT, FLOOR, OURS, Subject, Variables, subjects, template_variables};
use tables::Row;
use world::{FAR, World};

/// Enough for medians that two runs share.
const ROUNDS: u32 = 20;
/// Rounds for one round with everybody far away.
const ROUNDS_FOR_A_FAR_ONE: u32 = 4;

const BEGINNING: &str = "<!-- measured: make bench -->\n";
const END: &str = "<!-- end of what was measured -->\n";

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let world = World::start(&root.join("target/bench"), &everybodys_roots(&root)?)?;
    let template = template_variables(&root)?;
    let (subjects, unbuilt): (Vec<_>, Vec<_>) =
        subjects(&root, &world, &world.near, &template).into_iter().partition(Subject::is_built);
    let unbuilt = unbuilt.iter().map(|subject| subject.name).collect::<Vec<_>>().join("; ");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--check"] => {
            measure::check(&subjects, &world)?;
            println!("{} programs make the promised requests", subjects.len());
            let far = |distance| default_at(distance, &root, &world, &template);
            watch::check(&named(&subjects, DEFAULT)?.start, far, &world)?;
            println!("the default deployment makes the promised requests, connections, and round trips");
            if !unbuilt.is_empty() {
                println!("not built, so not checked (`make bench` does both): {unbuilt}");
            }
            Ok(())
        }
        _ if !unbuilt.is_empty() => bail!("not built: {unbuilt}. Run `make bench`"),
        [] => {
            println!("{}", measured(&root, &world, subjects, &template)?);
            Ok(())
        }
        ["--write", path] => {
            let tables = measured(&root, &world, subjects, &template)?;
            println!("{tables}");
            write_between_marks(&root.join(path), &tables)
        }
        ["--compare", binaries @ ..] => compare(&subjects, binaries),
        _ => bail!("arguments: none, --check, --write FILE, or --compare FILE..."),
    }
}

fn rounds() -> u32 {
    std::env::var("SPEED_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// The default deployment with everybody so far away.
fn default_at(distance: Duration, root: &Path, world: &World, template: &Variables) -> Result<Start> {
    Ok(named(&subjects(root, world, &world.at(distance)?, template), DEFAULT)?.start.clone())
}

fn measured(root: &Path, world: &World, subjects: Vec<Subject>, template: &Variables) -> Result<String> {
    let machine = machine::described()?;
    let stand_in = measure::stand_in(world, 2_000)?;
    let default = named(&subjects, DEFAULT)?.start.clone();
    let steps = watch::watch(&default, world, None)?;
    let distances = distances(root, world, template)?;
    let all_lives = measure::lives(&subjects, rounds())?;
    let mut rows = Vec::new();
    for (subject, lives) in subjects.into_iter().zip(all_lives) {
        let long_life = measure::long_life(&subject)?;
        let binary = subject.binary.as_ref().map(fs::metadata).transpose()?.map(|file| file.len());
        let zip = subject.binary.as_deref().map(|binary| zipped(root, binary)).transpose()?;
        rows.push(Row { name: subject.name, lives, long_life, binary, zip });
    }
    let watches = measure::watches(&default, &default_at(FAR, root, world, template)?, world, rounds())?;
    let fared = measure::distances(&distances, rounds().div_ceil(ROUNDS_FOR_A_FAR_ONE))?;
    Ok(format!(
        "{machine}\n\n{}\n{}\n### A watch of the default deployment\n\n{}\n{}\n### With 20 ms to everybody and back\n\n{}\n\
         ### Money\n\n{}",
        tables::comparison(&rows, &stand_in),
        tables::long_lives(&rows),
        tables::traffic(&steps),
        tables::watches(&watches),
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
    for (name, lives) in names.zip(measure::lives(&candidates, rounds())?) {
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
fn distances(root: &Path, world: &World, template: &Variables) -> Result<Vec<Distances>> {
    let mut distances = Vec::new();
    let [near, far] =
        [world.near.clone(), world.at(FAR)?].map(|addresses| subjects(root, world, &addresses, template));
    for (near, far) in near.into_iter().zip(far) {
        if near.name == FLOOR || near.name == DEFAULT || near.name.ends_with(BYTECODE) {
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
    Ok(distances)
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
