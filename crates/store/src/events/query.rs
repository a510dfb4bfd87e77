//! Lists and counts of events: the wire's filter as SQL.

use tidegate_api::{
    events::{
        AnyResourceFilter, EventFilter, EventNameFilter, EventOrder, Patterns, RelatedFilter, ResourceFilter,
        ResourceSpecification,
    },
    filters::Operator,
    text_search::TextQuery,
};
use tidegate_core::time::Timestamp;

use super::{ID, ROLE, StoredEvent, link, select, stored_event};
use crate::{
    Dialect, Partitioned, Result, Sql, Tx,
    conditions::{Conditions, push_text_query},
    value::Value,
};

/// Without another bound, queries look this far back from the beginning of today.
const DEFAULT_DAYS: i64 = 180;
const DAY_MICROS: i64 = 86_400_000_000;

/// A group of events: its value, label, size and the times of its first and last event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventGroup {
    pub value: String,
    pub label: String,
    pub count: i64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What events are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKey {
    Name,
    Resource,
}

/// The range of time that a filter means at an instant.
pub fn event_range(filter: &EventFilter, now: Timestamp) -> (Timestamp, Timestamp) {
    let occurred = filter.occurred.clone().unwrap_or_default();
    let today = now.micros().div_euclid(DAY_MICROS) * DAY_MICROS;
    let since = Timestamp::from_micros(today - DEFAULT_DAYS * DAY_MICROS).unwrap_or(Timestamp::UNIX_EPOCH);
    (occurred.since.unwrap_or(since), occurred.until.unwrap_or(now))
}

impl Tx {
    pub async fn list_events(&mut self, filter: &EventFilter, limit: i64, offset: i64) -> Result<Vec<StoredEvent>> {
        let limit = match filter.id.as_ref().and_then(|filter| filter.id.as_ref()) {
            Some(ids) if !ids.is_empty() => limit.min(ids.len() as i64),
            _ => limit,
        };
        let order = match filter.order {
            EventOrder::Ascending => "ASC",
            EventOrder::Descending => "DESC",
        };
        let mut sql = select(self.workspace());
        self.push_event_filter(&mut sql, filter);
        if is_distinct(filter) {
            let inner = std::mem::replace(&mut sql, Sql::new(""));
            let text = inner.text.replacen(
                " FROM event",
                &format!(
                    ", row_number() OVER (PARTITION BY event.resource_id ORDER BY event.occurred {order}) AS place \
                     FROM event"
                ),
                1,
            );
            sql = Sql {
                text: format!("SELECT {} FROM ({text}) AS event WHERE place = 1", super::SELECTED).into(),
                values: inner.values,
            };
        }
        sql.push(&format!(" ORDER BY event.occurred {order}, event.id {order}")).push_page(limit, offset);
        self.all(&sql, stored_event).await
    }

