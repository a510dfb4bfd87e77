//! Searches for words in all log records: blocks whose letters rule the words out are passed over, and the others are read
//! from the end that the answer begins with, until it is full. Whoever names runs needs none of this: their records lie
//! together.

use tidegate_api::{
    filters::{LogFilter, Operator},
    logs::{Log, LogSort},
    text_search::TextQuery,
};
use tidegate_core::time::Timestamp;

use super::{letters::Word, log, push_log_filter, select};
use crate::{Dialect, Partitioned, Result, Row, Sql, Tx, sql};

/// What must be in a block for it to be worth reading.
pub(super) struct Search {
    /// All of these.
    required: Vec<Word>,
    /// One of these, unless there are none.
    include: Vec<Word>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Search {
    /// `None` where blocks are of no use for a filter.
    pub(super) fn of(filter: &LogFilter) -> Option<Self> {
        let names_runs = |reference: &Option<tidegate_api::filters::ReferenceFilter>| {
            reference.as_ref().is_some_and(|filter| filter.any_.is_some())
        };
        if filter.operator == Some(Operator::Or) || names_runs(&filter.flow_run_id) || names_runs(&filter.task_run_id) {
            return None;
        }
        let query = TextQuery::parse(filter.text.as_ref()?.query.as_deref()?);
        let words = |terms: &[String]| terms.iter().map(|term| Word::new(term)).collect::<Vec<_>>();
        let (mut required, mut include) = (words(&query.required), words(&query.include));
        required.retain(Word::is_telling);
        if !include.iter().all(Word::is_telling) {
            include.clear();
        }
        let times = filter.timestamp.as_ref();
        let search = Self {
            required,
            include,
            since: times.and_then(|times| times.after_),
            until: times.and_then(|times| times.before_),
        };
        (!search.required.is_empty() || !search.include.is_empty()).then_some(search)
    }

    fn may_be_in(&self, letters: &[u8]) -> bool {
        self.required.iter().all(|word| word.may_be_in(letters))
            && (self.include.is_empty() || self.include.iter().any(|word| word.may_be_in(letters)))
    }

    /// PostgreSQL: the same as a condition on a block.
    fn push_condition(&self, sql: &mut Sql) {
        let holds = |sql: &mut Sql, word: &Word| {
            sql.push("(true");
            for place in word.places() {
                sql.push(" AND get_bit(letters, ").bind(i64::from(*place)).push(" % (octet_length(letters) * 8)) = 1");
            }
            sql.push(")");
        };
        for word in &self.required {
            sql.push(" AND ");
            holds(sql, word);
        }
        if !self.include.is_empty() {
            sql.push(" AND (false");
            for word in &self.include {
                sql.push(" OR ");
                holds(sql, word);
            }
            sql.push(")");
        }
    }
}

/// Records to look at: those of a block, or those that none covers.
struct Stretch {
    part: String,
    first: i64,
    last: i64,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Stretch {
    /// All records of a table behind a place.
    fn behind(part: String, place: i64) -> Self {
        let (earliest, latest) = (Timestamp::nearest(i64::MIN), Timestamp::nearest(i64::MAX));
        Self { part, first: place.saturating_add(1), last: i64::MAX, earliest, latest }
    }
}

impl Tx {
    /// The page of records that a filter means.
    pub(super) async fn search_logs(
        &mut self,
        search: &Search,
        filter: &LogFilter,
        sort: LogSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Log>> {
        let (offset, wanted) = (offset.max(0), offset.max(0).saturating_add(limit.max(0)));
        let mut stretches = self.stretches(search).await?;
        match sort {
            LogSort::TimestampAsc => stretches.sort_by_key(|stretch| stretch.earliest),
            LogSort::TimestampDesc => stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.latest)),
        }
        let mut found: Vec<Log> = Vec::new();
        for stretch in &stretches {
            let is_full = found.len() as i64 >= wanted;
            let comes_later = found.last().is_some_and(|last| match sort {
                LogSort::TimestampAsc => stretch.earliest > last.timestamp,
                LogSort::TimestampDesc => stretch.latest < last.timestamp,
            });
            if is_full && (comes_later || wanted == 0) {
                break;
            }
            found.extend(self.list_logs_of(stretch, filter, sort, wanted).await?);
            match sort {
                LogSort::TimestampAsc => found.sort_by_key(|log| (log.timestamp, log.id)),
                LogSort::TimestampDesc => found.sort_by_key(|log| std::cmp::Reverse((log.timestamp, log.id))),
            }
            found.truncate(wanted as usize);
        }
        Ok(found.split_off((offset as usize).min(found.len())))
    }

