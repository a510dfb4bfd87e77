//! Filters as tests of columns. Each function here is the twin of one in `conditions`, where the same filter becomes SQL;
//! a comparison with NULL holds neither way there, and nothing here is ever negated afterwards, so it is false.

use std::collections::HashSet;

use fixedbitset::{Block, FixedBitSet};
use tidegate_api::filters::{
    FlowRunFilter, Operator, ReferenceFilter, RunFilters, StateFilter, TagsFilter, TextFilter, TimeFilter,
};
use uuid::Uuid;

use super::table::{NEVER, State, Table};

/// Which rows are meant.
pub(crate) enum Question {
    All(Vec<Question>),
    /// One of them at least; everything, when there are none.
    Any(Vec<Question>),
    Workspace(Uuid),
    Flow(HashSet<Uuid>),
    Deployment(HashSet<Uuid>),
    Queue(HashSet<Uuid>),
    DeploymentId(ReferenceFilter),
    State(StateFilter),
    Tags(TagsFilter),
    Name(TextFilter),
    IsChild(bool),
    HasStarted(bool),
    StartOrExpected(TimeFilter),
    Expected(TimeFilter),
    End(TimeFilter),
}

/// Whether columns can answer these filters, given the ids that filters of related nouns mean.
pub(super) fn is_answered(filters: &RunFilters) -> bool {
    filters.task_runs.is_none() && filters.flow_runs.as_ref().is_none_or(is_of_columns)
}

/// Whether a filter looks at columns only that are here. Ids and keys are not: SQLite finds those at once.
fn is_of_columns(filter: &FlowRunFilter) -> bool {
    let others = filter.id.is_some()
        || filter.work_queue_name.is_some()
        || filter.flow_version.is_some()
        || filter.next_scheduled_start_time.is_some()
        || filter.parent_flow_run_id.is_some()
        || filter.idempotency_key.is_some()
        || filter.created_by.is_some();
    let parent = filter.parent_task_run_id.as_ref().is_none_or(|parent| parent.any_.is_none());
    let texts = [filter.name.as_ref(), filter.state.as_ref().and_then(|state| state.name.as_ref())];
    !others && parent && texts.into_iter().flatten().all(has_plain_patterns)
}

/// `%` and `_` mean something to SQL, and so does the end of a text.
fn has_plain_patterns(filter: &TextFilter) -> bool {
    let patterns = filter.like_.iter().chain(filter.startswith_.iter().flatten());
    patterns.into_iter().all(|pattern| !pattern.contains(['%', '_', '\0']))
}

impl Question {
    /// The flow runs' own filter, which `is_answered` has seen. What costs most comes last.
    pub(super) fn of_flow_runs(filter: &FlowRunFilter) -> Self {
        let mut parts = Vec::new();
        parts.extend(filter.state.clone().map(Self::State));
        parts.extend(filter.tags.clone().map(Self::Tags));
        parts.extend(filter.deployment_id.clone().map(Self::DeploymentId));
        if let Some(parent) = &filter.parent_task_run_id {
            parts.push(parent.is_null_.map_or(Self::All(Vec::new()), |null| Self::IsChild(!null)));
        }
        if let Some(start) = &filter.start_time {
            let mut both = vec![Self::StartOrExpected(TimeFilter { is_null_: None, ..start.clone() })];
            both.extend(start.is_null_.map(|null| Self::HasStarted(!null)));
            parts.push(Self::All(both));
        }
        parts.extend(filter.expected_start_time.clone().map(Self::Expected));
        parts.extend(filter.end_time.clone().map(Self::End));
        parts.extend(filter.name.clone().map(Self::Name));
        match filter.operator.unwrap_or_default() {
            Operator::And => Self::All(parts),
            Operator::Or => Self::Any(parts),
        }
    }

