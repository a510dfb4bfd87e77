//! Events in the store: each is written once with the links to the resources it names and a row of the outbox, in the
//! transaction of the change it tells of. What events mean is other modules' business.

mod build;
mod outbox;
mod query;

use std::collections::HashMap;

use serde::Serialize;
use tidegate_api::events::{Event, ReceivedEvent, Resource};
use tidegate_core::{
    json::{Json, to_text},
    time::Timestamp,
};
use uuid::Uuid;

pub use build::{ResourceEvent, RunNames, StateChange, Surroundings, related};
pub use outbox::Position;
pub use query::{EventGroup, EventKey, event_range};

use crate::{Dialect, Error, Partitioned, Result, Row, Sql, Tx, Wake, nul, value::Value};

const COLUMNS: &str = "id, workspace_id, occurred, received, event, resource_id, resource, related, payload, follows";
const SELECTED: &str = "event.id, event.occurred, event.received, event.event, event.resource, event.related, event.payload, \
                        event.follows";
const ID: &str = "prefect.resource.id";
const ROLE: &str = "prefect.resource.role";
const MAXIMUM_NAME: usize = 1024;
const MAXIMUM_RELATED: usize = 100;
const MAXIMUM_LABELS: usize = 500;

/// An event as its row holds it: JSON as text, ready to be written without being taken apart again.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub id: Uuid,
    pub occurred: Timestamp,
    pub event: String,
    pub resource_id: String,
    pub resource: String,
    pub related: String,
    pub payload: String,
    pub follows: Option<Uuid>,
    /// Hashes of the related resources' ids, each once.
    pub links: Vec<i64>,
}

impl EventRecord {
    /// About how many bytes the event has on the wire.
    pub fn size(&self) -> usize {
        self.event.len() + self.resource.len() + self.related.len() + self.payload.len()
    }

    /// Checks the limits that every event has to keep.
    pub fn new(event: &Event) -> Result<Self, String> {
        if event.event.chars().count() > MAXIMUM_NAME {
            return Err(format!("Event name must be at most {MAXIMUM_NAME} characters"));
        }
        check_resource(&event.resource)?;
        if event.related.len() > MAXIMUM_RELATED {
            return Err(format!("The maximum number of related resources is {MAXIMUM_RELATED}"));
        }
        let mut links = Vec::with_capacity(event.related.len());
        for resource in &event.related {
            let id = check_resource(resource)?;
            match resource.get(ROLE).map(String::as_str) {
                None => return Err(format!("Related Resources must include the {ROLE} label")),
                Some("") => return Err(format!("The {ROLE} label must be non-empty")),
                Some(_) => links.push(link(id)),
            }
        }
        links.sort_unstable();
        links.dedup();
        Ok(Self {
            id: event.id,
            occurred: event.occurred,
            event: nul::left_out(&event.event).into_owned(),
            resource_id: nul::left_out(&event.resource[ID]).into_owned(),
            resource: nul::left_out_of_json(&to_text(&event.resource)).into_owned(),
            related: nul::left_out_of_json(&to_text(&event.related)).into_owned(),
            payload: nul::left_out_of_json(event.payload.text()).into_owned(),
            follows: event.follows,
            links,
        })
    }
}

/// The resource's id, if it keeps the rules.
fn check_resource(resource: &Resource) -> Result<&str, String> {
    if resource.len() > MAXIMUM_LABELS {
        return Err(format!("The maximum number of labels per resource is {MAXIMUM_LABELS}"));
    }
    match resource.get(ID).map(String::as_str) {
        None => Err(format!("Resources must include the {ID} label")),
        Some("") => Err(format!("The {ID} label must be non-empty")),
        Some(id) => Ok(id),
    }
}

/// The hash under which a resource is linked (FNV-1a, 64 bits). It is stored: it must never change. Queries look at the
/// event's own labels too, so a collision costs a row read, not a wrong answer.
pub fn link(resource_id: &str) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in resource_id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash as i64
}

/// An event as stored, its JSON left as text. Field order is the order on the wire.
#[derive(Clone, Debug, Serialize)]
pub struct StoredEvent {
    pub occurred: Timestamp,
    pub event: String,
    pub resource: Json,
    pub related: Json,
    pub payload: Json,
    pub id: Uuid,
    pub follows: Option<Uuid>,
    pub received: Timestamp,
}

impl StoredEvent {
    /// The event with its labels taken apart, for filters.
    pub fn parse(&self) -> Result<ReceivedEvent> {
        let problem = |error: serde_json::Error| Error::Corrupt { column: "event".into(), problem: error.to_string() };
        Ok(ReceivedEvent {
            occurred: self.occurred,
            event: self.event.clone(),
            resource: self.resource.parse().map_err(problem)?,
            related: self.related.parse().map_err(problem)?,
            payload: self.payload.clone(),
            id: self.id,
            follows: self.follows,
            received: self.received,
        })
    }
}

fn select(workspace: Uuid) -> Sql {
    let mut sql = Sql::new(format!("SELECT {SELECTED} FROM event WHERE event.workspace_id = "));
    sql.bind(workspace);
    sql
}