    /// The events that a filter means, oldest first, after the one given: for reading all of them page by page.
    pub async fn list_events_after(
        &mut self,
        filter: &EventFilter,
        after: Option<(Timestamp, uuid::Uuid)>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>> {
        let mut sql = select(self.workspace());
        self.push_event_filter(&mut sql, filter);
        if let Some((occurred, id)) = after {
            sql.push(" AND (event.occurred, event.id) > (").bind(occurred).push(", ").bind(id).push(")");
        }
        sql.push(" ORDER BY event.occurred ASC, event.id ASC").push_page(limit, 0);
        self.all(&sql, stored_event).await
    }

    pub async fn count_events(&mut self, filter: &EventFilter) -> Result<i64> {
        if is_distinct(filter) {
            return self.count_from("DISTINCT event.resource_id", "event", filter).await;
        }
        // Table by table: through a view of several tables SQLite would read the rows themselves, not only an index.
        let mut count = 0;
        for table in self.tables(Partitioned::Event).await? {
            count += self.count_from("*", &table, filter).await?;
        }
        Ok(count)
    }

    async fn count_from(&mut self, counted: &str, table: &str, filter: &EventFilter) -> Result<i64> {
        let mut sql = Sql::new(format!("SELECT count({counted}) FROM {table} AS event WHERE event.workspace_id = "));
        sql.bind(self.workspace());
        self.push_event_filter(&mut sql, filter);
        self.one(&sql, |row| row.next()).await
    }

    /// How many events each name or resource has, the most frequent first.
    pub async fn count_events_by(&mut self, filter: &EventFilter, key: EventKey) -> Result<Vec<EventGroup>> {
        let label = |name: &str| match self.dialect() {
            Dialect::Sqlite => format!("event.resource ->> '{name}'"),
            Dialect::Postgres => format!("(event.resource ->> '{name}')"),
        };
        let (value, label) = match key {
            EventKey::Name => ("event.event", "event.event".to_owned()),
            EventKey::Resource => (
                "event.resource_id",
                format!("coalesce({}, {}, event.resource_id)", label("prefect.resource.name"), label("prefect.name")),
            ),
        };
        let mut sql = Sql::new(format!(
            "SELECT value, label, count, first, last FROM (SELECT {value} AS value, {label} AS label, \
             count(*) AS count, min(event.occurred) AS first, max(event.occurred) AS last \
             FROM event WHERE event.workspace_id = "
        ));
        sql.bind(self.workspace());
        self.push_event_filter(&mut sql, filter);
        sql.push(" GROUP BY 1, 2) AS counted ORDER BY last DESC");
        let groups = self
            .all(&sql, |row| {
                Ok(EventGroup {
                    value: row.next()?,
                    label: row.next()?,
                    count: row.next()?,
                    first: row.next()?,
                    last: row.next()?,
                })
            })
            .await?;
        Ok(merged(groups))
    }

    /// How many events fall into each span of `width` microseconds since `pivot`: the span's number and its events.
    pub async fn count_events_by_time(
        &mut self,
        filter: &EventFilter,
        pivot: Timestamp,
        width: i64,
    ) -> Result<Vec<(i64, i64)>> {
        let mut sql = Sql::new("SELECT ");
        match self.dialect() {
            Dialect::Sqlite => sql.push("(event.occurred - ").bind(pivot).push(") / ").bind(width),
            Dialect::Postgres => sql
                .push("floor(extract(epoch FROM event.occurred - ")
                .bind(pivot)
                .push("::timestamptz) * 1000000 / ")
                .bind(width)
                .push("::bigint)::bigint"),
        };
        sql.push(" AS span, count(*) FROM event WHERE event.workspace_id = ").bind(self.workspace());
        self.push_event_filter(&mut sql, filter);
        sql.push(" GROUP BY 1 ORDER BY 1");
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    fn push_event_filter(&self, sql: &mut Sql, filter: &EventFilter) {
        let range = event_range(filter, self.now());
        sql.push(" AND event.occurred >= ").bind(range.0).push(" AND event.occurred <= ").bind(range.1);
        let dialect = self.dialect();
        sql.push(" AND ");
        let mut parts = Conditions::begin(sql, dialect, None);
        if let Some(name) = &filter.event {
            push_name(&mut parts, dialect, name);
        }
        if let Some(resource) = &filter.resource {
            push_resource(&mut parts, dialect, resource);
        }
        for related in filter.related.iter().flat_map(|many| many.as_slice()) {
            if !related.is_open() {
                push_related(&mut parts, dialect, related, range);
            }
        }
        for any in filter.any_resource.iter().flat_map(|many| many.as_slice()) {
            push_any(&mut parts, dialect, any, range);
        }
        if let Some(ids) = filter.id.as_ref().and_then(|filter| filter.id.as_ref()).filter(|ids| !ids.is_empty()) {
            parts.part().push_ids(dialect, "event.id", ids);
        }
        if let Some(text) = &filter.text {
            let query = TextQuery::parse(&text.query);
            if query != TextQuery::default() {
                let text = |column: &str| match dialect {
                    Dialect::Sqlite => column.to_owned(),
                    Dialect::Postgres => format!("{column}::text"),
                };
                let searched = format!(
                    "(event.event || ' ' || {} || ' ' || {} || ' ' || {})",
                    text("event.resource"),
                    text("event.related"),
                    text("event.payload")
                );
                push_text_query(&mut parts, &searched, &query);
            }
        }
        parts.end();
    }
}

fn is_distinct(filter: &EventFilter) -> bool {
    filter.resource.as_ref().is_some_and(|resource| resource.distinct)
}

/// Rows of one value that had several labels become one, under the newest label; the rows come newest first.
fn merged(groups: Vec<EventGroup>) -> Vec<EventGroup> {
    let mut by_value: Vec<EventGroup> = Vec::with_capacity(groups.len());
    let mut places = std::collections::HashMap::new();
    for group in groups {
        match places.get(&group.value) {
            Some(place) => {
                let kept: &mut EventGroup = &mut by_value[*place];
                kept.count += group.count;
                kept.first = kept.first.min(group.first);
            }
            None => {
                places.insert(group.value.clone(), by_value.len());
                by_value.push(group);
            }
        }
    }
    by_value.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
    by_value
}

fn push_name(parts: &mut Conditions<'_>, dialect: Dialect, filter: &EventNameFilter) {
    push_prefixes(parts, dialect, "event.event", filter.prefix.as_deref());
    for prefix in filter.exclude_prefix.iter().flatten() {
        push_starts(parts.part().push("NOT "), dialect, "event.event", prefix);
    }
    if let Some(names) = given(filter.name.as_deref()) {
        parts.part().push_texts(dialect, "event.event", names);
    }
    if let Some(names) = given(filter.exclude_name.as_deref()) {
        parts.part().push("NOT (").push_texts(dialect, "event.event", names).push(")");
    }
}

fn push_resource(parts: &mut Conditions<'_>, dialect: Dialect, filter: &ResourceFilter) {
    if let Some(ids) = given(filter.id.as_deref()) {
        parts.part().push_texts(dialect, "event.resource_id", ids);
    }
    push_prefixes(parts, dialect, "event.resource_id", filter.id_prefix.as_deref());
    if let Some(labels) = &filter.labels {
        push_labels(parts, dialect, "event.resource", labels);
    }
}

/// The links narrow events down to those that name one of the ids at all; the labels themselves then decide.
fn push_related(parts: &mut Conditions<'_>, dialect: Dialect, filter: &RelatedFilter, range: (Timestamp, Timestamp)) {
    let mut ids: Vec<&String> = filter.id.iter().flatten().collect();
    if ids.is_empty() {
        ids.extend(filter.resources_in_roles.iter().flatten().map(|(id, _)| id));
    }
    if !ids.is_empty() {
        parts.part().push("event.id IN (");
        push_links(parts.sql, dialect, &ids, range);
        parts.sql.push(")");
    }
    let sql = parts.part();
    push_each_related(sql, dialect);
    let mut one = Conditions::begin(sql, dialect, None);
    if let Some(ids) = given(filter.id.as_deref()) {
        one.part().push_texts(dialect, &label_of("item.value", ID, dialect), ids);
    }
    if let Some(roles) = given(filter.role.as_deref()) {
        one.part().push_texts(dialect, &label_of("item.value", ROLE, dialect), roles);
    }
    if let Some(pairs) = given(filter.resources_in_roles.as_deref()) {
        one.nested(Some(Operator::Or), |any| {
            for (id, role) in pairs {
                let sql = any.part().push("(").push(&label_of("item.value", ID, dialect)).push(" = ").bind(id);
                sql.push(" AND ").push(&label_of("item.value", ROLE, dialect)).push(" = ").bind(role).push(")");
            }
        });
    }
    if let Some(labels) = &filter.labels {
        push_labels(&mut one, dialect, "item.value", labels);
    }
    one.end();
    parts.sql.push(")");
}

fn push_any(parts: &mut Conditions<'_>, dialect: Dialect, filter: &AnyResourceFilter, range: (Timestamp, Timestamp)) {
    let ids = given(filter.id.as_deref());
    let prefixes = given(filter.id_prefix.as_deref());
    let labels = filter.labels.as_ref().filter(|labels| !labels.is_empty());
    if ids.is_none() && prefixes.is_none() && labels.is_none() {
        return;
    }
    if let Some(ids) = ids {
        let list: Vec<&String> = ids.iter().collect();
        let sql = parts.part().push("event.id IN (");
        push_links(sql, dialect, &list, range);
        sql.push(" UNION ALL SELECT own.id FROM event AS own WHERE ").push_texts(dialect, "own.resource_id", ids);
        sql.push(" AND own.occurred >= ").bind(range.0).push(" AND own.occurred <= ").bind(range.1).push(")");
    }
    parts.nested(Some(Operator::Or), |either| {
        either.nested(None, |own| {
            if let Some(ids) = ids {
                own.part().push_texts(dialect, "event.resource_id", ids);
            }
            push_prefixes(own, dialect, "event.resource_id", prefixes);
            if let Some(labels) = labels {
                push_labels(own, dialect, "event.resource", labels);
            }
        });
        let sql = either.part();
        push_each_related(sql, dialect);
        let mut one = Conditions::begin(sql, dialect, None);
        let id = label_of("item.value", ID, dialect);
        if let Some(ids) = ids {
            one.part().push_texts(dialect, &id, ids);
        }
        push_prefixes(&mut one, dialect, &id, prefixes);
        if let Some(labels) = labels {
            push_labels(&mut one, dialect, "item.value", labels);
        }
        one.end();
        either.sql.push(")");
    });
}

fn given<T>(list: Option<&[T]>) -> Option<&[T]> {
    list.filter(|list| !list.is_empty())
}

/// Ids of the events that are linked to a resource.
fn push_links(sql: &mut Sql, dialect: Dialect, ids: &[&String], range: (Timestamp, Timestamp)) {
    sql.push("SELECT event_link.event_id FROM event_link WHERE event_link.resource IN (");
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            sql.push(", ");
        }
        sql.bind(link(id));
        if dialect == Dialect::Postgres {
            sql.push("::bigint");
        }
    }
    sql.push(") AND event_link.occurred >= ").bind(range.0).push(" AND event_link.occurred <= ").bind(range.1);
}

