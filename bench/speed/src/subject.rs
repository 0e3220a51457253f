//! What is measured: the function and its peers, each with the environment that Lambda would give it.

use crate::process::Start;
use crate::world::{Addresses, SHARING_SECRET, TOPIC_ARN, World};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One program.
#[derive(Clone)]
pub struct Subject {
    pub name: &'static str,
    pub start: Start,
    /// The executable to weigh; none for an interpreted one.
    pub binary: Option<PathBuf>,
    /// Cold starts in each round: a slow one gets fewer.
    pub starts: u32,
    /// Checks of one environment in the long run, likewise.
    pub checks: u32,
}

impl Subject {
    /// Whether there is a program to start: the peers in Rust are compiled for `make bench` only.
    pub fn is_built(&self) -> bool {
        self.start.command[0].exists()
    }
}

pub const OURS: &str = "this function";
/// With what `template.yaml` gives it, a refresh token, and an access token that another environment has stored.
pub const DEFAULT: &str = "this function, default deployment";
/// How the names of those end that need not compile.
pub const BYTECODE: &str = "with bytecode";
pub const FLOOR: &str = "floor: an echo, no network";

const FUNCTION: &str = "target/lambda/mass-change-owner-status/bootstrap";

/// The function's variables.
pub type Variables = BTreeMap<String, String>;

/// What the template gives the function by default, as the project's own tests resolve it.
pub fn template_variables(root: &Path) -> Result<Variables> {
    const PROGRAM: &str = "import json; from local.deployment import template; \
        function = template.resolve().properties('CheckFunction'); logging = function['LoggingConfig']; \
        print(json.dumps(function['Environment']['Variables'] | {'AWS_LAMBDA_LOG_FORMAT': logging['LogFormat'], \
        'AWS_LAMBDA_LOG_LEVEL': logging['ApplicationLogLevel']}))";
    let output =
        Command::new(root.join(".venv/bin/python")).args(["-B", "-c", PROGRAM]).current_dir(root).output()?;
    serde_json::from_slice(&output.stdout).context("resolving template.yaml")
}

/// All of them. `root` is the repository.
pub fn subjects(root: &Path, world: &World, addresses: &Addresses, template: &Variables) -> Vec<Subject> {
    let common = variables(addresses);
    let with = |more: &[(&str, String)]| {
        let mut variables = common.clone();
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        variables
    };
    let ca = world.ca_file.display().to_string();
    let bundle = world.bundle_file.display().to_string();
    let native = |name, binary: &str, variables| {
        let binary = root.join(binary);
        let start = Start { command: vec![binary.clone()], directory: root.to_owned(), variables };
        Subject { name, start, binary: Some(binary), starts: 5, checks: 10_000 }
    };
    let python = |name, directory: &str, checks, bytecode: (&str, String)| Subject {
        name,
        start: Start {
            command: [".venv/bin/python", "-m", "awslambdaric", "handler.handler"]
                .iter()
                .enumerate()
                .map(|(place, part)| if place == 0 { root.join(part) } else { PathBuf::from(part) })
                .collect(),
            directory: root.join("bench/peers").join(directory),
            variables: with(&[
                ("AWS_CA_BUNDLE", bundle.clone()),
                ("REQUESTS_CA_BUNDLE", bundle.clone()),
                bytecode,
            ]),
        },
        binary: None,
        starts: 1,
        checks,
    };
    // Lambda's file system is read-only, and its guide advises against packages with bytecode in them: so a cold start
    // compiles what it imports, Python's own library aside. `make bench` removes the bytecode of earlier runs.
    let from_source = || ("PYTHONDONTWRITEBYTECODE", "1".to_owned());
    let compiled = || ("PYTHONPYCACHEPREFIX", root.join("target/bench/bytecode").display().to_string());
    vec![
        native(FLOOR, "target/peers/release/floor", common.clone()),
        // Its roots are compiled in; the authority's file takes their place.
        native(OURS, FUNCTION, with(&[("SSL_CERT_FILE", ca.clone())])),
        native(DEFAULT, FUNCTION, default_deployment(with(&[("SSL_CERT_FILE", ca)]), template, addresses)),
        native(
            "the obvious Rust",
            "target/peers/release/obvious",
            with(&[("SSL_CERT_FILE", bundle.clone())]),
        ),
        python("Python: boto3, requests", "boto3_requests", 10_000, from_source()),
        python("Python: Zoho's SDK, boto3", "official_sdk", 1_000, from_source()),
        python("the same, boto3 and requests, with bytecode", "boto3_requests", 1_000, compiled()),
        python("the same, Zoho's SDK, with bytecode", "official_sdk", 100, compiled()),
    ]
}

/// The template's variables in place of the harness's. The data center's host has its real name; a proxy leads from there
/// to the stand-in, because a process cannot be given a resolver of its own.
fn default_deployment(mut variables: Variables, template: &Variables, addresses: &Addresses) -> Variables {
    variables.remove("ZOHO_API_DOMAIN");
    variables.extend(template.clone());
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("ZOHO_SECRET_ID", SHARING_SECRET);
    set("STATUS_TOPIC_ARN", TOPIC_ARN);
    set("HTTPS_PROXY", &addresses.zoho_by_name);
    set("NO_PROXY", "localhost");
    variables
}

fn variables(addresses: &Addresses) -> Variables {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
        ("AWS_SESSION_TOKEN", "testing".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "watch".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/watch".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]0".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", addresses.secrets_manager.clone()),
        ("AWS_ENDPOINT_URL_SNS", addresses.sns.clone()),
        ("AWS_ENDPOINT_URL_SCHEDULER", addresses.scheduler.clone()),
        ("ZOHO_SECRET_ID", addresses.secret.clone()),
        ("ZOHO_API_DOMAIN", addresses.zoho.clone()),
        ("STATUS_TOPIC_ARN", TOPIC_ARN.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