fn stored_event(row: &mut Row<'_>) -> Result<StoredEvent> {
    let (id, occurred, received) = (row.next()?, row.next()?, row.next()?);
    Ok(StoredEvent {
        id,
        occurred,
        received,
        event: row.next()?,
        resource: row.next()?,
        related: row.next()?,
        payload: row.next()?,
        follows: row.next()?,
    })
}

impl Tx {
    pub async fn read_event(&mut self, id: Uuid) -> Result<Option<StoredEvent>> {
        let mut sql = select(self.workspace());
        sql.push(" AND event.id = ").bind(id);
        self.optional(&sql, stored_event).await
    }

    /// The events of these ids and times, in this order. One that is gone is passed over.
    pub(crate) async fn read_stored_events(&mut self, wanted: &[(Uuid, Timestamp)]) -> Result<Vec<StoredEvent>> {
        let mut events = HashMap::with_capacity(wanted.len());
        // Chunks: SQLite spells every id out.
        for chunk in wanted.chunks(200) {
            let ids: Vec<Uuid> = chunk.iter().map(|(id, _)| *id).collect();
            let first = chunk.iter().map(|(_, occurred)| *occurred).min().unwrap_or(Timestamp::UNIX_EPOCH);
            let last = chunk.iter().map(|(_, occurred)| *occurred).max().unwrap_or(Timestamp::UNIX_EPOCH);
            let mut sql = select(self.workspace());
            sql.push(" AND ").push_ids(self.dialect(), "event.id", &ids);
            sql.push(" AND event.occurred >= ").bind(first).push(" AND event.occurred <= ").bind(last);
            for event in self.all(&sql, stored_event).await? {
                events.insert(event.id, event);
            }
        }
        Ok(wanted.iter().filter_map(|(id, _)| events.remove(id)).collect())
    }

    /// Stores an event in this transaction and wakes whoever waits for events once it is committed. One that is already
    /// there changes nothing; answers whether it was new.
    pub async fn emit(&mut self, event: &Event) -> Result<bool> {
        let record = EventRecord::new(event).map_err(Error::Database)?;
        Ok(self.store_events(vec![record]).await?.contains(&event.id))
    }

    /// Stores many events at once; answers the ids of those that were new.
    pub async fn store_events(&mut self, records: Vec<EventRecord>) -> Result<std::collections::HashSet<Uuid>> {
        let (workspace, received) = (self.workspace(), self.now());
        let mut records = records;
        self.drop_known(&mut records).await?;
        let mut rows = Vec::with_capacity(records.len());
        let mut links = Vec::with_capacity(records.len());
        for record in records {
            links.push((record.id, record.occurred, record.links));
            rows.push((
                record.occurred,
                vec![
                    Value::Uuid(record.id),
                    Value::Uuid(workspace),
                    Value::Time(record.occurred),
                    Value::Time(received),
                    Value::Text(record.event),
                    Value::Text(record.resource_id),
                    Value::Json(record.resource),
                    Value::Json(record.related),
                    Value::Json(record.payload),
                    record.follows.into(),
                ],
            ));
        }
        let new = self.insert_partitioned_new(Partitioned::Event, COLUMNS, rows).await?;
        let mut link_rows = Vec::new();
        let mut outbox = Vec::with_capacity(new.len());
        for (id, occurred, hashes) in links {
            if !new.contains(&id) {
                continue;
            }
            outbox.push(vec![Value::Uuid(id), Value::Time(occurred), Value::Time(received)]);
            for hash in hashes {
                link_rows.push((occurred, vec![Value::Int(hash), Value::Time(occurred), Value::Uuid(id)]));
            }
        }
        if !outbox.is_empty() {
            let columns = "resource, occurred, event_id";
            self.insert_partitioned(Partitioned::EventLink, columns, "ON CONFLICT DO NOTHING", link_rows).await?;
            self.insert_many("INSERT INTO event_outbox (event_id, occurred, received)", "", outbox).await?;
            self.wake(Wake::Events);
        }
        Ok(new)
    }

    /// An id counts once, whatever times its copies carry. On SQLite the index of a week sees to that; a partition of
    /// PostgreSQL cannot, its unique indexes hold the time too.
    async fn drop_known(&mut self, records: &mut Vec<EventRecord>) -> Result<()> {
        let mut seen = std::collections::HashSet::with_capacity(records.len());
        if self.dialect() == Dialect::Postgres {
            let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
            let mut sql = Sql::new("SELECT id FROM event WHERE ");
            sql.push_ids(Dialect::Postgres, "id", &ids);
            seen.extend(self.all(&sql, |row| row.next::<Uuid>()).await?);
        }
        records.retain(|record| seen.insert(record.id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn links_never_change() {
        assert_eq!(link(""), 0xcbf2_9ce4_8422_2325_u64 as i64);
        assert_eq!(link("a"), 0xaf63_dc4c_8601_ec8c_u64 as i64);
        assert_eq!(link("foobar"), 0x8594_4171_f739_67e8_u64 as i64);
    }
}
