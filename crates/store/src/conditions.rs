//! Filters as SQL: one function per noun, each adding one parenthesised condition on that noun's table. Filters on related
//! nouns become EXISTS over the relation, as the wire's filter objects mean them.

use tidegate_api::filters::{
    CreatedByFilter, DeploymentFilter, FlowFilter, FlowRunFilter, IdFilter, NullableTextFilter, Operator, RangeFilter,
    ReferenceFilter, RunFilters, StateFilter, TagsFilter, TaskRunFilter, TextFilter, TimeFilter, WorkPoolFilter,
    WorkQueueFilter,
};
use tidegate_api::text_search::TextQuery;

use crate::sql::{Dialect, Sql};

/// Collects the parts of one filter, joined by its operator.
pub(crate) struct Conditions<'s> {
    pub(crate) sql: &'s mut Sql,
    dialect: Dialect,
    operator: Operator,
    any: bool,
}

impl<'s> Conditions<'s> {
    pub(crate) fn begin(sql: &'s mut Sql, dialect: Dialect, operator: Option<Operator>) -> Self {
        sql.push("(");
        Self { sql, dialect, operator: operator.unwrap_or_default(), any: false }
    }

    /// Closes the parenthesis; a filter without parts matches everything.
    pub(crate) fn end(self) {
        self.sql.push(if self.any { ")" } else { "1 = 1)" });
    }

    /// The statement, ready for one more part.
    pub(crate) fn part(&mut self) -> &mut Sql {
        if self.any {
            self.sql.push(match self.operator {
                Operator::And => " AND ",
                Operator::Or => " OR ",
            });
        }
        self.any = true;
        self.sql
    }

