//! Whether CI can check the charts: they are rendered by Helm, which no package brings. What is left out is said, and not
//! counted as passed.

use std::process::{Command, Stdio};

const BOX: &str = "tests/kubernetes/box/box";

/// Helm takes two minutes to build, once; on a machine where it takes longer, CI is not the place for it.
const SECONDS: &str = "240";

/// Builds Helm if it is missing and that is quick; says why there is none.
pub fn helm() -> Result<(), String> {
    let is_there = Command::new(BOX).args(["missing", "helm"]).stdout(Stdio::null()).status();
    if is_there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    match Command::new("timeout").args([SECONDS, BOX, "build", "helm"]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("helm could not be built within {SECONDS} seconds ({status})")),
        Err(error) => Err(format!("helm could not be built: {error}")),
    }
}
