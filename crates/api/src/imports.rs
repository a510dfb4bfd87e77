//! What a server is told of runs that ended elsewhere: as they were, with their own ids and times.

use serde::{Deserialize, Serialize};
use tidegate_core::state::State;

use crate::{artifacts::Artifact, flow_runs::FlowRun, logs::Log, task_runs::TaskRun};

/// A flow run that has ended, and all its states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastFlowRun {
    pub flow_run: FlowRun,
    #[serde(default)]
    pub states: Vec<State>,
}

/// A task run, and all its states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastTaskRun {
    pub task_run: TaskRun,
    #[serde(default)]
    pub states: Vec<State>,
}

/// What is to be there. Whatever has an id that is known stays as it is. Flows, deployments and work queues are named by
/// their ids at this server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    pub flow_runs: Vec<PastFlowRun>,
    pub task_runs: Vec<PastTaskRun>,
    pub artifacts: Vec<Artifact>,
    pub logs: Vec<Log>,
}

/// How many of each were new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub flow_runs: usize,
    pub task_runs: usize,
    pub artifacts: usize,
    pub logs: usize,
}
