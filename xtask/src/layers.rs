//! The one-way rule: core ← api ← {store, client} ← {server, worker} ← cli. The server never sees the worker, the client
//! never sees the store.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, bail};
use serde_json::Value;

/// What each crate may depend on, of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tidegate-core", &[]),
    ("tidegate-api", &["tidegate-core"]),
    ("tidegate-store", &["tidegate-core", "tidegate-api"]),
    ("tidegate-client", &["tidegate-core", "tidegate-api"]),
    ("tidegate-server", &["tidegate-core", "tidegate-api", "tidegate-store"]),
    ("tidegate-worker", &["tidegate-core", "tidegate-api", "tidegate-client"]),
    (
        "tidegate",
        &["tidegate-core", "tidegate-api", "tidegate-store", "tidegate-client", "tidegate-server", "tidegate-worker"],
    ),
    ("tidegate-testkit", &["tidegate-core"]),
    ("xtask", &[]),
];

/// Reads the workspace and fails on the first dependency that points the wrong way.
pub fn check() -> anyhow::Result<()> {
    let problems = problems(&dependencies()?);
    if problems.is_empty() {
        return Ok(());
    }
    bail!("dependencies point the wrong way:\n  {}", problems.join("\n  "));
}

fn problems(found: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, dependencies) in found {
        match ALLOWED.iter().find(|(allowed, _)| allowed == name) {
            None => problems.push(format!("`{name}` has no place in the layers; give it one in xtask/src/layers.rs")),
            Some((_, allowed)) => problems.extend(
                dependencies
                    .iter()
                    .filter(|dependency| !allowed.contains(&dependency.as_str()))
                    .map(|dependency| format!("`{name}` must not depend on `{dependency}`")),
            ),
        }
    }
    problems
}

/// The crates of the workspace with those of ours that they depend on, tests aside.
fn dependencies() -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let output =
        Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--no-deps", "--offline"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata answered something else")?;
    let packages = metadata["packages"].as_array().context("no packages in the metadata")?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = BTreeMap::new();
    for package in packages {
        let own = package["dependencies"].as_array().into_iter().flatten();
        let own =
            own.filter(|dependency| dependency["kind"].is_null()).filter_map(|dependency| dependency["name"].as_str());
        let own = own.filter(|name| names.contains(name)).map(ToOwned::to_owned).collect();
        found.insert(package["name"].as_str().unwrap_or_default().to_owned(), own);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_one_way() {
        assert_eq!(problems(&dependencies().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_server_that_sees_the_worker_is_a_problem() {
        let found = BTreeMap::from([("tidegate-server".to_owned(), vec!["tidegate-worker".to_owned()])]);
        assert_eq!(problems(&found), ["`tidegate-server` must not depend on `tidegate-worker`"]);
    }
}
