//! Concurrency limits and the slots taken of them. A leased slot is a row that is counted, never a counter that drifts;
//! only slots taken without a lease are a number on the limit.

mod holders;
mod tags;

use tidegate_api::{
    concurrency_limits::{
        ConcurrencyLeaseHolder, ConcurrencyLimitV2, ConcurrencyLimitV2Create, ConcurrencyLimitV2Update,
    },
    deployments::GlobalConcurrencyLimit,
};
use tidegate_core::{ids::ConcurrencyLimitId, orchestration::LimitFacts, time::Timestamp};
use uuid::Uuid;

use crate::{Dialect, Result, Row, Sql, Tx, Wake, sql};

pub use tags::{limited_tag, tag_limit_name};

/// Slots are held for this long on average until a limit has seen some.
pub const FIRST_AVERAGE_OCCUPANCY_SECONDS: f64 = 2.0;
const LEAST_OCCUPANCY_SECONDS: f64 = 0.1;

/// Slots counted now: the leased ones whose lease lives, and the others less what has decayed.
const TAKEN: &str = "(SELECT coalesce(sum(s.slots), 0) FROM concurrency_slot AS s \
     JOIN concurrency_lease AS l ON l.id = s.lease_id WHERE s.limit_id = concurrency_limit.id AND l.expires > $1)";

/// A limit with everything that taking slots of it needs.
#[derive(Clone, Debug)]
pub struct Limit {
    pub row: ConcurrencyLimitV2,
    /// Slots under live leases.
    pub leased: i64,
    /// Slots without lease, decay considered.
    pub unleased: f64,
}

impl Limit {
    /// Slots taken now, as whole ones.
    pub fn taken(&self) -> i64 {
        self.leased + self.unleased.floor() as i64
    }

    /// Slots denied and not forgotten: they are forgotten as fast as slots become free.
    fn denied_after_decay(&self, now: Timestamp, longest_wait: f64) -> i64 {
        let row = &self.row;
        let per_second = if row.slot_decay_per_second > 0.0 {
            row.slot_decay_per_second
        } else {
            1.0 / row.avg_slot_occupancy_seconds.min(longest_wait).max(LEAST_OCCUPANCY_SECONDS)
        };
        let elapsed = now.seconds_since(row.updated.unwrap_or(now));
        (row.denied_slots - (per_second * elapsed).floor() as i64).max(0)
    }

    pub fn facts(&self) -> LimitFacts {
        LimitFacts {
            id: ConcurrencyLimitId(self.row.id),
            active: self.row.active,
            limit: self.row.limit,
            taken: self.taken(),
            average_occupancy_seconds: self.row.avg_slot_occupancy_seconds,
        }
    }

    pub fn global(&self) -> GlobalConcurrencyLimit {
        GlobalConcurrencyLimit {
            id: self.row.id,
            created: self.row.created,
            updated: self.row.updated,
            active: self.row.active,
            name: self.row.name.clone(),
            limit: self.row.limit,
            active_slots: self.taken(),
            slot_decay_per_second: self.row.slot_decay_per_second,
        }
    }

    pub fn v2(&self) -> ConcurrencyLimitV2 {
        ConcurrencyLimitV2 { active_slots: self.taken(), ..self.row.clone() }
    }
}

fn limit(now: Timestamp) -> impl FnMut(&mut Row<'_>) -> Result<Limit> {
    move |row| {
        let limit = ConcurrencyLimitV2 {
            id: row.next()?,
            created: row.next()?,
            updated: row.next()?,
            active: row.next()?,
            name: row.next()?,
            limit: row.next()?,
            active_slots: 0,
            denied_slots: row.next()?,
            slot_decay_per_second: row.next()?,
            avg_slot_occupancy_seconds: row.next()?,
        };
        let unleased: f64 = row.next()?;
        let leased = row.next()?;
        let decayed = (limit.slot_decay_per_second * now.seconds_since(limit.updated.unwrap_or(now))).floor().max(0.0);
        Ok(Limit { row: limit, leased, unleased: (unleased - decayed).max(0.0) })
    }
}

fn select(now: Timestamp) -> Sql {
    sql!(
        format!(
            "SELECT id, created, updated, active, name, slot_limit, denied_slots, slot_decay_per_second, \
             avg_slot_occupancy_seconds, unleased_slots, CAST({TAKEN} AS BIGINT) FROM concurrency_limit WHERE workspace_id = "
        ),
        now
    )
}

impl Tx {
    fn select_limits(&self) -> Sql {
        let mut sql = select(self.now());
        sql.bind(self.workspace());
        sql
    }