    /// A nested filter with an operator of its own.
    pub(crate) fn nested(&mut self, operator: Option<Operator>, build: impl FnOnce(&mut Conditions<'_>)) {
        let dialect = self.dialect;
        let mut inner = Conditions::begin(self.part(), dialect, operator);
        build(&mut inner);
        inner.end();
    }

    pub(crate) fn ids(&mut self, column: &str, filter: Option<&IdFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(None, |both| {
            if let Some(ids) = &filter.any_ {
                both.part().push_ids(dialect, column, ids);
            }
            if let Some(ids) = &filter.not_any_ {
                both.part().push("NOT (").push_ids(dialect, column, ids).push(")");
            }
        });
    }

    pub(crate) fn texts(&mut self, column: &str, filter: Option<&TextFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(None, |all| {
            if let Some(texts) = &filter.any_ {
                all.part().push_texts(dialect, column, texts);
            }
            if let Some(texts) = &filter.not_any_ {
                all.part().push("NOT (").push_texts(dialect, column, texts).push(")");
            }
            if let Some(pattern) = &filter.like_ {
                push_like(all.part(), dialect, column, &format!("%{pattern}%"));
            }
            if let Some(prefixes) = &filter.startswith_ {
                all.nested(Some(Operator::Or), |any| {
                    for prefix in prefixes {
                        push_like(any.part(), dialect, column, &format!("{prefix}%"));
                    }
                });
            }
            if let Some(exists) = filter.exists_ {
                push_null(all.part(), column, !exists);
            }
        });
    }

    pub(crate) fn like(&mut self, column: &str, pattern: Option<&String>) {
        if let Some(pattern) = pattern {
            let dialect = self.dialect;
            push_like(self.part(), dialect, column, &format!("%{pattern}%"));
        }
    }

    pub(crate) fn reference(&mut self, column: &str, filter: Option<&ReferenceFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(filter.operator, |parts| {
            if let Some(ids) = &filter.any_ {
                parts.part().push_ids(dialect, column, ids);
            }
            if let Some(null) = filter.is_null_ {
                push_null(parts.part(), column, null);
            }
        });
    }

    pub(crate) fn nullable_texts(&mut self, column: &str, filter: Option<&NullableTextFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(filter.operator, |parts| {
            if let Some(texts) = &filter.any_ {
                parts.part().push_texts(dialect, column, texts);
            }
            if let Some(null) = filter.is_null_ {
                push_null(parts.part(), column, null);
            }
        });
    }

    pub(crate) fn times(&mut self, column: &str, filter: Option<&TimeFilter>) {
        let Some(filter) = filter else { return };
        self.nested(None, |all| {
            if let Some(time) = filter.before_ {
                all.part().push(column).push(" <= ").bind(time);
            }
            if let Some(time) = filter.after_ {
                all.part().push(column).push(" >= ").bind(time);
            }
            if let Some(null) = filter.is_null_ {
                push_null(all.part(), column, null);
            }
        });
    }

    pub(crate) fn range(&mut self, column: &str, filter: Option<&RangeFilter>) {
        let Some(filter) = filter else { return };
        self.nested(None, |all| {
            if let Some(least) = filter.ge_ {
                all.part().push(column).push(" >= ").bind(least);
            }
            if let Some(most) = filter.le_ {
                all.part().push(column).push(" <= ").bind(most);
            }
            if let Some(null) = filter.is_null_ {
                push_null(all.part(), column, null);
            }
        });
    }

    pub(crate) fn tags(&mut self, column: &str, filter: Option<&TagsFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(filter.operator, |parts| {
            if let Some(tags) = &filter.all_ {
                parts.nested(None, |all| tags.iter().for_each(|tag| push_has_tag(all.part(), dialect, column, tag)));
            }
            if let Some(tags) = &filter.any_ {
                if tags.is_empty() {
                    parts.part().push("1 = 0");
                } else {
                    parts.nested(Some(Operator::Or), |any| {
                        for tag in tags {
                            push_has_tag(any.part(), dialect, column, tag);
                        }
                    });
                }
            }
            if let Some(null) = filter.is_null_ {
                let is_empty = if null { " = '[]'" } else { " <> '[]'" };
                parts.part().push(column).push(is_empty);
            }
        });
    }

    fn state(&mut self, table: &str, filter: Option<&StateFilter>) {
        let Some(filter) = filter else { return };
        self.nested(filter.operator, |parts| {
            if let Some(types) = &filter.r#type {
                let names =
                    |types: &Vec<tidegate_core::state::StateType>| types.iter().map(ToString::to_string).collect();
                let types = TextFilter {
                    any_: types.any_.as_ref().map(names),
                    not_any_: types.not_any_.as_ref().map(names),
                    ..TextFilter::default()
                };
                parts.texts(&format!("{table}.state_type"), Some(&types));
            }
            parts.texts(&format!("{table}.state_name"), filter.name.as_ref());
        });
    }

    fn created_by(&mut self, column: &str, filter: Option<&CreatedByFilter>) {
        let Some(filter) = filter else { return };
        let dialect = self.dialect;
        self.nested(filter.operator, |parts| {
            let field = |name: &str| match dialect {
                Dialect::Sqlite => format!("{column} ->> '{name}'"),
                Dialect::Postgres => format!("({column} ->> '{name}')"),
            };
            if let Some(ids) = &filter.id_ {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                parts.part().push_texts(dialect, &field("id"), &ids);
            }
            if let Some(types) = &filter.type_ {
                parts.part().push_texts(dialect, &field("type"), types);
            }
            if let Some(null) = filter.is_null_ {
                push_null(parts.part(), column, null);
            }
        });
    }
}

fn push_null(sql: &mut Sql, column: &str, null: bool) {
    sql.push(column).push(if null { " IS NULL" } else { " IS NOT NULL" });
}

/// Case-insensitive; `%` and `_` in the pattern keep their meaning, as in the reference.
fn push_like(sql: &mut Sql, dialect: Dialect, column: &str, pattern: &str) {
    match dialect {
        Dialect::Sqlite => {
            sql.push("lower(").push(column).push(") LIKE lower(").bind(pattern).push(")");
        }
        Dialect::Postgres => {
            sql.push(column).push(" ILIKE ").bind(pattern);
        }
    }
}