/// Opens a look at each related resource, `item.value`.
fn push_each_related(sql: &mut Sql, dialect: Dialect) {
    sql.push(match dialect {
        Dialect::Sqlite => "EXISTS (SELECT 1 FROM json_each(event.related) AS item WHERE ",
        Dialect::Postgres => "EXISTS (SELECT 1 FROM json_array_elements(event.related) AS item (value) WHERE ",
    });
}

/// One of our own labels, which hold nothing that needs quoting.
fn label_of(object: &str, label: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!("{object} ->> '{label}'"),
        Dialect::Postgres => format!("({object} ->> '{label}')"),
    }
}

fn push_prefixes(parts: &mut Conditions<'_>, dialect: Dialect, column: &str, prefixes: Option<&[String]>) {
    let Some(prefixes) = given(prefixes) else { return };
    parts.nested(Some(Operator::Or), |any| {
        for prefix in prefixes {
            push_starts(any.part(), dialect, column, prefix);
        }
    });
}

fn push_starts(sql: &mut Sql, dialect: Dialect, column: &str, prefix: &str) {
    match dialect {
        Dialect::Sqlite => sql.push(column).push(" GLOB ").bind(format!("{}*", glob_literal(prefix))),
        Dialect::Postgres => sql.push("starts_with(").push(column).push(", ").bind(prefix).push(")"),
    };
}

