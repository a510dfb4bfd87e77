//! What was found, copied and left as it was, and what could not be copied and why.

use comfy_table::Cell;
use serde::Serialize;

use crate::failure::Failure;
use crate::out::Out;

/// What is copied, in the order in which it is: things come after what they refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    BlockType,
    BlockSchema,
    Block,
    Variable,
    Limit,
    WorkPool,
    WorkQueue,
    Flow,
    Deployment,
    Automation,
    SavedSearch,
    // Only where the history is asked for.
    TaskRun,
    Artifact,
    Log,
    FlowRun,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::BlockType,
        Self::BlockSchema,
        Self::Block,
        Self::Variable,
        Self::Limit,
        Self::WorkPool,
        Self::WorkQueue,
        Self::Flow,
        Self::Deployment,
        Self::Automation,
        Self::SavedSearch,
    ];

    /// What belongs to runs that have ended.
    pub const HISTORY: [Self; 4] = [Self::TaskRun, Self::Artifact, Self::Log, Self::FlowRun];

    pub fn singular(self) -> &'static str {
        match self {
            Self::BlockType => "block type",
            Self::BlockSchema => "block schema",
            Self::Block => "block",
            Self::Variable => "variable",
            Self::Limit => "concurrency limit",
            Self::WorkPool => "work pool",
            Self::WorkQueue => "work queue",
            Self::Flow => "flow",
            Self::Deployment => "deployment",
            Self::Automation => "automation",
            Self::SavedSearch => "saved search",
            Self::TaskRun => "task run",
            Self::Artifact => "artifact",
            Self::Log => "log record",
            Self::FlowRun => "flow run",
        }
    }

    pub fn plural(self) -> String {
        let ending = if self == Self::SavedSearch { "es" } else { "s" };
        format!("{}{ending}", self.singular())
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub source: String,
    pub target: String,
    pub counts: Vec<Counts>,
    pub problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
pub struct Counts {
    pub kind: Kind,
    pub found: usize,
    pub copied: usize,
    /// There already.
    pub kept: usize,
    pub failed: usize,
}

#[derive(Debug, Serialize)]
pub struct Problem {
    pub kind: Kind,
    pub name: String,
    pub reason: String,
}

impl Report {
    pub fn new(source: &str, target: &str, has_history: bool) -> Self {
        let history = has_history.then_some(Kind::HISTORY);
        let none = |kind| Counts { kind, found: 0, copied: 0, kept: 0, failed: 0 };
        Self {
            source: source.to_owned(),
            target: target.to_owned(),
            counts: Kind::ALL.into_iter().chain(history.into_iter().flatten()).map(none).collect(),
            problems: Vec::new(),
        }
    }

    fn of(&mut self, kind: Kind) -> &mut Counts {
        &mut self.counts[kind as usize]
    }

    pub fn found(&mut self, kind: Kind, count: usize) {
        self.of(kind).found += count;
    }

    pub fn copied(&mut self, kind: Kind) {
        self.of(kind).copied += 1;
    }

    pub fn kept(&mut self, kind: Kind) {
        self.of(kind).kept += 1;
    }

    /// Several at once.
    pub fn done(&mut self, kind: Kind, copied: usize, kept: usize) {
        let counts = self.of(kind);
        counts.copied += copied;
        counts.kept += kept;
    }

    pub fn failed(&mut self, kind: Kind, name: &str, reason: String) {
        self.of(kind).failed += 1;
        self.problems.push(Problem { kind, name: name.to_owned(), reason });
    }

    /// Prints it; a copy that is not whole is a failure.
    pub fn tell(&self, out: &mut Out) -> anyhow::Result<()> {
        if out.is_json() {
            out.json(self)?;
        } else {
            let columns = ["Kind", "Found", "Copied", "Already there", "Not copied"];
            out.items(&self.counts, "kinds", &columns, |counts, _| {
                let numbers = [counts.found, counts.copied, counts.kept, counts.failed];
                let mut row = vec![Cell::new(counts.kind.plural())];
                row.extend(numbers.map(Cell::new));
                row
            })?;
            for Problem { kind, name, reason } in &self.problems {
                out.warn(format!("{} `{name}` was not copied: {reason}", kind.singular()))?;
            }
        }
        match self.problems.len() {
            0 => Ok(()),
            1 => Err(Failure::new("one thing could not be copied").into()),
            count => Err(Failure::new(format!("{count} things could not be copied")).into()),
        }
    }
}
