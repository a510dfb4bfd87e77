//! Limits on tags, as the first version of the interface knows them: global limits named `tag:<tag>`, whose slots are held
//! by task runs under leases. Nothing of them is stored anywhere else.

use std::collections::HashMap;

use tidegate_api::concurrency_limits::ConcurrencyLeaseHolder;
use uuid::Uuid;

use super::{Limit, limit};
use crate::{Result, Sql, Tx, flow_run_states::FOR_EVER_SECONDS, sql};

/// The name of the limit on a tag.
pub fn tag_limit_name(tag: &str) -> String {
    format!("tag:{tag}")
}

/// The tag that a limit is on, if it is on one.
pub fn limited_tag(name: &str) -> Option<&str> {
    name.strip_prefix("tag:")
}

impl Tx {
    /// Limits on tags, by tag.
    pub async fn list_tag_limits(&mut self, limit_rows: i64, offset: i64) -> Result<Vec<Limit>> {
        let mut sql = self.select_limits();
        sql.push(" AND substr(name, 1, 4) = 'tag:' ORDER BY name").push_page(limit_rows, offset);
        self.all(&sql, limit(self.now())).await
    }

    /// The task runs that hold slots of each limit, longest first.
    pub async fn list_task_runs_holding(&mut self, limits: &[Uuid]) -> Result<HashMap<Uuid, Vec<Uuid>>> {
        let mut sql = Sql::new(
            "SELECT s.limit_id, l.holder_id FROM concurrency_slot AS s JOIN concurrency_lease AS l ON l.id = s.lease_id WHERE ",
        );
        sql.push_ids(self.dialect(), "s.limit_id", limits)
            .push(" AND l.holder_type = 'task_run' AND l.holder_id IS NOT NULL AND l.expires > ")
            .bind(self.now())
            .push(" ORDER BY l.created, l.id");
        let mut holders: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for (limit, holder) in self.all(&sql, |row| Ok((row.next::<Uuid>()?, row.next::<Uuid>()?))).await? {
            holders.entry(limit).or_default().push(holder);
        }
        Ok(holders)
    }

    /// Gives a task run one slot of each limit, for as long as it does not give them back. The caller has checked that they
    /// are free.
    pub async fn hold_tag_slots(&mut self, limits: &[Uuid], task_run: Uuid) -> Result<()> {
        let holder = ConcurrencyLeaseHolder { kind: "task_run".into(), id: task_run };
        self.create_lease(Uuid::now_v7(), limits, 1, FOR_EVER_SECONDS, Some(&holder)).await
    }

    /// Ends the leases under which a holder has slots of any of the limits, with all that they hold.
    pub async fn release_tag_slots(&mut self, limits: &[Uuid], holder: Uuid) -> Result<()> {
        let mut sql = sql!(
            "SELECT DISTINCT l.id FROM concurrency_lease AS l JOIN concurrency_slot AS s ON s.lease_id = l.id \
             WHERE l.holder_id = $1 AND ",
            holder
        );
        sql.push_ids(self.dialect(), "s.limit_id", limits);
        for lease in self.all(&sql, |row| row.next::<Uuid>()).await? {
            self.release_lease(lease).await?;
        }
        Ok(())
    }

    /// Takes every slot of a limit from whoever holds it. Leases that held nothing else end.
    pub async fn free_concurrency_limit(&mut self, id: Uuid) -> Result<()> {
        for statement in [
            "DELETE FROM concurrency_lease WHERE id IN (SELECT lease_id FROM concurrency_slot WHERE limit_id = $1) \
             AND NOT EXISTS (SELECT 1 FROM concurrency_slot AS s WHERE s.lease_id = concurrency_lease.id AND s.limit_id <> $1)",
            "DELETE FROM concurrency_slot WHERE limit_id = $1",
            "UPDATE concurrency_limit SET unleased_slots = 0 WHERE id = $1",
        ] {
            self.execute(&sql!(statement, id)).await?;
        }
        self.tell_of_free_slots(id).await
    }
}