fn glob_literal(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '*' | '?' | '[' => out.extend(['[', c, ']']),
            other => out.push(other),
        }
        out
    })
}

/// Every label has a value that one of its patterns means; a label that is not there has none.
fn push_labels(parts: &mut Conditions<'_>, dialect: Dialect, object: &str, labels: &ResourceSpecification) {
    for (label, patterns) in labels {
        let patterns = Patterns::as_slice(patterns);
        if patterns.is_empty() {
            parts.part().push("1 = 0");
            continue;
        }
        let sql = parts.part();
        match dialect {
            // Labels may hold anything; a path expression could not name them all.
            Dialect::Sqlite => {
                sql.push("EXISTS (SELECT 1 FROM json_each(").push(object).push(") AS label WHERE label.key = ");
                sql.bind(label).push(" AND ");
                let mut any = Conditions::begin(sql, dialect, Some(Operator::Or));
                for pattern in patterns {
                    push_glob(any.part().push("label.atom"), pattern);
                }
                any.end();
                parts.sql.push(")");
            }
            Dialect::Postgres => {
                let mut any = Conditions::begin(sql, dialect, Some(Operator::Or));
                for pattern in patterns {
                    let sql = any.part().push("(");
                    sql.push(object).push(" ->> ").bind(label).push("::text)");
                    push_like(sql, pattern);
                }
                any.end();
            }
        }
    }
}

fn push_glob(sql: &mut Sql, pattern: &str) {
    let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
    sql.push(if negated { " NOT GLOB " } else { " GLOB " }).bind(pattern.replace('[', "[[]"));
}

fn push_like(sql: &mut Sql, pattern: &str) {
    let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
    let mut like = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            other => like.push(other),
        }
    }
    sql.push(if negated { " NOT LIKE " } else { " LIKE " }).bind(Value::Text(like)).push(" ESCAPE '\\'");
}
