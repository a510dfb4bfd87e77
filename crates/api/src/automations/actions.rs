//! What automations do.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::state::StateType;
use uuid::Uuid;

/// Where an action finds the object that it acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The action names it.
    #[default]
    Selected,
    /// The triggering event names it.
    Inferred,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Action {
    DoNothing {},
    RunDeployment(RunDeployment),
    PauseDeployment {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        deployment_id: Option<Uuid>,
    },
    ResumeDeployment {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        deployment_id: Option<Uuid>,
    },
    CancelFlowRun {},
    DeleteFlowRun {},
    ChangeFlowRunState(FlowRunState),
    PauseWorkQueue {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        work_queue_id: Option<Uuid>,
    },
    ResumeWorkQueue {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        work_queue_id: Option<Uuid>,
    },
    SendNotification {
        block_document_id: Uuid,
        #[serde(default = "default_subject")]
        subject: String,
        body: String,
    },
    CallWebhook {
        block_document_id: Uuid,
        #[serde(default)]
        payload: String,
    },
    PauseAutomation {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        automation_id: Option<Uuid>,
    },
    ResumeAutomation {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        automation_id: Option<Uuid>,
    },
    SuspendFlowRun {},
    ResumeFlowRun {},
    PauseWorkPool {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        work_pool_id: Option<Uuid>,
    },
    ResumeWorkPool {
        #[serde(default)]
        source: Source,
        #[serde(default)]
        work_pool_id: Option<Uuid>,
    },
}

/// A run of a deployment to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDeployment {
    #[serde(default)]
    pub source: Source,
    #[serde(default)]
    pub deployment_id: Option<Uuid>,
    /// Texts in it may be templates.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    #[serde(default)]
    pub job_variables: Option<Map<String, Value>>,
    /// Seconds from the firing to the run's time.
    #[serde(default)]
    pub schedule_after: f64,
}

/// A state to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunState {
    #[serde(default)]
    pub name: Option<String>,
    pub state: StateType,
    #[serde(default)]
    pub message: Option<String>,
    /// Whatever the rules say.
    #[serde(default)]
    pub force: bool,
}

fn default_subject() -> String {
    "Prefect automated notification".into()
}

impl Action {
    /// The word of its type, as on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DoNothing {} => "do-nothing",
            Self::RunDeployment(_) => "run-deployment",
            Self::PauseDeployment { .. } => "pause-deployment",
            Self::ResumeDeployment { .. } => "resume-deployment",
            Self::CancelFlowRun {} => "cancel-flow-run",
            Self::DeleteFlowRun {} => "delete-flow-run",
            Self::ChangeFlowRunState(_) => "change-flow-run-state",
            Self::PauseWorkQueue { .. } => "pause-work-queue",
            Self::ResumeWorkQueue { .. } => "resume-work-queue",
            Self::SendNotification { .. } => "send-notification",
            Self::CallWebhook { .. } => "call-webhook",
            Self::PauseAutomation { .. } => "pause-automation",
            Self::ResumeAutomation { .. } => "resume-automation",
            Self::SuspendFlowRun {} => "suspend-flow-run",
            Self::ResumeFlowRun {} => "resume-flow-run",
            Self::PauseWorkPool { .. } => "pause-work-pool",
            Self::ResumeWorkPool { .. } => "resume-work-pool",
        }
    }

    /// The deployment that it runs whatever the event says.
    pub fn selected_deployment(&self) -> Option<Uuid> {
        match self {
            Self::RunDeployment(RunDeployment { source: Source::Selected, deployment_id, .. }) => *deployment_id,
            _ => None,
        }
    }
}
