//! One page of the rows that are meant, in order.

use fixedbitset::FixedBitSet;
use tidegate_api::flow_runs::FlowRunSort;

use super::table::Table;
use crate::sql::Direction;

/// What the columns can order by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    StartOrExpected,
    Expected,
    End,
    Name,
}

impl Key {
    /// `None` for an order that only the database has.
    pub(super) fn of(sort: FlowRunSort) -> Option<(Self, Direction)> {
        Some(match sort {
            FlowRunSort::StartTimeAsc => (Self::StartOrExpected, Direction::Ascending),
            FlowRunSort::StartTimeDesc => (Self::StartOrExpected, Direction::Descending),
            FlowRunSort::ExpectedStartTimeAsc => (Self::Expected, Direction::Ascending),
            FlowRunSort::ExpectedStartTimeDesc => (Self::Expected, Direction::Descending),
            FlowRunSort::EndTimeDesc => (Self::End, Direction::Descending),
            FlowRunSort::NameAsc => (Self::Name, Direction::Ascending),
            FlowRunSort::NameDesc => (Self::Name, Direction::Descending),
            FlowRunSort::IdDesc | FlowRunSort::NextScheduledStartTimeAsc => return None,
        })
    }
}

/// The positions of a page, in order; those with the same key in the order of creation, as `Sql::push_order` has it.
pub(super) fn page(
    table: &Table,
    meant: &FixedBitSet,
    (key, direction): (Key, Direction),
    limit: usize,
    offset: usize,
) -> Vec<usize> {
    let wanted = offset.saturating_add(limit);
    let mut first = match key {
        Key::StartOrExpected => first(meant, direction, wanted, |at| table.start_or_expected(at)),
        Key::Expected => first(meant, direction, wanted, |at| table.expected[at]),
        Key::End => first(meant, direction, wanted, |at| table.end[at]),
        Key::Name => first(meant, direction, wanted, |at| &*table.names[at]),
    };
    first.drain(..offset.min(first.len()));
    first
}

/// The first `wanted` of a list, without sorting the rest of it.
fn first<K: Ord + Copy>(
    meant: &FixedBitSet,
    direction: Direction,
    wanted: usize,
    key: impl Fn(usize) -> K,
) -> Vec<usize> {
    if wanted == 0 {
        return Vec::new();
    }
    let order = |a: &(K, usize), b: &(K, usize)| match direction {
        Direction::Ascending => a.cmp(b),
        Direction::Descending => b.cmp(a),
    };
    let mut best: Vec<(K, usize)> = Vec::new();
    let mut last = None;
    let mut take = |at: usize| {
        let item = (key(at), at);
        if last.is_some_and(|last| order(&item, &last).is_gt()) {
            return;
        }
        best.push(item);
        if best.len() >= wanted.saturating_mul(2).max(64) {
            best.select_nth_unstable_by(wanted - 1, order);
            best.truncate(wanted);
            last = best.last().copied();
        }
    };
    // Runs are made in about the order of their times: from this end, the first that are looked at are the first of the list.
    match direction {
        Direction::Ascending => meant.ones().for_each(&mut take),
        Direction::Descending => meant.ones().rev().for_each(&mut take),
    }
    best.sort_unstable_by(order);
    best.truncate(wanted);
    best.into_iter().map(|(_, at)| at).collect()
}
