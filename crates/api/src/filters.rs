//! Filters: which rows a list, a count or a bulk operation means. One small type per shape of condition, shared by all
//! nouns; the names with a trailing underscore are the wire's.

use serde::{Deserialize, Serialize};
use tidegate_core::{state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::patch::Patch;

/// How the conditions of one filter combine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Operator {
    #[default]
    #[serde(rename = "and_")]
    And,
    #[serde(rename = "or_")]
    Or,
}

macro_rules! filters {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }
    )*};
}

filters! {
    /// Ids, in or out.
    IdFilter { any_: Vec<Uuid>, not_any_: Vec<Uuid> }
    /// Texts, in or out.
    TextFilter { any_: Vec<String>, not_any_: Vec<String>, like_: String, startswith_: Vec<String>, exists_: bool }
    /// A reference that may be null.
    ReferenceFilter { operator: Operator, any_: Vec<Uuid>, is_null_: bool }
    /// A text that may be null.
    NullableTextFilter { operator: Operator, any_: Vec<String>, is_null_: bool }
    /// Tags: all of them, any of them, or none at all.
    TagsFilter { operator: Operator, all_: Vec<String>, any_: Vec<String>, is_null_: bool }
    /// An instant, both ends included.
    TimeFilter { before_: Timestamp, after_: Timestamp, is_null_: bool }
    /// A whole number, both ends included.
    RangeFilter { ge_: i64, le_: i64, is_null_: bool }
    /// Equal to a boolean.
    BoolFilter { eq_: bool }
    /// State types, in or out.
    StateTypeFilter { any_: Vec<StateType>, not_any_: Vec<StateType> }
    /// A run's state, by type and by name.
    StateFilter { operator: Operator, r#type: StateTypeFilter, name: TextFilter }
    /// Who made a run.
    CreatedByFilter { operator: Operator, id_: Vec<Uuid>, type_: Vec<String>, is_null_: bool }
    /// Whether a task run stands for a sub-flow.
    ExistsFilter { exists_: bool }
    /// Whether something has a deployment.
    NullFilter { operator: Operator, is_null_: bool }
    /// Part of a name.
    LikeFilter { like_: String }
    /// Text search.
    QueryFilter { query: String }

    FlowFilter { operator: Operator, id: IdFilter, deployment: NullFilter, name: TextFilter, tags: TagsFilter }
    FlowRunFilter {
        operator: Operator, id: IdFilter, name: TextFilter, tags: TagsFilter, deployment_id: ReferenceFilter,
        work_queue_name: NullableTextFilter, state: StateFilter, flow_version: TextFilter, start_time: TimeFilter,
        end_time: TimeFilter, expected_start_time: TimeFilter, next_scheduled_start_time: TimeFilter,
        parent_flow_run_id: ReferenceFilter, parent_task_run_id: ReferenceFilter, idempotency_key: TextFilter,
        created_by: CreatedByFilter,
    }
    TaskRunFilter {
        operator: Operator, id: IdFilter, name: TextFilter, tags: TagsFilter, state: StateFilter, start_time: TimeFilter,
        end_time: TimeFilter, expected_start_time: TimeFilter, subflow_runs: ExistsFilter, flow_run_id: ReferenceFilter,
    }
    DeploymentFilter {
        operator: Operator, id: IdFilter, name: TextFilter, flow_or_deployment_name: LikeFilter, paused: BoolFilter,
        tags: TagsFilter, work_queue_name: TextFilter, concurrency_limit: RangeFilter,
    }
    WorkPoolFilter { operator: Operator, id: IdFilter, name: TextFilter, r#type: TextFilter }
    WorkQueueFilter { operator: Operator, id: IdFilter, name: TextFilter }
    WorkerFilter { operator: Operator, last_heartbeat_time: TimeFilter, status: TextFilter }
    LogFilter {
        operator: Operator, level: RangeFilter, timestamp: TimeFilter, flow_run_id: ReferenceFilter,
        task_run_id: ReferenceFilter, text: QueryFilter,
    }
    ArtifactFilter {
        operator: Operator, id: IdFilter, key: TextFilter, flow_run_id: IdFilter, task_run_id: IdFilter, r#type: TextFilter,
    }
    ArtifactCollectionFilter {
        operator: Operator, latest_id: IdFilter, key: TextFilter, flow_run_id: IdFilter, task_run_id: IdFilter,
        r#type: TextFilter,
    }
    BlockTypeFilter { name: LikeFilter, slug: TextFilter }
    BlockSchemaFilter {
        operator: Operator, block_type_id: IdFilter, block_capabilities: TagsFilter, id: IdFilter, version: TextFilter,
    }
    AutomationFilter { operator: Operator, id: IdFilter, name: TextFilter, created: TimeFilter, tags: TagsFilter }
    VariableFilter { operator: Operator, id: IdFilter, name: TextFilter, tags: TagsFilter }
    /// The legacy queue's own choice of runs.
    QueueFilter { tags: Vec<String>, deployment_ids: Vec<Uuid> }

    /// The filters that lists of flows, runs and deployments share: each restricts through the relations between them.
    RunFilters {
        flows: FlowFilter, flow_runs: FlowRunFilter, task_runs: TaskRunFilter, deployments: DeploymentFilter,
        work_pools: WorkPoolFilter, work_pool_queues: WorkQueueFilter,
    }
}

/// Which block documents. Anonymous ones are left out unless `is_anonymous` says otherwise; `null` there means either.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockDocumentFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<IdFilter>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_anonymous: Patch<BoolFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_type_id: Option<IdFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<TextFilter>,
}

/// One condition of a saved search, kept for the old UI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSearchFilter {
    pub object: String,
    pub property: String,
    pub r#type: String,
    pub operation: String,
    pub value: serde_json::Value,
}

/// A list request: filters, order and page. `limit` and `offset` of `filter`, `page` of `paginate`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListRequest<Filters, Sort> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<i64>,
    #[serde(flatten)]
    pub filters: Filters,
}

/// One page of `paginate`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paginated<T> {
    pub results: Vec<T>,
    pub count: i64,
    pub limit: i64,
    pub pages: i64,
    pub page: i64,
}
