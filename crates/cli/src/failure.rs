//! How a command fails: a message, perhaps a hint, and an exit code. Errors of libraries become one of these at the top.

use std::fmt::{self, Write};

/// The command was understood and could not be done.
pub const FAILED: u8 = 1;
/// The command made no sense; clap's own code.
pub const USAGE: u8 = 2;

#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: FAILED }
    }

    /// Arguments that contradict each other, or are missing.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: USAGE }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// `` flow run `…` was not found ``, with how to see what there is.
pub fn not_found(what: &str, name: impl fmt::Display, list: &str) -> Failure {
    Failure::new(format!("{what} `{name}` was not found")).hint(format!("`tidegate {list}` shows what there is"))
}

/// What to print for an error: its whole chain, each cause once, and a hint if any link has one.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::from("error: ");
    let mut last = String::new();
    for (index, cause) in error.chain().enumerate() {
        if let Some(tidegate_client::Error::Unreachable { url, .. }) = cause.downcast_ref() {
            // What lies between this and its root tells of layers of the HTTP library.
            let root = error.root_cause();
            let _ = write!(text, "cannot reach the API at {url}: {root}");
            break;
        }
        let said = cause.to_string();
        // Some errors repeat their cause in their own words.
        if index > 0 && (said.is_empty() || last.contains(&said)) {
            continue;
        }
        if index > 0 {
            text.push_str(": ");
        }
        text.push_str(&said);
        last = said;
    }
    if let Some(hint) = hint(error) {
        text.push_str("\nhint: ");
        text.push_str(&hint);
    }
    text
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let ours = cause.downcast_ref::<Failure>().and_then(|failure| failure.hint.clone());
        ours.or_else(|| cause.downcast_ref::<tidegate_client::Error>()?.hint().map(ToOwned::to_owned))
    })
}

pub fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map_or(FAILED, |failure| failure.code)
}

/// Whether the reader of our output went away (`tidegate … | head`): no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}