/// Text search: `text` is an expression.
pub(crate) fn push_text_query(parts: &mut Conditions<'_>, text: &str, query: &TextQuery) {
    let dialect = parts.dialect;
    let contains = |sql: &mut Sql, term: &str| {
        sql.push(match dialect {
            Dialect::Sqlite => "instr(lower(",
            Dialect::Postgres => "strpos(lower(",
        });
        sql.push(text).push("), ").bind(term).push(") > 0");
    };
    parts.nested(None, |all| {
        if !query.include.is_empty() {
            all.nested(Some(Operator::Or), |any| query.include.iter().for_each(|term| contains(any.part(), term)));
        }
        for term in &query.exclude {
            let sql = all.part().push("NOT (");
            contains(sql, term);
            sql.push(")");
        }
        for term in &query.required {
            contains(all.part(), term);
        }
    });
}

fn push_has_tag(sql: &mut Sql, dialect: Dialect, column: &str, tag: &str) {
    match dialect {
        Dialect::Sqlite => {
            // A look at the text first: few rows have the tag, and taking a list apart costs more. All of it is one value, so that
            // the planner, who would make a join of the list, finds the rows by something better.
            let written = tidegate_core::json::to_text(tag);
            sql.push("(instr(")
                .push(column)
                .push(", ")
                .bind(written)
                .push(") > 0 AND EXISTS (SELECT 1 FROM json_each(");
            sql.push(column).push(") WHERE value = ").bind(tag).push(")) = 1");
        }
        Dialect::Postgres => {
            sql.push(column).push(" @> ").bind(crate::value::json_list(std::slice::from_ref(&tag.to_owned())));
        }
    }
}

/// The table a list selects from; relations are spelled from here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Flow,
    FlowRun,
    TaskRun,
    Deployment,
}

/// Adds ` AND …` for every filter of a list of flows, runs or deployments.
pub(crate) fn push_run_filters(sql: &mut Sql, dialect: Dialect, subject: Subject, filters: &RunFilters) {
    if let Some(filter) = &filters.flows {
        relate(sql, dialect, subject, Subject::Flow, |sql| push_flow(sql, dialect, filter));
    }
    if let Some(filter) = &filters.flow_runs {
        relate(sql, dialect, subject, Subject::FlowRun, |sql| push_flow_run(sql, dialect, filter));
    }
    if let Some(filter) = filters.task_runs.as_ref().filter(|filter| subject == Subject::FlowRun && is_narrow(filter)) {
        // From the few task runs to their flow runs; the other way round would look at every flow run.
        sql.push(" AND flow_run.id IN (SELECT task_run.flow_run_id FROM task_run WHERE ");
        push_task_run(sql, dialect, filter);
        sql.push(")");
    } else if let Some(filter) = &filters.task_runs {
        relate(sql, dialect, subject, Subject::TaskRun, |sql| push_task_run(sql, dialect, filter));
    }
    if let Some(filter) = &filters.deployments {
        relate(sql, dialect, subject, Subject::Deployment, |sql| push_deployment(sql, dialect, filter));
    }
    if let Some(filter) = &filters.work_pools {
        relate_to_queue(sql, subject, |sql| {
            sql.push("EXISTS (SELECT 1 FROM work_pool WHERE work_pool.id = work_queue.work_pool_id AND ");
            push_work_pool(sql, dialect, filter);
            sql.push(")");
        });
    }
    if let Some(filter) = &filters.work_pool_queues {
        relate_to_queue(sql, subject, |sql| push_work_queue(sql, dialect, filter));
    }
}

/// Whether a filter names the task runs that it means, and nothing widens it.
fn is_narrow(filter: &TaskRunFilter) -> bool {
    filter.operator.unwrap_or_default() == Operator::And && filter.id.as_ref().is_some_and(|ids| ids.any_.is_some())
}

