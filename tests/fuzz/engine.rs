//! A mutational fuzzer for stable Rust. It keeps every input whose result is of a kind not seen before, and mutates those:
//! without instrumentation, the result is what tells one path through the code from another.

use fastrand::Rng;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a target runs, unless `FUZZ_SECONDS` or `FUZZ_EXECUTIONS` says otherwise.
const SECONDS: u64 = 10;

/// The longest input. Size alone is tested elsewhere.
const LONGEST: usize = 2_000;

/// The most inputs that are kept.
const KEPT: usize = 5_000;

/// One target with its inputs.
pub(crate) struct Fuzzer {
    name: &'static str,
    words: Vec<String>,
    pool: Vec<Vec<u8>>,
    rng: Rng,
}

impl Fuzzer {
    /// Begins with the committed inputs in `corpus/<name>`.
    pub(crate) fn new(name: &'static str, words: &[&str]) -> Self {
        let folder = root().join("tests/fuzz/corpus").join(name);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let pool: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert!(!pool.is_empty(), "{name} has no corpus");
        let rng = number("FUZZ_SEED").map_or_else(Rng::new, Rng::with_seed);
        Self { name, words: words.iter().map(|word| (*word).to_owned()).collect(), pool, rng }
    }

    /// Runs the target on every committed input, then on mutations. The target returns the kind of its result.
    pub(crate) fn run(mut self, target: impl Fn(&[u8]) -> String) {
        let began = Instant::now();
        let executions = number("FUZZ_EXECUTIONS");
        let until = began + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(SECONDS));
        let mut kinds: HashSet<String> = HashSet::new();
        let committed = self.pool.len();
        let mut count = 0;
        while count < committed as u64
            || executions.map_or_else(|| Instant::now() < until, |wanted| count < wanted)
        {
            let is_committed = count < committed as u64;
            let input = match self.pool.get(usize::try_from(count).unwrap()).filter(|_| is_committed) {
                Some(input) => input.clone(),
                None => self.mutation(),
            };
            count += 1;
            let Ok(kind) = catch_unwind(AssertUnwindSafe(|| target(&input))) else { self.fail(&input) };
            if kinds.insert(kind) && !is_committed && self.pool.len() < KEPT {
                self.pool.push(input);
            }
        }
        let (name, kinds, took) = (self.name, kinds.len(), began.elapsed().as_secs());
        println!("{name}: {count} executions, {kinds} kinds of results, {took} s");
    }

    fn fail(&self, input: &[u8]) -> ! {
        let folder = root().join("target/fuzz");
        let file = folder.join(self.name);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&file, input).unwrap();
        panic!(
            "{}: fails on {:?}. Fix it, then keep {} in tests/fuzz/corpus/{}",
            self.name,
            String::from_utf8_lossy(input),
            file.display(),
            self.name
        );
    }

    fn mutation(&mut self) -> Vec<u8> {
        let mut input = self.pool[self.rng.usize(0..self.pool.len())].clone();
        for _ in 0..self.rng.usize(1..6) {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let rng = &mut self.rng;
        let at = rng.usize(0..=input.len());
        let range = at..(at + rng.usize(0..20)).min(input.len());
        match rng.u32(0..9) {
            0 => input.insert(at, rng.u8(..)),
            1 if at < input.len() => input[at] ^= 1 << rng.u32(0..8),
            2 => drop(input.drain(range)),
            3 => {
                let piece = input[range].to_vec();
                input.splice(at..at, piece.repeat(rng.usize(1..4)));
            }
            4 => {
                let other = &self.pool[rng.usize(0..self.pool.len())];
                let from = rng.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            // As text in JSON: once, or inside of the input.
            5 if rng.u32(0..8) == 0 => {
                *input = serde_json::to_vec(&String::from_utf8_lossy(input)).unwrap();
            }
            6 => input.truncate(at),
            7 => {
                let word = self.words[rng.usize(0..self.words.len())].clone();
                input.splice(range, word.into_bytes());
            }
            _ => {
                let word = self.words[rng.usize(0..self.words.len())].clone();
                input.splice(at..at, word.into_bytes());
            }
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