    /// The positions among `within` that are meant.
    pub(super) fn ask(&self, table: &Table, within: &FixedBitSet) -> FixedBitSet {
        match self {
            Self::All(parts) => parts.iter().fold(within.clone(), |left, part| part.ask(table, &left)),
            Self::Any(parts) if parts.is_empty() => within.clone(),
            Self::Any(parts) => {
                let mut found = FixedBitSet::with_capacity(within.len());
                for part in parts {
                    found.union_with(&part.ask(table, within));
                }
                found
            }
            Self::Workspace(id) if table.workspaces.is_only(id) => within.clone(),
            Self::Workspace(id) => among(within, table.workspaces.test(|of| of == id)),
            Self::Flow(ids) => among(within, table.flows.test(|of| ids.contains(of))),
            Self::Deployment(ids) => among(within, table.deployments.test(|of| of.is_some_and(|id| ids.contains(&id)))),
            Self::Queue(ids) => among(within, table.queues.test(|of| of.is_some_and(|id| ids.contains(&id)))),
            Self::DeploymentId(filter) => among(within, table.deployments.test(|of| refers(filter, *of))),
            Self::State(filter) => among(within, table.states.test(|of| is_state(filter, of))),
            Self::Tags(filter) => among(within, table.tags.test(|of| has_tags(filter, of))),
            Self::Name(filter) => among(within, |at| is_text(filter, Some(&table.names[at]))),
            Self::IsChild(wanted) => among(within, |at| table.is_child.contains(at) == *wanted),
            Self::HasStarted(wanted) => among(within, |at| (table.start[at] != NEVER) == *wanted),
            Self::StartOrExpected(filter) => among(within, |at| is_time(filter, table.start_or_expected(at))),
            Self::Expected(filter) => among(within, |at| is_time(filter, table.expected[at])),
            Self::End(filter) => among(within, |at| is_time(filter, table.end[at])),
        }
    }
}

/// The positions of `within` that pass a test.
fn among(within: &FixedBitSet, holds: impl Fn(usize) -> bool) -> FixedBitSet {
    let words = within.as_slice().iter().enumerate().map(|(word, &bits)| {
        let (mut left, mut found) = (bits, 0);
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            found |= Block::from(holds(word * Block::BITS as usize + bit as usize)) << bit;
        }
        found
    });
    FixedBitSet::with_capacity_and_blocks(within.len(), words)
}

/// Joins the parts of a filter that are there; a filter without parts holds.
fn join(operator: Option<Operator>, parts: impl IntoIterator<Item = Option<bool>>) -> bool {
    let mut parts = parts.into_iter().flatten().peekable();
    match operator.unwrap_or_default() {
        Operator::And => parts.all(|holds| holds),
        Operator::Or => parts.peek().is_none() || parts.any(|holds| holds),
    }
}

fn refers(filter: &ReferenceFilter, id: Option<Uuid>) -> bool {
    let any = filter.any_.as_ref().map(|ids| id.is_some_and(|id| ids.contains(&id)));
    join(filter.operator, [any, filter.is_null_.map(|null| id.is_none() == null)])
}

fn is_state(filter: &StateFilter, state: &State) -> bool {
    let kind = filter.r#type.as_ref().map(|types| {
        let any = types.any_.as_ref().map(|types| state.kind.is_some_and(|kind| types.contains(&kind)));
        let not =
            types.not_any_.as_ref().map(|types| state.kind.map_or(types.is_empty(), |kind| !types.contains(&kind)));
        join(None, [any, not])
    });
    join(filter.operator, [kind, filter.name.as_ref().map(|name| is_text(name, state.name.as_deref()))])
}

fn has_tags(filter: &TagsFilter, tags: &[String]) -> bool {
    let all = filter.all_.as_ref().map(|wanted| wanted.iter().all(|tag| tags.contains(tag)));
    let any = filter.any_.as_ref().map(|wanted| wanted.iter().any(|tag| tags.contains(tag)));
    join(filter.operator, [all, any, filter.is_null_.map(|null| tags.is_empty() == null)])
}

fn is_text(filter: &TextFilter, text: Option<&str>) -> bool {
    let any = filter.any_.as_ref().map(|texts| text.is_some_and(|text| texts.iter().any(|other| other == text)));
    // Nothing is known of NULL, except that it is not in an empty list.
    let not = filter
        .not_any_
        .as_ref()
        .map(|texts| text.map_or(texts.is_empty(), |text| texts.iter().all(|other| other != text)));
    let like = filter.like_.as_ref().map(|part| text.is_some_and(|text| contains(text, part)));
    let begins = filter.startswith_.as_ref().map(|prefixes| {
        let begins = |prefix: &String| text.is_some_and(|text| begins_with(text.as_bytes(), prefix.as_bytes()));
        prefixes.is_empty() || prefixes.iter().any(begins)
    });
    join(None, [any, not, like, begins, filter.exists_.map(|exists| text.is_some() == exists)])
}

fn is_time(filter: &TimeFilter, time: i64) -> bool {
    let is_set = time != NEVER;
    filter.before_.is_none_or(|before| is_set && time <= before.micros())
        && filter.after_.is_none_or(|after| is_set && time >= after.micros())
        && filter.is_null_.is_none_or(|null| is_set != null)
}

/// As LIKE has it: ASCII letters in either case, others as they are.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return true };
    let Some(last) = text.len().checked_sub(part.len()) else { return false };
    (0..=last).any(|at| text[at].eq_ignore_ascii_case(first) && begins_with(&text[at..], part))
}

fn begins_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}