fn relate(sql: &mut Sql, _: Dialect, from: Subject, to: Subject, condition: impl FnOnce(&mut Sql)) {
    use Subject::{Deployment, Flow, FlowRun, TaskRun};
    let exists = match (from, to) {
        (Flow, Flow) | (FlowRun, FlowRun) | (TaskRun, TaskRun) | (Deployment, Deployment) => {
            sql.push(" AND ");
            return condition(sql);
        }
        (Flow, FlowRun) => "flow_run WHERE flow_run.flow_id = flow.id",
        (Flow, TaskRun) => {
            "task_run JOIN flow_run ON flow_run.id = task_run.flow_run_id WHERE flow_run.flow_id = flow.id"
        }
        (Flow, Deployment) => "deployment WHERE deployment.flow_id = flow.id",
        (FlowRun, Flow) => "flow WHERE flow.id = flow_run.flow_id",
        (FlowRun, TaskRun) => "task_run WHERE task_run.flow_run_id = flow_run.id",
        (FlowRun, Deployment) => "deployment WHERE deployment.id = flow_run.deployment_id",
        (TaskRun, Flow) => "flow JOIN flow_run ON flow_run.flow_id = flow.id WHERE flow_run.id = task_run.flow_run_id",
        (TaskRun, FlowRun) => "flow_run WHERE flow_run.id = task_run.flow_run_id",
        (TaskRun, Deployment) => {
            "deployment JOIN flow_run ON flow_run.deployment_id = deployment.id WHERE flow_run.id = task_run.flow_run_id"
        }
        (Deployment, Flow) => "flow WHERE flow.id = deployment.flow_id",
        (Deployment, FlowRun) => "flow_run WHERE flow_run.deployment_id = deployment.id",
        (Deployment, TaskRun) => {
            "task_run JOIN flow_run ON flow_run.id = task_run.flow_run_id WHERE flow_run.deployment_id = deployment.id"
        }
    };
    sql.push(" AND EXISTS (SELECT 1 FROM ").push(exists).push(" AND ");
    condition(sql);
    sql.push(")");
}

/// Pools and queues restrict flow runs and deployments through their queue; flows through their deployments.
fn relate_to_queue(sql: &mut Sql, from: Subject, condition: impl FnOnce(&mut Sql)) {
    let exists = match from {
        Subject::FlowRun => "work_queue WHERE work_queue.id = flow_run.work_queue_id",
        Subject::Deployment => "work_queue WHERE work_queue.id = deployment.work_queue_id",
        Subject::Flow => {
            "work_queue JOIN deployment ON deployment.work_queue_id = work_queue.id WHERE deployment.flow_id = flow.id"
        }
        Subject::TaskRun => {
            "work_queue JOIN flow_run ON flow_run.work_queue_id = work_queue.id WHERE flow_run.id = task_run.flow_run_id"
        }
    };
    sql.push(" AND EXISTS (SELECT 1 FROM ").push(exists).push(" AND ");
    condition(sql);
    sql.push(")");
}

pub(crate) fn push_flow(sql: &mut Sql, dialect: Dialect, filter: &FlowFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("flow.id", filter.id.as_ref());
    if let Some(null) = filter.deployment.as_ref().and_then(|deployment| deployment.is_null_) {
        let exists = "EXISTS (SELECT 1 FROM deployment WHERE deployment.flow_id = flow.id)";
        parts.part().push(if null { "NOT " } else { "" }).push(exists);
    }
    parts.texts("flow.name", filter.name.as_ref());
    parts.tags("flow.tags", filter.tags.as_ref());
    parts.end();
}