    pub async fn read_concurrency_limit(&mut self, id: Uuid) -> Result<Option<Limit>> {
        let mut sql = self.select_limits();
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, limit(self.now())).await
    }

    /// Limits by id; unknown ids are left out.
    pub async fn list_limits_by_id(&mut self, ids: &[Uuid]) -> Result<Vec<Limit>> {
        let mut sql = self.select_limits();
        sql.push(" AND ").push_ids(self.dialect(), "id", ids);
        self.all(&sql, limit(self.now())).await
    }

    pub async fn read_concurrency_limit_by_name(&mut self, name: &str) -> Result<Option<Limit>> {
        let mut sql = self.select_limits();
        sql.push(" AND name = ").bind(name);
        self.optional(&sql, limit(self.now())).await
    }

    /// Limits by name, in the order of names; unknown names are left out. On PostgreSQL the rows stay locked, in one order
    /// for everybody, until the transaction ends.
    pub async fn lock_concurrency_limits(&mut self, names: &[String]) -> Result<Vec<Limit>> {
        if self.dialect() == Dialect::Postgres {
            let mut lock = sql!("SELECT 1 FROM concurrency_limit WHERE workspace_id = $1 AND ", self.workspace());
            lock.push_texts(Dialect::Postgres, "name", names).push(" ORDER BY id FOR UPDATE");
            self.all(&lock, |_| Ok(())).await?;
        }
        let mut sql = self.select_limits();
        sql.push(" AND ").push_texts(self.dialect(), "name", names).push(" ORDER BY name");
        self.all(&sql, limit(self.now())).await
    }

    /// One limit, locked as above.
    pub async fn lock_concurrency_limit(&mut self, id: Uuid) -> Result<Option<Limit>> {
        if self.dialect() == Dialect::Postgres {
            self.all(&sql!("SELECT 1 FROM concurrency_limit WHERE id = $1 FOR UPDATE", id), |_| Ok(())).await?;
        }
        self.read_concurrency_limit(id).await
    }

    pub async fn list_concurrency_limits(&mut self, limit_rows: i64, offset: i64) -> Result<Vec<Limit>> {
        let mut sql = self.select_limits();
        sql.push(" ORDER BY name").push_page(limit_rows, offset);
        self.all(&sql, limit(self.now())).await
    }

    pub async fn create_concurrency_limit(&mut self, create: &ConcurrencyLimitV2Create) -> Result<Limit> {
        let id = Uuid::now_v7();
        self.execute(&sql!(
            "INSERT INTO concurrency_limit (id, workspace_id, created, updated, name, slot_limit, active, unleased_slots, \
             denied_slots, slot_decay_per_second, avg_slot_occupancy_seconds) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10)",
            id,
            self.workspace(),
            self.now(),
            &create.name,
            create.limit,
            create.active,
            create.active_slots as f64,
            create.denied_slots,
            create.slot_decay_per_second,
            FIRST_AVERAGE_OCCUPANCY_SECONDS,
        ))
        .await?;
        let limit = self.read_concurrency_limit(id).await?;
        limit.ok_or_else(|| crate::Error::Database("a limit vanished while it was created".into()))
    }

    /// Changes a limit. Setting `active_slots` below what leases hold releases those leases' slots: it is how an operator
    /// frees a limit. Answers whether there was such a limit.
    pub async fn update_concurrency_limit(&mut self, id: Uuid, update: ConcurrencyLimitV2Update) -> Result<bool> {
        let Some(current) = self.lock_concurrency_limit(id).await? else { return Ok(false) };
        let unleased = match update.active_slots.value() {
            Some(slots) if slots < current.leased => {
                self.execute(&sql!("DELETE FROM concurrency_slot WHERE limit_id = $1", id)).await?;
                slots as f64
            }
            Some(slots) => (slots - current.leased) as f64,
            None => current.unleased,
        };
        self.execute(&sql!(
            "UPDATE concurrency_limit SET updated = $1, active = $2, name = $3, slot_limit = $4, unleased_slots = $5, \
             denied_slots = $6, slot_decay_per_second = $7 WHERE id = $8",
            self.now(),
            update.active.value().unwrap_or(current.row.active),
            update.name.value().unwrap_or(current.row.name),
            update.limit.value().unwrap_or(current.row.limit),
            unleased,
            update.denied_slots.value().unwrap_or(current.row.denied_slots),
            update.slot_decay_per_second.value().unwrap_or(current.row.slot_decay_per_second),
            id,
        ))
        .await?;
        self.tell_of_free_slots(id).await?;
        Ok(true)
    }

    pub async fn delete_concurrency_limit(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM concurrency_limit WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        let deleted = self.execute(&sql).await? > 0;
        if deleted {
            self.wake(Wake::Slots);
        }
        Ok(deleted)
    }

    /// Takes slots without a lease: a number on the limit, with decay settled up to now.
    pub async fn take_unleased_slots(&mut self, limit: &Limit, slots: i64, longest_wait: f64) -> Result<()> {
        self.execute(&sql!(
            "UPDATE concurrency_limit SET unleased_slots = $1, denied_slots = $2, updated = $3 WHERE id = $4",
            limit.unleased + slots as f64,
            limit.denied_after_decay(self.now(), longest_wait),
            self.now(),
            limit.row.id,
        ))
        .await
        .map(drop)
    }

    /// Gives slots without a lease back; never below zero.
    pub async fn release_unleased_slots(
        &mut self,
        limit: &Limit,
        slots: i64,
        occupancy_seconds: Option<f64>,
    ) -> Result<()> {
        let average = occupancy_seconds.map_or(limit.row.avg_slot_occupancy_seconds, |seconds| {
            next_average(&limit.row, seconds / slots.max(1) as f64)
        });
        self.execute(&sql!(
            "UPDATE concurrency_limit SET unleased_slots = $1, updated = $2, avg_slot_occupancy_seconds = $3 WHERE id = $4",
            (limit.unleased - slots as f64).max(0.0),
            self.now(),
            average,
            limit.row.id,
        ))
        .await?;
        self.tell_of_free_slots(limit.row.id).await
    }

    /// Counts slots that were asked for and not given: they lengthen the wait that the next ones are told.
    pub async fn deny_slots(&mut self, limit: &Limit, slots: i64, longest_wait: f64) -> Result<()> {
        self.execute(&sql!(
            "UPDATE concurrency_limit SET unleased_slots = $1, denied_slots = $2, updated = $3 WHERE id = $4",
            limit.unleased,
            limit.denied_after_decay(self.now(), longest_wait) + slots,
            self.now(),
            limit.row.id,
        ))
        .await
        .map(drop)
    }

    /// Takes slots of several limits under one lease. The caller has checked that they are free.
    pub async fn create_lease(
        &mut self,
        id: Uuid,
        limits: &[Uuid],
        slots: i64,
        seconds: f64,
        holder: Option<&ConcurrencyLeaseHolder>,
    ) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO concurrency_lease (id, workspace_id, created, expires, holder_type, holder_id) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            id,
            self.workspace(),
            self.now(),
            self.now().plus_seconds(seconds),
            holder.map(|holder| holder.kind.clone()),
            holder.map(|holder| holder.id),
        ))
        .await?;
        for limit in limits {
            self.execute(&sql!(
                "INSERT INTO concurrency_slot (limit_id, lease_id, slots) VALUES ($1, $2, $3)",
                *limit,
                id,
                slots
            ))
            .await?;
        }
        Ok(())
    }

    /// Moves a lease's end. Answers whether the lease still lived.
    pub async fn renew_lease(&mut self, id: Uuid, seconds: f64) -> Result<bool> {
        let sql = sql!(
            "UPDATE concurrency_lease SET expires = $1 WHERE id = $2 AND expires > $3",
            self.now().plus_seconds(seconds),
            id,
            self.now(),
        );
        Ok(self.execute(&sql).await? > 0)
    }

    /// Whether a lease lives and holds at least one slot.
    pub async fn is_lease_live(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!(
            "SELECT 1 FROM concurrency_lease AS l JOIN concurrency_slot AS s ON s.lease_id = l.id \
             WHERE l.id = $1 AND l.expires > $2 LIMIT 1",
            id,
            self.now(),
        );
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    /// Ends a lease and gives its slots back, learning how long they were held. Answers whether there was such a lease.
    pub async fn release_lease(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("SELECT created FROM concurrency_lease WHERE id = $1", id);
        let Some(created) = self.optional(&sql, |row| row.next::<Timestamp>()).await? else { return Ok(false) };
        let limits = self
            .all(&sql!("SELECT limit_id, slots FROM concurrency_slot WHERE lease_id = $1", id), |row| {
                Ok((row.next::<Uuid>()?, row.next::<i64>()?))
            })
            .await?;
        let held = self.now().seconds_since(created).max(0.0);
        for (limit_id, slots) in &limits {
            if let Some(limit) = self.lock_concurrency_limit(*limit_id).await? {
                let average = next_average(&limit.row, held / (*slots).max(1) as f64);
                self.execute(&sql!(
                    "UPDATE concurrency_limit SET avg_slot_occupancy_seconds = $1 WHERE id = $2",
                    average,
                    *limit_id,
                ))
                .await?;
            }
        }
        self.execute(&sql!("DELETE FROM concurrency_lease WHERE id = $1", id)).await?;
        self.wake(Wake::Slots);
        for (limit_id, _) in limits {
            self.tell_of_free_slots(limit_id).await?;
        }
        Ok(true)
    }

    /// Ends every lease of a holder.
    pub async fn release_leases_of(&mut self, holder: Uuid) -> Result<()> {
        let sql = sql!("SELECT id FROM concurrency_lease WHERE holder_id = $1", holder);
        for lease in self.all(&sql, |row| row.next::<Uuid>()).await? {
            self.release_lease(lease).await?;
        }
        Ok(())
    }

    /// Leases whose end has passed; their slots count no more, and their rows can go.
    pub async fn list_expired_leases(&mut self, limit: i64) -> Result<Vec<Uuid>> {
        let sql =
            sql!("SELECT id FROM concurrency_lease WHERE expires <= $1 ORDER BY expires LIMIT $2", self.now(), limit);
        self.all(&sql, |row| row.next()).await
    }
}

/// The moving average of how long a slot is held, over about twice as many samples as the limit has slots.
fn next_average(limit: &ConcurrencyLimitV2, held: f64) -> f64 {
    let samples = (limit.limit.max(1) * 2) as f64;
    let average = limit.avg_slot_occupancy_seconds;
    (average - average / samples + held / samples).max(LEAST_OCCUPANCY_SECONDS)
}