    async fn list_logs_of(&self, stretch: &Stretch, filter: &LogFilter, sort: LogSort, limit: i64) -> Result<Vec<Log>> {
        let mut sql = select(&stretch.part);
        sql.bind(self.workspace());
        match self.dialect() {
            Dialect::Sqlite => {
                sql.push(" AND log.rowid BETWEEN ").bind(stretch.first).push(" AND ").bind(stretch.last);
            }
            Dialect::Postgres => {
                let (first, last) = (Timestamp::nearest(stretch.first), Timestamp::nearest(stretch.last));
                sql.push(" AND log.created BETWEEN ").bind(first).push(" AND ").bind(last);
            }
        }
        push_log_filter(&mut sql, self.dialect(), filter);
        // Written so that no index of times is taken: only these rows are to be read.
        sql.push(match (self.dialect(), sort) {
            (Dialect::Sqlite, LogSort::TimestampAsc) => " ORDER BY +log.timestamp ASC, log.id ASC",
            (Dialect::Sqlite, LogSort::TimestampDesc) => " ORDER BY +log.timestamp DESC, log.id DESC",
            (Dialect::Postgres, LogSort::TimestampAsc) => " ORDER BY log.timestamp + interval '0' ASC, log.id ASC",
            (Dialect::Postgres, LogSort::TimestampDesc) => " ORDER BY log.timestamp + interval '0' DESC, log.id DESC",
        });
        sql.push_page(limit, 0);
        self.all(&sql, log).await
    }

    /// Where the words may be: blocks that may hold them, and what no block covers.
    async fn stretches(&mut self, search: &Search) -> Result<Vec<Stretch>> {
        let mut stretches = Vec::new();
        for part in self.tables(Partitioned::Log).await? {
            let newest = self.newest_log_block(&part).await?;
            if let Some(newest) = newest {
                stretches.extend(self.blocks_for(search, &part, newest).await?);
            }
            stretches.push(Stretch::behind(part, newest.unwrap_or(i64::MIN)));
        }
        Ok(stretches)
    }

    async fn blocks_for(&self, search: &Search, part: &str, newest: i64) -> Result<Vec<Stretch>> {
        let is_sqlite = self.dialect() == Dialect::Sqlite;
        let letters = if is_sqlite { "letters" } else { "''::bytea" };
        let mut sql = sql!(
            format!("SELECT first, last, earliest, latest, {letters} FROM log_block WHERE part = $1 AND last <= $2"),
            part,
            newest,
        );
        if let Some(since) = search.since {
            sql.push(" AND latest >= ").bind(since);
        }
        if let Some(until) = search.until {
            sql.push(" AND earliest <= ").bind(until);
        }
        if !is_sqlite {
            search.push_condition(&mut sql);
        }
        let read = |row: &mut Row<'_>| {
            let (first, last, earliest, latest) = (row.next()?, row.next()?, row.next()?, row.next()?);
            let stretch = Stretch { part: part.to_owned(), first, last, earliest, latest };
            Ok(search.may_be_in(&row.next::<Vec<u8>>()?).then_some(stretch))
        };
        Ok(self.all(&sql, read).await?.into_iter().flatten().collect())
    }
}