pub(crate) fn push_flow_run(sql: &mut Sql, dialect: Dialect, filter: &FlowRunFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("flow_run.id", filter.id.as_ref());
    parts.texts("flow_run.name", filter.name.as_ref());
    parts.tags("flow_run.tags", filter.tags.as_ref());
    parts.reference("flow_run.deployment_id", filter.deployment_id.as_ref());
    parts.nullable_texts("flow_run.work_queue_name", filter.work_queue_name.as_ref());
    parts.state("flow_run", filter.state.as_ref());
    parts.texts("flow_run.flow_version", filter.flow_version.as_ref());
    if let Some(start) = &filter.start_time {
        // A run that has not started counts by when it should.
        let bounds = TimeFilter { is_null_: None, ..start.clone() };
        parts.nested(None, |both| {
            both.times("coalesce(flow_run.start_time, flow_run.expected_start_time)", Some(&bounds));
            both.times("flow_run.start_time", Some(&TimeFilter { is_null_: start.is_null_, ..TimeFilter::default() }));
        });
    }
    parts.times("flow_run.end_time", filter.end_time.as_ref());
    parts.times("flow_run.expected_start_time", filter.expected_start_time.as_ref());
    parts.times("flow_run.next_scheduled_start_time", filter.next_scheduled_start_time.as_ref());
    if let Some(ids) = filter.parent_flow_run_id.as_ref().and_then(|parent| parent.any_.as_ref()) {
        parts
            .part()
            .push("flow_run.parent_task_run_id IN (SELECT parent.id FROM task_run AS parent WHERE ")
            .push_ids(dialect, "parent.flow_run_id", ids)
            .push(")");
    }
    parts.reference("flow_run.parent_task_run_id", filter.parent_task_run_id.as_ref());
    parts.texts("flow_run.idempotency_key", filter.idempotency_key.as_ref());
    parts.created_by("flow_run.created_by", filter.created_by.as_ref());
    parts.end();
}

pub(crate) fn push_task_run(sql: &mut Sql, dialect: Dialect, filter: &TaskRunFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("task_run.id", filter.id.as_ref());
    parts.texts("task_run.name", filter.name.as_ref());
    parts.tags("task_run.tags", filter.tags.as_ref());
    parts.state("task_run", filter.state.as_ref());
    parts.times("task_run.start_time", filter.start_time.as_ref());
    parts.times("task_run.end_time", filter.end_time.as_ref());
    parts.times("task_run.expected_start_time", filter.expected_start_time.as_ref());
    if let Some(exists) = filter.subflow_runs.as_ref().and_then(|filter| filter.exists_) {
        let runs = "EXISTS (SELECT 1 FROM flow_run AS child WHERE child.parent_task_run_id = task_run.id)";
        parts.part().push(if exists { "" } else { "NOT " }).push(runs);
    }
    // The reference reads no operator here: both conditions hold.
    let flow_run_id = filter.flow_run_id.clone().map(|filter| ReferenceFilter { operator: None, ..filter });
    parts.reference("task_run.flow_run_id", flow_run_id.as_ref());
    parts.end();
}

pub(crate) fn push_deployment(sql: &mut Sql, dialect: Dialect, filter: &DeploymentFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("deployment.id", filter.id.as_ref());
    parts.texts("deployment.name", filter.name.as_ref());
    if let Some(pattern) = filter.flow_or_deployment_name.as_ref().and_then(|name| name.like_.as_ref()) {
        parts.nested(Some(Operator::Or), |any| {
            any.like("deployment.name", Some(pattern));
            any.like("(SELECT f.name FROM flow AS f WHERE f.id = deployment.flow_id)", Some(pattern));
        });
    }
    if let Some(paused) = filter.paused.as_ref().and_then(|paused| paused.eq_) {
        parts.part().push("deployment.paused = ").bind(paused);
    }
    parts.tags("deployment.tags", filter.tags.as_ref());
    parts.texts("deployment.work_queue_name", filter.work_queue_name.as_ref());
    if filter.concurrency_limit.is_some() {
        // The number it means is no column any more; the wire keeps the filter, and it restricts nothing.
        parts.part().push("1 = 1");
    }
    parts.end();
}

pub(crate) fn push_work_pool(sql: &mut Sql, dialect: Dialect, filter: &WorkPoolFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("work_pool.id", filter.id.as_ref());
    parts.texts("work_pool.name", filter.name.as_ref());
    parts.texts("work_pool.type", filter.r#type.as_ref());
    parts.end();
}

pub(crate) fn push_work_queue(sql: &mut Sql, dialect: Dialect, filter: &WorkQueueFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("work_queue.id", filter.id.as_ref());
    parts.texts("work_queue.name", filter.name.as_ref());
    parts.end();
}
