//! The columns: what filters and orders look at, some 80 bytes a run. A row is a position; positions follow the order of
//! creation, as row numbers in the database do.

use std::hash::Hash;

use fixedbitset::FixedBitSet;
use indexmap::IndexSet;
use tidegate_core::{state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::{Result, Row};

/// What stands for no time: before all others, as NULL sorts in SQLite.
pub(super) const NEVER: i64 = i64::MIN;
/// Deleted rows keep their positions; beyond half of all and this many, the columns are read anew.
const DELETED: usize = 100_000;

/// What the columns take of a row, in the order of [`Record::COLUMNS`].
pub(super) struct Record {
    rowid: i64,
    workspace: Uuid,
    name: String,
    flow: Uuid,
    deployment: Option<Uuid>,
    queue: Option<Uuid>,
    is_child: bool,
    state: State,
    tags: Vec<String>,
    start: Option<Timestamp>,
    expected: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Record {
    pub(super) const COLUMNS: &str = "rowid, workspace_id, name, flow_id, deployment_id, work_queue_id, \
        parent_task_run_id IS NOT NULL, state_type, state_name, tags, start_time, expected_start_time, end_time";

    pub(super) fn read(row: &mut Row<'_>) -> Result<Self> {
        Ok(Self {
            rowid: row.next()?,
            workspace: row.next()?,
            name: row.next()?,
            flow: row.next()?,
            deployment: row.next()?,
            queue: row.next()?,
            is_child: row.next()?,
            state: State { kind: row.next()?, name: row.next()? },
            tags: row.next()?,
            start: row.next()?,
            expected: row.next()?,
            end: row.next()?,
        })
    }
}

/// A state as filters see it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct State {
    pub(super) kind: Option<StateType>,
    pub(super) name: Option<String>,
}

#[derive(Default)]
pub(super) struct Table {
    rowids: Vec<i64>,
    live: FixedBitSet,
    pub(super) workspaces: Coded<Uuid>,
    pub(super) flows: Coded<Uuid>,
    pub(super) deployments: Coded<Option<Uuid>>,
    pub(super) queues: Coded<Option<Uuid>>,
    pub(super) states: Coded<State>,
    pub(super) tags: Coded<Vec<String>>,
    pub(super) is_child: FixedBitSet,
    pub(super) start: Vec<i64>,
    pub(super) expected: Vec<i64>,
    pub(super) end: Vec<i64>,
    pub(super) names: Vec<Box<str>>,
    deleted: usize,
    is_out_of_order: bool,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.rowids.len()
    }

    /// The positions that hold a row.
    pub(super) fn live(&self) -> &FixedBitSet {
        &self.live
    }

    pub(super) fn rowid(&self, position: usize) -> i64 {
        self.rowids[position]
    }

    /// When a run began, or when it should where it has not.
    pub(super) fn start_or_expected(&self, position: usize) -> i64 {
        let start = self.start[position];
        if start == NEVER { self.expected[position] } else { start }
    }

    /// Whether they can go on; if not, reading everything again is better.
    pub(super) fn is_sound(&self) -> bool {
        !self.is_out_of_order && self.deleted <= self.len() / 2 + DELETED
    }

    /// Takes a row in, or its new values.
    pub(super) fn put(&mut self, record: Record) {
        match self.rowids.binary_search(&record.rowid) {
            Ok(position) => self.replace(position, record),
            // A new row has the number after the highest that is there.
            Err(position) if !self.live.contains_any_in_range(position..self.len()) => {
                self.truncate(position);
                self.push(record);
            }
            // Only beside a row with the highest number that there can be.
            Err(_) => self.is_out_of_order = true,
        }
    }

    pub(super) fn remove(&mut self, rowid: i64) {
        if let Ok(position) = self.rowids.binary_search(&rowid)
            && self.live.contains(position)
        {
            self.live.set(position, false);
            self.deleted += 1;
        }
    }

    fn push(&mut self, record: Record) {
        self.rowids.push(record.rowid);
        self.workspaces.push(record.workspace);
        self.flows.push(record.flow);
        self.deployments.push(record.deployment);
        self.queues.push(record.queue);
        self.states.push(record.state);
        self.tags.push(record.tags);
        self.start.push(micros(record.start));
        self.expected.push(micros(record.expected));
        self.end.push(micros(record.end));
        self.names.push(record.name.into());
        let position = self.len() - 1;
        // Doubled, as vectors grow; one by one would copy everything at each row.
        if position >= self.live.len() {
            self.live.grow((position + 1) * 2);
            self.is_child.grow((position + 1) * 2);
        }
        self.live.insert(position);
        self.is_child.set(position, record.is_child);
    }

    /// Gives up deleted rows at the end.
    fn truncate(&mut self, length: usize) {
        self.deleted -= self.len() - length;
        self.rowids.truncate(length);
        self.workspaces.codes.truncate(length);
        self.flows.codes.truncate(length);
        self.deployments.codes.truncate(length);
        self.queues.codes.truncate(length);
        self.states.codes.truncate(length);
        self.tags.codes.truncate(length);
        self.start.truncate(length);
        self.expected.truncate(length);
        self.end.truncate(length);
        self.names.truncate(length);
    }

    fn replace(&mut self, position: usize, record: Record) {
        self.deleted -= usize::from(!self.live.contains(position));
        self.workspaces.set(position, record.workspace);
        self.flows.set(position, record.flow);
        self.deployments.set(position, record.deployment);
        self.queues.set(position, record.queue);
        self.states.set(position, record.state);
        self.tags.set(position, record.tags);
        self.start[position] = micros(record.start);
        self.expected[position] = micros(record.expected);
        self.end[position] = micros(record.end);
        self.names[position] = record.name.into();
        self.live.insert(position);
        self.is_child.set(position, record.is_child);
    }
}

fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(NEVER, Timestamp::micros)
}

/// A column of few different values: each stands once, and rows have its number.
pub(super) struct Coded<T> {
    codes: Vec<u32>,
    values: IndexSet<T>,
}

impl<T> Default for Coded<T> {
    fn default() -> Self {
        Self { codes: Vec::new(), values: IndexSet::new() }
    }
}

impl<T: Hash + Eq> Coded<T> {
    fn push(&mut self, value: T) {
        let code = self.code(value);
        self.codes.push(code);
    }

    fn set(&mut self, position: usize, value: T) {
        self.codes[position] = self.code(value);
    }

    fn code(&mut self, value: T) -> u32 {
        u32::try_from(self.values.insert_full(value).0).expect("fewer values than rows, and rows fit memory")
    }

    /// Whether no row has or had another value.
    pub(super) fn is_only(&self, value: &T) -> bool {
        self.values.len() == 1 && self.values.contains(value)
    }

    /// A test of positions: `holds` is asked once for each different value.
    pub(super) fn test(&self, holds: impl FnMut(&T) -> bool) -> impl Fn(usize) -> bool {
        let held: Vec<bool> = self.values.iter().map(holds).collect();
        move |position| held[self.codes[position] as usize]
    }
}
