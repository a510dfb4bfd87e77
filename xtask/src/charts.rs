//! Whether CI can check the charts, and ask a real Kubernetes: Helm and the cluster are built from Go modules, since no package
//! brings them. What is left out is said, and not counted as passed.

use std::process::{Command, Stdio};

const BOX: &str = "tests/kubernetes/box/box";

/// Helm takes two minutes to build, once; on a machine where it takes longer, CI is not the place for it.
const SECONDS: &str = "240";

/// Builds Helm if it is missing and that is quick; says why there is none.
pub fn helm() -> Result<(), String> {
    if is_built(&["helm"]) {
        return Ok(());
    }
    match Command::new("timeout").args([SECONDS, BOX, "build", "helm"]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("helm could not be built within {SECONDS} seconds ({status})")),
        Err(error) => Err(format!("helm could not be built: {error}")),
    }
}

/// Whether there is a cluster to start. Ten minutes of building are not begun here.
pub fn cluster() -> Result<(), String> {
    if is_built(&["kubernetes-box", "helm"]) {
        Ok(())
    } else {
        Err(format!("the cluster's programs are not built\n   hint: {BOX} build kubernetes-box helm"))
    }
}

fn is_built(tools: &[&str]) -> bool {
    let missing = Command::new(BOX).arg("missing").args(tools).stdout(Stdio::null()).status();
    missing.is_ok_and(|status| status.success())
}
